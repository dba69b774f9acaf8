//! How long until: `10m tea is ready`, taken apart.

use std::time::Duration;

/// Not sooner than it takes to look for what is due.
const LEAST: Duration = Duration::from_secs(1);
const MOST_DAYS: u64 = 365;
const MOST: Duration = Duration::from_secs(MOST_DAYS * 86_400);
/// Characters of what to be reminded of.
const MOST_TEXT: usize = 500;

/// Why it is no reminder; it teaches how to write one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAReminder {
    #[error("When, and of what? Write for example: !remind 10m tea is ready")]
    Empty,
    #[error(
        "I do not understand when. Write a number with s, m, h, d or w, as in 90s, 10m, 2h30m or 3d: \
         !remind 10m tea is ready"
    )]
    When,
    #[error("That is too soon for me; from {} second on.", LEAST.as_secs())]
    TooSoon,
    #[error("That is too far away for me; up to {MOST_DAYS} days.")]
    TooLate,
    #[error("Of what shall I remind you? Write for example: !remind 10m tea is ready")]
    OfWhat,
    #[error("That is more than I can keep in mind; up to {MOST_TEXT} characters.")]
    TooLong,
}

/// The time until, and the text.
pub(crate) fn parse(text: &str) -> Result<(Duration, &str), NotAReminder> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NotAReminder::Empty);
    }
    let (when, what) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    // people write "in 10m"
    let (when, what) = match when.to_lowercase().as_str() {
        "in" => {
            let rest = what.trim_start();
            rest.split_once(char::is_whitespace).unwrap_or((rest, ""))
        }
        _ => (when, what),
    };
    let delay = span(when)?;
    let what = what.trim();
    if what.is_empty() {
        return Err(NotAReminder::OfWhat);
    }
    if what.chars().count() > MOST_TEXT {
        return Err(NotAReminder::TooLong);
    }
    Ok((delay, what))
}

/// `2h30m`: each unit at most once, the larger first.
fn span(text: &str) -> Result<Duration, NotAReminder> {
    let mut rest = text;
    let mut total = 0_u64;
    let mut last = u64::MAX;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .ok_or(NotAReminder::When)?;
        let (number, tail) = rest.split_at(digits);
        if number.is_empty() {
            return Err(NotAReminder::When);
        }
        let unit = match tail.chars().next().map(|c| c.to_ascii_lowercase()) {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            Some('d') => 86_400,
            Some('w') => 604_800,
            _ => return Err(NotAReminder::When),
        };
        if unit >= last {
            return Err(NotAReminder::When);
        }
        last = unit;
        // so many digits that it does not fit is simply too far away
        let seconds = number.parse().unwrap_or(u64::MAX).saturating_mul(unit);
        total = total.saturating_add(seconds);
        rest = &tail[1..];
    }
    match Duration::from_secs(total) {
        delay if delay < LEAST => Err(NotAReminder::TooSoon),
        delay if delay > MOST => Err(NotAReminder::TooLate),
        delay => Ok(delay),
    }
}

/// As a person says it, to the two largest units: `2 h 30 min`.
pub(crate) fn in_words(delay: Duration) -> String {
    let seconds = delay.as_secs();
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let mut left = seconds;
    let mut words = Vec::new();
    for (unit, name) in units {
        let count = left / unit;
        left %= unit;
        if count > 0 {
            words.push(format!("{count} {name}"));
        }
    }
    words.truncate(2);
    if words.is_empty() {
        return "a moment".to_owned();
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reminders_are_taken_apart() {
        let ok = |seconds, what| Ok((Duration::from_secs(seconds), what));
        for (text, expected) in [
            ("10m tea is ready", ok(600, "tea is ready")),
            ("90s x", ok(90, "x")),
            ("2h30m  two words ", ok(9000, "two words")),
            ("in 3d walk", ok(259_200, "walk")),
            ("1W1D X", ok(691_200, "X")),
            ("365d y", ok(31_536_000, "y")),
            ("", Err(NotAReminder::Empty)),
            ("tea", Err(NotAReminder::When)),
            ("10 tea", Err(NotAReminder::When)),
            ("10x tea", Err(NotAReminder::When)),
            ("30m2h tea", Err(NotAReminder::When)),
            ("1m1m tea", Err(NotAReminder::When)),
            ("-5m tea", Err(NotAReminder::When)),
            ("10m", Err(NotAReminder::OfWhat)),
            ("in", Err(NotAReminder::TooSoon)),
            ("0s tea", Err(NotAReminder::TooSoon)),
            ("366d tea", Err(NotAReminder::TooLate)),
            ("99999999999999999999999w tea", Err(NotAReminder::TooLate)),
            ("5µs tea", Err(NotAReminder::When)),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
        assert_eq!(
            parse(&format!("1m {}", "x".repeat(501))),
            Err(NotAReminder::TooLong)
        );
    }

    #[test]
    fn spans_are_said_shortly() {
        for (seconds, words) in [
            (0, "a moment"),
            (90, "1 min 30 s"),
            (9000, "2 h 30 min"),
            (86_401, "1 d 1 s"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_people_type_breaks_it(text in ".{0,40}") {
            if let Ok((delay, what)) = parse(&text) {
                prop_assert!((LEAST..=MOST).contains(&delay));
                prop_assert!(!what.is_empty());
            }
        }

        #[test]
        fn a_span_is_the_sum_of_its_parts(d in 0..300_u64, h in 0..24_u64, m in 0..60_u64, s in 1..60_u64) {
            let text = format!("{d}d{h}h{m}m{s}s it");
            let expected = Duration::from_secs(((d * 24 + h) * 60 + m) * 60 + s);
            prop_assert_eq!(parse(&text), Ok((expected, "it")));
        }
    }
}
