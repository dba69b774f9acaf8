//! The flags `ConfigMap`, one row for each branch.

use std::collections::BTreeMap;

use super::cluster::{NOW, level, policy};
use crate::flags::{FLAGD_KEY, Flags, STATE_KEY};
use crate::plan::{FlagsMap, FoundMap, Plan, Situation, Wanted, Write, plan};

fn planned(map: &FlagsMap, epoch: i64, wanted: Wanted<'_>) -> Plan {
    plan(&Situation {
        policy: &policy(),
        wanted,
        config_map: map,
        epoch,
        targets: &[],
        baselines: &[],
        now: NOW,
    })
}

/// The flags of a level, as this policy would have written them.
fn published(at: usize, epoch: i64) -> FoundMap {
    let flags = Flags::at(&policy(), at, Some(NOW), "because", epoch);
    FoundMap {
        uid: "u".to_owned(),
        resource_version: "7".to_owned(),
        claimed: true,
        data: flags.encode(&policy()),
        binary: false,
    }
}

fn with(at: usize, epoch: i64, change: impl FnOnce(&mut FoundMap)) -> FlagsMap {
    let mut map = published(at, epoch);
    change(&mut map);
    FlagsMap::Ours(map)
}

/// Level and epoch of what is written, and whether the `ConfigMap` is let go.
fn written(plan: &Plan) -> Option<(usize, i64, bool)> {
    let read = |data: &BTreeMap<String, String>| {
        let flags = Flags::decode(data).unwrap();
        assert_eq!(
            *data,
            flags.encode(&policy()),
            "the whole, and nothing else"
        );
        (flags.level, flags.epoch)
    };
    match plan.writes.as_slice() {
        [] => None,
        [Write::CreateFlags { data }] => {
            let (level, epoch) = read(data);
            Some((level, epoch, false))
        }
        [
            Write::ReplaceFlags {
                uid,
                resource_version,
                data,
                release,
            },
        ] => {
            assert_eq!((uid.as_str(), resource_version.as_str()), ("u", "7"));
            let (level, epoch) = read(data);
            Some((level, epoch, *release))
        }
        several => panic!("{several:?}"),
    }
}

/// A cluster's flags in a word: what they are of, or what has happened to those of level 2, epoch 9.
fn map(word: &str) -> FlagsMap {
    let edit = |change: fn(&mut FoundMap)| with(2, 9, change);
    match word {
        "absent" => FlagsMap::Absent,
        "foreign" => FlagsMap::Foreign("is theirs".to_owned()),
        "held" => FlagsMap::HeldBy("older".to_owned()),
        "right" => edit(|_| ()),
        "lower" => with(1, 9, |_| ()),
        "ahead" => with(1, SECONDS + 50, |_| ()),
        "edited" => edit(|map| _ = map.data.insert("f1".to_owned(), "true".to_owned())),
        "more" => edit(|map| _ = map.data.insert("more".to_owned(), String::new())),
        "less" => edit(|map| _ = map.data.remove(FLAGD_KEY)),
        "spoiled" => edit(|map| _ = map.data.insert(STATE_KEY.to_owned(), "{".to_owned())),
        "binary" => edit(|map| map.binary = true),
        "let-go" => with(2, 9, |map| map.claimed = false),
        other => panic!("{other}"),
    }
}

const SECONDS: i64 = NOW.as_secs();

#[test]
fn flags() {
    let back = Wanted::HandBack;
    let rows = [
        ("absent", 0, level(1), Some((1, SECONDS, false))),
        ("absent", 5, level(1), Some((1, SECONDS, false))),
        ("absent", SECONDS, level(1), Some((1, SECONDS + 1, false))),
        ("absent", 5, back, None),
        ("right", 9, level(2), None),
        ("right", 3, level(2), None),
        ("right", 12, level(2), Some((2, SECONDS, false))),
        ("lower", 9, level(2), Some((2, SECONDS, false))),
        ("ahead", 9, level(2), Some((2, SECONDS + 51, false))),
        ("edited", 9, level(2), Some((2, SECONDS, false))),
        ("more", 9, level(2), Some((2, SECONDS, false))),
        ("less", 9, level(2), Some((2, SECONDS, false))),
        ("spoiled", SECONDS, level(2), Some((2, SECONDS + 1, false))),
        ("binary", 9, level(2), Some((2, SECONDS, false))),
        ("let-go", 0, level(2), Some((2, 9, false))),
        ("right", 9, back, Some((0, SECONDS, true))),
        ("let-go", 9, back, None),
        ("foreign", 9, level(2), None),
        ("foreign", 9, back, None),
        ("held", 9, level(2), None),
        ("held", 9, back, None),
    ];
    for (word, epoch, wanted, expected) in rows {
        let plan = planned(&map(word), epoch, wanted);
        assert_eq!(written(&plan), expected, "{word} at {epoch}: {wanted:?}");
        let refusal = match (word, wanted) {
            ("foreign", Wanted::Level { .. }) => Some("ConfigMapNotOwned"),
            ("held", Wanted::Level { .. }) => Some("TargetConflict"),
            _ => None,
        };
        assert_eq!(plan.refusals.first().map(|r| r.reason), refusal, "{word}");
        if let Some((_, epoch, false)) = expected {
            assert_eq!(plan.published.map(|p| p.epoch), Some(epoch), "{word}");
        }
    }
}

#[test]
fn status_is_told_of_flags_that_need_no_write() {
    let plan = planned(&with(2, 9, |_| ()), 9, level(2));
    assert_eq!(plan.published.map(|published| published.epoch), Some(9));
}
