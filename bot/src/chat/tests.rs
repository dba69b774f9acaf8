use prometheus_client::registry::Registry;

use super::*;
use crate::config::Config;
use crate::features::Features;
use crate::message::{Author, Place as Where};
use crate::metrics::render;
use crate::pools::PerTier;

/// A chat with two workers per tier, and its metrics.
async fn chat(options: &[&str]) -> (Chat, Registry) {
    let all = ["chatbotler"].iter().chain(options);
    let config = <Config as clap::Parser>::parse_from(all);
    let mut registry = Registry::default();
    let metrics = Arc::new(Metrics::new(&mut registry, &[]));
    let each = || PerTier {
        critical: 2,
        important: 2,
        luxury: 2,
    };
    let services = Services::of(&config, &mut registry).await;
    let manners = Manners::new(&config.manners, &mut registry);
    let chat = Chat {
        flags: Arc::new(FlagStore::new(
            &[],
            Features::ALL_ENABLED,
            Arc::clone(&metrics),
        )),
        metrics: Arc::clone(&metrics),
        pools: Arc::new(Pools::new(each(), each(), metrics.queues())),
        services: Arc::new(services),
        manners: Arc::new(manners),
        logs: Logs::new(&config.logs).unwrap(),
        deadline: config.pools.deadline,
        gateway: None,
    };
    (chat, registry)
}

fn said(user: &str, text: &str) -> Message {
    Message {
        own_way: false,
        id: "1".to_owned(),
        door: Door::Discord,
        place: Where {
            guild: Some("7".to_owned()),
            channel: "8".to_owned(),
            thread: None,
        },
        author: Author {
            id: user.to_owned(),
            name: "<@&5>@everyone".to_owned(),
            moderator: user == "mod",
        },
        text: text.to_owned(),
    }
}

fn has(registry: &Registry, series: &str) -> bool {
    render(registry).unwrap().lines().any(|line| line == series)
}

#[tokio::test]
async fn who_talks_too_much_is_told_once_and_may_still_ask_for_help() {
    let (chat, registry) = chat(&["--user-per-minute=1", "--user-burst=2"]).await;
    for _ in 0..2 {
        assert_eq!(chat.answer(&said("ann", "hello")).await.0, Outcome::Ok);
    }
    let (outcome, reply) = chat.answer(&said("ann", "hello")).await;
    let reply = reply.unwrap();
    assert_eq!(
        (outcome, reply.outcome),
        (Outcome::Limited, Outcome::Limited)
    );
    assert!(reply.retry_after.is_some_and(|seconds| seconds <= 61));
    assert_eq!(
        chat.answer(&said("ann", "hello")).await,
        (Outcome::Limited, None)
    );
    assert_eq!(chat.answer(&said("ann", "!help")).await.0, Outcome::Ok);
    assert_eq!(chat.answer(&said("bob", "hello")).await.0, Outcome::Ok);
    for series in [
        "bot_limited_total{limit=\"user\"} 2",
        "bot_limit_keys{limit=\"user\"} 3",
        "bot_message_outcomes_total{door=\"discord\",outcome=\"limited\"} 2",
        "bot_requests_total{feature=\"ai-chat\",tier=\"Important\",outcome=\"limited\"} 2",
    ] {
        assert!(has(&registry, series), "{series}");
    }
}

#[tokio::test]
async fn what_is_declined_is_limited_too() {
    let (mut chat, _registry) = chat(&["--user-per-minute=1", "--user-burst=2"]).await;
    let off = FlagStore::new(&[], Features::safe(), Arc::clone(&chat.metrics));
    chat.flags = Arc::new(off);
    for (user, text, declined) in [
        ("ann", "!deep thought", Outcome::Off),
        ("bob", "😀", Outcome::Refused),
        ("eve", "hello", Outcome::Stopped),
    ] {
        if declined == Outcome::Stopped {
            assert_eq!(chat.answer(&said("mod", "!stop")).await.0, Outcome::Ok);
        }
        let mut heard = Vec::new();
        for _ in 0..4 {
            let (outcome, reply) = chat.answer(&said(user, text)).await;
            heard.push((outcome, reply.is_some()));
        }
        let limited = Outcome::Limited;
        let expected = [
            (declined, true),
            (declined, true),
            (limited, true),
            (limited, false),
        ];
        assert_eq!(heard, expected, "{text}");
    }
}

