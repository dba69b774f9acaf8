//! The bot over real HTTP: what is answered, what is declined and how, what is counted.

mod common;

use common::{Mount, flags, start};

fn requests(feature: &str, tier: &str, outcome: &str) -> String {
    format!("bot_requests_total{{feature=\"{feature}\",tier=\"{tier}\",outcome=\"{outcome}\"}}")
}

const FEATURES: [(&str, &str); 11] = [
    ("commands", "Critical"),
    ("roles", "Critical"),
    ("moderation", "Critical"),
    ("ai-chat", "Important"),
    ("search", "Important"),
    ("reminders", "Important"),
    ("animations", "Luxury"),
    ("reactions", "Luxury"),
    ("analytics", "Luxury"),
    ("summaries", "Luxury"),
    ("deep-answers", "Luxury"),
];

#[tokio::test]
async fn every_series_is_at_zero_on_the_first_scrape() {
    let mount = Mount::new();
    let bot = start(&[&mount.option(), "--flags-interval=1h"]).await;
    let response = bot.get("/metrics").await;
    let kind = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    let text = response.text().await.unwrap();

    let mut expected = vec![
        "bot_flags_level".to_owned(),
        "bot_flags_epoch".to_owned(),
        "bot_queue_depth{queue=\"critical\"}".to_owned(),
        "bot_queue_depth{queue=\"important\"}".to_owned(),
        "bot_queue_depth{queue=\"luxury\"}".to_owned(),
    ];
    for (feature, tier) in FEATURES {
        let labels = format!("feature=\"{feature}\",tier=\"{tier}\"");
        expected.push(format!("bot_arrivals_total{{{labels}}}"));
        expected.push(format!("bot_request_duration_seconds_count{{{labels}}}"));
        expected.push(format!("bot_flags_feature_state{{{labels}}}"));
        for le in ["0.005", "1.5", "16.0", "32.0", "+Inf"] {
            expected.push(format!(
                "bot_request_duration_seconds_bucket{{le=\"{le}\",{labels}}}"
            ));
        }
        for outcome in [
            "ok", "error", "shed", "off", "limited", "denied", "stopped", "refused", "ignored",
        ] {
            expected.push(requests(feature, tier, outcome));
        }
    }
    for series in expected {
        assert!(
            text.lines()
                .any(|line| line == format!("{series} 0") || line == format!("{series} 0.0")),
            "{series} is not at 0 in\n{text}"
        );
    }
    assert!(text.contains("bot_flags_source_state{source=\"directory\",state=\"broken\"} 0"));
}

#[tokio::test]
async fn a_healthy_bot_answers_with_an_animation() {
    let bot = start(&[]).await;
    let (status, reply) = bot.chat("!ping").await;
    assert_eq!((status, reply["answer"].as_str()), (200, Some("Pong.")));
    assert_eq!(reply["feature"], "commands");
    assert_eq!(reply["animation"]["kind"], "confetti");

    let (status, reply) = bot.chat("Hello!").await;
    assert_eq!((status, reply["feature"].as_str()), (200, Some("ai-chat")));
    assert!(reply["answer"].as_str().unwrap().contains("guest"));
    assert!(reply.get("notice").is_none());

    for (series, value) in [
        (requests("commands", "Critical", "ok"), 1.0),
        (requests("ai-chat", "Important", "ok"), 1.0),
        (requests("animations", "Luxury", "ok"), 2.0),
    ] {
        assert_eq!(bot.series(&series).await, Some(value), "{series}");
    }
}

#[tokio::test]
async fn what_is_off_says_so_kindly_and_at_once() {
    let mut mount = Mount::new();
    mount.swap(&flags(7, 3, ("Disabled", 0), "Disabled"));
    // nobody works here: whatever is answered was never queued
    let bot = start(&[&mount.option(), "--workers=0"]).await;
    bot.until("bot_flags_epoch", 7.0).await;

    let (status, reply) = bot.chat("Hello!").await;
    assert_eq!((status, reply["outcome"].as_str()), (200, Some("off")));
    assert!(reply["answer"].as_str().unwrap().contains("temporary"));
    let off = requests("ai-chat", "Important", "off");
    assert_eq!(bot.series(&off).await, Some(1.0));
    assert_eq!(bot.series("bot_flags_level").await, Some(3.0));

    let status = bot.status().await;
    assert_eq!(status["degraded"], true);
    assert_eq!(status["levelName"], "rung-3");
    assert_eq!(status["features"][3]["name"], "ai-chat");
    assert_eq!(status["features"][3]["state"], "Disabled");
}

#[tokio::test]
async fn what_is_switched_off_while_it_waits_leaves_the_queue() {
    let mut mount = Mount::new();
    let bot = start(&[&mount.option(), "--workers=0", "--deadline=1h"]).await;
    let ((status, reply), ()) = tokio::join!(bot.chat("Hello!"), async {
        bot.until("bot_queue_depth{queue=\"luxury\"}", 1.0).await;
        mount.swap(&flags(7, 3, ("Disabled", 0), "Disabled"));
    });
    assert_eq!((status, reply["outcome"].as_str()), (200, Some("off")));
    for (feature, tier) in [("ai-chat", "Important"), ("animations", "Luxury")] {
        assert_eq!(bot.series(&requests(feature, tier, "off")).await, Some(1.0));
    }
}

