//! Every case there is, by name.

use std::time::Duration;

use e2e::fault_proxy::{Fault, Rule, WatchFault};

use crate::case::{AUTOSCALERS, Case, Kind, Stage, What};

/// Of every kind of fault and of every kind of request at least one, for every test run. The rest differs
/// from these in combination only.
const EVERYDAY: [&str; 29] = [
    "answer/bounds-patch/reset-after",
    "answer/events-post/silence-before",
    "answer/finalizer-patch/409",
    "answer/flags-get/404",
    "answer/flags-post/silence-after",
    "answer/flags-put/422",
    "answer/list-policies/429",
    "answer/list-sources/unreadable",
    "answer/policy-get/401",
    "answer/release-finalizer/404",
    "answer/release-scale/404",
    "answer/scale-patch/reset-after",
    "answer/scale-patch/403",
    "answer/status-put/503",
    "answer/watch-deployments/410",
    "answer/workload-get/reset-before",
    "crash/delete/after/2",
    "crash/escalate/before/3",
    "crash/escalate-autoscaled/after/3",
    "crash/recover/after/2",
    "watch/autoscalers/drop",
    "watch/autoscalers/gone-until-listed",
    "watch/configmaps/half",
    "watch/deployments/garbage",
    "watch/metricssources/unreadable",
    "watch/policies/gone-until-listed",
    "watch/policies/stall",
    "watch/statefulsets/error",
    "watch/statefulsets/reorder",
];

/// Every case.
pub(crate) fn cases() -> Vec<Case> {
    let mut all: Vec<Case> = [watches(), answers(), long_outages(), crashes()].concat();
    for case in &mut all {
        case.everyday = EVERYDAY.contains(&case.name.as_str());
    }
    all
}

fn case(name: String, stage: Stage, what: What) -> Case {
    Case {
        name,
        everyday: false,
        stage,
        what,
        autoscaled: stage == Stage::Change(Kind::Autoscalers),
        neighbour_goes_on: false,
        touch: false,
    }
}

const FRAMES: [(&str, WatchFault); 11] = [
    ("drop", WatchFault::Drop),
    ("delay", WatchFault::Delay),
    ("duplicate", WatchFault::Duplicate),
    ("reorder", WatchFault::Reorder),
    ("stall", WatchFault::Stall),
    ("eof", WatchFault::Eof),
    ("gone", WatchFault::Gone),
    ("error", WatchFault::Error),
    ("garbage", WatchFault::Garbage),
    ("half", WatchFault::Half),
    ("unreadable", WatchFault::Unreadable),
];

/// Each watched kind with each fault of frames. The first frame after somebody's change is befallen; a
/// stream that is ended is ended each time it is begun again, as long as the fault goes on.
fn watches() -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in Kind::ALL {
        let key = format!("watch {}", kind.resource());
        for (name, fault) in FRAMES {
            // Of ConfigMaps only metadata are read.
            if kind == Kind::ConfigMaps && fault == WatchFault::Unreadable {
                continue;
            }
            let rule = Rule::on(&key, Fault::Watch(fault));
            let again = matches!(
                fault,
                WatchFault::Eof | WatchFault::Gone | WatchFault::Error | WatchFault::Half
            );
            let rule = if again { rule } else { rule.first(1) };
            cases.push(Case {
                neighbour_goes_on: true,
                touch: matches!(fault, WatchFault::Drop | WatchFault::Reorder),
                ..case(
                    format!("watch/{}/{name}", kind.name()),
                    Stage::Change(kind),
                    What::Rules(vec![rule]),
                )
            });
        }
        let ended = Rule::on(&key, Fault::Watch(WatchFault::Eof)).first(1);
        let gone = Rule::on(
            &key,
            Fault::Answer {
                status: 410,
                retry_after: None,
            },
        );
        cases.push(Case {
            neighbour_goes_on: true,
            ..case(
                format!("watch/{}/gone-until-listed", kind.name()),
                Stage::Change(kind),
                What::UntilListed(vec![ended, gone]),
            )
        });
    }
    cases
}

