//! The way down.

use super::builder::{policy, row};

#[test]
fn clear_for() {
    let one = || policy(&["any a>10"]);
    row(
        "clear counts from the second clear reading",
        one(),
        "11 5*4",
        "1*4 0",
    );
    row("at clear is clear", one(), "11 8*4", "1*4 0");
    row("between starts again", one(), "11 5*3 9 5*4", "1*8 0");
    row("breached starts again", one(), "11 5*3 11 5*4", "1*8 0");
    row(
        "stays as it was over an Unknown",
        one(),
        "11 5*2 T 5*3",
        "1*6 0",
    );
    row("older than two intervals", one(), "11 5*3 T*2 5*4", "1*9 0");
    row("no recovery at an Unknown", one(), "11 5*3 T 5", "1*5 1");
    row(
        "below, clear above",
        policy(&["any a<10"]),
        "9 11*3 12*4",
        "1*7 0",
    );
}

#[test]
fn one_rung_at_a_time() {
    let two = policy(&["any a>10", "any a>20"]);
    row(
        "a level stands for recovery.after",
        two,
        "21 5*7",
        "2*4 1*3 0",
    );
}

#[test]
fn which_rungs_must_be_clear() {
    let two = || policy(&["any a>10", "any b>10"]);
    row("not those below", two(), "11,11 11,5*5", "2*4 1*2");
    let slow = policy(&["any a>10", "any b>10:100"]);
    row("all those above", slow, "11,9 5,9*6", "1*7");
}

#[test]
fn any_and_all() {
    let any = || policy(&["any a>10 b>10"]);
    row("any: each must be clear", any(), "11,5 5,9*6", "1*7");
    row("any: the least counts", any(), "11,11 5,9*2 5,5*4", "1*6 0");
    row("any: an Unknown is not clear", any(), "11,5 5,T*6", "1*7");
    let all = || policy(&["all a>10 b>10"]);
    row("all: one clear suffices", all(), "11,11 5,11*4", "1*4 0");
    row(
        "all: the greatest counts",
        all(),
        "11,11 5,11*2 5,5*2",
        "1*4 0",
    );
    row(
        "all: not the one that is Unknown",
        all(),
        "11,11 5,11*3 T,11",
        "1*5",
    );
    row("all: none clear", all(), "11,11 9,9*6", "1*7");
}

#[test]
fn falls_and_rises() {
    let one = policy(&["any a>10"]);
    row(
        "recovers, escalates, recovers",
        one,
        "11 5*4 11 5*4",
        "1*4 0 1*4 0",
    );
}
