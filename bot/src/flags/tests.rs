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

#[test]
fn a_request_keeps_the_snapshot_it_took() {
    let store = store();
    let taken = store.snapshot();
    store.offer(Source::Directory, Some(&data(1, "Disabled")));
    assert_eq!(taken.features.state(Feature::Animations), State::Enabled);
}
