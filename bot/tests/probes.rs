//! The probes, each for what it is asked.

mod common;

use common::{Mount, flags, start};

#[tokio::test]
async fn a_pod_has_not_started_before_its_flags_have_spoken() {
    let mut mount = Mount::new();
    let bot = start(&[&mount.option(), "--flags-interval=1h"]).await;
    // the first look is at once: an empty directory is an answer too
    bot.until(
        "bot_flags_source_state{source=\"directory\",state=\"missing\"}",
        1.0,
    )
    .await;
    assert_eq!(bot.get("/startupz").await.status(), 200);
    mount.swap(&flags(1, 0, ("Enabled", 512), "Enabled"));
    assert_eq!(bot.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn without_flags_to_wait_for_it_has_started() {
    let bot = start(&[]).await;
    assert_eq!(bot.get("/startupz").await.status(), 200);
}

#[tokio::test]
async fn the_check_goes_through_the_pipeline_and_is_nobodys_message() {
    let bot = start(&[]).await;
    let response = bot.get("/check").await;
    assert_eq!(response.status(), 200);
    let reply: serde_json::Value = response.json().await.unwrap();
    assert_eq!(reply["answer"], "Pong.");
    // many ask at once: one check a second is made
    for _ in 0..20 {
        assert_eq!(bot.get("/check").await.status(), 200);
    }
    let ends = bot
        .series("bot_message_outcomes_total{door=\"check\",outcome=\"ok\"}")
        .await;
    assert!(ends.unwrap() < 20.0, "{ends:?}");
    let pool = "bot_requests_total{feature=\"commands\",tier=\"Critical\",outcome=\"ok\"}";
    assert!(bot.series(pool).await.unwrap() >= 1.0);
    let animations = "bot_arrivals_total{feature=\"animations\",tier=\"Luxury\"}";
    assert_eq!(bot.series(animations).await, Some(0.0));
}

#[tokio::test]
async fn the_check_fails_where_commands_do() {
    let bot = start(&["--workers=0", "--deadline=50ms"]).await;
    assert_eq!(bot.get("/check").await.status(), 504);
    let failed = "bot_message_outcomes_total{door=\"check\",outcome=\"error\"}";
    assert_eq!(bot.series(failed).await, Some(1.0));
    // it is alive and not at fault: a restart would not help
    assert_eq!(bot.get("/healthz").await.status(), 200);
}

#[tokio::test]
async fn an_address_is_held_to_its_limit_where_the_owner_says_so() {
    let bot = start(&["--api-per-minute=6", "--api-burst=3"]).await;
    for _ in 0..3 {
        assert_eq!(bot.chat("!ping").await.0, 200);
    }
    let url = format!("http://{}/chat", bot.address);
    let body = serde_json::json!({"message": "!ping"});
    let limited = bot.client.post(url).json(&body).send().await.unwrap();
    assert_eq!(limited.status(), 429);
    let seconds: u64 = limited.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=11).contains(&seconds), "{seconds}");
    assert_eq!(
        bot.series("bot_limited_total{limit=\"address\"}").await,
        Some(1.0)
    );
    // probes are not chat
    assert_eq!(bot.get("/check").await.status(), 200);
}

/// No API server ever answers its watch: it begins without flags, though not at once.
#[cfg(feature = "watch")]
#[tokio::test]
async fn a_bot_without_its_cluster_starts_after_its_patience() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let kubeconfig = dir.path().join("kubeconfig");
    let nobody = r#"{"clusters":[{"name":"c","cluster":{"server":"http://127.0.0.1:9"}}],"users":[{"name":"u","user":{}}],
        "contexts":[{"name":"x","context":{"cluster":"c","user":"u"}}],"current-context":"x"}"#;
    std::fs::write(&kubeconfig, nobody).unwrap();
    let begun = std::time::Instant::now();
    let bot = common::process::Process::start(
        &["--flags-configmap=chatbotler-flags"],
        &[("KUBECONFIG", kubeconfig.to_str().unwrap())],
    );
    let url = format!("{}/startupz", bot.url);
    let status = || async { reqwest::get(&url).await.unwrap().status().as_u16() };
    assert_eq!(status().await, 503);
    while status().await != 200 {
        assert!(begun.elapsed().as_secs() < 60, "it never starts");
        tokio::task::yield_now().await;
    }
    assert!(begun.elapsed().as_secs() >= 8, "{:?}", begun.elapsed());
    bot.end();
}
