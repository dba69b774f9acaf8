//! Low traffic, the empty room and blindness.

use super::builder::{policy, row};
use crate::policy::Mode;

#[test]
fn low_traffic() {
    let one = || policy(&["any a>10", "any a>20"]).missing(20, Some(2));
    row("counts as clear", one(), "11 L*4", "1*4 0");
    let hold = || one().holds_on_low_traffic(0);
    row(
        "under Hold it is Unknown, and an answer",
        hold(),
        "11 L*6",
        "1*7",
    );
    row(
        "under Hold it breaks a run of Unknown",
        hold(),
        "T*2 L T*2 L",
        "0*6",
    );
}

#[test]
fn empty_room() {
    let room = || policy(&["any a>10"]).measures_feature(0, 1);
    row("Empty counts as clear", room(), "11 E*4", "1*4 0");
    row("NaN and LowTraffic do, too", room(), "11 N L N L", "1*4 0");
    row(
        "LowTraffic under Hold does",
        room().holds_on_low_traffic(0),
        "11 L*4",
        "1*4 0",
    );
    row("Transport does not", room(), "11 T*5", "1*6");
    row("not before the tick after", room(), "11 E*3 5", "1*4 0");
    row(
        "never in DryRun",
        room().mode(Mode::DryRun),
        "11 E*5",
        "1*6",
    );
    row(
        "not where the feature is not Disabled",
        policy(&["any a>10"]).measures_feature(0, 2),
        "11 E*5",
        "1*6",
    );
    row("is tried again", room(), "11 E*4 11", "1*4 0 1");
    let two = || policy(&["any a>10", "any a>20"]);
    row(
        "times are forgotten when it opens",
        two().measures_feature(0, 2),
        "21 E*4 5*4",
        "2*4 1*4 0",
    );
    row(
        "and stay where it does not",
        two().measures_feature(0, 1),
        "21 E*4 5*3",
        "2*4 1*3 0",
    );
    let capped = |level| crate::policy::Policy {
        max_level: Some(level),
        ..room()
    };
    row("goes by the level applied", capped(0), "11 E*5", "1*6");
    row(
        "goes by the level applied, too",
        capped(1),
        "11 E*4",
        "1*4 0",
    );
}

#[test]
fn blindness() {
    let two = || policy(&["any a>10", "any a>20 b>20"]);
    let then_two = || two().missing(20, Some(2));
    row("fires missing.then", then_two(), "T,5*3", "0*2 2");
    row(
        "not before missing.after",
        then_two(),
        "T,5*2 5,5 T,5*3",
        "0*5 2",
    );
    row("any class, changing", then_two(), "T,5 E,5 N,5", "0*2 2");
    row(
        "not by two signals in turn",
        then_two(),
        "T,5 5,T T,5 5,T",
        "0*4",
    );
    row("one of two suffices", then_two(), "5,T*3", "0*2 2");
    row(
        "Hold fires nothing",
        two().missing(20, None),
        "T,5*5",
        "0*5",
    );
    row(
        "a rung still escalates",
        two().missing(20, None),
        "5,T*3 11,T 21,T",
        "0*3 1 2",
    );
    row(
        "a higher rung stands above it",
        two().missing(20, Some(1)),
        "21,5 T,5*5",
        "2*6",
    );
    row(
        "not by a signal that measures a feature",
        then_two().measures_feature(0, 9),
        "T,5*5",
        "0*5",
    );
    row(
        "but by one that does not",
        then_two().measures_feature(0, 9),
        "T,T*3",
        "0*2 2",
    );
    let mut unused = then_two();
    unused.levels[1].when.comparisons.pop();
    row("not by a signal that nothing uses", unused, "5,T*5", "0*5");
}

#[test]
fn blindness_holds_recovery() {
    let two = || policy(&["any b>10", "any a>10"]).missing(20, None);
    row("while it lasts", two(), "11,5 5,T*8", "2*9");
    row(
        "and recovery.after from its end",
        two(),
        "11,5 5,T*4 5,5*4",
        "2*7 1*2",
    );
    row("shorter gaps do not", two(), "11,5 5,T*2 5,5*2", "2*4 1");
    let room = two().measures_feature(1, 9);
    row(
        "also by a signal that measures a feature",
        room,
        "11,5 5,T*8",
        "2*9",
    );
}
