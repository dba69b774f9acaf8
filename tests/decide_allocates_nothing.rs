//! Deciding is called for every policy at every tick: it must not allocate.

#[path = "../benches/support/mod.rs"]
mod support;

use brownout::decide::{Memory, decide};
use brownout::time::{Span, Time};

#[test]
fn decide_allocates_nothing() {
    let (policy, ticks) = (support::example(), support::day());
    let mut memory = Memory::new(&policy);
    let (mut now, mut transitions) = (Time::from_millis(1_700_000_000_000), 0);
    let allocated = allocation_counter::measure(|| {
        for readings in ticks.iter().cycle().take(10 * ticks.len()) {
            let decision = decide(&policy, readings, &mut memory, now);
            transitions += u32::from(decision.transition.is_some());
            now = now + Span::from_secs(15);
        }
    });
    assert!(
        transitions > 20,
        "only {transitions} transitions: the day is too calm to show anything"
    );
    assert_eq!(allocated.count_total, 0);
}
