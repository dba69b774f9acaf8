//! Random histories against a log of everything that was seen from outside.

use proptest::prelude::*;

use super::tests::{SECOND, limits};
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Admit,
    /// One of those under way ends.
    End(prop::sample::Index, Verdict),
    Wait(Duration),
}

fn step() -> impl Strategy<Value = Step> {
    let verdict = prop_oneof![
        5 => Just(Verdict::Healthy),
        4 => Just(Verdict::Failed),
        2 => Just(Verdict::Unknown),
        2 => Just(Verdict::Unasked),
    ];
    prop_oneof![
        6 => Just(Step::Admit),
        6 => (any::<prop::sample::Index>(), verdict).prop_map(|(i, v)| Step::End(i, v)),
        3 => (0u64..1_500).prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
        1 => (0u64..15_000).prop_map(|ms| Step::Wait(Duration::from_millis(ms))),
    ]
}

struct UnderWay {
    pass: Pass,
    began: Instant,
    probe: bool,
    stretch: u32,
}

/// A breaker, and what somebody sees who only calls it.
struct World {
    breaker: Breaker,
    now: Instant,
    under_way: Vec<UnderWay>,
    /// Counts openings and closings.
    stretch: u32,
    /// All calls that were let through and ended while it was closed, since it last closed.
    log: Vec<(Instant, bool, bool)>,
    opened: Option<(Instant, u32)>,
    good_probes: u32,
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            breaker: Breaker::new(limits()),
            now,
            under_way: Vec::new(),
            stretch: 0,
            log: Vec::new(),
            opened: None,
            good_probes: 0,
        }
    }

    fn probes_under_way(&self) -> usize {
        self.under_way.iter().filter(|call| call.probe).count()
    }

    /// How long it stays open at least; up to a quarter more.
    fn least_wait(nth: u32) -> Duration {
        (5 * SECOND * 2u32.pow(nth.min(8))).min(30 * SECOND)
    }

    fn admit(&mut self) -> Result<(), TestCaseError> {
        let foretold = self.breaker.refuses(self.now);
        let admitted = self.breaker.admit(self.now);
        prop_assert_eq!(admitted.as_ref().err().copied(), foretold);
        match self.opened {
            None => prop_assert!(admitted.is_ok(), "closed lets everyone through"),
            Some((at, nth)) => {
                let passed = self.now - at;
                let least = Self::least_wait(nth);
                if passed < least {
                    prop_assert!(admitted.is_err(), "open before its time");
                } else if passed > least + least / 4 {
                    prop_assert_eq!(admitted.is_ok(), self.probes_under_way() == 0);
                }
            }
        }
        if let Ok(pass) = admitted {
            self.under_way.push(UnderWay {
                pass,
                began: self.now,
                probe: self.opened.is_some(),
                stretch: self.stretch,
            });
        }
        prop_assert!(self.probes_under_way() <= 1);
        Ok(())
    }

    fn end(&mut self, index: usize, verdict: Verdict, jitter: f64) -> Result<(), TestCaseError> {
        let call = self.under_way.swap_remove(index);
        let took = self.now - call.began;
        let (failed, slow) = (verdict == Verdict::Failed, took >= 2 * SECOND);
        let telling = match verdict {
            Verdict::Unasked => false,
            verdict => slow || verdict != Verdict::Unknown,
        };
        self.breaker
            .record(call.pass, verdict, took, self.now, jitter);
        if call.probe {
            return self.end_probe(telling, failed || slow);
        }
        // what was begun before it last opened or closed says nothing about now
        if call.stretch == self.stretch && telling {
            self.log.push((self.now, failed, slow));
        }
        self.judge()
    }

    fn end_probe(&mut self, telling: bool, bad: bool) -> Result<(), TestCaseError> {
        let (_, nth) = self.opened.unwrap();
        let expected = match (telling, bad) {
            (false, _) => Phase::HalfOpen,
            (true, true) => {
                self.opened = Some((self.now, nth + 1));
                self.stretch += 1;
                self.good_probes = 0;
                Phase::Open
            }
            (true, false) => {
                self.good_probes += 1;
                if self.good_probes == 2 {
                    self.opened = None;
                    self.stretch += 1;
                    self.log.clear();
                    self.good_probes = 0;
                    Phase::Closed
                } else {
                    Phase::HalfOpen
                }
            }
        };
        prop_assert_eq!(self.breaker.phase(), expected);
        Ok(())
    }

    /// It opens exactly if the last calls are bad enough.
    fn judge(&mut self) -> Result<(), TestCaseError> {
        if self.opened.is_some() {
            return Ok(());
        }
        let recent: Vec<_> = self
            .log
            .iter()
            .rev()
            .take(8)
            .filter(|(at, ..)| self.now - *at <= 20 * SECOND)
            .collect();
        let failed = recent.iter().filter(|(_, failed, _)| *failed).count();
        let slow = recent.iter().filter(|(.., slow)| *slow).count();
        // the log grows only by calls that tell something; only such a call may open it
        let last = self.log.last().is_some_and(|(at, ..)| *at == self.now);
        let bad = recent.len() >= 4 && (2 * failed >= recent.len() || 4 * slow >= 3 * recent.len());
        let open = self.breaker.phase() == Phase::Open;
        prop_assert!(!open || bad, "opened on {:?}", recent);
        prop_assert!(open || !bad || !last, "not opened on {:?}", recent);
        if open {
            self.opened = Some((self.now, 0));
            self.stretch += 1;
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn it_does_what_its_log_says(
        steps in prop::collection::vec((step(), 0.0..=1.0), 0..300),
    ) {
        let mut world = World::new();
        for (step, jitter) in steps {
            match step {
                Step::Admit => world.admit()?,
                Step::End(index, verdict) if !world.under_way.is_empty() => {
                    let index = index.index(world.under_way.len());
                    world.end(index, verdict, jitter)?;
                }
                Step::End(..) => {}
                Step::Wait(time) => world.now += time,
            }
        }
        // whatever has happened, it recovers once the callee does
        while let Some(index) = world.under_way.len().checked_sub(1) {
            world.end(index, Verdict::Unknown, 1.0)?;
        }
        world.now += 38 * SECOND;
        for _ in 0..2 {
            world.admit()?;
            prop_assert_eq!(world.under_way.len(), 1);
            world.end(0, Verdict::Healthy, 1.0)?;
        }
        prop_assert_eq!(world.breaker.phase(), Phase::Closed);
    }

    #[test]
    fn below_the_rates_it_never_opens(
        verdicts in prop::collection::vec(any::<bool>(), 0..400),
    ) {
        let mut now = Instant::now();
        let mut breaker = Breaker::new(limits());
        let mut since_failure = 0;
        for failed in verdicts {
            now += SECOND / 10;
            let pass = breaker.admit(now).unwrap();
            // two good ones for each bad one: a third
            let verdict = if failed && since_failure >= 2 { Verdict::Failed } else { Verdict::Healthy };
            since_failure = if verdict == Verdict::Failed { 0 } else { since_failure + 1 };
            breaker.record(pass, verdict, SECOND, now, 0.0);
            prop_assert_eq!(breaker.phase(), Phase::Closed);
        }
    }
}
