//! What an API says of a key, of a question, and of what an answer cost.

use std::sync::{Arc, Mutex, OnceLock};

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, post};

use super::*;

const WELL: &str = r#"{"choices":[{"message":{"content":"Indeed."}}]}"#;

/// Which keys were asked with, in order.
type Asked = Arc<Mutex<Vec<String>>>;

/// What an API answers by key and question.
type Says = fn(key: &str, question: &str) -> (u16, &'static str);

async fn api(says: Says) -> (u16, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let answer = async move |headers: HeaderMap, body: Json<serde_json::Value>| -> Response {
        let key = headers["authorization"].to_str().unwrap();
        let key = key.trim_start_matches("Bearer ").to_owned();
        let question = body["messages"][0]["content"].as_str().unwrap().to_owned();
        let (status, body) = says(&key, &question);
        seen.lock().unwrap().push(key);
        (StatusCode::from_u16(status).unwrap(), body).into_response()
    };
    (serve(post(answer)).await, asked)
}

async fn serve(answer: MethodRouter) -> u16 {
    let router = axum::Router::new().route("/v1/chat/completions", answer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    port
}

fn asked(asked: &Asked) -> Vec<String> {
    std::mem::take(&mut asked.lock().unwrap())
}

fn state(key: &str, state: &str) -> String {
    format!("bot_key_state{{key=\"{key}\",state=\"{state}\"}} 1")
}

#[tokio::test]
async fn a_question_that_no_key_may_ask_puts_no_key_to_rest() {
    let (port, seen) = api(|_, question| {
        if question.contains("flagged") {
            (
                403,
                r#"{"error":{"code":403,"message":"input was flagged"}}"#,
            )
        } else {
            (200, WELL)
        }
    })
    .await;
    let scene = Scene::with(port, &["one", "two"], 9).await;
    assert_eq!(scene.say("flagged").await, Err(Silence::Failed));
    assert_eq!(asked(&seen), ["one", "two"]);
    assert!(scene.shows(&state("one", "ready")) && scene.shows(&state("two", "ready")));
    // nor does the circuit breaker learn anything bad
    assert_eq!(scene.say("tea").await.unwrap(), "Indeed.");
    assert_eq!(asked(&seen), ["one"]);
}

#[tokio::test]
async fn a_question_that_is_withheld_speaks_against_nobody() {
    let (port, seen) = api(|_, question| match question {
        q if q.contains("filtered") => (400, r#"{"error":{"code":"content_filter"}}"#),
        q if q.contains("cut") => (
            200,
            r#"{"choices":[{"message":{"content":null},"finish_reason":"content_filter"}]}"#,
        ),
        _ => (200, WELL),
    })
    .await;
    let scene = Scene::with(port, &["one", "two"], 99).await;
    // as often as would open the circuit breaker, were these failures
    for _ in 0..20 {
        for question in ["filtered", "cut"] {
            assert_eq!(scene.say(question).await, Err(Silence::Withheld));
            assert!(scene.shows(CLOSED), "the circuit breaker heard of it");
        }
    }
    assert_eq!(scene.say("tea").await.unwrap(), "Indeed.");
    assert_eq!(asked(&seen), ["one"; 41]);
    assert!(scene.shows(&state("one", "ready")) && scene.shows(&state("two", "ready")));
}

#[tokio::test]
async fn a_key_that_alone_is_forbidden_rests() {
    let says: Says = |key, _| match key {
        "one" => (403, "Forbidden"),
        _ => (200, WELL),
    };
    Box::pin(the_first_of_two_rests(says, "refused")).await;
}

/// An API that does not accept the first key, with the second one answering: it is not asked with the first again.
async fn the_first_of_two_rests(says: Says, why: &str) {
    let (port, seen) = api(says).await;
    let scene = Scene::with(port, &["one", "two"], 9).await;
    for expected in [&["one", "two"][..], &["two"]] {
        assert_eq!(scene.say("tea").await.unwrap(), "Indeed.");
        assert_eq!(asked(&seen), expected);
    }
    assert!(scene.shows(&state("one", why)));
}

#[tokio::test]
async fn a_key_that_is_named_rests_though_there_is_no_other() {
    let (port, seen) = api(|_, _| (403, r#"{"error":{"code":"invalid_api_key"}}"#)).await;
    let scene = Scene::with(port, &["one"], 9).await;
    for _ in 0..2 {
        let silence = scene.ask().await;
        assert!(matches!(silence, Silence::Limited { .. }), "{silence:?}");
    }
    assert_eq!(asked(&seen), ["one"]);
}

#[tokio::test]
async fn who_has_to_pay_first_is_out_whatever_the_words() {
    let says: Says = |key, _| match key {
        "one" => (402, r#"{"error":{"message":"Insufficient Balance"}}"#),
        _ => (200, WELL),
    };
    Box::pin(the_first_of_two_rests(says, "spent")).await;
}

#[tokio::test]
async fn a_database_that_hangs_takes_no_answer_with_it() {
    let store = Arc::<OnceLock<Store>>::default();
    let (seen, hung) = (Arc::clone(&store), Arc::new(Mutex::new(Vec::new())));
    let hangs = Arc::clone(&hung);
    let answer = async move || {
        let held = seen.get().unwrap().hang().await;
        hangs.lock().unwrap().push(held);
        r#"{"choices":[{"message":{"content":"Indeed."}}],"usage":{"prompt_tokens":7,"completion_tokens":2}}"#
    };
    let scene = Scene::with(serve(post(answer)).await, &["only"], 9).await;
    let _ = store.set(scene.store.clone());
    assert_eq!(scene.say("tea").await.unwrap(), "Indeed.");
    assert!(
        scene.store.is_up(),
        "it waited until the store was given up"
    );
    assert_eq!(hung.lock().unwrap().len(), 1, "the model was asked again");
    assert!(scene.shows(r#"bot_dependency_calls_total{dependency="model",outcome="ok"} 1"#));
    // what it cost is written down all the same
    hung.lock().unwrap().clear();
    let written = async { while scene.used().await.tokens != 9 {} };
    tokio::time::timeout(SOON, written).await.unwrap();
}
