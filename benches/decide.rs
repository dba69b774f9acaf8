//! How fast one core decides, and what that allocates: `cargo bench -p brownout --bench decide`.
#![allow(missing_docs, clippy::print_stdout)] // criterion's macro makes a public function; a benchmark prints

mod support;

use std::hint::black_box;
use std::time::Instant;

use allocation_counter::measure;
use brownout::decide::{Memory, Reading, decide};
use brownout::policy::Policy;
use brownout::time::{Span, Time};
use criterion::{Criterion, criterion_group, criterion_main};

/// Of many short rounds the best one counts: the others shared their core with somebody.
const ROUNDS: u32 = 50;
const EVALUATIONS: u32 = 200_000;

struct Loop {
    policy: Policy,
    ticks: Vec<[Reading; 4]>,
    memory: Memory,
    now: Time,
    next: usize,
}

impl Loop {
    fn over(ticks: Vec<[Reading; 4]>) -> Self {
        let policy = support::example();
        let memory = Memory::new(&policy);
        Self {
            policy,
            ticks,
            memory,
            now: Time::from_millis(1_700_000_000_000),
            next: 0,
        }
    }

    fn tick(&mut self) {
        let readings = black_box(&self.ticks[self.next]);
        black_box(decide(&self.policy, readings, &mut self.memory, self.now));
        self.now = self.now + Span::from_secs(15);
        self.next = if self.next + 1 == self.ticks.len() {
            0
        } else {
            self.next + 1
        };
    }
}

fn loops() -> [(&'static str, Loop); 3] {
    [
        (
            "calm",
            Loop::over(vec![support::readings(0.2, 0.001, 0.02, 3.0)]),
        ),
        (
            "degraded",
            Loop::over(vec![support::readings(9.0, 0.4, 0.5, 900.0)]),
        ),
        ("a day with incidents", Loop::over(support::day())),
    ]
}

fn figures() {
    for (name, mut run) in loops() {
        let allocations = measure(|| (0..10_000).for_each(|_| run.tick())).count_total;
        let rounds = (0..ROUNDS).map(|_| {
            let start = Instant::now();
            (0..EVALUATIONS).for_each(|_| run.tick());
            f64::from(EVALUATIONS) / start.elapsed().as_secs_f64()
        });
        let per_second = rounds.fold(0.0, f64::max);
        println!(
            "{name}: {:.1} million evaluations per second per core, {} allocations in 10000 evaluations",
            per_second / 1e6,
            allocations
        );
    }
}

fn bench(criterion: &mut Criterion) {
    figures();
    for (name, mut run) in loops() {
        criterion.bench_function(name, |bencher| bencher.iter(|| run.tick()));
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
