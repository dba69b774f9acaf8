//! Who may use a source, and as whom the operator does, with no more rights than the manifests give it.

use anyhow::{Result, ensure};
use brownout::api::BotDegradationPolicy;
use brownout::api::conditions::SOURCE_NOT_ALLOWED;
use e2e::AUDIENCE;
use e2e::guard::{Admits, Guard};
use e2e::harness::{Ctx, trial};
use e2e::operator::Operator;
use e2e::paths;
use e2e::tools::Tool;
use e2e::wait::await_condition;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::process::Command;

use crate::sources_support::{apply_policy, apply_source, delete_sources, nowhere, source_name};
use crate::support::{
    GAUGE, SOON, await_level, await_ready, await_reason, await_status, ready_message,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("sources_for_namespaces_by_their_labels", by_labels),
        trial(
            "sources_with_the_rights_of_the_base",
            with_the_rights_of_the_base,
        ),
    ]
}

/// The operator's account in the base.
const SYSTEM: &str = "brownout-system";
const ACCOUNT: &str = "brownout";

async fn by_labels(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge(GAUGE, &[]);
    depth.set(300.0);
    let operator = ctx.operator().await?;
    let url = ctx.prometheus().url();
    let selector = ", allowedNamespaces: {selector: {matchLabels: {team: chat}, matchExpressions: [{key: tier, operator: NotIn, values: [test]}]}}";
    apply_source(&ctx, "chat", (&url, "", selector)).await?;
    apply_policy(&ctx, "bot", "chat", "").await?;
    let status = await_reason(&ctx, "bot", SOURCE_NOT_ALLOWED).await?;
    ensure!(
        ready_message(&status).contains(&source_name(&ctx, "chat"))
            && ready_message(&status).contains(ctx.namespace()),
        "{}",
        ready_message(&status)
    );
    label(&ctx, json!({"team": "chat"})).await?;
    await_level(&ctx, "bot", 1).await?;
    await_ready(&ctx, "bot").await?;
    // an exception is made: the level holds, and nothing is read any more
    label(&ctx, json!({"tier": "test"})).await?;
    let status = await_reason(&ctx, "bot", SOURCE_NOT_ALLOWED).await?;
    ensure!(status.level == 1, "the level holds");
    // also for an operator that starts then
    operator.restart().await?;
    depth.set(0.0);
    let names = format!(", allowedNamespaces: {{names: [{}]}}", ctx.namespace());
    apply_source(&ctx, "chat", (&url, "", &names)).await?;
    await_level(&ctx, "bot", 0).await?;
    await_ready(&ctx, "bot").await?;
    delete_sources(&ctx).await
}

