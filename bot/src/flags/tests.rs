use prometheus_client::registry::Registry;

use super::*;

fn data(epoch: i64, animations: &str) -> BTreeMap<String, String> {
    let json = format!(
        r#"{{"version":1,"policy":"p","level":1,"levelName":"l","since":null,"epoch":{epoch},"reason":"",
            "features":{{"animations":{{"state":"{animations}","value":false,"tier":"Luxury"}}}}}}"#
    );
    BTreeMap::from([("state.json".to_owned(), json)])
}

fn store() -> FlagStore {
    let sources = [Source::Directory];
    let metrics = Metrics::new(&mut Registry::default(), &sources);
    FlagStore::new(&sources, Features::ALL_ENABLED, Arc::new(metrics))
}

fn state(store: &FlagStore) -> (Option<i64>, State, SourceState) {
    let snapshot = store.snapshot();
    let source = store.sources()[&Source::Directory];
    (
        snapshot.epoch,
        snapshot.features.state(Feature::Animations),
        source,
    )
}

#[test]
fn each_offer_is_judged() {
    let store = store();
    assert_eq!(state(&store), (None, State::Enabled, SourceState::None));

    let steps = [
        (None, (None, State::Enabled, SourceState::Missing)),
        (
            Some(data(5, "Disabled")),
            (Some(5), State::Disabled, SourceState::Current),
        ),
        (
            Some(data(4, "Enabled")),
            (Some(5), State::Disabled, SourceState::Older),
        ),
        (
            Some(data(6, "Sideways")),
            (Some(5), State::Disabled, SourceState::Broken),
        ),
        (None, (Some(5), State::Disabled, SourceState::Missing)),
        (
            Some(BTreeMap::new()),
            (Some(5), State::Disabled, SourceState::Missing),
        ),
        (
            Some(data(6, "Enabled")),
            (Some(6), State::Enabled, SourceState::Current),
        ),
    ];
    for (n, (offer, expected)) in steps.into_iter().enumerate() {
        store.offer(Source::Directory, offer.as_ref());
        assert_eq!(state(&store), expected, "step {n}");
    }
}

#[cfg(feature = "watch")]
#[test]
fn a_source_that_another_has_overtaken_is_older() {
    use SourceState::{Current, None, Older};
    let sources = [Source::Directory, Source::Watch];
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry, &sources);
    let store = FlagStore::new(&sources, Features::ALL_ENABLED, Arc::new(metrics));
    let current = r#"bot_flags_source_state{source="directory",state="current"} "#;
    for (source, epoch, directory, watch) in [
        (Source::Directory, 5, Current, None),
        (Source::Watch, 6, Older, Current),
        (Source::Directory, 6, Current, Current),
        (Source::Watch, 7, Older, Current),
        (Source::Directory, 8, Current, Older),
    ] {
        store.offer(source, Some(&data(epoch, "Disabled")));
        let states = store.sources();
        assert_eq!(
            (states[&Source::Directory], states[&Source::Watch]),
            (directory, watch),
            "epoch {epoch}"
        );
        let shown = format!("{current}{}", u8::from(directory == Current));
        let text = crate::metrics::render(&registry).unwrap();
        assert!(text.lines().any(|line| line == shown), "{shown}");
    }
}

#[test]
fn what_the_flags_name_in_vain_is_seen() {
    let sources = [Source::Directory];
    let mut registry = Registry::default();
    let metrics = Metrics::new(&mut registry, &sources);
    let store = FlagStore::new(&sources, Features::ALL_ENABLED, Arc::new(metrics));
    let named = |epoch, features: &[(&str, &str)]| {
        let features: Vec<_> = features
            .iter()
            .map(|(name, state)| {
                format!(r#""{name}":{{"state":"{state}","value":false,"tier":"Luxury"}}"#)
            })
            .collect();
        let json = format!(
            r#"{{"version":1,"policy":"p","level":1,"levelName":"l","since":null,"epoch":{epoch},"reason":"",
                "features":{{{}}}}}"#,
            features.join(",")
        );
        BTreeMap::from([("state.json".to_owned(), json)])
    };
    let shown = || {
        let text = crate::metrics::render(&registry).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("bot_flags_unknown_features "));
        line.unwrap().parse::<u32>().unwrap()
    };
    assert_eq!(shown(), 0);
    for (epoch, features, count) in [
        (1, &[("deep-answer", "Disabled")][..], 1),
        (
            2,
            &[
                ("roles", "Disabled"),
                ("teleport", "Enabled"),
                ("search", "Reduced"),
            ],
            2,
        ),
        // older: not obeyed
        (1, &[("deep-answer", "Disabled")], 2),
        (3, &[("deep-answers", "Disabled"), ("roles", "Enabled")], 0),
    ] {
        store.offer(Source::Directory, Some(&named(epoch, features)));
        assert_eq!(shown(), count, "epoch {epoch}");
    }
}

#[test]
fn a_request_keeps_the_snapshot_it_took() {
    let store = store();
    let taken = store.snapshot();
    store.offer(Source::Directory, Some(&data(1, "Disabled")));
    assert_eq!(taken.features.state(Feature::Animations), State::Enabled);
}
