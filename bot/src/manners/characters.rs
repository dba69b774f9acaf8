//! Which characters are harmless: what is seen stays, what is not seen has to have a reason.

use unicode_properties::emoji::EmojiStatus;
use unicode_properties::{GeneralCategory, UnicodeEmoji, UnicodeGeneralCategory};

/// Marks on one letter: enough for Vietnamese, Thai and pointed Hebrew, too few to climb over the lines
/// around.
const MOST_MARKS: usize = 4;

/// Whether a grapheme is a picture: it asks to be shown as one, or is one unless it asks for text. So
/// `©`, `™`, `❤` and `#` stay.
pub(super) fn is_emoji(grapheme: &str) -> bool {
    grapheme.chars().any(|c| {
        matches!(c, '\u{fe0f}' | '\u{20e3}')
            || matches!(
                c.emoji_status(),
                EmojiStatus::EmojiPresentation
                    | EmojiStatus::EmojiPresentationAndModifierBase
                    | EmojiStatus::EmojiPresentationAndEmojiComponent
                    | EmojiStatus::EmojiPresentationAndModifierAndEmojiComponent
            )
    })
}

/// What a character becomes in a text that ends so far with `before`; nothing, where it must not be.
pub(super) fn harmless(c: char, before: &str) -> Option<char> {
    let last = before.chars().next_back();
    match c {
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        c if c.is_whitespace() => Some(' '),
        // joiners shape the letters of some scripts; between others they only hide
        '\u{200c}' | '\u{200d}' => last.is_some_and(needs_joiners).then_some(c),
        // one mark of direction where right-to-left text meets other signs is honest, a row of them not
        '\u{200e}' | '\u{200f}' | '\u{61c}' => last.is_some_and(is_seen).then_some(c),
        '\u{fe00}'..='\u{fe0e}' | '\u{e0100}'..='\u{e01ef}' => last
            .is_some_and(|last| !last.is_ascii() && is_seen(last) && !is_mark(last))
            .then_some(c),
        c if !is_seen(c) => None,
        c if is_mark(c) => (marks_at_end(before) < MOST_MARKS).then_some(c),
        c => Some(c),
    }
}

/// Whether an answer must not have it: what reorders, what is not seen, what a terminal obeys. Unlike
/// [`harmless`] it lets pictures be.
pub(super) fn is_smuggler(c: char) -> bool {
    match c {
        '\n' | '\t' | '\u{200c}'..='\u{200f}' | '\u{61c}' => false,
        c => !is_seen(c),
    }
}

/// Whether one more mark would be too many on the last letter.
pub(super) fn is_piled(c: char, before: &str) -> bool {
    is_mark(c) && marks_at_end(before) >= MOST_MARKS
}

fn marks_at_end(text: &str) -> usize {
    text.chars()
        .rev()
        .take(MOST_MARKS)
        .take_while(|&c| is_mark(c))
        .count()
}

fn is_mark(c: char) -> bool {
    matches!(
        c.general_category(),
        GeneralCategory::NonspacingMark
            | GeneralCategory::EnclosingMark
            | GeneralCategory::SpacingMark
    )
}

/// Whether it leaves a trace on the screen.
fn is_seen(c: char) -> bool {
    match c {
        // signs that stand before or around a number in Arabic and Syriac: format characters that are seen
        '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}' => true,
        // letters and marks that are blank: fillers of Hangul, vowels of Khmer, the grapheme joiner
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{17b4}' | '\u{17b5}' | '\u{34f}' => {
            false
        }
        c => !matches!(
            c.general_category(),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
        ),
    }
}

/// Letters and marks of scripts that are written with joiners: Arabic to Mongolian, and those of India
/// and around wherever they stand.
fn needs_joiners(c: char) -> bool {
    let script = matches!(c,
        '\u{600}'..='\u{10ff}' | '\u{1700}'..='\u{1cff}' | '\u{a800}'..='\u{abff}'
        | '\u{10a00}'..='\u{10fff}' | '\u{11000}'..='\u{11fff}' | '\u{fb50}'..='\u{fdff}');
    script && (c.is_alphabetic() || is_mark(c))
}
