//! Where code is in a message, so that it can be left as it is.
//!
//! Code stands between two runs of backticks of the same length; a run of three or more may also be
//! closed by a longer one. A run that is never closed is text.

/// A part of a message, in order; put together again they are the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Text(&'a str),
    /// With its backticks.
    Code(&'a str),
}

/// From this length on a run of backticks is a fence, which holds several lines.
const FENCE: usize = 3;

/// The parts of a message.
pub(super) fn parts(text: &str) -> Vec<Part<'_>> {
    let runs = runs(text);
    let closing = closings(&runs);
    let mut parts = Vec::new();
    let (mut done, mut n) = (0, 0);
    while n < runs.len() {
        let Some(close) = closing[n] else {
            n += 1;
            continue;
        };
        let (start, end) = (runs[n].0, runs[close].0 + runs[close].1);
        if start > done {
            parts.push(Part::Text(&text[done..start]));
        }
        parts.push(Part::Code(&text[start..end]));
        done = end;
        n = close + 1;
    }
    if done < text.len() {
        parts.push(Part::Text(&text[done..]));
    }
    parts
}

/// What is missing at the end so that no fence is left open: its run of backticks.
pub(super) fn open_fence(text: &str) -> Option<&str> {
    let runs = runs(text);
    let closing = closings(&runs);
    let mut n = 0;
    while n < runs.len() {
        match closing[n] {
            Some(close) => n = close + 1,
            None if runs[n].1 >= FENCE => {
                let (start, length) = runs[n];
                return Some(&text[start..start + length]);
            }
            None => n += 1,
        }
    }
    None
}

/// The runs of backticks: where each begins and how long it is.
fn runs(text: &str) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for (at, _) in text.match_indices('`') {
        match runs.last_mut() {
            Some((start, length)) if *start + *length == at => *length += 1,
            _ => runs.push((at, 1)),
        }
    }
    runs
}

/// For each run the one that closes it, if any. From the back, remembering the next run of each
/// length: a message of nothing but backticks must not cost the square of its length.
fn closings(runs: &[(usize, usize)]) -> Vec<Option<usize>> {
    let mut closing = vec![None; runs.len()];
    let mut next_of: std::collections::BTreeMap<usize, usize> = std::collections::BTreeMap::new();
    for (n, &(_, length)) in runs.iter().enumerate().rev() {
        closing[n] = if length < FENCE {
            next_of.get(&length).copied()
        } else {
            // lengths that differ are few: their sum is at most the message's
            next_of.range(length..).map(|(_, &next)| next).min()
        };
        next_of.insert(length, n);
    }
    closing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_told_from_text() {
        use Part::{Code, Text};
        for (text, expected) in [
            ("", vec![]),
            ("plain", vec![Text("plain")]),
            ("a `b` c", vec![Text("a "), Code("`b`"), Text(" c")]),
            ("``a ` b``", vec![Code("``a ` b``")]),
            ("it`s", vec![Text("it`s")]),
            (
                "```rs\nlet a;\n``` x",
                vec![Code("```rs\nlet a;\n```"), Text(" x")],
            ),
            ("```a````", vec![Code("```a````")]),
            ("````a```", vec![Text("````a```")]),
            ("``` a `b`", vec![Text("``` a "), Code("`b`")]),
        ] {
            assert_eq!(parts(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_fence_that_is_left_open_is_found() {
        for (text, open) in [
            ("```a\nb", Some("```")),
            ("```a``` ````b", Some("````")),
            ("```a```", None),
            ("`a", None),
        ] {
            assert_eq!(open_fence(text), open, "{text:?}");
        }
    }
}
