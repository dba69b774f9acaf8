//! Two operators, of which one acts: how the other one takes over, and that no time is lost.

use std::time::Instant;

use anyhow::{Result, ensure};
use brownout::api::BotDegradationPolicy;
use e2e::harness::{Ctx, trial};
use e2e::wait::await_condition;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{DeleteParams, Patch, PatchParams};
use libtest_mimic::Trial;
use serde_json::json;

use crate::faults_support::{INTERVAL, at, await_live, await_ticks, evaluated_at, seen};
use crate::support::{
    PolicyYaml, SOON, await_event, await_level, await_ready, await_replicas, workload,
};

mod faults;
mod late;
mod support;

use support::{Pair, holder, lease_writes, tell};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("election_sigterm_hands_over", sigterm_hands_over),
        trial("election_sigkill_loses_no_for", sigkill_loses_no_for),
        trial("election_lease_deleted_by_hand", lease_deleted_by_hand),
        trial(
            "election_holder_taken_out_by_hand",
            holder_taken_out_by_hand,
        ),
        trial("election_shares_have_leaders_of_their_own", shares),
        trial("election_frozen_leader_is_deposed", faults::frozen_leader),
        trial("election_cut_off_leader_is_deposed", faults::cut_off_leader),
        trial("election_writes_that_were_held_up", faults::writes_held_up),
        trial("election_late_flags_are_refused", late::flags_refused),
        trial("election_late_scale_is_refused", late::scale_refused),
        trial("election_late_scale_after_hand_back", late::scale_lands),
        trial("election_late_scale_to_zero", late::scale_to_zero_lands),
        trial("election_late_bounds_after_hand_back", late::bounds_land),
        trial("election_late_pause_after_hand_back", late::pause_lands),
    ]
}

/// In the middle of a surge: the level, since when, the epoch, the Events stay; deciding goes on.
async fn sigterm_hands_over(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge(crate::support::GAUGE, &[]);
    ctx.apply(&workload("Deployment", "worker", 3)).await?;
    let policy = PolicyYaml::with_ladder(&ctx, "bot");
    let policy = policy.rung(
        "stop-workers",
        "1600",
        "scale: [{name: worker, replicas: 1}]",
    );
    ctx.apply(&policy.spec("missing: {after: 1h}").to_string())
        .await?;
    depth.set(900.0);
    let pair = Pair::start(&ctx).await?;
    await_level(&ctx, "bot", 3).await?;
    standby_only_watches(&ctx, &pair).await?;
    await_event(&ctx, "bot", "Escalated").await?; // comes after the status
    await_ticks(&pair.first.operator, "bot", 2).await?;
    let before = seen(&ctx, "bot").await?;

    let (mark, start) = (ctx.cluster().audit()?.mark()?, Instant::now());
    let status = pair.first.operator.terminate().await?;
    ensure!(status.success(), "it ended with {status}");
    pair.second.await_leads().await?;
    tell("SIGTERM to the next leader", start);
    await_ticks(&pair.second.operator, "bot", 2).await?;
    let after = seen(&ctx, "bot").await?;
    ensure!(before == after, "before: {before:#?}\nafter: {after:#?}");

    depth.set(2000.0);
    await_replicas(&ctx, "worker", 1).await?;
    let status = await_level(&ctx, "bot", 4).await?;
    ensure!(status.history.len() == 2, "{:?}", status.history);
    // What the first one wrote comes before its release, and nothing after.
    let all = ctx.cluster().audit()?.since(mark)?;
    let by_first: Vec<_> = all
        .iter()
        .filter(|event| event.is_write() && event.user.username == pair.first.user)
        .collect();
    let last = by_first.last().map(ToString::to_string);
    ensure!(
        last.as_ref()
            .is_some_and(|last| last.starts_with("update leases ")),
        "its last write is the release: {last:?}"
    );
    Ok(())
}

async fn standby_only_watches(ctx: &Ctx, pair: &Pair) -> Result<()> {
    let second = &pair.second;
    let metrics = second.operator.metrics().await?;
    for line in ["\nbrownout_leader 0\n", "brownout_evaluations_total 0"] {
        ensure!(metrics.contains(line), "a standby has {line}: {metrics}");
    }
    for none in ["brownout_queries_total{", "brownout_policy_level{"] {
        ensure!(
            !metrics.contains(none),
            "a standby has no {none}: {metrics}"
        );
    }
    let health = second.operator.metrics_address();
    e2e::http::get_text(&format!("http://{health}/readyz")).await?;
    let refused = second
        .operator
        .policies()
        .await
        .expect_err("a standby shows nothing");
    let refused = format!("{refused:#}");
    let leader = holder(ctx).await?.unwrap_or_default();
    ensure!(refused.contains("503"), "{refused}");
    await_condition("the standby to name the leader", SOON, || async {
        let refused = second
            .operator
            .policies()
            .await
            .expect_err("a standby shows nothing");
        Ok(format!("{refused:#}").contains(&leader).then_some(()))
    })
    .await?;
    let writes = ctx
        .cluster()
        .audit()?
        .writes_by(&second.user, second.begin)?;
    let others: Vec<_> = writes
        .iter()
        .filter(|event| !lease_writes(event))
        .map(ToString::to_string)
        .collect();
    ensure!(others.is_empty(), "a standby writes nothing: {others:?}");
    Ok(())
}

