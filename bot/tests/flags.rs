//! Flags from a mounted directory, as the kubelet swaps it.

mod common;

use common::{Bot, Mount, flags, start};

async fn state(bot: &Bot, state: &str) {
    let series = format!("bot_flags_source_state{{source=\"directory\",state=\"{state}\"}}");
    bot.until(&series, 1.0).await;
}

async fn animations(bot: &Bot) -> serde_json::Value {
    bot.status().await["features"][6]["state"].clone()
}

#[tokio::test]
async fn each_swap_is_seen() {
    let mut mount = Mount::new();
    let bot = start(&[&mount.option()]).await;
    state(&bot, "missing").await;
    assert_eq!(animations(&bot).await, "Enabled");

    for (epoch, level, word) in [
        (100, 1, "Disabled"),
        (101, 0, "Enabled"),
        (102, 1, "Disabled"),
    ] {
        mount.swap(&flags(epoch, level, ("Enabled", 512), word));
        #[allow(clippy::cast_precision_loss)]
        bot.until("bot_flags_epoch", epoch as f64).await;
        assert_eq!(animations(&bot).await, word);
    }
}

#[tokio::test]
async fn a_lower_epoch_is_ignored() {
    let mut mount = Mount::new();
    mount.swap(&flags(100, 1, ("Enabled", 512), "Disabled"));
    let bot = start(&[&mount.option()]).await;
    state(&bot, "current").await;
    mount.swap(&flags(99, 0, ("Enabled", 512), "Enabled"));
    state(&bot, "older").await;
    assert_eq!(animations(&bot).await, "Disabled");
    assert_eq!(bot.series("bot_flags_epoch").await, Some(100.0));
}

#[tokio::test]
async fn broken_or_vanished_flags_leave_the_last_good_ones() {
    let mut mount = Mount::new();
    mount.swap(&flags(100, 1, ("Enabled", 512), "Disabled"));
    let bot = start(&[&mount.option()]).await;
    state(&bot, "current").await;
    for broken in ["", "{\"version\":1", "{\"version\":2}", "\u{feff}null"] {
        mount.swap(broken);
        state(&bot, "broken").await;
        assert_eq!(animations(&bot).await, "Disabled");
    }
    mount.empty();
    state(&bot, "missing").await;
    assert_eq!(animations(&bot).await, "Disabled");

    mount.swap(&flags(101, 0, ("Enabled", 512), "Enabled"));
    state(&bot, "current").await;
    assert_eq!(animations(&bot).await, "Enabled");
}

#[tokio::test]
async fn a_plain_directory_will_do() {
    let mount = Mount::new();
    let file = mount.path().join("state.json");
    std::fs::write(file, flags(5, 1, ("Enabled", 512), "Disabled")).unwrap();
    let bot = start(&[&mount.option()]).await;
    state(&bot, "current").await;
    assert_eq!(animations(&bot).await, "Disabled");
}
