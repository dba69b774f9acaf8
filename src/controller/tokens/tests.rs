//! Against a stand-in for the API server, which gives tokens for a second: a real one gives none for
//! less than ten minutes.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::controller::kept::State;

const SOON: Duration = Duration::from_secs(20);

#[derive(Default)]
struct Server {
    given: AtomicUsize,
    refuses: AtomicBool,
}

async fn who(Json(mut review): Json<Value>) -> Json<Value> {
    review["status"] =
        json!({"userInfo": {"username": "system:serviceaccount:brownout-system:brownout"}});
    Json(review)
}

async fn give(
    Shared(server): Shared<Arc<Server>>,
    Json(mut request): Json<Value>,
) -> (StatusCode, Json<Value>) {
    if server.refuses.load(Ordering::SeqCst) {
        let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 403, "reason": "Forbidden", "message": "no"});
        return (StatusCode::FORBIDDEN, Json(status));
    }
    if request["spec"]["audiences"] == json!([]) || request["spec"]["audiences"].is_null() {
        request["spec"]["audiences"] = json!(["https://clusters.example/one"]);
        request["status"] =
            json!({"token": "its-own", "expirationTimestamp": "2020-01-01T00:00:00Z"});
        return (StatusCode::CREATED, Json(request));
    }
    assert_eq!(request["spec"]["audiences"], json!(["thanos"]));
    let number = server.given.fetch_add(1, Ordering::SeqCst) + 1;
    request["spec"]["expirationSeconds"] = json!(1);
    // by this clock it is long over
    request["status"] =
        json!({"token": format!("token-{number}"), "expirationTimestamp": "2020-01-01T00:00:00Z"});
    (StatusCode::CREATED, Json(request))
}

async fn server() -> (Arc<Server>, Client) {
    crate::tls::install();
    let server = Arc::new(Server::default());
    let app = Router::new()
        .route(
            "/apis/authentication.k8s.io/v1/selfsubjectreviews",
            post(who),
        )
        .route(
            "/api/v1/namespaces/brownout-system/serviceaccounts/brownout/token",
            post(give),
        )
        .with_state(Arc::clone(&server));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let config = kube::Config::new(url.parse().expect("a URL"));
    (server, Client::try_from(config).expect("a client"))
}

#[tokio::test]
async fn a_token_is_replaced_before_it_ends_and_void_after() {
    let (server, client) = server().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let tokens = keeper(
        client,
        // the test may be over
        Arc::new(move |audience, news| drop(tell.send((audience, news)))),
    );
    let mut change = async || timeout(SOON, told.recv()).await.expect("a change in time");
    tokens.settled("thanos").await;
    assert!(matches!(tokens.get("thanos"), State::Known(token) if token.expose() == "token-1"));
    assert_eq!(change().await, Some(("thanos".to_owned(), true)));
    // a newer one is no news to policies
    assert_eq!(change().await, Some(("thanos".to_owned(), false)));
    assert!(matches!(tokens.get("thanos"), State::Known(token) if token.expose() == "token-2"));

    server.refuses.store(true, Ordering::SeqCst);
    let failed = loop {
        match change().await {
            Some((_, false)) => {}
            other => break other,
        }
    };
    assert_eq!(failed, Some(("thanos".to_owned(), true)));
    assert!(matches!(tokens.get("thanos"), State::Failed(why) if why.contains("manifests/base")));

    server.refuses.store(false, Ordering::SeqCst);
    assert_eq!(change().await, Some(("thanos".to_owned(), true)));
    assert!(matches!(tokens.get("thanos"), State::Known(_)));
}
