//! What people type, cleaned: words stay, in whatever script, and code stays byte for byte; pictures,
//! tags of pictures, and what cannot be seen go.
//!
//! # Guarantees
//!
//! - Clean text cleaned again is the same text.
//! - It is never longer than what was typed, in bytes.
//! - Code is untouched, but for NUL, which `PostgreSQL` cannot hold.
//!
//! Each character is judged by what stands before it in the *clean* text. So nothing can be hidden in
//! something that is taken out, and one pass is enough however deep it is nested.

use unicode_segmentation::UnicodeSegmentation;

use super::characters::{harmless, is_emoji};
use super::code::{self, Part};

/// Longer than any tag of Discord's: two signs, a name of 32, a number of 20.
const MOST_TAG: usize = 64;
/// No name is longer, in graphemes.
const MOST_NAME: usize = 40;

/// The clean text.
pub(crate) fn clean(text: &str) -> String {
    let text: String = text.chars().filter(|&c| c != '\0').collect();
    let mut clean = Clean {
        out: String::with_capacity(text.len()),
        apart: false,
    };
    for part in code::parts(&text) {
        match part {
            Part::Code(code) => {
                clean.part_backticks();
                clean.out.push_str(code);
            }
            Part::Text(text) => clean.text(text),
        }
    }
    let length = clean.out.trim_end().len();
    clean.out.truncate(length);
    clean.out
}

/// How to address somebody who says this is their name: one line, no sign that calls anybody.
pub(crate) fn name(name: &str) -> String {
    let clean = clean(name);
    let line = clean.lines().next().unwrap_or_default();
    let plain: String = line
        .chars()
        .filter(|c| !matches!(c, '@' | '/' | '<' | '>' | '`' | '*' | '_' | '~' | '|' | '#'))
        .collect();
    let short: String = plain.graphemes(true).take(MOST_NAME).collect();
    short.trim().to_owned()
}

struct Clean {
    out: String,
    /// Something was taken out since the last character: what follows did not stand beside it.
    apart: bool,
}

impl Clean {
    fn text(&mut self, text: &str) {
        for grapheme in text.graphemes(true) {
            if is_emoji(grapheme) {
                // the length of its run decides what is code
                if grapheme.starts_with('`') {
                    self.character('`');
                }
                self.apart = true;
                continue;
            }
            // one line break, though two characters
            let grapheme = if grapheme == "\r\n" { "\n" } else { grapheme };
            for c in grapheme.chars() {
                self.character(c);
            }
        }
        if self.apart {
            self.part_backticks();
        }
    }

    fn character(&mut self, c: char) {
        match harmless(c, &self.out) {
            None => self.apart = true,
            Some('\n') => self.line_break(),
            Some(' ') => self.space(),
            Some('`') => {
                if self.apart {
                    self.part_backticks();
                }
                self.push('`');
            }
            Some('>') => {
                self.push('>');
                self.tag();
            }
            Some(c) => self.push(c),
        }
    }

    fn push(&mut self, c: char) {
        self.out.push(c);
        self.apart = false;
    }

    fn space(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
            self.push(' ');
        }
    }

    /// No spaces before it, at most one empty line, none at the beginning.
    fn line_break(&mut self) {
        let length = self.out.trim_end_matches(' ').len();
        self.out.truncate(length);
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.push('\n');
        }
    }

    /// Two runs of backticks that were apart stay apart, or they would close what they did not.
    fn part_backticks(&mut self) {
        if self.apart && self.out.ends_with('`') {
            self.push(' ');
        }
    }

    /// Whether the text ends with a tag, now that it ends with `>`: an emoji's goes, somebody's becomes
    /// a word that is no longer than the shortest such tag.
    fn tag(&mut self) {
        let Some(start) = tag_start(&self.out) else {
            return;
        };
        let word = match tag_kind(&self.out[start..]) {
            Some(Tag::Emoji) => "",
            Some(Tag::User) => "user",
            Some(Tag::Role) => "role",
            Some(Tag::Channel) => "room",
            None => return,
        };
        self.out.truncate(start);
        self.out.push_str(word);
        self.apart = true;
    }
}

/// What a tag in angle brackets stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tag {
    Emoji,
    User,
    Role,
    Channel,
}

/// Where the tag would begin with which a text ends.
pub(super) fn tag_start(text: &str) -> Option<usize> {
    let tail = text.len().saturating_sub(MOST_TAG);
    // all of a tag is ASCII, so bytes will do
    let start = text.as_bytes()[tail..].iter().rposition(|&b| b == b'<')?;
    Some(tail + start)
}

/// `<:name:1>`, `<a:name:1>`, `<@1>`, `<@!1>`, `<@&1>`, `<#1>`.
pub(super) fn tag_kind(tag: &str) -> Option<Tag> {
    let inner = tag.strip_prefix('<')?.strip_suffix('>')?;
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let emoji = inner
        .strip_prefix("a:")
        .or_else(|| inner.strip_prefix(':'))
        .and_then(|emoji| emoji.split_once(':'));
    if let Some((name, id)) = emoji {
        let word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        return (word && !name.is_empty() && number(id)).then_some(Tag::Emoji);
    }
    let (sign, kind) = [
        ("@&", Tag::Role),
        ("@!", Tag::User),
        ("@", Tag::User),
        ("#", Tag::Channel),
    ]
    .into_iter()
    .find(|(sign, _)| inner.starts_with(sign))?;
    number(&inner[sign.len()..]).then_some(kind)
}

#[cfg(test)]
mod tests;