#[tokio::test]
async fn what_moderators_do_is_not_limited() {
    let (chat, _registry) = chat(&["--user-per-minute=1", "--user-burst=1"]).await;
    for _ in 0..20 {
        assert_ne!(chat.answer(&said("mod", "!stop")).await.0, Outcome::Limited);
    }
    let mut others = Vec::new();
    for _ in 0..20 {
        others.push(chat.answer(&said("eve", "!stop")).await.0);
    }
    assert!(others.contains(&Outcome::Limited), "{others:?}");
}

#[tokio::test]
async fn a_moderator_is_heard_also_where_every_place_is_taken() {
    let (chat, _registry) = chat(&[]).await;
    let tier = brownout::policy::Tier::Critical;
    let _full: Vec<_> = (0..4).map(|_| chat.pools.enter(tier).unwrap()).collect();
    assert_eq!(chat.answer(&said("ann", "!ping")).await.0, Outcome::Shed);
    assert_eq!(chat.answer(&said("eve", "!stop")).await.0, Outcome::Shed);
    assert_eq!(chat.answer(&said("mod", "!stop")).await.0, Outcome::Ok);
    assert!(chat.services.stops.of(Some("7")).is_some());
}

#[tokio::test]
async fn a_stop_also_ends_the_wait_of_what_is_queued() {
    let (chat, registry) = chat(&[]).await;
    let tier = brownout::policy::Tier::Important;
    let full: Vec<_> = (0..2).map(|_| chat.pools.enter(tier).unwrap()).collect();
    let message = said("ann", "hello");
    let mut waiting = Box::pin(chat.answer(&message));
    assert!(futures::poll!(waiting.as_mut()).is_pending());
    assert_eq!(chat.answer(&said("mod", "!stop")).await.0, Outcome::Ok);
    assert_eq!(waiting.await.0, Outcome::Stopped);
    drop(full);
    let series = "bot_requests_total{feature=\"ai-chat\",tier=\"Important\",outcome=\"stopped\"} 1";
    assert!(has(&registry, series));
}

#[tokio::test]
async fn a_job_does_what_its_feature_says_and_orders_nothing() {
    let (chat, _registry) = chat(&[]).await;
    let deadline = Instant::now() + Duration::from_secs(20);
    for (text, feature, outcome) in [
        ("hello", Feature::AiChat, Outcome::Ok),
        ("hello", Feature::Animations, Outcome::Ok),
        ("hello", Feature::Roles, Outcome::Refused),
        ("!deep thought", Feature::AiChat, Outcome::Refused),
        ("!stop", Feature::Moderation, Outcome::Refused),
        ("!reboot", Feature::AiChat, Outcome::Refused),
    ] {
        let verdict = chat.perform(&said("mod", text), feature, deadline).await;
        assert_eq!(verdict.outcome, outcome, "{text} as {}", feature.name());
    }
    assert!(!chat.services.reboot.0.is_cancelled());
}

#[tokio::test]
async fn what_asks_to_be_ignored_costs_nothing() {
    let (chat, registry) = chat(&["--user-per-minute=1", "--user-burst=1"]).await;
    for text in [
        " $Ignore <@1> hello",
        "😀 $ignore my friend",
        "<:x:1>$ignore",
    ] {
        let ignored = chat.answer(&said("ann", text)).await;
        assert_eq!(ignored, (Outcome::Ignored, None), "{text}");
    }
    assert_eq!(chat.answer(&said("ann", "hello")).await.0, Outcome::Ok);
    for series in [
        "bot_messages_total{door=\"discord\"} 4",
        "bot_message_outcomes_total{door=\"discord\",outcome=\"ignored\"} 3",
        "bot_arrivals_total{feature=\"ai-chat\",tier=\"Important\"} 1",
    ] {
        assert!(has(&registry, series), "{series}");
    }
}

#[tokio::test]
async fn an_answer_that_repeats_a_name_calls_nobody() {
    let (chat, _registry) = chat(&[]).await;
    let (_, reply) = chat.answer(&said("ann", "hello")).await;
    let answer = reply.unwrap().answer;
    assert!(answer.starts_with("Good day, roleeveryone,"), "{answer}");
}