/// A kind of request: its name, where in the story it is made, its key, its object where it is ours alone,
/// and the status of what has to fail first so that it is made at all.
type Request = (
    &'static str,
    Stage,
    &'static str,
    Option<&'static str>,
    Option<&'static str>,
);

const REQUESTS: [Request; 31] = [
    (
        "finalizer-patch",
        Stage::Create,
        "patch botdegradationpolicies",
        Some("bot"),
        None,
    ),
    ("flags-post", Stage::Create, "post configmaps", None, None),
    (
        "first-status-put",
        Stage::Create,
        "put botdegradationpolicies/status",
        Some("bot"),
        None,
    ),
    (
        "flags-get",
        Stage::Escalate,
        "get configmaps",
        Some("bot-flags"),
        None,
    ),
    (
        "flags-put",
        Stage::Escalate,
        "put configmaps",
        Some("bot-flags"),
        None,
    ),
    (
        "status-put",
        Stage::Escalate,
        "put botdegradationpolicies/status",
        Some("bot"),
        None,
    ),
    (
        "scale-patch",
        Stage::Escalate,
        "patch deployments/scale",
        Some("worker"),
        None,
    ),
    (
        "set-scale-patch",
        Stage::Escalate,
        "patch statefulsets/scale",
        Some("shards"),
        None,
    ),
    ("events-post", Stage::Escalate, "post events", None, None),
    ("events-patch", Stage::Again, "patch events", None, None),
    (
        "policy-get",
        Stage::Escalate,
        "get botdegradationpolicies",
        Some("bot"),
        Some("put botdegradationpolicies/status"),
    ),
    (
        "workload-get",
        Stage::Escalate,
        "get deployments",
        Some("worker"),
        Some("patch deployments/scale"),
    ),
    (
        "restore-scale",
        Stage::Recover,
        "patch deployments/scale",
        Some("worker"),
        None,
    ),
    (
        "restore-flags",
        Stage::Recover,
        "put configmaps",
        Some("bot-flags"),
        None,
    ),
    (
        "restore-status",
        Stage::Recover,
        "put botdegradationpolicies/status",
        Some("bot"),
        None,
    ),
    (
        "release-scale",
        Stage::Delete,
        "patch deployments/scale",
        Some("worker"),
        None,
    ),
    (
        "release-flags",
        Stage::Delete,
        "put configmaps",
        Some("bot-flags"),
        None,
    ),
    (
        "release-finalizer",
        Stage::Delete,
        "patch botdegradationpolicies",
        Some("bot"),
        None,
    ),
    (
        "list-policies",
        Stage::Start,
        "list botdegradationpolicies",
        None,
        None,
    ),
    (
        "list-configmaps",
        Stage::Start,
        "list configmaps",
        None,
        None,
    ),
    (
        "list-deployments",
        Stage::Start,
        "list deployments",
        None,
        None,
    ),
    (
        "bounds-patch",
        Stage::Escalate,
        "patch horizontalpodautoscalers",
        Some("crew"),
        None,
    ),
    (
        "restore-bounds",
        Stage::Recover,
        "patch horizontalpodautoscalers",
        Some("crew"),
        None,
    ),
    (
        "release-bounds",
        Stage::Delete,
        "patch horizontalpodautoscalers",
        Some("crew"),
        None,
    ),
    (
        "list-autoscalers",
        Stage::Start,
        "list horizontalpodautoscalers",
        None,
        None,
    ),
    (
        "watch-autoscalers",
        Stage::Start,
        "watch horizontalpodautoscalers",
        None,
        None,
    ),
    (
        "list-sources",
        Stage::Start,
        "list metricssources",
        None,
        None,
    ),
    (
        "watch-policies",
        Stage::Start,
        "watch botdegradationpolicies",
        None,
        None,
    ),
    (
        "watch-configmaps",
        Stage::Start,
        "watch configmaps",
        None,
        None,
    ),
    (
        "watch-deployments",
        Stage::Start,
        "watch deployments",
        None,
        None,
    ),
    (
        "watch-sources",
        Stage::Start,
        "watch metricssources",
        None,
        None,
    ),
];