async fn label(ctx: &Ctx, labels: serde_json::Value) -> Result<()> {
    let namespaces: Api<Namespace> = Api::all(ctx.client());
    let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
    namespaces
        .patch(ctx.namespace(), &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

/// A token of its own account by audience, a Secret in its namespace, and the labels of namespaces.
async fn with_the_rights_of_the_base(ctx: Ctx) -> Result<()> {
    if ctx.cluster().audit().is_err() {
        return Ok(()); // a cluster that was brought along: its operator is not ours to install
    }
    apply_base(&ctx).await?;
    let bot = ctx.exporter().await?;
    bot.gauge(GAUGE, &[]).set(300.0);
    let audience = format!("thanos.{}", ctx.namespace());
    let user = format!("system:serviceaccount:{SYSTEM}:{ACCOUNT}");
    let reviewed = |audience: &str| Admits::Reviewed {
        client: ctx.client(),
        audience: audience.to_owned(),
        user: user.clone(),
    };
    let own = Guard::start(&ctx.prometheus().url(), reviewed(&audience)).await?;
    let elsewhere = Guard::start(&ctx.prometheus().url(), reviewed("somewhere-else")).await?;
    let secret = Guard::start(
        &ctx.prometheus().url(),
        Admits::tokens(&["token-of-the-base"]),
    )
    .await?;
    let secrets: Api<Secret> = Api::namespaced(ctx.client(), SYSTEM);
    let name = source_name(&ctx, "token");
    ctx.apply(&format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: {name}, namespace: {SYSTEM}}}, stringData: {{token: token-of-the-base}}}}"
    ))
    .await?;
    label(&ctx, json!({"team": ctx.namespace()})).await?;

    let mut options = ctx.operator_options(&ctx.prometheus().url()).await?;
    let account = ctx.cluster().service_account(SYSTEM, ACCOUNT).await?;
    // roles and bindings reach the authorizer a moment after they are stored
    let policies = Api::<BotDegradationPolicy>::namespaced(account.client, ctx.namespace());
    await_condition("the rights of the base", SOON, async || {
        policies.list(&ListParams::default()).await?;
        Ok(Some(()))
    })
    .await?;
    options.kubeconfig = account.kubeconfig;
    options.flags.push(format!("--secrets-namespace={SYSTEM}"));
    let operator = Operator::start(ctx.environment().run.clone(), &options).await?;

    let by_token = format!(", auth: {{serviceAccountToken: {{audience: {audience}}}}}");
    let by_secret = format!(", auth: {{bearerTokenSecret: {{name: {name}}}}}");
    let ours = format!(
        ", allowedNamespaces: {{selector: {{matchLabels: {{team: {}}}}}}}",
        ctx.namespace()
    );
    apply_source(&ctx, "own", (&own.url(), &by_token, &ours)).await?;
    apply_source(&ctx, "elsewhere", (&elsewhere.url(), &by_token, "")).await?;
    apply_source(&ctx, "secret", (&secret.url(), &by_secret, "")).await?;
    let to_the_cluster = format!(", auth: {{serviceAccountToken: {{audience: '{AUDIENCE}'}}}}");
    apply_source(&ctx, "cluster", (&elsewhere.url(), &to_the_cluster, "")).await?;
    for source in ["own", "elsewhere", "secret", "cluster"] {
        apply_policy(&ctx, source, source, "missing: {after: 3s}").await?;
    }
    // a token that opens the cluster goes to nobody, by whatever name the API server is known to itself
    await_status(&ctx, "cluster", "refused", |status| {
        ready_message(status).contains("it is an audience of the API server")
    })
    .await?;
    await_level(&ctx, "own", 1).await?;
    await_level(&ctx, "secret", 1).await?;
    // a token is of no use to another server than the one that it is for
    await_status(&ctx, "elsewhere", "blind", |status| {
        status.blind_since.is_some()
    })
    .await?;
    let (accepted, refused) = elsewhere.counts();
    ensure!(
        accepted == 0 && refused > 0,
        "{accepted} accepted, {refused} refused"
    );

    let sent = own
        .last()
        .and_then(|request| request.token)
        .unwrap_or_default();
    ensure!(sent.len() > 100, "a token was sent");
    nowhere_but_in(&ctx, &operator, &secrets, &["token-of-the-base", &sent]).await?;
    secrets.delete(&name, &DeleteParams::default()).await?;
    let status = await_condition("the Secret to be missed", SOON, async || {
        let policy = ctx.api::<BotDegradationPolicy>().get("secret").await?;
        let status = policy.status.unwrap_or_default();
        Ok(ready_message(&status)
            .contains("there is none")
            .then_some(status))
    })
    .await?;
    ensure!(status.level == 1, "the level holds");
    delete_sources(&ctx).await
}

async fn nowhere_but_in(
    ctx: &Ctx,
    operator: &Operator,
    secrets: &Api<Secret>,
    all: &[&str],
) -> Result<()> {
    let there = secrets.list(&ListParams::default()).await?;
    ensure!(
        there
            .items
            .iter()
            .any(|s| s.name_any().contains(ctx.namespace())),
        "the Secret is there"
    );
    nowhere(ctx, operator, all).await
}

async fn apply_base(ctx: &Ctx) -> Result<()> {
    let applied = Command::new(Tool::Kubectl.find_or_build().await?)
        .current_dir(paths::checkout())
        .env("KUBECONFIG", ctx.cluster().kubeconfig())
        .args(["apply", "--server-side", "-k", "manifests/base"])
        .output()
        .await?;
    let said = String::from_utf8_lossy(&applied.stderr);
    ensure!(applied.status.success(), "kubectl apply: {said}");
    Ok(())
}
