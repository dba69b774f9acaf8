//! One policy that cannot be carried out is nobody else's trouble.

use anyhow::Result;
use e2e::harness::{Ctx, trial};
use libtest_mimic::Trial;

use crate::support::{
    PolicyYaml, Scene, await_event, await_flags, await_level, await_ready, await_reason,
    await_status, ready_message,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("isolation_of_a_refused_query", refused_query),
        trial("isolation_of_an_unknown_source", unknown_source),
    ]
}

async fn refused_query(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    let good = PolicyYaml::with_ladder(ctx, "bad").to_string();
    let bad = good.replace("})'", "}) > 200'");
    assert_ne!(good, bad);
    ctx.apply(&bad).await?;
    ctx.apply(&PolicyYaml::with_ladder(ctx, "good").to_string())
        .await?;
    let status = await_reason(ctx, "bad", "QueryRefused").await?;
    assert!(
        ready_message(&status).contains("spec.signals[0].query"),
        "{}",
        ready_message(&status)
    );
    await_event(ctx, "bad", "QueryRefused").await?;
    depth.set(300.0);
    await_level(ctx, "good", 1).await?;
    await_ready(ctx, "good").await?;

    ctx.apply(&good).await?;
    await_level(ctx, "bad", 1).await?;
    await_ready(ctx, "bad").await?;

    // and when it turns bad while degraded, its level holds
    ctx.apply(&bad).await?;
    await_reason(ctx, "bad", "QueryRefused").await?;
    depth.set(0.0);
    await_level(ctx, "good", 0).await?;
    let status = await_reason(ctx, "bad", "QueryRefused").await?;
    assert_eq!(status.level, 1);
    await_flags(ctx, "bad-flags", 1).await?;
    ctx.apply(&good).await?;
    await_level(ctx, "bad", 0).await?;
    Ok(())
}

async fn unknown_source(ctx: Ctx) -> Result<()> {
    let Scene { ctx, depth, .. } = &Scene::set(ctx).await?;
    let source = format!("of-{}", ctx.namespace()); // sources are of the whole cluster
    ctx.apply(
        &PolicyYaml::with_ladder(ctx, "bad")
            .spec(&format!("source: {source}"))
            .to_string(),
    )
    .await?;
    ctx.apply(&PolicyYaml::with_ladder(ctx, "good").to_string())
        .await?;
    let status = await_reason(ctx, "bad", "SourceNotFound").await?;
    assert!(ready_message(&status).contains(&source));
    await_flags(ctx, "bad-flags", 0).await?;
    depth.set(300.0);
    await_level(ctx, "good", 1).await?;
    await_ready(ctx, "good").await?;

    let url = ctx.prometheus().url();
    ctx.apply(&format!(
        "{{apiVersion: brownout.dev/v1alpha1, kind: MetricsSource, metadata: {{name: {source}}}, \
         spec: {{prometheus: {{url: '{url}'}}}}}}"
    ))
    .await?;
    await_level(ctx, "bad", 1).await?;
    await_ready(ctx, "bad").await?;
    await_status(ctx, "good", "level 1 still", |status| status.level == 1).await?;
    Ok(())
}