async fn sigkill_loses_no_for(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge(crate::support::GAUGE, &[]);
    let pair = Pair::start(&ctx).await?;
    let policy = PolicyYaml::new(&ctx, "bot");
    let policy = policy.rung_after("shed-luxury", "200", "20s", "tiers: {luxury: Disabled}");
    ctx.apply(&policy.to_string()).await?;
    await_ready(&ctx, "bot").await?;
    depth.set(500.0);
    let breached_for = |live: &serde_json::Value| live["comparisons"][0]["breachedFor"].as_i64();
    let half = await_live(&pair.first.operator, "bot", "a part of its for", |live| {
        breached_for(live).is_some_and(|span| span >= 3000)
    })
    .await?;
    let first = evaluated_at(&half).unwrap_or_default() - breached_for(&half).unwrap_or_default();

    let start = Instant::now();
    pair.first.operator.kill()?;
    pair.second.await_leads().await?;
    tell("SIGKILL to the next leader", start);
    let goes_on = await_live(&pair.second.operator, "bot", "the for to go on", |live| {
        breached_for(live).is_some()
    })
    .await?;
    tell("SIGKILL to its first decision", start);
    ensure!(
        goes_on["level"] == 0,
        "it escalated before its for was over"
    );
    let status = await_level(&ctx, "bot", 1).await?;
    let escalated = status.history.last().map(at).unwrap_or_default();
    let late = escalated - (first + 20_000);
    ensure!(late.abs() <= INTERVAL, "it escalated {late} ms late");
    ensure!(status.history.len() == 1, "{:?}", status.history);
    Ok(())
}

/// The leader ends; the standby puts it back, and does not lead before the lease is out.
async fn lease_deleted_by_hand(ctx: Ctx) -> Result<()> {
    let pair = Pair::start(&ctx).await?;
    let deleted = jiff::Timestamp::now();
    ctx.api::<Lease>()
        .delete(support::LEASE, &DeleteParams::default())
        .await?;
    ensure!(!pair.first.operator.ended().await?.success());
    pair.first.said_it_lost()?;
    pair.second.await_leads().await?;
    ctx.apply(&PolicyYaml::with_ladder(&ctx, "bot").to_string())
        .await?;
    await_ready(&ctx, "bot").await?;
    let writes = pair.first.writes_since(&ctx, deleted)?;
    ensure!(writes.is_empty(), "of the first: {writes:?}");
    Ok(())
}

async fn holder_taken_out_by_hand(ctx: Ctx) -> Result<()> {
    let pair = Pair::start(&ctx).await?;
    let patch = Patch::Merge(json!({"spec": {"holderIdentity": ""}}));
    let start = Instant::now();
    ctx.api::<Lease>()
        .patch(support::LEASE, &PatchParams::default(), &patch)
        .await?;
    let status = pair.first.operator.ended().await?;
    ensure!(!status.success(), "it ended with {status}");
    tell("holder taken out to the leader's end", start);
    pair.second.await_leads().await?;
    tell("holder taken out to the next leader", start);
    Ok(())
}

/// By their selectors alone: each has a Lease of its own, and acts for its own policies.
async fn shares(ctx: Ctx) -> Result<()> {
    let a = support::Member::start(&ctx, "a", None, &["--selector=shard=a"]).await?;
    let b = support::Member::start(&ctx, "b", None, &["--selector=shard=b"]).await?;
    a.await_leads().await?;
    b.await_leads().await?;
    let leases = ctx
        .api::<Lease>()
        .list(&kube::api::ListParams::default())
        .await?;
    ensure!(leases.items.len() == 2, "{:?}", leases.items);
    for shard in ["a", "b"] {
        ctx.apply(&PolicyYaml::with_ladder(&ctx, shard).to_string())
            .await?;
        let patch = Patch::Merge(json!({"metadata": {"labels": {"shard": shard}}}));
        ctx.api::<BotDegradationPolicy>()
            .patch(shard, &PatchParams::default(), &patch)
            .await?;
        await_ready(&ctx, shard).await?;
    }
    await_live(&a.operator, "a", "its policy", |_| true).await?;
    await_live(&b.operator, "b", "its policy", |_| true).await?;
    ensure!(crate::faults_support::live(&a.operator, "b").await.is_err());
    Ok(())
}
