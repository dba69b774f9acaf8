//! How much one message may be.

use unicode_segmentation::UnicodeSegmentation;

use super::clean::{Tag, tag_kind};

/// The most of each that a message may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    /// What a person sees as one character.
    pub(crate) characters: usize,
    pub(crate) lines: usize,
    pub(crate) mentions: usize,
}

/// Bytes of UTF-8 per character that is allowed: as much as the characters of any script take. A
/// character of a thousand code points is no character.
const BYTES_PER_CHARACTER: usize = 6;

/// Why a message is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooMuch {
    #[error("There are no words in that for me to read. Could you put it in a few?")]
    Empty,
    #[error("That is more than I can read at once: a message has at most {0} characters.")]
    Characters(usize),
    #[error("That is more than I can read at once: a message has at most {0} bytes.")]
    Bytes(usize),
    #[error("That is a tall one: a message has at most {0} lines.")]
    Lines(usize),
    #[error("That calls a lot of people: a message mentions at most {0}.")]
    Mentions(usize),
}

impl TooMuch {
    /// As logs name it.
    pub(crate) fn cause(self) -> &'static str {
        match self {
            Self::Empty => "no-words",
            Self::Characters(_) => "characters",
            Self::Bytes(_) => "bytes",
            Self::Lines(_) => "lines",
            Self::Mentions(_) => "mentions",
        }
    }
}

impl Sizes {
    /// Of a clean text; mentions are counted as they were typed, since cleaning makes words of them.
    pub(crate) fn check(&self, typed: &str, clean: &str) -> Result<(), TooMuch> {
        let bytes = self.characters.saturating_mul(BYTES_PER_CHARACTER);
        if clean.is_empty() {
            return Err(TooMuch::Empty);
        }
        if clean.len() > bytes {
            return Err(TooMuch::Bytes(bytes));
        }
        // no more characters than bytes: most messages need no count
        if clean.len() > self.characters && clean.graphemes(true).count() > self.characters {
            return Err(TooMuch::Characters(self.characters));
        }
        if clean.lines().count() > self.lines {
            return Err(TooMuch::Lines(self.lines));
        }
        if mentions(typed) > self.mentions {
            return Err(TooMuch::Mentions(self.mentions));
        }
        Ok(())
    }
}

/// Tags of users and roles, and calls to everybody.
fn mentions(typed: &str) -> usize {
    let tags = typed.split('<').skip(1).filter(|rest| {
        // longer than any such tag
        let end = rest.bytes().take(32).position(|b| b == b'>');
        let inner = end.and_then(|end| rest.get(..=end));
        let kind = inner.and_then(|inner| tag_kind(&format!("<{inner}")));
        matches!(kind, Some(Tag::User | Tag::Role))
    });
    let lower = typed.to_ascii_lowercase();
    tags.count() + lower.matches("@everyone").count() + lower.matches("@here").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes {
        characters: 10,
        lines: 3,
        mentions: 2,
    };

    #[test]
    fn a_limit_is_what_may_still_be() {
        for (text, expected) in [
            ("0123456789", Ok(())),
            ("0123456789a", Err(TooMuch::Characters(10))),
            ("नमस्तेनमस्ते", Ok(())),
            ("a\nb\nc", Ok(())),
            ("a\nb\nc\nd", Err(TooMuch::Lines(3))),
            ("", Err(TooMuch::Empty)),
            (&"\u{1100}".repeat(30), Err(TooMuch::Bytes(60))),
        ] {
            assert_eq!(SIZES.check("", text), expected, "{text:?}");
        }
    }

    #[test]
    fn mentions_are_counted_as_typed() {
        for (typed, count) in [
            ("<@1> <@&2> <@!3>", 3),
            ("@everyone @HERE", 2),
            ("<#1> <:a:1> a@b <@x> <", 0),
            (&"<@1>".repeat(500), 500),
        ] {
            assert_eq!(mentions(typed), count, "{typed:?}");
        }
        assert_eq!(SIZES.check("<@1><@2>", "x"), Ok(()));
        assert_eq!(SIZES.check("<@1><@2>@here", "x"), Err(TooMuch::Mentions(2)));
    }
}
