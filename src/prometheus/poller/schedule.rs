//! When whose tick is due. Knows no clock: it is told the time.

use std::collections::{BTreeMap, HashMap};

use super::PolicyKey;
use crate::time::{Span, Time};

/// The next ticks of all intervals in use, and the extra ones of single policies.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    regular: BTreeMap<Span, Time>,
    extra: HashMap<PolicyKey, Time>,
}

/// What is due.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// The intervals whose tick is due, and which.
    pub(super) regular: Vec<(Span, Time)>,
    /// The policies whose extra tick is due, and which.
    pub(super) extra: Vec<(PolicyKey, Time)>,
    /// How many ticks were left out.
    pub(super) skipped: u64,
    /// The clock was set back by more than a tick of these intervals: their times come again.
    pub(super) again: Vec<Span>,
}

impl Schedule {
    /// Has an interval tick; one that ticks already goes on as it does.
    pub(super) fn add(&mut self, interval: Span, now: Time) {
        self.regular
            .entry(interval)
            .or_insert_with(|| now.next_tick(interval));
    }

    pub(super) fn remove(&mut self, interval: Span) {
        self.regular.remove(&interval);
    }

    pub(super) fn ask_at(&mut self, key: PolicyKey, at: Time) {
        self.extra.insert(key, at);
    }

    pub(super) fn forget(&mut self, key: &PolicyKey) {
        self.extra.remove(key);
    }

    /// The earliest time at which something is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.regular
            .values()
            .chain(self.extra.values())
            .min()
            .copied()
    }

    /// Whether the clock was set back, so that [`due`](Self::due) must put things right.
    pub(super) fn is_ahead(&self, now: Time) -> bool {
        self.regular
            .iter()
            .any(|(&interval, &next)| set_back(now, next, interval))
    }

    /// Takes out what is due. Of several ticks of one interval only the newest is.
    pub(super) fn due(&mut self, now: Time) -> Due {
        let mut due = Due::default();
        for (&interval, next) in &mut self.regular {
            if set_back(now, *next, interval) {
                due.again.push(interval);
                *next = now.next_tick(interval);
            }
            if *next <= now {
                let at = now.last_tick(interval);
                let missed = (at - *next).as_millis() / interval.as_millis().max(1);
                due.skipped += u64::try_from(missed).unwrap_or(0);
                due.regular.push((interval, at));
                *next = at + interval;
            }
        }
        due.extra = self.extra.extract_if(|_, at| *at <= now).collect();
        due
    }
}

/// Whether a next tick is so far away that the clock must have been set. A little back, as by NTP,
/// only makes the next tick a little later.
fn set_back(now: Time, next: Time, interval: Span) -> bool {
    next > now + interval.times(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: Span = Span::from_secs(5);

    fn at(secs: i64) -> Time {
        Time::from_millis(secs * 1000)
    }

    #[test]
    fn ticks_are_due_at_the_multiples_of_their_interval() {
        let mut schedule = Schedule::default();
        schedule.add(FIVE, at(101));
        schedule.add(Span::from_secs(15), at(101));
        assert_eq!(schedule.next(), Some(at(105)));
        assert_eq!(schedule.due(Time::from_millis(104_999)), Due::default());
        assert_eq!(
            schedule.due(at(105)).regular,
            [(FIVE, at(105)), (Span::from_secs(15), at(105))]
        );
        assert_eq!(schedule.next(), Some(at(110)));
        assert_eq!(
            schedule.due(Time::from_millis(110_003)).regular,
            [(FIVE, at(110))]
        );
    }

    #[test]
    fn after_a_pause_only_the_newest_tick_is_due() {
        let mut schedule = Schedule::default();
        schedule.add(FIVE, at(100));
        let due = schedule.due(at(3607));
        assert_eq!((due.regular, due.skipped), (vec![(FIVE, at(3605))], 700));
        assert_eq!(schedule.due(at(3608)), Due::default());
        assert_eq!(schedule.next(), Some(at(3610)));
    }

    #[test]
    fn a_clock_set_back_ticks_on_from_there() {
        let mut schedule = Schedule::default();
        schedule.add(FIVE, at(1000));
        let due = schedule.due(at(501));
        assert_eq!((due.regular, due.again), (vec![], vec![FIVE]));
        assert_eq!(schedule.next(), Some(at(505)));
        // a little back, as by NTP, changes nothing
        schedule.due(at(505));
        assert_eq!(schedule.due(Time::from_millis(504_990)), Due::default());
    }

    #[test]
    fn an_extra_tick_is_due_once_and_the_last_one_asked_for_counts() {
        let key = PolicyKey {
            namespace: "bots".to_owned(),
            name: "a".to_owned(),
        };
        let mut schedule = Schedule::default();
        schedule.ask_at(key.clone(), at(8));
        schedule.ask_at(key.clone(), at(7));
        assert_eq!(schedule.next(), Some(at(7)));
        assert_eq!(schedule.due(at(9)).extra, [(key, at(7))]);
        assert_eq!(schedule.due(at(10)), Due::default());
    }
}
