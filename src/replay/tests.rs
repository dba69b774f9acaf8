//! Series in, report out.

use super::{Replay, Series, replay};
use crate::decide::tests::builder::policy;
use crate::decide::{Reading, Unknown};
use crate::policy::{Mode, Policy};

fn two_rungs() -> Policy {
    policy(&["any a>1.50:10", "any a>3 b>0.5"]).missing(20, Some(1))
}

fn report(policy: &Policy, json: &str) -> String {
    let series = Series::parse(json, policy).unwrap();
    serde_json::to_string(&replay(policy, &series)).unwrap()
}

fn refusal(json: &str) -> String {
    Series::parse(json, &two_rungs()).unwrap_err().to_string()
}

#[test]
fn a_report_in_full() {
    let json = r#"{"signals":{"a":[[0,"1"],[10,"2.10"],[20,"2.10"],[30.5,"3.5"],[40,"1"],
        [50,"1"],[60,"1"],[70,"1"],[80,"1"],[90,"1"]],"b":[[10,"0"],[20,"0"],[30.5,"0.6"],
        [40,"0"],[50,"0"],[60,"0"],[70,"0"],[80,"0"],[90,"0"]]}}"#;
    let expected = concat!(
        r#"{"from":"1970-01-01T00:00:00Z","to":"1970-01-01T00:01:30Z","evaluations":10,"transitions":["#,
        r#"{"at":"1970-01-01T00:00:20Z","from":0,"to":1,"reason":"Escalated","signal":"a","value":"2.1","threshold":"1.50"},"#,
        r#"{"at":"1970-01-01T00:00:30.5Z","from":1,"to":2,"reason":"Escalated","signal":"a","value":"3.5","threshold":"3"},"#,
        r#"{"at":"1970-01-01T00:01:10Z","from":2,"to":1,"reason":"Recovered","signal":null,"value":null,"threshold":null}],"#,
        r#""secondsPerLevel":{"Normal":20,"rung-1":30.5,"rung-2":39.5},"flaps":0}"#,
    );
    assert_eq!(report(&two_rungs(), json), expected);
}