/// Where log lines go in a test.
#[derive(Clone, Default)]
struct Written(Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    /// All that is logged on this thread.
    fn follow(&self) -> tracing::subscriber::DefaultGuard {
        let writer = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .json()
            .flatten_event(true)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn why_the_model_did_not_answer_a_request_can_be_found() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let written = Written::default();
    let _guard = written.follow();
    let (chat, _registry) = chat(&["--ai-url=http://127.0.0.1:9/v1", "--ai-model=m"]).await;
    chat.services.store.pretend(false);
    let message = Message {
        own_way: false,
        id: "77".to_owned(),
        ..said("", "hello")
    };
    for _ in 0..2 {
        assert_eq!(chat.answer(&message).await.0, Outcome::Error);
        // other tests, which have no subscriber, may have met the line first and settled that nobody wants it
        tracing::callsite::rebuild_interest_cache();
    }
    let text = written.text();
    let line = text
        .lines()
        .find(|line| line.contains("the model gave no answer"));
    let line: serde_json::Value = serde_json::from_str(line.unwrap()).unwrap();
    assert_eq!(
        (&line["request"], &line["cause"]),
        (&"77".into(), &"uncounted".into())
    );
}

#[tokio::test]
async fn nobodys_id_is_logged_yet_one_person_can_be_followed() {
    let written = Written::default();
    let _guard = written.follow();
    let (chat, _registry) = chat(&["--log-user-key=0123456789abcdef"]).await;
    // other tests, which have no subscriber, may have met the line first and settled that nobody wants it
    assert_eq!(chat.answer(&said("", "hello")).await.0, Outcome::Ok);
    tracing::callsite::rebuild_interest_cache();
    written.0.lock().unwrap().clear();
    let (ann, bob) = ("80351110224678912", "41771983423143937");
    let place = Where {
        guild: Some("81384788765712384".to_owned()),
        channel: "99384788765712384".to_owned(),
        thread: None,
    };
    for user in [ann, bob, ann] {
        let message = Message {
            place: place.clone(),
            ..said(user, "marker of words")
        };
        assert_eq!(chat.answer(&message).await.0, Outcome::Ok);
    }
    let text = written.text();
    for hidden in [
        ann,
        bob,
        "everyone",
        "marker",
        &place.channel,
        "81384788765712384",
    ] {
        assert!(!text.contains(hidden), "{hidden} in {text}");
    }
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["message"] == "request")
        .collect();
    let users: Vec<&str> = lines
        .iter()
        .map(|line| line["user"].as_str().unwrap())
        .collect();
    assert_eq!(users.len(), 3, "{text}");
    assert_eq!(users[0], users[2]);
    assert_ne!(users[0], users[1]);
    assert_eq!(lines[0]["channel"], lines[1]["channel"]);
}

#[tokio::test]
async fn what_nobody_could_be_asked_about_does_not_flatter_the_latency() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (chat, registry) = chat(&["--ai-url=http://127.0.0.1:9/v1", "--ai-model=m"]).await;
    let count = |n| {
        let labels = "{feature=\"ai-chat\",tier=\"Important\"}";
        format!("bot_request_duration_seconds_count{labels} {n}")
    };
    // nothing can be counted, so nobody is asked
    chat.services.store.pretend(false);
    for _ in 0..5 {
        assert_eq!(chat.answer(&said("", "hello")).await.0, Outcome::Error);
    }
    assert!(has(&registry, &count(0)));
    let deadline = Instant::now() + Duration::from_secs(20);
    let message = said("", "hello");
    let verdict = chat.perform(&message, Feature::AiChat, deadline).await;
    assert!(verdict.at_once);
    // whom nobody answers is an error that took its time
    chat.services.store.pretend(true);
    assert_eq!(chat.answer(&said("", "hello")).await.0, Outcome::Error);
    assert!(has(&registry, &count(1)));
    let series = "bot_requests_total{feature=\"ai-chat\",tier=\"Important\",outcome=\"error\"} 6";
    assert!(has(&registry, series));
}

#[tokio::test]
async fn who_hangs_up_is_counted_and_logged() {
    let (chat, registry) = chat(&[]).await;
    let message = said("ann", "hello");
    {
        let mut answer = Box::pin(chat.answer(&message));
        let _busy = (
            chat.pools.enter(brownout::policy::Tier::Important),
            chat.pools.enter(brownout::policy::Tier::Important),
        );
        assert!(futures::poll!(answer.as_mut()).is_pending());
    }
    let series = "bot_message_outcomes_total{door=\"discord\",outcome=\"error\"} 1";
    assert!(has(&registry, series));
}
