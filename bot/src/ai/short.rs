//! Tokens that are left and of no use, since no request fits into them.
//!
//! A request reserves the most that it can cost, so a quota of tokens ends with a rest that is too small for one more.
//! Taken for something, that rest would seem to last for ever, as nothing uses it up any more.

use super::quota::Window;

/// The smallest request that a key's tokens did not suffice for, in each of its windows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Short {
    hour: Option<Refused>,
    month: Option<Refused>,
}

#[derive(Clone, Copy, Debug)]
struct Refused {
    /// When the window began.
    starts: i64,
    tokens: u64,
}

impl Short {
    /// So many tokens were asked for in the window that began then, and were not there.
    pub(super) fn note(&mut self, window: Window, starts: i64, tokens: u64) {
        let refused = match window {
            Window::Hour => &mut self.hour,
            Window::Month => &mut self.month,
        };
        let before = refused.filter(|before| before.starts == starts);
        let tokens = before.map_or(tokens, |before| before.tokens.min(tokens));
        *refused = Some(Refused { starts, tokens });
    }

    /// What of the tokens that are left in the window that began then is of use.
    pub(super) fn usable(&self, window: Window, starts: i64, left: u64) -> u64 {
        let refused = match window {
            Window::Hour => self.hour,
            Window::Month => self.month,
        };
        match refused {
            Some(refused) if refused.starts == starts && left < refused.tokens => 0,
            _ => left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_smallest_does_not_fit_into_is_nothing_until_the_window_turns() {
        let mut short = Short::default();
        assert_eq!(short.usable(Window::Hour, 0, 400), 400);
        for tokens in [800, 900] {
            short.note(Window::Hour, 0, tokens);
            assert_eq!(short.usable(Window::Hour, 0, 799), 0);
            assert_eq!(short.usable(Window::Hour, 0, 800), 800);
        }
        assert_eq!(short.usable(Window::Month, 0, 400), 400);
        assert_eq!(short.usable(Window::Hour, 1, 400), 400);
        short.note(Window::Hour, 1, 900);
        assert_eq!(short.usable(Window::Hour, 1, 850), 0);
    }
}
