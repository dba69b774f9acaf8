use std::sync::Arc;
use std::time::Duration;

use kube::runtime::reflector;
use prometheus_client::registry::Registry;
use tokio::time::{sleep, timeout};

use super::*;
use crate::api::TenancySpec;

fn key(name: &str) -> PolicyKey {
    PolicyKey {
        namespace: "bots".to_owned(),
        name: name.to_owned(),
    }
}

fn subscription() -> Subscription {
    Subscription {
        interval: Span::from_secs(5),
        signals: Arc::from([]),
        thresholds: Arc::from([]),
    }
}

fn source(name: &str) -> MetricsSource {
    let object = serde_json::json!({
        "apiVersion": "brownout.dev/v1alpha1",
        "kind": "MetricsSource",
        "metadata": { "name": name },
        "spec": { "prometheus": { "url": "http://127.0.0.1:1" } },
    });
    serde_json::from_value(object).expect("a MetricsSource")
}

/// The sources `default` and `other`, and what the pollers count.
fn sources() -> (Sources, Registry) {
    crate::tls::install();
    let (store, mut writer) = reflector::store();
    let other = kube::runtime::watcher::Event::Apply(source("other"));
    writer.apply_watcher_event(&other);
    let (metrics, mut registry) = (PollerMetrics::default(), Registry::default());
    metrics.register(&mut registry);
    let (events, _) = mpsc::channel(1);
    let default = Some("http://127.0.0.1:1".to_owned());
    (
        Sources::new(store, default, grants(), events, metrics),
        registry,
    )
}

/// What no cluster grants.
fn grants() -> Grants {
    let nowhere = kube::Config::new("http://127.0.0.1:1".parse().expect("a URL"));
    let client = kube::Client::try_from(nowhere).expect("a client");
    let (changes, _) = mpsc::unbounded_channel();
    Grants::new(&client, None, changes)
}

fn running(sources: &Sources) -> Vec<String> {
    let mut names: Vec<_> = sources.lock().running.keys().cloned().collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_poller_ends_with_the_last_policy_that_asks_it() {
    let (sources, _) = sources();
    for name in ["a", "b"] {
        let made = sources.subscribe(&key(name), "default", subscription(), None);
        assert!(made.is_ok());
    }
    sources.unsubscribe(&key("a"));
    assert_eq!(running(&sources), ["default"]);
    // by asking another
    let past = sources.poller("default", "bots", None).ok();
    assert!(
        sources
            .subscribe(&key("b"), "other", subscription(), None)
            .is_ok()
    );
    assert_eq!(running(&sources), ["default", "other"]);
    // whose past was being asked for, and which is gone now
    drop(past);
    sources.end_unasked();
    assert_eq!(running(&sources), ["other"]);
}

#[tokio::test]
async fn only_what_was_understood_for_a_tenant_is_asked_where_there_are_tenants() {
    crate::tls::install();
    let (store, mut writer) = reflector::store();
    let mut set = |label: Option<&str>| {
        let mut object = source("shared");
        object.spec.tenancy = label.map(|label| TenancySpec {
            label: label.to_owned(),
        });
        writer.apply_watcher_event(&kube::runtime::watcher::Event::Apply(object));
    };
    let (events, _) = mpsc::channel(1);
    let sources = Sources::new(store, None, grants(), events, PollerMetrics::default());
    let tenant = || sources.tenant("shared", "bots");
    let asked = |tenant: Option<&Tenant>| {
        let subscribed = sources.subscribe(&key("a"), "shared", subscription(), tenant);
        let past = sources.poller("shared", "bots", tenant);
        assert_eq!(subscribed.is_ok(), past.is_ok());
        subscribed
    };
    set(None);
    assert_eq!(tenant(), Ok(None));
    assert!(asked(None).is_ok());

    set(Some("namespace"));
    let refusal = asked(None).expect_err("it was understood for nobody");
    assert!(refusal.message.contains("has changed spec.tenancy"));
    let ours = tenant().expect("a good label");
    let tells = ours.as_ref().map(|ours| (ours.label(), ours.namespace()));
    assert_eq!(tells, Some(("namespace", "bots")));
    assert!(asked(ours.as_ref()).is_ok());

    set(Some("tenant"));
    assert!(asked(ours.as_ref()).is_err());
    set(Some("le"));
    let refusal = tenant().expect_err("no label for tenants");
    assert!(refusal.message.contains("spec.tenancy.label is le"));
    set(None);
    assert!(asked(ours.as_ref()).is_err());
}

#[tokio::test]
async fn the_series_of_a_source_end_with_its_poller() {
    let (sources, registry) = sources();
    let shown = || {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).expect("a string");
        text
    };
    let until = |there: bool| {
        let shown = &shown;
        timeout(Duration::from_secs(5), async move {
            while shown().contains("source=\"default\"") != there {
                sleep(Duration::from_millis(5)).await;
            }
        })
    };
    let poller = sources.poller("default", "bots", None).expect("a poller");
    let made = sources.subscribe(&key("a"), "default", subscription(), None);
    assert!(made.is_ok());
    sources.metrics.touch();
    until(true).await.expect("series");
    sources.unsubscribe(&key("a"));
    drop(poller);
    sources.end_unasked();
    until(false).await.expect("no series");
}

#[tokio::test]
async fn a_new_poller_takes_no_id_of_an_older_one() {
    let (sources, _) = sources();
    let mut ids = std::collections::HashSet::new();
    for source in ["default", "other", "default"] {
        let id = sources.subscribe(&key("a"), source, subscription(), None);
        assert!(ids.insert(id.expect("a subscription")));
    }
}

#[tokio::test]
async fn a_default_that_cannot_be_read_does_not_give_way_to_the_url() {
    use kube::runtime::watcher::Event;
    let (sources, _) = sources();
    let unreadable = serde_json::json!({
        "apiVersion": "brownout.dev/v1alpha1",
        "kind": "MetricsSource",
        "metadata": { "name": "default" },
        "spec": { "prometheus": 5 },
    });
    let object = serde_json::from_value(unreadable).expect("guarded");
    sources.unreadable().before(&Event::Init);
    sources.unreadable().before(&Event::InitApply(object));
    sources.unreadable().after(&Event::InitDone);
    let refusal = sources.tenant("default", "bots").expect_err("it is there");
    assert!(refusal.message.contains("cannot be read by this version"));
    assert!(sources.poller("default", "bots", None).is_err());
    assert!(sources.tenant("other", "bots").is_ok());

    // deleted: the next list is without it
    sources.unreadable().before(&Event::Init);
    sources.unreadable().after(&Event::InitDone);
    assert!(sources.poller("default", "bots", None).is_ok());
}
