use proptest::prelude::*;

use super::*;
use crate::policy::{Feature, Level, Missing, Mode, Quantifier, Recovery, When};
use crate::time::Span;

fn feature(name: &str, tier: Tier, values: Values) -> Feature {
    let name = name.to_owned();
    Feature { name, tier, values }
}

fn integers(enabled: i64, reduced: i64, disabled: i64) -> Values {
    Values::Integers {
        enabled,
        reduced,
        disabled,
    }
}

/// The ladder of the three rungs, with each feature's states from Normal upward.
fn policy(features: Vec<(Feature, [State; 4])>) -> Policy {
    let rung = |name: &str| Level {
        name: name.to_owned(),
        when: When {
            quantifier: Quantifier::Any,
            comparisons: Vec::new(),
        },
        scale: Vec::new(),
    };
    let states = (0..4).map(|level| features.iter().map(|(_, s)| s[level]).collect());
    Policy {
        namespace: "bots".to_owned(),
        name: "chatbotler".to_owned(),
        mode: Mode::Enforce,
        interval: Span::from_secs(15),
        source: "default".to_owned(),
        max_level: None,
        signals: Vec::new(),
        levels: ["shed-luxury", "lighten", "critical-only"].map(rung).into(),
        recovery: Recovery {
            after: Span::from_secs(300),
            tolerance: 0.1,
        },
        missing: Missing {
            after: Span::from_secs(180),
            then: None,
        },
        config_map: "chatbotler-flags".to_owned(),
        states: states.collect(),
        features: features.into_iter().map(|(f, _)| f).collect(),
    }
}

fn example() -> Policy {
    use State::{Disabled, Enabled, Reduced};
    policy(vec![
        (
            feature("animations", Tier::Luxury, Values::Boolean),
            [Enabled, Disabled, Disabled, Disabled],
        ),
        (
            feature("ai-chat", Tier::Important, integers(512, 96, 0)),
            [Enabled, Enabled, Reduced, Disabled],
        ),
        (
            feature("commands", Tier::Critical, Values::Boolean),
            [Enabled; 4],
        ),
    ])
}

fn since() -> Time {
    Time::from_millis(1_800_000_000_250)
}

#[test]
fn the_example_is_encoded_to_the_letter() {
    let policy = example();
    let data = Flags::at(
        &policy,
        2,
        Some(since()),
        "latency-p95 is 3.2, above 3 for 30s",
        1_800_000_001,
    )
    .encode(&policy);
    let golden = [
        ("ai-chat", "96"),
        ("animations", "false"),
        ("commands", "true"),
        (FLAGD_KEY, include_str!("testdata/lighten.flagd.json")),
        (STATE_KEY, include_str!("testdata/lighten.state.json")),
    ];
    let golden: BTreeMap<String, String> = golden
        .map(|(key, value)| (key.to_owned(), value.trim_end().to_owned()))
        .into();
    assert_eq!(data, golden);
}

