use axum::http::{Request, Response, StatusCode};
use kube::client::Body;
use tower::BoxError;

use super::*;
use crate::election::Timing;

/// An API server that grants nothing.
fn refusing() -> Client {
    let service = tower::service_fn(|_: Request<Body>| async {
        let body = r#"{"apiVersion":"v1","kind":"Status","status":"Failure","reason":"Forbidden","code":403,
            "message":"leases.coordination.k8s.io is forbidden"}"#;
        let mut response = Response::new(Body::from(body.as_bytes().to_vec()));
        *response.status_mut() = StatusCode::FORBIDDEN;
        Ok::<_, BoxError>(response)
    });
    Client::new(service, "brownout-system")
}

#[tokio::test]
async fn a_candidate_that_may_not_use_its_lease_says_so_and_ends() {
    let second = Duration::from_secs(1);
    let timing = Timing::new(second * 15, second * 10, second * 2).expect("times");
    let settings = Settings {
        namespace: "brownout-system".to_owned(),
        name: "brownout-7".to_owned(),
        identity: "me".to_owned(),
        timing,
    };
    let client = refusing();
    let elector = Elector::new(Election { client, settings }, ElectionMetrics::default());
    let lost = elector.run(CancellationToken::new()).await;
    let words = lost.expect_err("an end").to_string();
    for part in [
        "the Lease brownout-system/brownout-7 may not be used",
        "leases.coordination.k8s.io is forbidden",
        "get and update on leases of the name brownout-7",
        "leader-election-role.yaml",
    ] {
        assert!(words.contains(part), "no {part}: {words}");
    }
}
