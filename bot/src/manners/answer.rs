//! What the bot says, made safe to post: it calls nobody, invites nowhere and fits.
//!
//! # Guarantees
//!
//! - No `@everyone`, no `@here`, no tag that mentions a user or a role, no link that invites, whoever
//!   smuggled it in and into whatever: code too, since a cut may take its fence away.
//! - At most so many UTF-16 units, which is how the strictest door counts, cut between graphemes.
//! - No fence of code is left open by a cut.
//!
//! As in [`super::clean`], each character is judged by what stands before it in the answer so far.

use unicode_segmentation::UnicodeSegmentation;

use super::characters::{is_piled, is_smuggler};
use super::clean::{Tag, tag_kind, tag_start};
use super::code;

/// What Discord takes in one message.
pub(crate) const MOST_UNITS: usize = 2000;
/// Says that there was more.
const ELLIPSIS: &str = "…";

/// Words that call everybody, after an at sign.
const CALLS: [&str; 2] = ["@everyone", "@here"];
/// Links by which one joins a server, or lets a bot in.
const INVITES: [&str; 7] = [
    "discord.gg/",
    "discord.com/invite/",
    "discordapp.com/invite/",
    "discord.com/oauth2/authorize",
    "discord.com/api/oauth2/authorize",
    "discordapp.com/oauth2/authorize",
    "discordapp.com/api/oauth2/authorize",
];
/// Stands where an invitation stood.
const NO_INVITE: &str = "(no invitations)";

/// The answer as it may be said, of at most so many UTF-16 units.
pub(crate) fn fit(answer: &str, most: usize) -> String {
    cut(&disarm(answer), most)
}

fn disarm(answer: &str) -> String {
    let mut out = String::with_capacity(answer.len());
    let mut in_invite = false;
    for c in answer.chars() {
        if in_invite && !c.is_whitespace() && !matches!(c, ')' | ']' | '>' | '`' | '"') {
            continue;
        }
        in_invite = false;
        if is_smuggler(c) || is_piled(c, &out) {
            continue;
        }
        out.push(c);
        match c {
            '>' => untag(&mut out),
            'e' | 'E' => uncall(&mut out),
            '/' => in_invite = uninvite(&mut out),
            _ => {}
        }
    }
    out
}

/// A tag that mentions becomes a word.
fn untag(out: &mut String) {
    let Some(start) = tag_start(out) else { return };
    let word = match tag_kind(&out[start..]) {
        Some(Tag::User) => "user",
        Some(Tag::Role) => "role",
        Some(Tag::Emoji | Tag::Channel) | None => return,
    };
    out.truncate(start);
    out.push_str(word);
    // the word ends in one letter that may end a call
    uncall(out);
}

/// A call loses its sign, and those before it: one of them would call again.
fn uncall(out: &mut String) {
    for call in CALLS {
        let Some(start) = ending(out, call) else {
            continue;
        };
        let word = out.split_off(start);
        let length = out.trim_end_matches('@').len();
        out.truncate(length);
        out.push_str(&word[1..]);
    }
}

/// An invitation becomes a remark; whether there was one.
fn uninvite(out: &mut String) -> bool {
    // the last slash of some is not the end of what tells them
    let start = INVITES
        .iter()
        .find_map(|invite| ending(out, &invite[..=invite.rfind('/').unwrap_or_default()]));
    let Some(start) = start else { return false };
    out.truncate(start);
    for prefix in ["www.", "ptb.", "canary.", "https://", "http://"] {
        if let Some(start) = ending(out, prefix) {
            out.truncate(start);
        }
    }
    out.push_str(NO_INVITE);
    true
}

/// Where `text` begins to end with `end`, in whatever case and with whichever full stop.
fn ending(text: &str, end: &str) -> Option<usize> {
    let mut at = text.len();
    let mut chars = text.chars().rev();
    for expected in end.chars().rev() {
        let c = chars.next()?;
        at -= c.len_utf8();
        let plain = match c {
            '。' | '．' | '｡' => '.',
            c => c.to_ascii_lowercase(),
        };
        if plain != expected {
            return None;
        }
    }
    Some(at)
}

/// Cut between graphemes where it is too long; a fence that is left open is closed.
fn cut(answer: &str, most: usize) -> String {
    if units(answer) <= most {
        return answer.to_owned();
    }
    let mut room = most.saturating_sub(units(ELLIPSIS));
    loop {
        let kept = prefix(answer, room);
        let end = match code::open_fence(kept) {
            Some(fence) => format!("{ELLIPSIS}\n{fence}"),
            None => ELLIPSIS.to_owned(),
        };
        let whole = format!("{kept}{end}");
        // a long fence may not fit beside anything: then less, and in the end none, is kept
        match units(&whole).checked_sub(most) {
            None | Some(0) => return whole,
            Some(_) if kept.is_empty() => return String::new(),
            Some(over) => room = units(kept).saturating_sub(over),
        }
    }
}

/// As many graphemes as fit.
fn prefix(text: &str, most: usize) -> &str {
    let mut left = most;
    let mut end = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        let Some(rest) = left.checked_sub(units(grapheme)) else {
            break;
        };
        left = rest;
        end = at + grapheme.len();
    }
    &text[..end]
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

#[cfg(test)]
mod tests;