#[test]
fn normal_enables_everything_and_has_no_since() {
    let flags = Flags::at(&example(), 0, None, "", 1);
    assert_eq!(flags.level_name, "Normal");
    assert!(
        flags
            .features
            .values()
            .all(|flag| flag.state == State::Enabled)
    );
    assert!(flags.encode(&example())[STATE_KEY].contains(r#""since":null"#));
}

#[test]
fn a_level_above_the_ladder_is_its_top() {
    assert_eq!(
        Flags::at(&example(), 9, None, "", 1).level_name,
        "critical-only"
    );
}

#[test]
fn a_boolean_knows_no_reduced() {
    let plain = feature("search", Tier::Important, Values::Boolean);
    let policy = policy(vec![(plain, [State::Reduced; 4])]);
    let flags = Flags::at(&policy, 1, None, "", 1);
    assert_eq!(flags.features["search"].state, State::Enabled);
    assert_eq!(flags.features["search"].value, Value::Boolean(true));
}

#[test]
fn a_flag_that_the_policy_no_longer_names_keeps_its_one_variant() {
    let flags = Flags::at(&example(), 2, Some(since()), "", 1);
    let data = flags.encode(&policy(Vec::new()));
    let definition: serde_json::Value = serde_json::from_str(&data[FLAGD_KEY]).unwrap();
    let entry = &definition["flags"]["ai-chat"];
    assert_eq!(entry["variants"], serde_json::json!({"reduced": 96}));
    assert_eq!(entry["defaultVariant"], "reduced");
}

fn decode(json: &str) -> Result<Flags, DecodeError> {
    Flags::decode(&BTreeMap::from([(STATE_KEY.to_owned(), json.to_owned())]))
}

#[test]
fn unknown_fields_are_ignored() {
    let flags = decode(
        r#"{"version":1,"policy":"p","level":1,"levelName":"l","since":null,"epoch":5,"reason":"",
            "expiresAt":"later","features":{"f":{"state":"Disabled","value":"off","tier":"Luxury","kind":"new"}}}"#,
    )
    .unwrap();
    assert_eq!(flags.features["f"].value, Value::Text("off".to_owned()));
}

#[test]
fn what_is_no_flags_is_refused_with_its_reason() {
    let nothing = Flags::decode(&BTreeMap::new());
    assert!(matches!(nothing, Err(DecodeError::Missing)));
    assert!(matches!(
        decode(r#"{"version":2,"tiers":[]}"#),
        Err(DecodeError::Version(2))
    ));
    for json in [
        "",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"version":"1"}"#,
        r#"{"version":1}"#,
    ] {
        assert!(matches!(decode(json), Err(DecodeError::Json(_))), "{json}");
    }
    let since = r#"{"version":1,"policy":"p","level":0,"levelName":"Normal","since":"yesterday","epoch":1,"reason":"","features":{}}"#;
    assert!(matches!(decode(since), Err(DecodeError::Since(_))));
}

#[test]
fn the_epoch_grows_and_keeps_up_with_the_clock() {
    let now = Time::from_millis(1_000_999);
    assert_eq!(next_epoch(0, now), 1000);
    assert_eq!(next_epoch(1000, now), 1001);
    assert_eq!(next_epoch(5000, now), 5001);
    assert_eq!(next_epoch(i64::MAX, now), i64::MAX);
}

#[test]
fn the_hash_never_changes_between_releases() {
    let policy = example();
    let data = Flags::at(&policy, 1, Some(since()), "", 7).encode(&policy);
    assert_eq!(content_hash(&data), "ba9fc057db0b1ff4");
}

#[test]
fn only_the_epoch_is_no_content() {
    let policy = example();
    let flags = Flags::at(&policy, 1, Some(since()), r#"the "epoch":3, of a text"#, 7);
    let data = flags.encode(&policy);
    let mut newer = flags.clone();
    newer.epoch = 8_000_000;
    assert!(same_content(&data, &newer.encode(&policy)));
    assert_eq!(content_hash(&data), content_hash(&newer.encode(&policy)));

    let edits: [fn(&mut BTreeMap<String, String>); 6] = [
        |d| drop(d.remove("animations")),
        |d| drop(d.insert("animations".to_owned(), "true".to_owned())),
        |d| drop(d.insert("extra".to_owned(), String::new())),
        |d| drop(d.remove(STATE_KEY)),
        |d| d.get_mut(STATE_KEY).unwrap().push(' '),
        |d| {
            let state = d.get_mut(STATE_KEY).unwrap();
            *state = state.replace("\"epoch\":7", "\"epoch\":\"x\"");
        },
    ];
    for (i, edit) in edits.into_iter().enumerate() {
        let mut edited = data.clone();
        edit(&mut edited);
        assert!(!same_content(&data, &edited), "edit {i}");
        assert_ne!(content_hash(&data), content_hash(&edited), "edit {i}");
    }
}

fn any_state() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Enabled),
        Just(State::Reduced),
        Just(State::Disabled)
    ]
}

fn any_flag() -> impl Strategy<Value = Flag> {
    let value = prop_oneof![
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        any::<String>().prop_map(Value::Text),
    ];
    let tier = prop_oneof![
        Just(Tier::Critical),
        Just(Tier::Important),
        Just(Tier::Luxury)
    ];
    (any_state(), value, tier).prop_map(|(state, value, tier)| Flag { state, value, tier })
}

prop_compose! {
    fn any_flags()(
        policy in any::<String>(),
        level in 0..9_usize,
        level_name in any::<String>(),
        since in proptest::option::of(-1_000_000_000_000_i64..4_000_000_000_000),
        epoch in any::<i64>(),
        reason in any::<String>(),
        features in proptest::collection::btree_map("[a-z][a-z-]{0,20}", any_flag(), 0..6),
    ) -> Flags {
        let since = since.map(Time::from_millis);
        Flags { policy, level, level_name, since, epoch, reason, features }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(flags in any_flags()) {
        prop_assert_eq!(Flags::decode(&flags.encode(&example())).unwrap(), flags);
    }

    #[test]
    fn equal_flags_are_equal_bytes_and_the_epoch_is_no_content(flags in any_flags(), epoch: i64) {
        let data = flags.encode(&example());
        prop_assert_eq!(&data, &flags.encode(&example()));
        let newer = Flags { epoch, ..flags }.encode(&example());
        prop_assert!(same_content(&data, &newer));
        prop_assert_eq!(content_hash(&data), content_hash(&newer));
    }

    #[test]
    fn each_present_state_is_a_variant_and_all_forms_agree(level in 0..4_usize, states: [u8; 4]) {
        let states = states.map(|n| [State::Enabled, State::Reduced, State::Disabled][usize::from(n % 3)]);
        let policy = policy(vec![
            (feature("a", Tier::Luxury, Values::Boolean), states),
            (feature("b", Tier::Important, integers(3, 2, 1)), states),
        ]);
        let flags = Flags::at(&policy, level, None, "", 1);
        let data = flags.encode(&policy);
        let definition: serde_json::Value = serde_json::from_str(&data[FLAGD_KEY]).unwrap();
        for (name, flag) in &flags.features {
            let entry = &definition["flags"][name];
            let chosen = &entry["variants"][entry["defaultVariant"].as_str().unwrap()];
            prop_assert_eq!(chosen, &serde_json::to_value(&flag.value).unwrap());
            prop_assert_eq!(&data[name], &flag.value.to_string());
        }
    }
}
