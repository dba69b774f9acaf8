use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;

use axum::http::Response;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;

use super::*;

/// A client that counts what reaches it, answers reads at once and writes never.
fn counting() -> (Client, Arc<AtomicUsize>) {
    let seen = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&seen);
    let service = tower::service_fn(move |request: Request<Body>| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            if !is_read(request.method()) {
                std::future::pending::<()>().await;
            }
            let body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}"#;
            Ok::<_, BoxError>(Response::new(Body::from(body.as_bytes().to_vec())))
        }
    });
    (Client::new(service, "bots"), seen)
}

fn is_fenced<T>(result: Result<T, kube::Error>) -> bool {
    matches!(result, Err(kube::Error::Service(err)) if err.is::<Fenced>())
}

#[tokio::test]
async fn reads_pass_and_writes_do_not_reach_the_server_while_it_is_shut() {
    let (client, seen) = counting();
    let fence = Fence::new();
    let maps: Api<ConfigMap> = Api::default_namespaced(fence.client(client));
    maps.get("a").await.expect("a read");
    let refused = maps
        .create(&PostParams::default(), &ConfigMap::default())
        .await;
    assert!(is_fenced(refused));
    assert_eq!(seen.load(Ordering::SeqCst), 1, "only the read came through");
    fence.open_until(fence.now());
    let refused = maps.delete("a", &kube::api::DeleteParams::default()).await;
    assert!(is_fenced(refused));
    assert_eq!(seen.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_write_that_is_under_way_ends_with_the_time_and_not_before() {
    let (client, seen) = counting();
    let fence = Fence::new();
    let maps: Api<ConfigMap> = Api::default_namespaced(fence.client(client));
    let time = Duration::from_secs(1);
    fence.open_until(fence.now() + time);
    let until = fence.now() + 2 * time;
    let (params, map) = (PostParams::default(), ConfigMap::default());
    let write = maps.create(&params, &map);
    let renew = async {
        while seen.load(Ordering::SeqCst) == 0 && fence.is_open() {
            tokio::task::yield_now().await;
        }
        fence.open_until(until);
    };
    let (refused, ()) = tokio::join!(write, renew);
    assert!(is_fenced(refused));
    assert_eq!(seen.load(Ordering::SeqCst), 1, "it had been sent");
    assert!(fence.now() >= until, "the renewal had moved its time");
}

/// As after SIGSTOP: the time is over before any timer has had its turn.
#[tokio::test]
async fn a_step_that_comes_too_late_is_not_taken() {
    let fence = Fence::new();
    fence.open_until(fence.now() + Duration::from_secs(60));
    let (steps, taken) = mpsc::channel();
    let write = async {
        steps.send("first").unwrap();
        // the timer is set for much later
        fence.open_until(fence.now());
        tokio::task::yield_now().await;
        steps.send("second").unwrap();
        Ok::<(), BoxError>(())
    };
    assert!(fence.pass(write).await.unwrap_err().is::<Fenced>());
    assert_eq!(taken.try_iter().collect::<Vec<_>>(), ["first"]);
}

#[tokio::test]
async fn what_is_shut_by_hand_stays_so() {
    let fence = Fence::new();
    fence.open_until(fence.now() + Duration::from_secs(60));
    assert!(fence.is_open());
    fence.shut();
    assert!(!fence.is_open());
}

/// A write that its caller gave up may still be carried out; one that was answered is over.
#[tokio::test]
async fn a_write_without_an_answer_is_remembered() {
    let (client, _) = counting();
    let fence = Fence::new();
    fence.open_until(fence.now() + Duration::from_secs(60));
    let maps: Api<ConfigMap> = Api::default_namespaced(fence.client(client));
    maps.get("a").await.expect("a read");
    assert!(!fence.is_unanswered_within(Duration::MAX), "a read is none");
    let (params, map) = (PostParams::default(), ConfigMap::default());
    let write = maps.create(&params, &map);
    let given_up = tokio::time::timeout(Duration::from_millis(50), write).await;
    assert!(given_up.is_err(), "it is never answered");
    assert!(fence.is_unanswered_within(Duration::from_secs(60)));
    assert!(!fence.is_unanswered_within(Duration::ZERO), "it was before");
}

#[tokio::test]
async fn a_write_with_an_answer_is_over() {
    let service = tower::service_fn(|_: Request<Body>| async {
        let body = r#"{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}"#;
        Ok::<_, BoxError>(Response::new(Body::from(body.as_bytes().to_vec())))
    });
    let fence = Fence::new();
    fence.open_until(fence.now() + Duration::from_secs(60));
    let client = fence.client(Client::new(service, "bots"));
    let maps: Api<ConfigMap> = Api::default_namespaced(client);
    let (params, map) = (PostParams::default(), ConfigMap::default());
    maps.create(&params, &map).await.expect("an answer");
    assert!(!fence.is_unanswered_within(Duration::MAX));
}