const STATUSES: [u16; 10] = [401, 403, 404, 409, 410, 422, 429, 500, 503, 504];

fn answer(status: u16) -> Fault {
    Fault::Answer {
        status,
        retry_after: (status == 429).then_some(2),
    }
}

/// Each kind of request with each answer.
fn answers() -> Vec<Case> {
    let mut cases = Vec::new();
    for (name, stage, key, object, after) in REQUESTS {
        let reads = ["get", "list", "watch"]
            .iter()
            .any(|verb| key.starts_with(verb));
        let mut faults: Vec<(String, Fault)> = STATUSES
            .map(|status| (status.to_string(), answer(status)))
            .into();
        faults.push(("late".to_owned(), Fault::Late(Duration::from_secs(3))));
        for (when, committed) in [("before", false), ("after", true)] {
            if !(reads && committed) {
                faults.push((format!("silence-{when}"), Fault::Silence { committed }));
                faults.push((format!("reset-{when}"), Fault::Reset { committed }));
            }
        }
        for (fault_name, fault) in faults {
            let rule = Rule::on(key, fault);
            let rule = object.iter().fold(rule, |rule, object| rule.of(object));
            let conflict = after.map(|key| {
                let rule = Rule::on(key, answer(409));
                object
                    .iter()
                    .fold(rule, |rule, object| rule.of(object))
                    .first(1)
            });
            let rules = conflict.into_iter().chain([rule]).collect();
            cases.push(Case {
                autoscaled: key.ends_with(AUTOSCALERS),
                neighbour_goes_on: object.is_some(),
                ..case(
                    format!("answer/{name}/{fault_name}"),
                    stage,
                    What::Rules(rules),
                )
            });
        }
        // Built-in kinds are always readable; ours may be of a newer operator.
        if ["list-policies", "list-sources"].contains(&name) {
            let rules = vec![Rule::on(key, Fault::Unreadable)];
            let name = format!("answer/{name}/unreadable");
            cases.push(case(name, stage, What::Lasting(rules)));
        }
    }
    cases
}

/// Outages after which a client whose pauses grow without bound is asleep.
fn long_outages() -> Vec<Case> {
    let all = |key: &str| vec![Rule::on(key, answer(503))];
    let kinds = [
        ("list-policies", Stage::Start, "list botdegradationpolicies"),
        ("list-deployments", Stage::Start, "list deployments"),
        ("flags-put", Stage::Escalate, "put configmaps"),
        (
            "status-put",
            Stage::Escalate,
            "put botdegradationpolicies/status",
        ),
    ];
    let mut cases: Vec<Case> = kinds
        .map(|(name, stage, key)| case(format!("outage/{name}"), stage, What::For(45, all(key))))
        .into();
    // One watch fails for long; what the others bring is acted on all the same.
    let key = "watch statefulsets";
    let ended = Rule::on(key, Fault::Watch(WatchFault::Eof)).first(1);
    cases.push(Case {
        neighbour_goes_on: true,
        ..case(
            "outage/watch-statefulsets".to_owned(),
            Stage::Change(Kind::StatefulSets),
            What::For(60, vec![ended, Rule::on(key, answer(500))]),
        )
    });
    cases
}

/// Before and after each write of each way.
fn crashes() -> Vec<Case> {
    let ways = [
        ("create", Stage::Create, 3, false),
        ("escalate", Stage::Escalate, 5, false),
        ("recover", Stage::Recover, 7, false),
        ("delete", Stage::Delete, 4, false),
        ("escalate-autoscaled", Stage::Escalate, 7, true),
        ("recover-autoscaled", Stage::Recover, 9, true),
        ("delete-autoscaled", Stage::Delete, 6, true),
    ];
    let mut cases = Vec::new();
    for (name, stage, writes, autoscaled) in ways {
        for write in 1..=writes {
            for (when, after) in [("before", false), ("after", true)] {
                let name = format!("crash/{name}/{when}/{write}");
                cases.push(Case {
                    autoscaled,
                    ..case(name, stage, What::Crash { write, after })
                });
            }
        }
    }
    cases
}
