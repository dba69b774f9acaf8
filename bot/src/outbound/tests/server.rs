//! A server that behaves as it is told.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::stream::{self, StreamExt};
use reqwest::header::{HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::{StatusCode, Url};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::SECOND;

/// How the server answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mood {
    Well,
    Status(u16, Option<&'static str>),
    Slow(Duration),
    /// In the midst of a body.
    BreaksOff,
    Endless,
    /// With a page that does not end.
    EndlessStatus(u16),
}

pub(super) struct Server {
    pub(super) url: Url,
    seen: Arc<Seen>,
    pub(super) serve: JoinHandle<()>,
}

struct Seen {
    mood: Mutex<Mood>,
    requests: AtomicU32,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serve.abort();
    }
}

impl Server {
    pub(super) async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let url = format!("http://{address}/v1?key=sesame").parse().unwrap();
        let seen = Arc::new(Seen {
            mood: Mutex::new(mood),
            requests: AtomicU32::new(0),
        });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&seen));
        let serve = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, seen, serve }
    }

    pub(super) fn set(&self, mood: Mood) {
        *self.seen.mood.lock().unwrap() = mood;
    }

    pub(super) fn requests(&self) -> u32 {
        self.seen.requests.load(Ordering::Relaxed)
    }
}

async fn answer(State(seen): State<Arc<Seen>>) -> Response {
    seen.requests.fetch_add(1, Ordering::Relaxed);
    let mood = *seen.mood.lock().unwrap();
    match mood {
        Mood::Well => "yes".into_response(),
        Mood::Status(status, wait) => {
            let mut response = StatusCode::from_u16(status).unwrap().into_response();
            let headers = response.headers_mut();
            headers.insert(LOCATION, HeaderValue::from_static("/elsewhere"));
            if let Some(wait) = wait {
                headers.insert(RETRY_AFTER, HeaderValue::from_static(wait));
            }
            response
        }
        Mood::Slow(time) => {
            sleep(time).await;
            "yes".into_response()
        }
        Mood::BreaksOff => {
            let part = stream::once(async { Ok("\"ye") });
            // by then what there is has been sent
            let end = stream::once(async {
                sleep(SECOND / 20).await;
                Err(std::io::Error::other("broken"))
            });
            Body::from_stream(part.chain(end)).into_response()
        }
        Mood::Endless => endless(200),
        Mood::EndlessStatus(status) => endless(status),
    }
}

fn endless(status: u16) -> Response {
    let part = || Ok::<_, std::io::Error>(" ".repeat(4096));
    let body = Body::from_stream(stream::iter(std::iter::repeat_with(part)));
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}
