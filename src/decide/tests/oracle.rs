//! A second implementation, straight from the text of the rules: it keeps every tick and counts
//! backwards, where deciding keeps a few times and counts forwards. Slow, and hard to get wrong in
//! the same way.

use proptest::prelude::*;

use super::random::scenario;
use crate::decide::{Memory, Reading, Reason, Unknown, decide};
use crate::policy::*;
use crate::time::{Span, Time};

struct Tick {
    now: Time,
    readings: Vec<Reading>,
    /// Per signal, whether its feature was Disabled as applied at the tick before.
    disabled: Vec<bool>,
    blind: bool,
}

#[derive(Default)]
struct Oracle {
    ticks: Vec<Tick>,
    level: LevelNumber,
    applied: Option<LevelNumber>,
    transitions: Vec<(Time, Reason)>,
    flaps: Vec<Time>,
    held_since: Option<Time>,
}

impl Oracle {
    /// What a comparison makes of a tick: known, and if so breached and clear.
    fn said(policy: &Policy, c: &Comparison, tick: &Tick) -> Option<(bool, bool)> {
        let signal = &policy.signals[c.signal];
        match tick.readings[c.signal] {
            Reading::Value(v) => Some(match c.direction {
                Direction::Above => (v > c.threshold, v <= c.clear),
                Direction::Below => (v < c.threshold, v >= c.clear),
            }),
            Reading::Unknown(Unknown::Empty | Unknown::NaN | Unknown::LowTraffic)
                if tick.disabled[c.signal] =>
            {
                Some((false, true))
            }
            Reading::Unknown(Unknown::LowTraffic) if signal.low_traffic == LowTraffic::Clear => {
                Some((false, true))
            }
            Reading::Unknown(_) => None,
        }
    }

    /// Breached for and clear for at the last tick; `None` where that is neither.
    fn times(&self, policy: &Policy, c: &Comparison) -> (Option<Span>, Option<Span>) {
        // what lies before a room was left is forgotten
        let left = |i: &usize| {
            *i > 0 && self.ticks[i - 1].disabled[c.signal] && !self.ticks[*i].disabled[c.signal]
        };
        let first = (0..self.ticks.len()).rev().find(left).unwrap_or(0);
        let known: Vec<(usize, Time, bool, bool)> = (first..self.ticks.len())
            .filter_map(|i| {
                let said = Self::said(policy, c, &self.ticks[i])?;
                Some((i, self.ticks[i].now, said.0, said.1))
            })
            .collect();
        let Some(last) = known.last().filter(|k| k.0 == self.ticks.len() - 1) else {
            return (None, None);
        };
        let (mut breached_for, mut clear_for) = (Span::ZERO, Span::ZERO);
        for pair in known.windows(2).rev() {
            let (earlier, later) = (pair[0], pair[1]);
            let passed = later.1 - earlier.1;
            if passed > policy.interval.times(2) || !(earlier.2 && later.2) {
                break;
            }
            breached_for = breached_for + passed;
        }
        for pair in known.windows(2).rev() {
            let (earlier, later) = (pair[0], pair[1]);
            let passed = later.1 - earlier.1;
            if passed > policy.interval.times(2) || !(earlier.3 && later.3) {
                break;
            }
            if later.0 == earlier.0 + 1 {
                clear_for = clear_for + passed;
            }
        }
        (last.2.then_some(breached_for), last.3.then_some(clear_for))
    }

    fn fires(&self, policy: &Policy, level: &Level) -> bool {
        let fires = |c: &Comparison| self.times(policy, c).0.is_some_and(|for_| for_ >= c.hold);
        match level.when.quantifier {
            Quantifier::Any => level.when.comparisons.iter().any(fires),
            Quantifier::All => level.when.comparisons.iter().all(fires),
        }
    }

    fn clear(&self, policy: &Policy, level: &Level) -> bool {
        let clear = |c: &Comparison| {
            let clear_for = self.times(policy, c).1;
            clear_for.is_some_and(|for_| for_ >= policy.recovery.after)
        };
        match level.when.quantifier {
            Quantifier::Any => level.when.comparisons.iter().all(clear),
            Quantifier::All => level.when.comparisons.iter().any(clear),
        }
    }

