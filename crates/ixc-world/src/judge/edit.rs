//! Whether a change of a paragraph was obeyed.
//!
//! What must be said is said, what must not is not, and the length moved as asked. Deliberately absent: beauty.

use super::{
    facts::stated,
    read::{is_chinese, sentences},
};
use crate::text::edit::{Action, Edit};

/// Whether `said` does what was asked.
pub fn judge(edit: &Edit, said: &str) -> bool {
    let facts = stated(said);
    let says = edit.must.iter().all(|fact| facts.contains(fact));
    let avoids = !edit.never.iter().any(|fact| facts.contains(fact));
    let before = edit.before.join("\n");
    let fits = match edit.action {
        Action::Expand => length(said) > length(&before),
        Action::Shorten => 4 * length(said) <= 3 * length(&before),
        Action::Rewrite => said.trim() != before.trim(),
        // A neighbour's sentence is no new paragraph.
        Action::Insert => !sentences(said).iter().any(|new| sentences(&before).contains(new)),
    };
    says && avoids && fits && !repeats(said)
}

/// Words, or characters of Chinese.
fn length(text: &str) -> usize {
    if is_chinese(text) { text.chars().count() } else { text.split_whitespace().count() }
}

fn repeats(said: &str) -> bool {
    let mut all = sentences(said);
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    all.len() != count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{judge::facts::Fact, kinds::Kind, scene::Colour, text::Exchange};

    fn edit(action: Action, must: Vec<Fact>, never: Vec<Fact>) -> Edit {
        let before = vec![
            "It is a clear summer morning by the lake. A red boat floats on the left.".to_owned(),
        ];
        let exchange = Exchange { ask: String::new(), say: String::new() };
        Edit { action, before, must, never, exchange }
    }

    #[test]
    fn obedience_is_told_from_its_likes() {
        let blue = edit(
            Action::Rewrite,
            vec![Fact::Colour(Kind::Boat, Colour::Blue)],
            vec![Fact::Colour(Kind::Boat, Colour::Red)],
        );
        assert!(judge(
            &blue,
            "It is a clear summer morning by the lake. A blue boat floats on the left."
        ));
        for said in [blue.before[0].as_str(), "A boat floats.", "A red boat and a blue dog.", ""] {
            assert!(!judge(&blue, said), "{said}");
        }
        let longer = edit(
            Action::Expand,
            vec![Fact::Exists(Kind::Boat), Fact::Exists(Kind::Dog)],
            Vec::new(),
        );
        assert!(judge(&longer, &format!("{} A brown dog waits close by.", longer.before[0])));
        assert!(!judge(&longer, "A dog and a boat."));
        let shorter = edit(Action::Shorten, vec![Fact::Exists(Kind::Boat)], Vec::new());
        assert!(judge(&shorter, "A boat by the lake."));
        assert!(!judge(&shorter, &shorter.before[0]) && !judge(&shorter, "A dog."));
    }
}
