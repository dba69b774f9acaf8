//! The comparison, and against a stand-in for the API server how often it is asked.

use std::sync::atomic::{AtomicUsize, Ordering};

use axum::routing::get;
use axum::{Json, Router};
use kube::core::DeserializeGuard;
use kube::runtime::reflector::Store;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::Event;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

fn all(line: &str) -> Versions {
    let words = line.split_whitespace();
    let pairs = words.map(|word| word.split_once('=').expect("name=version"));
    pairs
        .map(|(name, version)| (name.to_owned(), version.to_owned()))
        .collect()
}

#[test]
fn the_watch_has_to_have_come_as_far_as_the_list() {
    for (listed, seen, as_far) in [
        ("me=9", "me=5", true),
        ("me=9 other=7", "me=5 other=7", true),
        ("me=9 other=7", "me=5 other=8", true),
        ("me=9 other=7", "me=5 other=6", false),
        ("me=9 other=7", "me=9", false),
        ("me=9", "me=9 other=7", false),
        ("me=9 other=10", "me=9 other=9", false),
    ] {
        let result = behind(&all(listed), &all(seen), "me");
        assert_eq!(result.is_ok(), as_far, "{listed} | {seen}");
        assert!(!matches!(result, Err(ref err) if !matches!(err, ApiError::Changed)));
    }
}

fn policy(name: &str, version: &str) -> Value {
    json!({
        "apiVersion": "brownout.dev/v1alpha1", "kind": "BotDegradationPolicy",
        "metadata": {"name": name, "namespace": "bots", "resourceVersion": version},
        "spec": {"signals": [], "levels": []},
    })
}

/// An API server with two policies, and how often it was asked for a list.
async fn server() -> (Arc<AtomicUsize>, Client) {
    crate::tls::install();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let list = move || {
        count.fetch_add(1, Ordering::SeqCst);
        let meta = |name: &str, version: &str| {
            json!({
                "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
                "metadata": {"name": name, "namespace": "bots", "resourceVersion": version},
            })
        };
        let list = json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
            "metadata": {"resourceVersion": "20"},
            "items": [meta("me", "11"), meta("other", "12")],
        });
        std::future::ready(Json(list))
    };
    let path = "/apis/brownout.dev/v1alpha1/namespaces/bots/botdegradationpolicies";
    let app = Router::new().route(path, get(list));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let config = kube::Config::new(url.parse().expect("a URL"));
    (asked, Client::try_from(config).expect("a client"))
}

/// A scope whose watch has seen these.
fn scope(seen: &[(&str, &str)]) -> Scope {
    let mut writer = Writer::<DeserializeGuard<BotDegradationPolicy>>::default();
    let policies: Store<_> = writer.as_reader();
    writer.apply_watcher_event(&Event::Init);
    for (name, version) in seen {
        let object = serde_json::from_value(policy(name, version)).expect("a policy");
        writer.apply_watcher_event(&Event::InitApply(object));
    }
    writer.apply_watcher_event(&Event::InitDone);
    let (scope, _) = Scope::new(None, None);
    Scope { policies, ..scope }
}

#[tokio::test]
async fn all_policies_of_a_namespace_share_a_list() {
    let (asked, client) = server().await;
    let (listed, scope) = (Listed::default(), scope(&[("me", "11"), ("other", "12")]));
    for name in ["me", "other"] {
        are_seen_in(&listed, &client, &scope, "bots", name)
            .await
            .expect("the watch has come as far");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_rival_that_the_watch_shows_as_it_was_before_is_waited_for() {
    let (asked, client) = server().await;
    let (listed, behind) = (Listed::default(), scope(&[("me", "11"), ("other", "9")]));
    let seen = are_seen_in(&listed, &client, &behind, "bots", "me").await;
    assert!(matches!(seen, Err(ApiError::Changed)));
    // Its own version counts for nothing: it has been read again by itself.
    are_seen_in(&listed, &client, &behind, "bots", "other")
        .await
        .expect("only the other one is behind");
    assert_eq!(asked.load(Ordering::SeqCst), 1, "a list of now is kept");
    let caught_up = scope(&[("me", "11"), ("other", "12")]);
    are_seen_in(&listed, &client, &caught_up, "bots", "me")
        .await
        .expect("it has come as far");
}