    fn blind(&self, policy: &Policy, signal: usize) -> bool {
        if !policy.comparisons().any(|c| c.signal == signal) {
            return false;
        }
        let unknown = |tick: &&Tick| match tick.readings[signal] {
            Reading::Value(_) | Reading::Unknown(Unknown::LowTraffic) => false,
            Reading::Unknown(Unknown::Empty | Unknown::NaN) => !tick.disabled[signal],
            Reading::Unknown(_) => true,
        };
        let first = self.ticks.iter().rev().take_while(unknown).last();
        let now = self.ticks.last().unwrap().now;
        first.is_some_and(|tick| now - tick.now >= policy.missing.after)
    }

    fn half_life(policy: &Policy) -> Span {
        let rungs = i64::try_from(policy.levels.len()).unwrap();
        Span::from_secs(15 * 60).max(policy.recovery.after.times(2 * rungs))
    }

    fn penalty(&self, policy: &Policy, now: Time) -> f64 {
        let half_life = Self::half_life(policy).as_secs_f64();
        let left = |at: &Time| 1000.0 * 2_f64.powf(-((now - *at).as_secs_f64() / half_life));
        self.flaps.iter().map(left).sum()
    }

    fn tick(&mut self, policy: &Policy, readings: &[Reading], now: Time) -> (usize, bool, bool) {
        let disabled = |signal: &Signal| match (signal.feature, self.applied) {
            (Some(feature), Some(level)) => policy.states[level][feature] == State::Disabled,
            _ => false,
        };
        let disabled = policy.signals.iter().map(disabled).collect();
        self.ticks.push(Tick {
            now,
            readings: readings.to_vec(),
            disabled,
            blind: false,
        });
        let blind: Vec<usize> = (0..policy.signals.len())
            .filter(|&s| self.blind(policy, s))
            .collect();
        self.ticks.last_mut().unwrap().blind = !blind.is_empty();
        let held = |oracle: &Self| {
            oracle.held_since.is_some_and(|since| {
                now - since < Span::from_secs(3600) && oracle.penalty(policy, now) >= 750.0
            })
        };
        if !held(self) {
            self.held_since = None;
        }
        let firing = |l: &usize| self.fires(policy, &policy.levels[l - 1]);
        let fired = (1..=policy.levels.len()).filter(firing).max();
        let named = blind.iter().any(|&s| policy.signals[s].feature.is_none());
        let by_blindness = policy.missing.then.filter(|_| named);
        let highest = fired.max(by_blindness).unwrap_or(0);
        if highest > self.level {
            let reason = if fired >= by_blindness {
                Reason::Escalated
            } else {
                Reason::Blind
            };
            let flap = self.transitions.last().is_some_and(|&(at, reason)| {
                reason == Reason::Recovered && now - at < Self::half_life(policy)
            });
            if flap {
                self.flaps.push(now);
                if self.penalty(policy, now) > 2000.0 {
                    self.held_since = Some(now);
                }
            }
            self.level = highest;
            self.transitions.push((now, reason));
        } else if self.level > 0 && self.may_recover(policy, now) && !held(self) {
            self.level -= 1;
            self.transitions.push((now, Reason::Recovered));
        }
        let most = policy.max_level.unwrap_or(self.level);
        self.applied = (policy.mode != Mode::DryRun).then_some(self.level.min(most));
        (self.level, !blind.is_empty(), self.held_since.is_some())
    }

    fn may_recover(&self, policy: &Policy, now: Time) -> bool {
        let long_ago = |at: Time| now - at >= policy.recovery.after;
        let stands = self.transitions.last().is_none_or(|&(at, _)| long_ago(at));
        let seeing = self
            .ticks
            .iter()
            .rev()
            .find(|t| t.blind)
            .is_none_or(|t| long_ago(t.now));
        let mut above = policy.levels[self.level - 1..].iter();
        stands && seeing && above.all(|level| self.clear(policy, level))
    }
}

proptest! {
    #[test]
    fn two_implementations_agree_on_every_tick((policy, ticks) in scenario()) {
        let mut memory = Memory::new(&policy);
        let mut oracle = Oracle::default();
        for (at, readings) in ticks {
            let decision = decide(&policy, &readings, &mut memory, at);
            let expected = oracle.tick(&policy, &readings, at);
            prop_assert_eq!((decision.level, decision.blind.is_some(), decision.flapping), expected);
            let transition = decision.transition.map(|t| (at, t.reason));
            prop_assert_eq!(transition, oracle.transitions.last().copied().filter(|t| t.0 == at));
        }
    }
}
