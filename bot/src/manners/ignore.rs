//! Remarks that are meant for others: `$ignore …` is never answered, by any door.

use super::characters::is_smuggler;
use super::clean::{Tag, tag_kind};

const WORD: &str = "$ignore";

/// Whether a text, as it was typed, asks not to be answered: it begins with `$ignore`, in whatever
/// case and whatever follows. Space and what cannot be seen may stand before it, and so may mentions,
/// since a reply puts one there. Who is in doubt should be silent: `$ignored` counts too.
pub(crate) fn is_ignored(text: &str) -> bool {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || is_smuggler(c));
        let Some(end) = rest.find('>') else { break };
        if !matches!(tag_kind(&rest[..=end]), Some(Tag::User | Tag::Role)) {
            break;
        }
        rest = &rest[end + 1..];
    }
    let mut said = rest
        .chars()
        .filter(|&c| !is_smuggler(c))
        // a keyboard for Japanese types it so
        .map(|c| {
            if c == '＄' {
                '$'
            } else {
                c.to_ascii_lowercase()
            }
        });
    WORD.chars().all(|expected| said.next() == Some(expected))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_for_others_is_known() {
        for text in [
            "$ignore",
            "$ignore this",
            " \n\t$IGNORE: not for you",
            "$Ignore!ping",
            "<@123> <@&9> $ignore me",
            "\u{200b}$ig\u{200b}nore",
            "＄ignore",
            "$ignored",
        ] {
            assert!(is_ignored(text), "{text:?}");
        }
        for text in [
            "",
            "$",
            "$ignor",
            "ignore me",
            "why $ignore?",
            "!ping $ignore",
            "<:x:1>$ignore",
        ] {
            assert!(!is_ignored(text), "{text:?}");
        }
    }
}
