//! The two scalars that users write: durations and decimal thresholds.

use crate::time::Span;

/// Reads a duration in Prometheus' notation, largest unit first: `90s`, `5m`, `1h30m`, `250ms`.
///
/// `None` where it is anything else, or longer than about 292 million years.
pub fn parse_duration(text: &str) -> Option<Span> {
    let units = [("h", 3_600_000_i64), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let (mut rest, mut total, mut next) = (text, 0_i64, 0);
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .filter(|&at| at > 0)?;
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(tail.len());
        let (unit, after) = tail.split_at(letters);
        let at = units
            .iter()
            .position(|&(name, _)| name == unit)
            .filter(|&at| at >= next)?;
        total = number
            .parse::<i64>()
            .ok()?
            .checked_mul(units[at].1)?
            .checked_add(total)?;
        (rest, next) = (after, at + 1);
    }
    (!text.is_empty()).then(|| Span::from_millis(total))
}

/// Reads a threshold: a plain decimal, at most 12 digits before the point and 9 after it,
/// no exponent and no unit.
pub fn parse_decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str, most: usize| {
        !part.is_empty() && part.len() <= most && part.bytes().all(|b| b.is_ascii_digit())
    };
    (plain(whole, 12) && plain(fraction, 9)).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_largest_unit_first() {
        for (text, millis) in [
            ("90s", 90_000),
            ("1h30m", 5_400_000),
            ("0s", 0),
            ("250ms", 250),
            ("1m1ms", 60_001),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(Span::from_millis(millis)),
                "{text}"
            );
        }
        for text in [
            "",
            "15",
            "s",
            "1s1m",
            "1s1s",
            "-1s",
            "1.5s",
            "1d",
            "5m ",
            "99999999999999999999h",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn decimals_are_plain() {
        for (text, value) in [("0.05", 0.05), ("-3", -3.0), ("1.5", 1.5), ("200", 200.0)] {
            assert_eq!(parse_decimal(text), Some(value), "{text}");
        }
        for text in [
            "",
            "-",
            ".5",
            "1.",
            "1e3",
            "5%",
            "inf",
            "NaN",
            "1234567890123",
            "0.1234567890",
            "+1",
            "1.-1",
        ] {
            assert_eq!(parse_decimal(text), None, "{text}");
        }
    }
}
