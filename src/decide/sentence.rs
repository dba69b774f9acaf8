//! A decision as one sentence for a person, with the numbers in it.

use std::fmt::{self, Write};

use super::decision::{Blocker, Decision, Reason, Transition};
use super::memory::Memory;
use super::observe::{Seen, seen_at};
use super::reading::Reading;
use super::rung::rungs;
use super::view::CountedAsClear;
use crate::policy::{Comparison, Direction, LevelNumber, Mode, Policy, Quantifier};
use crate::time::{Span, Time};

/// One sentence that says what was decided and why, without a full stop; never empty.
///
/// `memory` is the memory after that decision, `readings` are those it was made on. The text
/// changes from tick to tick, so it belongs into logs, Events, history and live views, and into
/// status only together with a transition.
pub fn sentence(
    policy: &Policy,
    readings: &[Reading],
    memory: &Memory,
    decision: &Decision,
) -> String {
    let writer = Writer {
        policy,
        readings,
        memory,
        now: decision.at,
    };
    let mut text = String::new();
    // writing to a String cannot fail
    let _ = writer.decision(&mut text, decision);
    text
}

struct Writer<'a> {
    policy: &'a Policy,
    readings: &'a [Reading],
    memory: &'a Memory,
    now: Time,
}

impl Writer<'_> {
    fn decision(&self, out: &mut String, decision: &Decision) -> fmt::Result {
        match &decision.transition {
            Some(transition) => self.transition(out, transition)?,
            None if decision.level == 0 => self.normal(out, decision)?,
            None => self.holding(out, decision)?,
        }
        self.applied(out, decision)
    }

    fn transition(&self, out: &mut String, transition: &Transition) -> fmt::Result {
        let (from, to) = (transition.from, transition.to);
        write!(
            out,
            "level {from} -> {to} ({}): ",
            self.policy.level_name(to)
        )?;
        match transition.reason {
            Reason::Blind => {
                self.blind(out, transition.signal)?;
                out.write_str(", and missing.then names this level")?;
            }
            Reason::Recovered => {
                let after = self.policy.recovery.after;
                write!(out, "all clear for {after} or more")?;
            }
            Reason::Escalated | Reason::Normal | Reason::Holding => self.cause(out, transition)?,
        }
        if transition.flap {
            let penalty = self.memory.damping.penalty;
            write!(out, "; a flap, penalty {penalty:.0}")?;
        }
        self.held(out)
    }

    fn cause(&self, out: &mut String, transition: &Transition) -> fmt::Result {
        let Some(cause) = transition.cause else {
            return out.write_str("its rung fires");
        };
        self.comparison(out, cause.level, cause.comparison)?;
        let when = self.policy.rung(cause.level).map(|rung| &rung.when);
        let others = when.map_or(0, |when| when.comparisons.len().saturating_sub(1));
        if when.is_some_and(|when| when.quantifier == Quantifier::All) && others > 0 {
            write!(out, " and {others} more")?;
        }
        Ok(())
    }

    fn normal(&self, out: &mut String, decision: &Decision) -> fmt::Result {
        out.write_str("at 0 (Normal): ")?;
        if decision.blind.is_some() {
            return self.blind(out, decision.blind);
        }
        let views = self.policy.comparisons().zip(&self.memory.comparisons);
        let mut breached = views.filter(|(_, of)| of.breached_now());
        if let Some((comparison, of)) = breached.next() {
            self.reading(out, comparison)?;
            past(out, comparison)?;
            return write!(out, " for {} of {}", of.breached_for, comparison.hold);
        }
        let unknown = |s: &usize| matches!(self.seen(*s), Seen::Unknown(_));
        let used = |s: &usize| self.policy.comparisons().any(|c| c.signal == *s);
        let mut unanswered = (0..self.policy.signals.len()).filter(used).filter(unknown);
        match unanswered.next() {
            Some(signal) => write!(out, "nothing is breached, {}", self.unknown(signal)),
            None => out.write_str("nothing is breached"),
        }
    }

    fn holding(&self, out: &mut String, decision: &Decision) -> fmt::Result {
        let name = self.policy.level_name(decision.level);
        write!(out, "staying at {} ({name}): ", decision.level)?;
        match decision.blocker {
            None => out.write_str("nothing stands against recovery"),
            Some(Blocker::Blind { signal }) => self.blind(out, Some(signal)),
            Some(Blocker::NotClear {
                level,
                comparison,
                until: None,
            }) => self.not_clear(out, level, comparison),
            Some(Blocker::NotClear {
                level,
                comparison,
                until: Some(until),
            }) => self.not_clear_for_long(out, level, comparison, until),
            Some(Blocker::Standing { until }) => {
                let after = self.policy.recovery.after;
                write!(
                    out,
                    "{}, a level stands for {after} at least",
                    self.recovery(until)
                )
            }
            Some(Blocker::BlindBefore { until }) => {
                let ago = self
                    .memory
                    .last_blind
                    .map_or(Span::ZERO, |at| self.now - at);
                write!(
                    out,
                    "{}, readings were missing until {ago} ago",
                    self.recovery(until)
                )
            }
            Some(Blocker::Damped { .. }) => self.flapping(out),
        }?;
        match decision.blocker {
            Some(Blocker::Damped { .. }) => Ok(()),
            _ => self.held(out),
        }
    }

    fn not_clear(&self, out: &mut String, level: LevelNumber, index: usize) -> fmt::Result {
        let Some(comparison) = self.policy.comparison(level, index) else {
            return write!(out, "level {level} is not clear");
        };
        if matches!(self.seen(comparison.signal), Seen::Unknown(_)) {
            let unknown = self.unknown(comparison.signal);
            return write!(out, "{unknown}, and only a known reading is clear");
        }
        self.reading(out, comparison)?;
        let side = match comparison.direction {
            Direction::Above => "below",
            Direction::Below => "above",
        };
        write!(
            out,
            " is not clear (clear at or {side} {})",
            comparison.clear
        )
    }

    fn not_clear_for_long(
        &self,
        out: &mut String,
        level: LevelNumber,
        index: usize,
        until: Time,
    ) -> fmt::Result {
        let after = self.policy.recovery.after;
        write!(out, "{}", self.recovery(until))?;
        let Some(comparison) = self.policy.comparison(level, index) else {
            return Ok(());
        };
        out.write_str(", ")?;
        self.reading(out, comparison)?;
        let clear_for = after - (until - self.now);
        write!(out, " clear for {clear_for} of {after}")
    }

    fn recovery(&self, until: Time) -> String {
        format!("recovery in {} at the earliest", until - self.now)
    }

    fn held(&self, out: &mut String) -> fmt::Result {
        if self.memory.damping.held_since.is_none() {
            return Ok(());
        }
        out.write_str("; ")?;
        self.flapping(out)
    }

    fn flapping(&self, out: &mut String) -> fmt::Result {
        let damping = &self.memory.damping;
        let penalty = damping.penalty_at(self.policy, self.now);
        write!(out, "recovery is held for flapping, penalty {penalty:.0}")?;
        match damping.release_at(self.policy) {
            Some(until) => write!(out, ", for {} more", whole_seconds(until - self.now)),
            None => Ok(()),
        }
    }

    fn blind(&self, out: &mut String, signal: Option<usize>) -> fmt::Result {
        match signal {
            Some(signal) => write!(out, "blind, {}", self.unknown(signal)),
            None => out.write_str("blind"),
        }
    }

    fn unknown(&self, signal: usize) -> String {
        let name = self.name(signal);
        let class = match self.seen(signal) {
            Seen::Unknown(class) => class.as_str(),
            _ => "no longer",
        };
        let since = self
            .memory
            .signals
            .get(signal)
            .and_then(|of| of.unknown_since);
        match since.map(|since| self.now - since) {
            Some(span) if span > Span::ZERO => format!("{name} Unknown ({class}) for {span}"),
            _ => format!("{name} Unknown ({class})"),
        }
    }

    fn comparison(&self, out: &mut String, level: LevelNumber, index: usize) -> fmt::Result {
        let Some(comparison) = self.policy.comparison(level, index) else {
            return Ok(());
        };
        self.reading(out, comparison)?;
        past(out, comparison)?;
        let mut own = rungs(self.policy, &self.memory.comparisons).skip(level.saturating_sub(1));
        let breached_for = own.next().and_then(|rung| rung.breached_for(index));
        match breached_for {
            Some(span) if span > Span::ZERO => write!(out, " for {span}"),
            _ => Ok(()),
        }
    }

    fn reading(&self, out: &mut String, comparison: &Comparison) -> fmt::Result {
        out.write_str(self.name(comparison.signal))?;
        match self.seen(comparison.signal) {
            Seen::Value(value) => write!(out, " {}", short(value, comparison)),
            Seen::Clear(CountedAsClear::EmptyRoom) => out.write_str(" (its feature is off)"),
            Seen::Clear(CountedAsClear::LowTraffic) => out.write_str(" (low traffic)"),
            Seen::Unknown(class) => write!(out, " Unknown ({class})"),
        }
    }

    fn name(&self, signal: usize) -> &str {
        self.policy.signals.get(signal).map_or("?", |s| &s.name)
    }

    fn seen(&self, signal: usize) -> Seen {
        seen_at(self.policy, self.readings, &self.memory.signals, signal)
    }

    fn applied(&self, out: &mut String, decision: &Decision) -> fmt::Result {
        if self.policy.mode == Mode::DryRun {
            return out.write_str("; dry run, nothing is applied");
        }
        if decision.applied == decision.level {
            return Ok(());
        }
        let name = self.policy.level_name(decision.applied);
        let why = if self.memory.pinned.is_some() {
            "pinned"
        } else {
            "maxLevel"
        };
        write!(out, "; {why}: {} ({name}) is applied", decision.applied)
    }
}

fn past(out: &mut String, comparison: &Comparison) -> fmt::Result {
    let side = match comparison.direction {
        Direction::Above => "above",
        Direction::Below => "below",
    };
    write!(out, " {side} {}", comparison.threshold_text)
}

/// A number with as few digits, four or more, as still say on which side it is.
fn short(value: f64, comparison: &Comparison) -> f64 {
    let sides = |value: f64| {
        let to_threshold = value.partial_cmp(&comparison.threshold);
        (to_threshold, value.partial_cmp(&comparison.clear))
    };
    (3..=16_usize)
        .filter_map(|decimals| format!("{value:.decimals$e}").parse().ok())
        .find(|&rounded| sides(rounded) == sides(value))
        .unwrap_or(value)
}

/// Nobody counts the milliseconds of a penalty's decay.
fn whole_seconds(span: Span) -> Span {
    Span::from_secs((span.as_millis() + 999) / 1000)
}
