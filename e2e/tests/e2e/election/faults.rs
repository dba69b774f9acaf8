//! Leaders that stand still or are cut off: what they would still write comes too late.

use std::time::Instant;

use anyhow::{Result, ensure};
use e2e::harness::Ctx;
use e2e::partition::Partition;
use e2e::wait::await_condition;

use super::support::{Member, Pair, acquired_at, await_holder, epoch, tell};
use crate::faults_support::{await_ticks, never_fell_before, now, seen};
use crate::support::{GAUGE, PolicyYaml, SOON, await_level, await_ready};

/// A bot at level 1 under two operators, the first of which leads.
async fn at_level_one(ctx: &Ctx, first: Option<std::path::PathBuf>) -> Result<Scene> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge(GAUGE, &[]);
    let pair = Pair::start_through(ctx, first).await?;
    ctx.apply(&PolicyYaml::with_ladder(ctx, "bot").to_string())
        .await?;
    await_ready(ctx, "bot").await?;
    depth.set(300.0);
    await_level(ctx, "bot", 1).await?;
    Ok(Scene {
        depth,
        pair,
        _bot: bot,
    })
}

struct Scene {
    depth: e2e::exporter::Gauge,
    pair: Pair,
    _bot: e2e::exporter::Exporter,
}

/// SIGSTOP for longer than the lease, amid a surge that goes on: the thawed one writes nothing and ends.
pub(super) async fn frozen_leader(ctx: Ctx) -> Result<()> {
    let scene = at_level_one(&ctx, None).await?;
    let Pair { first, second } = &scene.pair;
    let start = Instant::now();
    first.operator.freeze()?;
    second.await_leads().await?;
    tell("SIGSTOP to the next leader", start);
    let before = epoch(&ctx, "bot-flags").await?;
    scene.depth.set(500.0);
    await_level(&ctx, "bot", 2).await?;
    ensure!(epoch(&ctx, "bot-flags").await? > before);

    first.operator.thaw()?;
    let status = first.operator.ended().await?;
    ensure!(!status.success(), "it ended with {status}");
    nothing_late(&ctx, &scene.pair).await
}

/// The network is cut: the leader ends before its lease does, and so before the next one begins.
pub(super) async fn cut_off_leader(ctx: Ctx) -> Result<()> {
    let kubeconfig = Member::kubeconfig(&ctx, "first").await?;
    let network = Partition::start(&kubeconfig).await?;
    let scene = at_level_one(&ctx, Some(network.kubeconfig(&kubeconfig)?)).await?;
    let Pair { first, second } = &scene.pair;
    let start = Instant::now();
    network.cut();
    scene.depth.set(500.0);
    let status = first.operator.ended().await?;
    tell("a cut network to the leader's end", start);
    ensure!(!status.success(), "it ended with {status}");
    second.await_leads().await?;
    tell("a cut network to the next leader", start);
    await_level(&ctx, "bot", 2).await?;
    network.open();
    nothing_late(&ctx, &scene.pair).await?;

    // It comes back as a standby.
    first.operator.start_again().await?;
    ensure!(!first.operator.leads().await?, "it leads again");
    await_holder(&ctx, "the second", |holder| holder.starts_with("second_")).await?;
    Ok(())
}

/// The network stands still amid a change of level, and lets go of what waited once the next one leads:
/// what arrives then is refused, or put right.
pub(super) async fn writes_held_up(ctx: Ctx) -> Result<()> {
    let kubeconfig = Member::kubeconfig(&ctx, "first").await?;
    let network = Partition::start(&kubeconfig).await?;
    let scene = at_level_one(&ctx, Some(network.kubeconfig(&kubeconfig)?)).await?;
    let Pair { first, second } = &scene.pair;
    // As soon as the change has begun: what comes after in its sequence of writes waits in the network.
    scene.depth.set(500.0);
    await_condition("status to tell of level 2", SOON, || async {
        let policy = crate::faults_support::policy(&ctx, "bot").await?;
        Ok((policy.status.is_some_and(|status| status.level == 2)).then_some(()))
    })
    .await?;
    network.freeze();
    let start = Instant::now();
    second.await_leads().await?;
    tell("a frozen network to the next leader", start);
    await_level(&ctx, "bot", 2).await?;
    network.open();
    let status = first.operator.ended().await?;
    ensure!(!status.success(), "it ended with {status}");
    nothing_late(&ctx, &scene.pair).await
}

/// After the takeover: nothing of the first one took effect that the second did not put right, no level was
/// lost, and the second one is at work.
async fn nothing_late(ctx: &Ctx, pair: &Pair) -> Result<()> {
    pair.first.said_it_lost()?;
    let takeover = acquired_at(ctx, &pair.second).await?;
    let mut late = pair.first.writes_since(ctx, takeover)?;
    // An Event tells of what was done before, and changes nothing.
    late.retain(|event| {
        let object = event.object_ref.as_ref();
        object.is_none_or(|object| object.resource != "events")
    });
    e2e::progress::say(format!(
        "election, late writes that were refused: {}",
        late.len()
    ));
    for event in &late {
        let code = event
            .response_status
            .as_ref()
            .map_or(0, |status| status.code);
        // 504: the API server gave up waiting for the rest of it. What it may have done is judged below.
        ensure!(
            matches!(code, 409 | 404 | 504),
            "a late write took effect: {event}"
        );
    }
    // Events come after the status that was waited for.
    await_ticks(&pair.second.operator, "bot", 2).await?;
    let before = seen(ctx, "bot").await?;
    await_ticks(&pair.second.operator, "bot", 2).await?;
    let after = seen(ctx, "bot").await?;
    ensure!(before == after, "before: {before:#?}\nafter: {after:#?}");
    let status = await_level(ctx, "bot", 2).await?;
    never_fell_before(&status, now())?;
    ensure!(status.history.len() == 2, "{:?}", status.history);
    Ok(())
}
