//! The load over time. Every arrival is fixed beforehand: people do not wait with their
//! messages until others are answered, and a load that waits hides the very latency it should show.

use std::time::Duration;

/// A stretch of even load.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Phase {
    pub(super) name: &'static str,
    pub(super) seconds: u32,
    /// Messages a second.
    pub(super) rate: u32,
    /// How many of a hundred messages are talk; of the others one in ten is luxury, and nine are commands.
    pub(super) talk_percent: u32,
}

/// With the costs of [`super::stage`] a surge asks for one and a half times what the bot can do,
/// and would be well within it without animations; the peak is too much even without them, unless
/// answers are shorter.
pub(super) const PHASES: [Phase; 4] = [
    phase("calm", 12, 3, 40),
    phase("surge", 20, 30, 20),
    phase("peak", 20, 48, 66),
    phase("calm again", 42, 3, 40),
];

const fn phase(name: &'static str, seconds: u32, rate: u32, talk_percent: u32) -> Phase {
    Phase {
        name,
        seconds,
        rate,
        talk_percent,
    }
}

/// What somebody sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Command,
    Talk,
    /// What the bot does when there is time.
    Luxury,
}

impl Kind {
    /// Each with its name for people, the dearest to them first.
    pub(super) const ALL: [(&'static str, Self); 3] = [
        ("commands", Self::Command),
        ("talks", Self::Talk),
        ("luxury", Self::Luxury),
    ];

    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Command => "!ping",
            Self::Talk => "Tell me a joke, please.",
            Self::Luxury => "!stats",
        }
    }
}

/// One message to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Counted from the story's begin.
    pub(super) at: Duration,
    pub(super) kind: Kind,
}

/// Every message of the story, in order.
pub(super) fn arrivals() -> Vec<Arrival> {
    let starts = (0..PHASES.len()).map(begin);
    let phases = PHASES.iter().zip(starts);
    phases
        .flat_map(|(phase, begin)| {
            (0..phase.seconds * phase.rate).map(move |n| Arrival {
                at: begin + Duration::from_secs(n.into()) / phase.rate,
                kind: kind(phase, n),
            })
        })
        .collect()
}

/// Spreads the talk and the luxury evenly among the commands.
fn kind(phase: &Phase, n: u32) -> Kind {
    let talks = |n: u32| n * phase.talk_percent / 100;
    let luxuries = |n: u32| (n - talks(n)) / 10;
    if talks(n + 1) > talks(n) {
        Kind::Talk
    } else if luxuries(n + 1) > luxuries(n) {
        Kind::Luxury
    } else {
        Kind::Command
    }
}

/// When a phase begins.
pub(super) fn begin(phase: usize) -> Duration {
    let before = PHASES.iter().take(phase);
    Duration::from_secs(before.map(|phase| u64::from(phase.seconds)).sum())
}

/// The phase at a time; the last one goes on.
pub(super) fn phase_at(at: Duration) -> usize {
    let begun = (0..PHASES.len()).take_while(|&phase| begin(phase) <= at);
    begun.last().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_bounded_and_in_order() {
        let arrivals = arrivals();
        assert_eq!(arrivals.len(), 36 + 600 + 960 + 126);
        assert!(arrivals.is_sorted_by_key(|arrival| arrival.at));
        let last = arrivals.last().unwrap();
        assert!(last.at < begin(PHASES.len()));
    }

    #[test]
    fn talk_and_luxury_have_their_share() {
        let surge: Vec<_> = arrivals()
            .into_iter()
            .filter(|arrival| phase_at(arrival.at) == 1)
            .collect();
        let count = |kind| surge.iter().filter(|arrival| arrival.kind == kind).count();
        assert_eq!(count(Kind::Talk) * 100, surge.len() * 20);
        assert_eq!(count(Kind::Luxury) * 100, surge.len() * 8);
    }
}