#[tokio::test]
async fn reduced_is_shorter_and_says_so() {
    let mut mount = Mount::new();
    mount.swap(&flags(7, 2, ("Reduced", 96), "Disabled"));
    let bot = start(&[&mount.option()]).await;
    bot.until("bot_flags_epoch", 7.0).await;
    let (_, short) = bot.chat("Hello!").await;
    mount.swap(&flags(8, 0, ("Enabled", 512), "Enabled"));
    bot.until("bot_flags_epoch", 8.0).await;
    let (_, full) = bot.chat("Hello!").await;

    let words = |reply: &serde_json::Value| reply["answer"].as_str().unwrap().split(' ').count();
    assert!(words(&short) < words(&full));
    assert!(short["notice"].is_string() && full.get("notice").is_none());
    assert!(short.get("animation").is_none() && full["animation"].is_object());
    let off = requests("animations", "Luxury", "off");
    assert_eq!(bot.series(&off).await, Some(1.0));
}

#[tokio::test]
async fn a_full_queue_sheds_politely_and_leaves_the_other_tiers_open() {
    let bot = start(&["--workers=0", "--queue-important=1", "--deadline=1h"]).await;
    let waiting = bot.chat("Hello!");
    let shed = async {
        bot.until("bot_queue_depth{queue=\"important\"}", 1.0).await;
        let (status, reply) = bot.chat("Hello again!").await;
        assert_eq!((status, reply["outcome"].as_str()), (503, Some("shed")));
        assert!(reply["answer"].as_str().unwrap().contains("in a moment"));
        let shed = requests("ai-chat", "Important", "shed");
        assert_eq!(bot.series(&shed).await, Some(1.0));
        // it was declined before anything was done for it: no animation either
        assert_eq!(
            bot.series("bot_queue_depth{queue=\"luxury\"}").await,
            Some(1.0)
        );
    };
    tokio::select! {
        (_, reply) = waiting => panic!("nobody works, yet: {reply}"),
        () = shed => {}
    }
    // the first has hung up: counted out as an error, and its place is free
    bot.until(&requests("ai-chat", "Important", "error"), 1.0)
        .await;
}

#[tokio::test]
async fn the_deadline_counts_the_time_in_the_queue() {
    let bot = start(&["--workers=0", "--deadline=20ms"]).await;
    let (status, reply) = bot.chat("!ping").await;
    assert_eq!((status, reply["outcome"].as_str()), (504, Some("error")));
    let error = requests("commands", "Critical", "error");
    assert_eq!(bot.series(&error).await, Some(1.0));
    let count = "bot_request_duration_seconds_count{feature=\"commands\",tier=\"Critical\"}";
    assert_eq!(bot.series(count).await, Some(1.0));
}

#[tokio::test]
async fn what_is_no_message_is_refused() {
    let bot = start(&[]).await;
    for message in ["", "   ", &"x".repeat(2001)] {
        assert_eq!(bot.chat(message).await.0, 422, "{} long", message.len());
    }
    let url = format!("http://{}/chat", bot.address);
    let plain = bot.client.post(url).body("hello").send().await.unwrap();
    assert_eq!(plain.status(), 415);
    assert_eq!(bot.chat(&"x".repeat(20_000)).await.0, 413);
}

#[tokio::test]
async fn the_page_is_whole_and_loads_nothing_from_elsewhere() {
    let bot = start(&[]).await;
    for (path, kind) in [
        ("/", "text/html"),
        ("/desk", "text/html"),
        ("/base.css", "text/css"),
        ("/page.css", "text/css"),
        ("/desk.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/desk.js", "text/javascript"),
        ("/house.js", "text/javascript"),
        ("/live.js", "text/javascript"),
        ("/talk.js", "text/javascript"),
    ] {
        let response = bot.get(path).await;
        let headers = response.headers().clone();
        assert!(headers["content-type"].to_str().unwrap().starts_with(kind));
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"));
        let text = response.text().await.unwrap();
        let elsewhere = text
            .replace("http://www.w3.org/2000/svg", "")
            .contains("://");
        assert!(!elsewhere, "{path}");
        assert!(!text.contains("innerHTML"), "{path}: text is never markup");
    }
    assert_eq!(bot.get("/healthz").await.status(), 200);
    assert_eq!(bot.get("/readyz").await.status(), 200);
}

#[tokio::test]
async fn told_to_stop_it_finishes_what_is_under_way() {
    let bot = start(&["--workers=1", "--work-scale=1", "--command-ms=400"]).await;
    let (under_way, ()) = tokio::join!(bot.chat("!ping"), async {
        bot.until(
            "bot_arrivals_total{feature=\"commands\",tier=\"Critical\"}",
            1.0,
        )
        .await;
        bot.stop.cancel();
    });
    assert_eq!(under_way.0, 200);
    bot.run.await.unwrap().unwrap();
    let gone = bot.client.get(format!("http://{}/healthz", bot.address));
    assert!(gone.send().await.is_err());
}
