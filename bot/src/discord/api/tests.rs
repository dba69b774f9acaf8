//! What Discord says of its limits, and what is done about it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use axum::http::StatusCode as Status;
use prometheus_client::registry::Registry;
use serde::de::IgnoredAny;
use tokio::net::TcpListener;
use twilight_http::routing::Route;

use super::super::limit::tests::headers;
use super::*;
use crate::discord::Discord;
use crate::outbound::{Limits, OutboundMetrics};

#[test]
fn a_bucket_that_is_full_is_asked_again_and_a_global_limit_is_everyones() {
    let bucket = headers(&[
        ("x-ratelimit-bucket", "b"),
        ("x-ratelimit-scope", "shared"),
        ("retry-after", "2.25"),
    ]);
    assert!(matches!(too_many(&bucket), Ok(Verdict::Again)));
    let global = headers(&[
        ("x-ratelimit-bucket", "b"),
        ("x-ratelimit-scope", "global"),
        ("x-ratelimit-global", "true"),
        ("retry-after", "3"),
    ]);
    let Err(fault) = too_many(&global) else {
        unreachable!("a global limit")
    };
    assert_eq!(fault.retry_after, Some(Duration::from_secs(3)));
}

#[tokio::test]
async fn a_bucket_that_stays_full_is_asked_ever_less_until_the_deadline() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    for wait in [None, Some("0"), Some("soon")] {
        let seen = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&seen);
        let full = move || async move {
            counted.fetch_add(1, Ordering::Relaxed);
            let mut said = HeaderMap::new();
            said.insert("x-ratelimit-bucket", "b".parse().unwrap());
            if let Some(wait) = wait {
                said.insert(RETRY_AFTER, wait.parse().unwrap());
            }
            (Status::TOO_MANY_REQUESTS, said)
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/api/v10", listener.local_addr().unwrap());
        let router = Router::new().fallback(full);
        let server = tokio::spawn(async move { axum::serve(listener, router).await });

        let outbound = OutboundMetrics::new(&mut Registry::default(), &Discord::DEPENDENCIES);
        let dependencies =
            Discord::DEPENDENCIES.map(|name| Dependency::new(name, Limits::default(), &outbound));
        let limited = Counter::default();
        let api = Api::new(&base, &"t".into(), dependencies, limited.clone()).unwrap();
        let begin = Instant::now();
        let within = Duration::from_secs(3);
        let request = Request::from_route(&Route::GetGatewayBot);
        let result = api.send::<IgnoredAny>(&request, begin + within).await;
        let Err(ApiError::Call(CallError::Limited { .. })) = result else {
            panic!("{wait:?}: {result:?}");
        };
        assert!(begin.elapsed() <= within + Duration::from_secs(1));
        // at 0 s, from 0.5 s on, from 1.5 s on: the fourth would be too late
        let tries = seen.load(Ordering::Relaxed);
        assert!((2..=3).contains(&tries), "{wait:?}: {tries}");
        assert_eq!(limited.get(), u64::from(tries));
        server.abort();
    }
}
