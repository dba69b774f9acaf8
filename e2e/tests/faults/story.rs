//! Plays a case: the metrics get bad and good again, and at one stage something goes wrong.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::fault_proxy::{Fault, Rule, Target, Times};
use e2e::harness::Ctx;
use e2e::wait::await_condition;

use crate::case::{Case, Kind, Stage, What};
use crate::oracle::{
    Baselines, NEIGHBOUR, RIGHT_WITHIN, SOON, await_handed_back, await_neighbour, await_quiet,
    await_right,
};
use crate::scene::{BUSY, OVERLOADED, Scene};

/// How long a fault goes on once it has struck.
const GOES_ON: Duration = Duration::from_secs(2);

pub(crate) async fn run(case: Case, ctx: Ctx) -> Result<()> {
    let scene = Scene::set(ctx, case.autoscaled).await?;
    let baselines = bad_day(&case, &scene).await?;
    if case.stage == Stage::Delete {
        await_handed_back(&scene, RIGHT_WITHIN).await?;
    } else {
        let level = if case.stage == Stage::Create || case.stage == Stage::Recover {
            0
        } else {
            2
        };
        await_right(&scene, level, baselines, RIGHT_WITHIN).await?;
        scene.proxy.script().clear();
        await_quiet(&scene).await.context("after the faults")?;
        if level == 0 {
            scene.stub.set("bot_depth", OVERLOADED);
            await_right(&scene, 2, baselines, SOON).await?;
        }
        scene.recover();
        await_right(&scene, 0, baselines, SOON).await?;
    }
    await_quiet(&scene).await?;
    paused_when_asked(&scene)?;
    every_watch_has_cases(&scene)?;
    scene.observer.verdict()?;
    scene.operator_is_well().await
}

/// Up to the end of the faults. Gives what the workloads are to be asked for in the end.
async fn bad_day(case: &Case, scene: &Scene) -> Result<Baselines> {
    let mut baselines = Baselines::default();
    let stub = &scene.stub;
    if case.stage == Stage::Start {
        scene.apply_neighbour().await?;
        scene.apply_bot().await?;
        stub.set("bot_depth", OVERLOADED);
        begin(case, scene);
        scene.operator.launch()?;
        end(case, scene).await?;
        return Ok(baselines);
    }
    scene.operator.start_again().await?;
    scene.apply_neighbour().await?;
    await_neighbour(scene, 0, SOON).await?;
    if case.stage == Stage::Create {
        begin(case, scene);
        scene.apply_bot().await?;
        end(case, scene).await?;
        return Ok(baselines);
    }
    scene.apply_bot().await?;
    await_right(scene, 0, baselines, SOON).await?;
    match case.stage {
        Stage::Start | Stage::Create => {}
        Stage::Escalate => {
            begin(case, scene);
            stub.set("bot_depth", OVERLOADED);
        }
        Stage::Again => {
            stub.set("bot_depth", OVERLOADED);
            await_right(scene, 2, baselines, SOON).await?;
            scene.recover();
            await_right(scene, 0, baselines, SOON).await?;
            begin(case, scene);
            stub.set("bot_depth", OVERLOADED);
        }
        Stage::Recover | Stage::Delete => {
            stub.set("bot_depth", OVERLOADED);
            await_right(scene, 2, baselines, SOON).await?;
            scene.observer.floor(0, 0);
            begin(case, scene);
            if case.stage == Stage::Recover {
                scene.recover();
            } else {
                scene.delete_bot().await?;
            }
        }
        Stage::Change(kind) => {
            let (load, level) = match kind {
                Kind::Policies => (BUSY, 1),
                Kind::MetricsSources => (0.0, 0),
                _ => (OVERLOADED, 2),
            };
            stub.set("bot_depth", load);
            await_right(scene, level, baselines, SOON).await?;
            await_quiet(scene).await?;
            begin(case, scene);
            scene.change(kind).await?;
            match kind {
                Kind::Deployments => baselines.workers = 5,
                Kind::StatefulSets => baselines.shards = 5,
                Kind::Autoscalers => baselines.bounds.1 = 8,
                _ => {}
            }
        }
    }
    end(case, scene).await?;
    Ok(baselines)
}

fn begin(case: &Case, scene: &Scene) {
    scene.proxy.script().set(match &case.what {
        What::Rules(rules)
        | What::UntilListed(rules)
        | What::Lasting(rules)
        | What::For(_, rules) => rules.clone(),
        What::Crash { write, after } => vec![Rule {
            target: Target::Writes,
            fault: Fault::Silence { committed: *after },
            times: Times::Only(*write),
        }],
    });
}

/// Waits until the faults have struck, and ends them.
async fn end(case: &Case, scene: &Scene) -> Result<()> {
    let script = scene.proxy.script();
    script.await_hits(1, RIGHT_WITHIN).await?;
    if let What::Crash { .. } = case.what {
        scene.operator.kill()?;
        script.clear();
        return scene.operator.start_again().await;
    }
    if let What::Lasting(_) = case.what {
        return Ok(());
    }
    if let (true, Stage::Change(kind)) = (case.touch, case.stage) {
        scene.touch(kind).await?;
    }
    if let What::For(seconds, _) = case.what {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }
    if case.neighbour_goes_on {
        scene.overload_neighbour();
        await_neighbour(scene, 1, NEIGHBOUR)
            .await
            .context("another policy suffers")?;
    }
    match (&case.what, case.stage) {
        (What::UntilListed(_), Stage::Change(kind)) => await_listed(scene, kind).await?,
        (What::For(..), _) => {}
        _ => tokio::time::sleep(GOES_ON).await,
    }
    script.clear();
    Ok(())
}

/// Waits until the operator has listed a kind once more than when it started.
async fn await_listed(scene: &Scene, kind: Kind) -> Result<()> {
    let key = format!("list {}", kind.resource());
    await_condition(&format!("another {key}"), RIGHT_WITHIN, || async {
        let seen = scene.proxy.script().seen();
        let lists = seen.iter().filter(|seen| seen.asked.key() == key).count();
        Ok((lists > 1).then_some(()))
    })
    .await
}

/// A kind that the operator has begun to watch needs cases: it is to be in [`Kind::ALL`].
fn every_watch_has_cases(scene: &Scene) -> Result<()> {
    let seen = scene.proxy.script().seen();
    let watched = seen.iter().filter(|seen| seen.asked.verb == "watch");
    for watch in watched {
        let resource = &watch.asked.resource;
        let has_cases = Kind::ALL.iter().any(|kind| kind.resource() == *resource);
        ensure!(
            has_cases,
            "{resource} are watched and no case is about them"
        );
    }
    Ok(())
}

/// Who is told to come back later does not come sooner.
fn paused_when_asked(scene: &Scene) -> Result<()> {
    let seen = scene.proxy.script().seen();
    for (i, told) in seen.iter().enumerate() {
        let Some(Fault::Answer {
            retry_after: Some(seconds),
            ..
        }) = told.fault
        else {
            continue;
        };
        let again = seen[i + 1..].iter().find(|later| later.asked == told.asked);
        let pause = again.map(|again| again.at - told.at);
        let wanted = Duration::from_secs(seconds.into());
        ensure!(
            pause.is_none_or(|pause| pause >= wanted),
            "{} came again after {pause:?}, told to wait {wanted:?}",
            told.asked
        );
    }
    Ok(())
}
