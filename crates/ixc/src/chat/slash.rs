//! What a line of the conversation asks for: a question, or an order behind a slash.
//!
//! Invariant: only the very first character makes a line an order, so that pasted text and paths in
//! the middle of a sentence stay questions.

/// One line's meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// A question to the model.
    Ask(String),
    /// An empty line.
    Nothing,
    /// Attach files to the next question; none: say which are.
    Image(Vec<String>),
    /// Take the attached files back.
    NoImage,
    /// The instruction.
    System(System),
    /// Answer the last question again.
    Retry,
    /// Forget the conversation.
    Clear,
    /// Write the conversation to a file.
    Save(String),
    /// Tell what can be done.
    Help,
    /// Leave.
    Leave,
}

/// What happens to the instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// It is shown.
    Show,
    /// It becomes the checkpoint's own again.
    Published,
    /// It becomes this; nothing when empty.
    Own(String),
}

/// The orders, for help and completion.
pub(crate) const NAMES: [&str; 8] =
    ["/clear", "/exit", "/help", "/image", "/quit", "/retry", "/save", "/system"];

/// What `/help` says.
pub(crate) const HELP: &str = "Orders:
  /image FILE…       attach pictures to the next question (quote names with blanks; Tab completes);
                     they go where <ImageHere> stands in it, or before it; `off` takes them back
  /retry             answer the last question again
  /system TEXT       what the model is told before the conversation; alone it shows it,
                     `off` tells nothing, `default` restores the model's own
  /save FILE         write the conversation to FILE; `ixc run --load FILE` reopens it
  /clear             forget the conversation and its pictures
  /exit              leave (or Ctrl-D)
  A line that ends in \\ goes on in the next; \"\"\" begins and ends a block of lines.
  Ctrl-C stops an answer. A question that begins with / needs a blank before it.";

/// Understands a line.
pub(crate) fn parse(text: &str) -> Result<Order, String> {
    if text.trim().is_empty() {
        return Ok(Order::Nothing);
    }
    if !text.starts_with('/') {
        return Ok(Order::Ask(text.trim().into()));
    }
    let (name, rest) = match text.split_once(char::is_whitespace) {
        Some((name, rest)) => (name, rest.trim()),
        None => (text, ""),
    };
    let alone = |order: Order| {
        if rest.is_empty() {
            Ok(order)
        } else {
            Err(format!("{name} stands alone, found {rest:?} behind it"))
        }
    };
    match name {
        "/image" if rest == "off" => Ok(Order::NoImage),
        "/image" => Ok(Order::Image(words(rest)?)),
        "/system" => Ok(Order::System(match rest {
            "" => System::Show,
            "off" => System::Own(String::new()),
            "default" => System::Published,
            text => System::Own(text.into()),
        })),
        "/save" => match words(rest)?.as_slice() {
            [file] => Ok(Order::Save(file.clone())),
            files => Err(format!("/save needs one file name, found {}", files.len())),
        },
        "/retry" => alone(Order::Retry),
        "/clear" => alone(Order::Clear),
        "/help" => alone(Order::Help),
        "/exit" | "/quit" => alone(Order::Leave),
        _ => Err(format!(
            "There is no {name}. Orders: {}. To ask something that begins with /, put a blank before it.",
            NAMES.join(" ")
        )),
    }
}

/// Splits a list of file names as a shell does: blanks part them, quotes and backslashes keep blanks.
fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut symbols = text.chars();
    while let Some(symbol) = symbols.next() {
        match (quote, symbol) {
            (Some(open), _) if symbol == open => quote = None,
            (Some('\''), _) => word.get_or_insert_default().push(symbol),
            // On Windows a backslash parts folders.
            (_, '\\') if cfg!(not(windows)) => match symbols.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err("nothing follows the last backslash".into()),
            },
            (None, '\'' | '"') => {
                quote = Some(symbol);
                word.get_or_insert_default();
            }
            (None, _) if symbol.is_whitespace() => words.extend(word.take()),
            (_, _) => word.get_or_insert_default().push(symbol),
        }
    }
    if let Some(open) = quote {
        return Err(format!("the quote {open} is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_understood() {
        let image = |files: &[&str]| Order::Image(files.iter().map(|f| (*f).into()).collect());
        for (text, order) in [
            ("", Order::Nothing),
            (" \t", Order::Nothing),
            ("What is /image?", Order::Ask("What is /image?".into())),
            (" /etc/passwd, what is it?", Order::Ask("/etc/passwd, what is it?".into())),
            ("/image", image(&[])),
            ("/image a.png 'b c.png' d\\ e.png", image(&["a.png", "b c.png", "d e.png"])),
            ("/image \"x'y\"'z'", image(&["x'yz"])),
            ("/image ''", image(&[""])),
            ("/image off", Order::NoImage),
            ("/image ./off", image(&["./off"])),
            ("/system", Order::System(System::Show)),
            ("/system off", Order::System(System::Own(String::new()))),
            ("/system default", Order::System(System::Published)),
            ("/system Be  brief. ", Order::System(System::Own("Be  brief.".into()))),
            ("/save talk.json", Order::Save("talk.json".into())),
            ("/retry ", Order::Retry),
            ("/quit", Order::Leave),
        ] {
            assert_eq!(parse(text), Ok(order), "{text:?}");
        }
    }

    #[test]
    fn wrong_orders_say_what_is_wrong() {
        for (text, part) in [
            ("/imgae x", "There is no /imgae"),
            ("/", "There is no /"),
            ("/retry now", "stands alone"),
            ("/save", "one file name, found 0"),
            ("/save a b", "one file name, found 2"),
            ("/image 'a", "quote ' is not closed"),
            ("/image a\\", "backslash"),
        ] {
            let found = parse(text).unwrap_err();
            assert!(found.contains(part), "{text:?}: {found}");
        }
    }

    #[test]
    fn every_order_is_in_the_help() {
        for name in NAMES.iter().filter(|name| **name != "/quit" && **name != "/help") {
            assert!(HELP.contains(name), "{name}");
        }
    }
}