#[test]
fn a_signal_without_a_sample_at_a_tick_is_empty() {
    let json = r#"{"signals":{"a":[[20,"1"],[0,"1"],[10,"1"]],"b":[[0,"0"]]}}"#;
    let shorter = two_rungs().missing(10, Some(1));
    let json = report(&shorter, json);
    assert!(json.contains(r#""at":"1970-01-01T00:00:20Z","from":0,"to":1,"reason":"Blind","signal":"b","value":null"#), "{json}");
}

#[test]
fn values_that_are_no_finite_numbers() {
    let rows = [
        (r#""-1.5e-1""#, Reading::Value(-0.15)),
        (r#""NaN""#, Reading::Unknown(Unknown::NaN)),
        (r#""+Inf""#, Reading::Unknown(Unknown::Infinite)),
        (r#""-Inf""#, Reading::Unknown(Unknown::Infinite)),
        ("null", Reading::Unknown(Unknown::Empty)),
        (
            r#"{"unknown":"MultipleSeries"}"#,
            Reading::Unknown(Unknown::MultipleSeries),
        ),
    ];
    for (written, reading) in rows {
        let json = format!(r#"{{"signals":{{"a":[[0,{written}]]}}}}"#);
        let series = Series::parse(&json, &two_rungs()).unwrap();
        assert_eq!(series.ticks().next().unwrap().1[0], reading, "{written}");
    }
}

/// The object of series, and why it is refused.
const REFUSED: &str = r#"
{"c":[]} | signals.c: the policy has no such signal, only a, b
{"a":[[0,"1"]],"a":[]} | signals.a: this series is there twice
{"a":[[0,"1"],[0.0004,"2"]]} | signals.a[1]: a second sample at 1970-01-01T00:00:00Z
{"a":[[0,"1"],[1,"many"]]} | signals.a[1]: the value "many" is no number; null says that there is none
{"a":[[0," 1"]]} | signals.a[0]: the value " 1" is no number; null says that there is none
{"a":[[0,1.5]]} | signals.a[0]: values are strings: write "1.5"
{"a":[["0","1"]]} | signals.a[0]: the time "0" is no number of Unix seconds
{"a":[[1e12,"1"]]} | signals.a[0]: the time 1000000000000.0 is not between the years 1 and 9999
{"a":[[0]]} | signals.a[0]: [0] is no pair of a time and a value
{"a":[[0,true]]} | signals.a[0]: true is no value: a string, null or {"unknown":"<reason>"}
{"a":[],"b":[]} | signals: there is no sample in any series, so there is nothing to replay
{} | signals: there is no sample in any series, so there is nothing to replay
"#;

#[test]
fn refusals_name_the_series_and_the_place() {
    for line in REFUSED.trim().lines() {
        let (signals, expected) = line.split_once(" | ").unwrap();
        assert_eq!(refusal(&format!(r#"{{"signals":{signals}}}"#)), expected);
    }
    let word = refusal(r#"{"signals":{"a":[[0,{"unknown":"empty"}]]}}"#);
    let start = r#"signals.a[0]: {"unknown":"empty"} names no reason; reasons are Transport, "#;
    assert!(word.starts_with(start));
    for shape in [
        "",
        "[]",
        "{}",
        r#"{"signals":[]}"#,
        r#"{"signals":{"a":{}}}"#,
    ] {
        let refusal = refusal(shape);
        assert!(
            refusal.starts_with(r#"no series of the form {"signals":"#),
            "{shape}"
        );
        // whoever prints the chain of causes would say it twice
        let err = Series::parse(shape, &two_rungs()).unwrap_err();
        assert!(std::error::Error::source(&err).is_none(), "{shape}");
    }
}

#[test]
fn mode_and_max_level_are_ignored() {
    let plain = policy(&["any a>10"]).measures_feature(0, 1);
    let json = r#"{"signals":{"a":[[0,"11"],[10,null],[20,null],[30,null],[40,null]]}}"#;
    let expected = report(&plain, json);
    assert!(
        expected.contains("Recovered"),
        "the empty room goes by the level decided"
    );
    let dry = Policy {
        mode: Mode::DryRun,
        max_level: Some(0),
        ..plain
    };
    assert_eq!(report(&dry, json), expected);
}

#[test]
fn flaps_are_counted() {
    let ticks = ["11", "5", "5", "5", "5", "11"].iter().enumerate();
    let samples: Vec<String> = ticks.map(|(i, v)| format!(r#"[{i}0,"{v}"]"#)).collect();
    let json = format!(r#"{{"signals":{{"a":[{}]}}}}"#, samples.join(","));
    assert!(
        report(&policy(&["any a>10"]), &json.replace("[00,", "[0,")).ends_with(r#""flaps":1}"#)
    );
}

#[test]
fn wide_steps_are_told() {
    let json = r#"{"signals":{"a":[[0,"1"],[20,"1"],[41,"1"]]}}"#;
    let policy = two_rungs();
    let steps = Series::parse(json, &policy).unwrap().wide_steps(&policy);
    let told: Vec<String> = steps.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "no sample for 21s from 1970-01-01T00:00:20Z to 1970-01-01T00:00:41Z: at an interval of \
          10s all times start again there"
        ]
    );
}

#[test]
fn tick_by_tick_is_the_same_replay() {
    let json = r#"{"signals":{"a":[[0,"2"],[10,"2"],[20,"1"],[30,"1"],[40,"1"],[50,"1"]]}}"#;
    let policy = policy(&["any a>1.5"]);
    let series = Series::parse(json, &policy).unwrap();
    let mut streamed = Replay::new(&policy);
    let mut levels = Vec::new();
    for (at, readings) in series.ticks() {
        levels.push(streamed.tick(at, readings).level);
    }
    assert_eq!(levels, [1, 1, 1, 1, 1, 0]);
    assert_eq!(streamed.memory().level, 0);
    assert_eq!(streamed.finish(), replay(&policy, &series));
}
