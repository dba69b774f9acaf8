//! Which key is used, what is counted, and what is foreseen.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use e2e::model_server::{Behaviour, Mode, ModelServer};
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;

use super::{DEADLINE, FIRST, SECOND, answered, await_series, bot, expect, is, silent};
use crate::support::chat;

/// As long as no window is, in seconds: the quota holds.
const HOLDS: f64 = 31.0 * 86_400.0;

/// Quotas turn with the hour; what is counted over several requests must not.
async fn well_within_the_hour() -> Result<()> {
    let left = || 3600 - jiff::Timestamp::now().as_second().rem_euclid(3600);
    await_condition("the hour to turn", Duration::from_secs(240), || async {
        Ok((left() > 180).then_some(()))
    })
    .await
}

pub(super) async fn the_next_key_answers(run: Arc<RunDir>) -> Result<()> {
    well_within_the_hour().await?;
    let server = ModelServer::start(Behaviour::with_quota(2)).await?;
    let bot = bot(&run, "bot", &server, &[]).await?;
    for _ in 0..4 {
        answered(&bot, "Tell me about pods").await?;
    }
    assert_eq!((server.served(FIRST), server.served(SECOND)), (2, 2));
    // the first was asked once too often, and then no more
    assert_eq!(server.count(FIRST), 3);
    expect(&bot, r#"bot_key_state{key="first",state="spent"}"#, 1.0).await?;
    let text = silent(&bot, "Tell me about nodes").await?;
    assert!(text.contains("minute") || text.contains("hour"), "{text}");
    expect(&bot, r#"bot_ai_silences_total{cause="quota"}"#, 1.0).await?;
    // at rest, no key is asked
    silent(&bot, "Tell me about services").await?;
    assert_eq!((server.count(FIRST), server.count(SECOND)), (3, 3));

    // a bot that knows of nothing, and an API that refuses its first key and limits none
    let server = ModelServer::start(Behaviour::default()).await?;
    server.change(|b| b.refused = BTreeSet::from([FIRST.to_owned()]));
    let other = super::bot(&run, "other", &server, &[]).await?;
    for _ in 0..3 {
        answered(&other, "Tell me about pods").await?;
    }
    assert_eq!((server.count(FIRST), server.count(SECOND)), (1, 3));
    expect(&other, r#"bot_key_state{key="first",state="refused"}"#, 1.0).await?;
    // too fast for a second: back as soon as the API says
    server.change(|b| {
        b.hurried.insert(SECOND.to_owned(), 1);
    });
    silent(&other, "Tell me about nodes").await?;
    server.change(|b| b.hurried.clear());
    await_condition("the second key to be back", DEADLINE, || async {
        answered(&other, "And now?").await.map(Some)
    })
    .await?;
    // a rest of no length is no invitation to ask without end
    server.change(|b| b.hurried = [FIRST, SECOND].map(|key| (key.to_owned(), 0)).into());
    let before = server.count(SECOND);
    silent(&other, "Tell me about nodes").await?;
    assert_eq!(server.count(SECOND), before + 1);
    // nothing that people or programs see holds a key
    for bot in [&bot, &other] {
        let seen = fs::read_to_string(bot.log())? + &bot.metrics().await?;
        assert!(
            seen.contains("first") && !seen.contains("sk-"),
            "a key is seen"
        );
    }
    Ok(())
}

pub(super) async fn the_count_survives(run: Arc<RunDir>) -> Result<()> {
    well_within_the_hour().await?;
    let server = ModelServer::start(Behaviour::default()).await?;
    let store = format!(
        "--store=sqlite:{}?mode=rwc",
        run.logs().join("bot.db").display()
    );
    let options = [store.as_str(), "--ai-quota-hour=3", "--deadline=20s"];
    let before = bot(&run, "before", &server, &options).await?;
    answered(&before, "one").await?;
    answered(&before, "two").await?;
    // the third hangs when the bot is killed: it was asked, so it counts
    server.change(|b| b.mode = Mode::Hang);
    let hung = chat(&before, "three");
    let killed = async {
        await_condition("the third to arrive", DEADLINE, || async {
            Ok((server.count(FIRST) == 3).then_some(()))
        })
        .await?;
        expect(&before, "bot_ai_requests_started_total", 3.0).await?;
        expect(&before, "bot_ai_requests_completed_total", 2.0).await?;
        before.kill()
    };
    let (hung, killed) = tokio::join!(hung, killed);
    killed?;
    assert!(hung.is_err(), "nobody was left to answer");
    drop(before);

    server.change(|b| b.mode = Mode::Answer);
    let after = bot(&run, "after", &server, &options).await?;
    await_series(
        &after,
        r#"bot_quota_used{key="first",window="hour"}"#,
        |n| is(n, 3.0),
    )
    .await?;
    expect(&after, r#"bot_quota_remaining{window="hour"}"#, 3.0).await?;
    for message in ["four", "five", "six"] {
        answered(&after, message).await?;
    }
    silent(&after, "seven").await?;
    assert_eq!((server.count(FIRST), server.count(SECOND)), (3, 3));
    expect(&after, r#"bot_quota_remaining{window="hour"}"#, 0.0).await?;
    expect(
        &after,
        r#"bot_quota_exhausted_in_seconds{window="hour"}"#,
        0.0,
    )
    .await?;
    Ok(())
}

pub(super) async fn replicas(run: Arc<RunDir>) -> Result<()> {
    well_within_the_hour().await?;
    let server = ModelServer::start(Behaviour::default()).await?;
    let store = format!(
        "--store=sqlite:{}?mode=rwc",
        run.logs().join("bot.db").display()
    );
    let options = [store.as_str(), "--ai-quota-hour=4"];
    let one = bot(&run, "one", &server, &options).await?;
    let other = bot(&run, "other", &server, &options).await?;
    let crowd = (0..12).map(|n| chat(if n % 2 == 0 { &one } else { &other }, "Tell me about pods"));
    let mut answered = 0;
    for reply in futures::future::join_all(crowd).await {
        answered += usize::from(reply?.0 == 200);
    }
    assert_eq!(answered, 8);
    assert_eq!((server.count(FIRST), server.count(SECOND)), (4, 4));
    for bot in [&one, &other] {
        await_series(bot, r#"bot_quota_used{key="second",window="hour"}"#, |n| {
            is(n, 4.0)
        })
        .await?;
    }
    Ok(())
}

pub(super) async fn the_end_is_foreseen(run: Arc<RunDir>) -> Result<()> {
    well_within_the_hour().await?;
    let server = ModelServer::start(Behaviour::default()).await?;
    let bot = bot(&run, "bot", &server, &["--ai-quota-hour=10"]).await?;
    let end = r#"bot_quota_exhausted_in_seconds{window="hour"}"#;
    expect(&bot, end, HOLDS).await?;
    for n in 0..15 {
        answered(&bot, &format!("number {n}")).await?;
    }
    // 5 of 20 left at 15 a minute or less: between 20 s and some minutes, once all are in the rate, which is taken anew
    // every few seconds
    await_series(&bot, end, |n| (15.0..90.0).contains(&n)).await?;
    expect(
        &bot,
        r#"bot_quota_exhausted_in_seconds{window="month"}"#,
        HOLDS,
    )
    .await?;
    Ok(())
}
