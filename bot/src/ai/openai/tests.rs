//! What costs quota, and what the circuit breaker learns, against a port of our own.

use std::num::{NonZeroU32, NonZeroUsize};

use clap::Parser;
use prometheus_client::registry::Registry;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

use super::super::keyring::Key;
use super::super::metrics::AiMetrics;
use super::super::prompt::Role;
use super::super::{DEPENDENCY, Hour, Used};
use super::*;
use crate::config::Config;
use crate::outbound::{BreakerLimits, Limits, OutboundMetrics};
use crate::store::Store;

const SOON: Duration = Duration::from_secs(30);
const CLOSED: &str = "bot_dependency_breaker_state{dependency=\"model\"} 0";
const HALF_OPEN: &str = "bot_dependency_breaker_state{dependency=\"model\"} 1";

struct Scene {
    openai: OpenAi,
    store: Store,
    registry: Registry,
}

impl Scene {
    /// One key, with so many requests an hour. The breaker opens with the first failure, for a moment.
    async fn new(port: u16, per_hour: u64) -> Self {
        Self::with(port, &["only"], per_hour).await
    }

    /// The same with these keys, each of which is its own secret.
    async fn with(port: u16, keys: &[&str], per_hour: u64) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store = Store::of("sqlite::memory:").await.unwrap();
        let mut registry = Registry::default();
        let url = format!("http://127.0.0.1:{port}/v1");
        let config = Config::parse_from([
            "chatbotler",
            &format!("--ai-url={url}"),
            "--ai-model=m",
            &format!("--ai-quota-hour={per_hour}"),
        ]);
        let keys = keys.iter().map(|&name| Key {
            name: name.to_owned(),
            secret: Some(name.into()),
        });
        let metrics = AiMetrics::new(&mut registry);
        let keyring = Keyring::new(keys.collect(), config.ai.quota(), store.clone(), metrics);
        let limits = Limits {
            retries: 0,
            breaker: BreakerLimits {
                minimum: NonZeroUsize::MIN,
                open_for: Duration::from_millis(1),
                probes: NonZeroU32::MIN,
                ..BreakerLimits::default()
            },
            ..Limits::default()
        };
        let outbound = OutboundMetrics::new(&mut registry, &[DEPENDENCY]);
        let dependency = Dependency::new(DEPENDENCY, limits, &outbound);
        let openai = OpenAi::new(&config.ai, &url, keyring, dependency).unwrap();
        Self {
            openai,
            store,
            registry,
        }
    }

    /// Asks once, when the breaker lets it through.
    async fn ask(&self) -> Silence {
        self.say("Tell me about tea").await.unwrap_err()
    }

    async fn say(&self, text: &str) -> Result<String, Silence> {
        let prompt = Prompt {
            messages: vec![(Role::User, text.to_owned())],
            max_tokens: 16,
            small: false,
        };
        loop {
            match self.openai.ask(&prompt, Instant::now() + SOON).await {
                Err(Silence::Unwell { .. }) => tokio::task::yield_now().await,
                result => return result,
            }
        }
    }

    async fn used(&self) -> Used {
        let usage = self.store.usage("only", Hour::default(), now_ms()).await;
        let usage = usage.unwrap();
        assert_eq!(usage.hour, usage.month);
        usage.hour
    }

    fn shows(&self, line: &str) -> bool {
        let text = crate::metrics::render(&self.registry).unwrap();
        text.lines().any(|shown| shown == line)
    }
}

/// A port on which nobody listens, nor anybody else can as long as the socket is there.
fn nobody() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// Reads something of each request, and says this.
async fn server(says: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut some = [0; 64];
            let _ = stream.read(&mut some).await;
            let _ = stream.write_all(says.as_bytes()).await;
        }
    });
    port
}

#[tokio::test]
async fn what_could_not_be_sent_costs_nothing() {
    let (_taken, port) = nobody();
    let scene = Scene::new(port, 1).await;
    // more often than the quota has requests: each is given back
    for _ in 0..3 {
        assert_eq!(scene.ask().await, Silence::Failed);
        assert_eq!(scene.used().await, Used::default());
    }
    assert!(scene.shows("bot_ai_requests_started_total 3"));
    assert!(scene.shows("bot_ai_requests_unsent_total 3"));
    assert!(scene.shows(r#"bot_quota_remaining{window="hour"} 1.0"#));
}

#[tokio::test]
async fn what_may_have_been_heard_stays_counted() {
    let scene = Scene::new(server("").await, 1).await;
    assert_eq!(scene.ask().await, Silence::Failed);
    assert_eq!(scene.used().await.requests, 1);
    assert!(scene.used().await.tokens > 0);
    assert!(scene.shows("bot_ai_requests_unsent_total 0"));
}

#[tokio::test]
async fn a_question_for_which_there_is_no_key_is_no_probe() {
    let says = "HTTP/1.1 500 Oh\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let scene = Scene::new(server(says).await, 1).await;
    assert_eq!(scene.ask().await, Silence::Failed);
    // it was half-open at the first of these, and one good probe would close it
    for _ in 0..3 {
        let silence = scene.ask().await;
        assert!(matches!(silence, Silence::Spent { .. }), "{silence:?}");
        assert!(scene.shows(HALF_OPEN));
    }
    assert!(scene.shows(r#"bot_dependency_calls_total{dependency="model",outcome="unasked"} 3"#));
}

mod verdicts;
