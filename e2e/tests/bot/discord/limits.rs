//! Discord's limits and its bad days.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use e2e::discord::CHANNEL;
use e2e::discord::events::Said;
use e2e::discord::state::Fault;
use e2e::run_dir::RunDir;
use e2e::wait::await_condition;
use libtest_mimic::Trial;

use super::scene::{DEADLINE, Scene};
use crate::support::{chat, trial};

pub(super) fn tests() -> Vec<Trial> {
    vec![
        trial("discord_minds_its_buckets", buckets),
        trial("discord_minds_a_limit_of_others", shared),
        trial("discord_backs_off_from_a_bucket_that_says_no_time", no_time),
        trial("discord_minds_the_global_limit", global),
        trial("discord_posts_once_though_answers_are_lost", lost),
        trial("discord_waits_for_better_days", failing),
        trial("discord_slow_slows_nobody_else", slow),
        trial("discord_refusals_are_counted_as_such", refused),
    ]
}

async fn buckets(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    let start = Instant::now();
    let said: Vec<u64> = (0..12)
        .map(|n| scene.discord.say(&Said::to_bot("!ping").by(100 + n, &[])))
        .collect();
    for id in &said {
        scene.answer(*id).await?;
    }
    // five in 5 s: the twelfth has to wait for the third bucket
    assert!(
        start.elapsed() >= Duration::from_secs(9),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(scene.discord.posts().len(), 12);
    let refused = scene.discord.calls("messages");
    assert!(refused.iter().all(|call| call.status == 200));
    scene.close().await
}

async fn shared(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    let wait = Duration::from_secs(2);
    scene
        .discord
        .fail("POST", "messages", 1, Fault::Shared(wait));
    // another channel is none of its business
    let elsewhere = Said::to_bot("!ping").in_channel(CHANNEL + 1);
    let limited = scene.discord.say(&Said::to_bot("!ping"));
    scene.answer(limited).await?;
    scene.ask(&elsewhere).await?;
    let calls = scene.discord.calls("messages");
    assert_eq!(calls[0].status, 429);
    assert!(calls[1].at - calls[0].at >= wait);
    scene.close().await
}

async fn no_time(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    for (n, wait) in (0..).zip([Some("0"), None, Some("soon")]) {
        let channel = CHANNEL + n;
        let path = format!("channels/{channel}/messages");
        scene.discord.fail("POST", &path, 3, Fault::Full(wait));
        let said = Said::to_bot("!ping").in_channel(channel);
        assert_eq!(scene.ask(&said).await?.content, "Pong.");
        let calls = scene.discord.calls(&path);
        assert_eq!(calls.len(), 4, "{wait:?}");
        for (n, two) in calls.windows(2).enumerate() {
            // half a second, one, two: a little less, since clocks differ
            let least = Duration::from_millis(490 << n);
            let apart = two[1].at - two[0].at;
            assert!(apart >= least, "{wait:?}: {apart:?} after try {n}");
        }
    }
    assert!((scene.series("bot_discord_limited_total").await? - 9.0).abs() < 0.1);
    scene.close().await
}

async fn global(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    let wait = Duration::from_secs(3);
    scene
        .discord
        .fail("POST", "messages", 1, Fault::Global(wait));
    let first = scene.discord.say(&Said::to_bot("!ping"));
    // not before the bot has heard of it
    await_condition("the limit", DEADLINE, || async {
        let limited = scene.series("bot_discord_limited_total").await?;
        Ok((limited > 0.9).then_some(()))
    })
    .await?;
    let mut ids = vec![first];
    for n in 1..6 {
        ids.push(
            scene
                .discord
                .say(&Said::to_bot("!ping").in_channel(CHANNEL + n)),
        );
    }
    for id in ids {
        scene.answer(id).await?;
    }
    let calls = scene.discord.calls("messages");
    for call in &calls[1..] {
        assert!(
            call.at - calls[0].at >= wait,
            "before the global limit was over"
        );
    }
    assert_eq!(scene.discord.posts().len(), 6);
    scene.close().await
}

async fn lost(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    scene.discord.fail("POST", "messages", 2, Fault::Lost);
    let id = scene.discord.say(&Said::to_bot("!ping"));
    scene
        .until("the third try", || {
            let calls = scene.discord.calls("messages");
            (calls.len() == 3).then_some(())
        })
        .await?;
    let calls = scene.discord.calls("messages");
    let nonce = id.to_string();
    assert!(
        calls
            .iter()
            .all(|call| call.body["nonce"].as_str() == Some(nonce.as_str()))
    );
    assert_eq!(scene.discord.posts().len(), 1);
    assert!(
        scene
            .series("bot_discord_posts_repeated_total")
            .await?
            .abs()
            < 0.1
    );
    scene.close().await
}

async fn failing(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    // more than the client tries by itself
    scene
        .discord
        .fail("POST", "messages", 5, Fault::Status(503));
    let answer = scene.ask(&Said::to_bot("!ping")).await?;
    assert_eq!(answer.content, "Pong.");
    assert_eq!(scene.discord.posts().len(), 1);
    scene.close().await
}

async fn slow(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    let slowness = Fault::Slow(Duration::from_secs(6));
    scene.discord.fail("POST", "messages", 40, slowness);
    for n in 0..40 {
        let said = Said::to_bot("!ping")
            .in_channel(CHANNEL + n)
            .by(100 + n, &[]);
        scene.discord.say(&said);
    }
    scene
        .until("calls under way", || {
            let arrived = scene.discord.with(|state| state.under_way);
            (arrived >= 8).then_some(())
        })
        .await?;
    // neither slash commands, which have a line of their own
    let start = Instant::now();
    let token = scene.discord.slash("ping", &[], 40, &[]);
    assert_eq!(scene.fulfilled(&token).await?, "Pong.");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
    let mut times = Vec::new();
    for _ in 0..50 {
        let start = Instant::now();
        let (status, _) = chat(&scene.bot, "!ping").await?;
        assert_eq!(status, 200);
        times.push(start.elapsed());
    }
    times.sort();
    // most at once, and on a busy machine too none as late as what is slow
    assert!(times[25] < Duration::from_secs(1), "{times:?}");
    assert!(times[49] < Duration::from_secs(5), "{times:?}");
    scene.bot.kill()?;
    scene.discord.assert_good_manners()
}

async fn refused(run: Arc<RunDir>) -> Result<()> {
    let scene = Scene::open(&run, &[]).await?;
    let series = |outcome: &str| {
        format!("bot_dependency_calls_total{{dependency=\"discord\",outcome=\"{outcome}\"}}")
    };
    scene
        .discord
        .fail("POST", "/messages", 1, Fault::Status(403));
    scene.discord.say(&Said::to_bot("!ping"));
    let posts = "bot_discord_posts_total{outcome=\"refused\"}";
    await_condition("a refusal", DEADLINE, || async {
        Ok((scene.series(posts).await? > 0.9).then_some(()))
    })
    .await?;
    assert!((scene.series(&series("refused")).await? - 1.0).abs() < 0.1);
    assert_eq!(scene.discord.calls("/messages").len(), 1);
    scene.close().await
}
