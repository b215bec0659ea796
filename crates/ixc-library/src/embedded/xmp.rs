//! XMP: description, creators and rights of Dublin Core, picked from the packet.
//!
//! A packet is RDF, which can say one thing in many ways; writers use two: a list of `rdf:li`, or plain text.
//! These are looked for as texts between tags. Invariant: no entity but XML's own five and numbers is replaced, so
//! nothing is fetched or blown up. Deliberately absent: an XML parser.

use super::{Texts, worth};

/// The texts of a packet.
pub(super) fn texts(packet: &str) -> Texts {
    Texts {
        caption: property(packet, "dc:description").or_else(|| property(packet, "dc:title")),
        author: property(packet, "dc:creator"),
        rights: property(packet, "dc:rights").or_else(|| property(packet, "xmpRights:UsageTerms")),
        source: property(packet, "dc:source"),
        generated: None,
    }
}

/// A property's text; of a list its members, with commas between.
fn property(packet: &str, name: &str) -> Option<String> {
    let inside = between(packet, name)?;
    let mut rest = inside;
    let mut members = Vec::new();
    while let Some(member) = between(rest, "rdf:li") {
        let end = member.as_ptr() as usize - rest.as_ptr() as usize + member.len();
        rest = &rest[end..];
        members.extend(worth(&unescaped(member)));
    }
    if name == "dc:creator" && members.len() > 1 {
        return worth(&members.join(", "));
    }
    // Alternatives are the same text in several languages, the usual one first.
    let first = members.into_iter().next();
    first.or_else(|| worth(&unescaped(inside)).filter(|text| !text.contains('<')))
}

/// What stands between a tag and its end.
fn between<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = text;
    loop {
        let behind = &rest[rest.find(&format!("<{name}"))? + 1 + name.len()..];
        if behind.starts_with(['>', ' ', '\t', '\r', '\n']) {
            let close = behind.find('>')?;
            if behind[..close].ends_with('/') {
                rest = &behind[close..]; // an empty element
                continue;
            }
            let inside = &behind[close + 1..];
            return Some(&inside[..inside.find(&format!("</{name}"))?]);
        }
        rest = behind; // a longer name
    }
}

/// A text with XML's own entities replaced.
fn unescaped(text: &str) -> String {
    let mut pieces = text.split('&');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let known = piece.split_once(';').and_then(|(name, rest)| Some((entity(name)?, rest)));
        match known {
            Some((letter, rest)) => {
                out.push(letter);
                out.push_str(rest);
            }
            None => {
                out.push('&');
                out.push_str(piece);
            }
        }
    }
    out
}

fn entity(name: &str) -> Option<char> {
    let number = |digits: &str, base| char::from_u32(u32::from_str_radix(digits, base).ok()?);
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => match name.strip_prefix("#x") {
            Some(digits) => number(digits, 16),
            None => number(name.strip_prefix('#')?, 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_alternatives_and_plain_texts_are_read() {
        let packet = "<x:xmpmeta><rdf:Description dc:format='image/jpeg'>
            <dc:description><rdf:Alt><rdf:li xml:lang=\"x-default\">Fish &amp; chips &#x1F41F;</rdf:li>
            <rdf:li xml:lang=\"fr\">Poisson</rdf:li></rdf:Alt></dc:description>
            <dc:creator><rdf:Seq><rdf:li>A. One</rdf:li><rdf:li>B. Two</rdf:li></rdf:Seq></dc:creator>
            <dc:rights>CC BY 4.0</dc:rights><dc:source/></rdf:Description></x:xmpmeta>";
        let texts = texts(packet);
        assert_eq!(texts.caption.as_deref(), Some("Fish & chips 🐟"));
        assert_eq!(texts.author.as_deref(), Some("A. One, B. Two"));
        assert_eq!(texts.rights.as_deref(), Some("CC BY 4.0"));
        assert_eq!(texts.source, None);
    }

    #[test]
    fn broken_packets_give_what_they_have() {
        let whole = "<dc:description><rdf:li>a &lol; &amp b &</rdf:li></dc:description>";
        assert_eq!(property(whole, "dc:description").as_deref(), Some("a &lol; &amp b &"));
        for end in 0..whole.len() {
            let _ = texts(&whole[..end]);
        }
        let _ = texts(&"<dc:creator".repeat(10_000));
        let _ = texts(&"<dc:creator/>".repeat(10_000));
    }
}
