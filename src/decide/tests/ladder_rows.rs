//! Comparisons, rungs and the way up.

use super::builder::{policy, row};

#[test]
fn comparisons() {
    let above = || policy(&["any a>10:20"]);
    row("nothing breached", above(), "5*4", "0*4");
    row("at the threshold is not past it", above(), "10*4", "0*4");
    row(
        "breached for 20 s at the third tick",
        above(),
        "11*4",
        "0*2 1*2",
    );
    row("between is not breached", above(), "11*2 9 11*3", "0*5 1");
    row("clear is not breached", above(), "11*2 5 11*3", "0*5 1");
    row("for 0 fires at once", policy(&["any a>10"]), "5 11", "0 1");
    row("below, strictly", policy(&["any a<3"]), "4 3 2.9", "0*2 1");
    row(
        "negative thresholds",
        policy(&["any a>-10"]),
        "-10 -9",
        "0 1",
    );
}

#[test]
fn unknown_and_breached_for() {
    let above = || policy(&["any a>10:20"]);
    row("grows over an Unknown", above(), "11 T 11", "0*2 1");
    row("an Unknown does not fire", above(), "11*2 T 11", "0*3 1");
    row("two intervals is not older", above(), "11*2 T 11", "0*3 1");
    row(
        "older than two intervals",
        above(),
        "11*2 T*2 11*3",
        "0*6 1",
    );
    row("for 0 and Unknown", policy(&["any a>10"]), "T E N L", "0*4");
}

#[test]
fn rungs() {
    let any = || policy(&["any a>10:20 b>10"]);
    row("any: the first", any(), "11,5*3", "0*2 1");
    row("any: the second", any(), "5,5 5,11", "0 1");
    let all = || policy(&["all a>10:20 b>10"]);
    row("all: one is not enough", all(), "11,5*4", "0*4");
    row("all: both", all(), "5,11 11,11*3", "0*3 1");
    row(
        "all: an Unknown does not fire",
        all(),
        "11,11*2 11,T*2 11,11",
        "0*4 1",
    );
}

#[test]
fn escalation() {
    let two = || policy(&["any a>10", "any a>20"]);
    row("rung by rung as they fire", two(), "5 11 21", "0 1 2");
    row("jumps to the highest that fires", two(), "5 21", "0 2");
    row(
        "the rung between need not fire",
        policy(&["any a>10", "any b>10"]),
        "5,11",
        "2",
    );
    row(
        "a lower rung that fires is where the way down ends",
        two(),
        "21 11*8",
        "2*4 1*5",
    );
    row(
        "a higher one still escalates",
        policy(&["any a>10", "any b>10"]),
        "11,5 11,11",
        "1 2",
    );
}
