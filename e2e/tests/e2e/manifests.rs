//! The manifests on a real cluster, and the operator with no more rights than they give it.

use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use brownout::api::BotDegradationPolicy;
use brownout::api::conditions::{READY, condition};
use e2e::audit::{AuditEvent, Mark};
use e2e::harness::{Ctx, needs_own_cluster, trial};
use e2e::operator::Operator;
use e2e::paths;
use e2e::tools::Tool;
use e2e::wait::await_condition;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use libtest_mimic::Trial;
use serde_json::json;

use crate::overlay::refused;

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("manifests_examples_apply", examples_apply),
        // whether it needs all of them is judged at the end of a whole run, of what all operators asked for
        needs_own_cluster(trial(
            "manifests_operator_has_the_rights_it_needs",
            operator_has_the_rights_it_needs,
        )),
    ]
}

/// The operator's account in the base.
const SYSTEM: &str = "brownout-system";
const ACCOUNT: &str = "brownout";
/// By which the operator here tells this test's policies from those of others.
const RUN: &str = "brownout-e2e/run";
const SOON: Duration = Duration::from_secs(30);

/// Through an escalation, a recovery, an edit and the end, with everything that a policy can move.
const POLICY: &str = r#"
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: bot, labels: {brownout-e2e/run: "RUN"}}
spec:
  interval: 1s
  signals: [{name: backlog, query: 'max(bot_queue_depth{job="JOB"})'}]
  features: [{name: animations, tier: Luxury}]
  levels:
  - name: shed
    when: {any: [{signal: backlog, above: "100"}]}
    tiers: {luxury: Disabled}
    scale: [{name: worker, replicas: 1}, {kind: StatefulSet, name: store, replicas: 4}]
  recovery: {after: 1s}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  replicas: 2
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec: {containers: [{name: worker, image: none}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: worker}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: worker}
  minReplicas: 2
  maxReplicas: 5
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: store}
spec:
  replicas: 2
  serviceName: store
  selector: {matchLabels: {app: store}}
  template:
    metadata: {labels: {app: store}}
    spec: {containers: [{name: store, image: none}]}
"#;

async fn examples_apply(ctx: Ctx) -> Result<()> {
    restrict(&ctx).await?;
    // only tried: as the source named default it would stand over that of every other test's operator
    kubectl_apply(
        &ctx,
        &[
            "-f",
            "manifests/examples/metrics-source.yaml",
            "--dry-run=server",
        ],
    )
    .await?;
    let here = ["-n", ctx.namespace(), "-f"];
    let example = async |file| kubectl_apply(&ctx, &[&here[..], &[file]].concat()).await;
    example("manifests/examples/chatbotler.yaml").await?;
    example("manifests/examples/smallest-policy.yaml").await?;
    let operator = ctx.operator().await?;
    await_ready(&ctx, "chatbotler", 1).await?;
    // another of the same name: an edit, for which the bot need not be touched
    example("manifests/examples/chatbotler-policy.yaml").await?;
    await_ready(&ctx, "chatbotler", 2).await?;
    let flags = ctx.api::<ConfigMap>().get("chatbotler-flags").await?;
    ensure!(
        flags
            .data
            .is_some_and(|data| data.get("ai-chat").is_some_and(|value| value == "512")),
        "the flags are those of the full policy"
    );
    for worker in ["chatbotler-core-worker", "chatbotler-luxury-worker"] {
        let name = worker
            .trim_start_matches("chatbotler-")
            .trim_end_matches("-worker");
        let labels = format!("app.kubernetes.io/component={name}");
        await_pod(&ctx.api::<Pod>(), &labels).await?;
    }
    operator.terminate().await?;
    Ok(())
}

async fn operator_has_the_rights_it_needs(ctx: Ctx) -> Result<()> {
    let audit = ctx.cluster().audit()?;
    kubectl_apply(&ctx, &["-k", "manifests/base"]).await?;
    let pods: Api<Pod> = Api::namespaced(ctx.client(), SYSTEM);
    await_pod(&pods, "app.kubernetes.io/name=brownout").await?;
    only_restricted_pods(&pods).await?;

    let mark = audit.mark()?;
    let operator = operator_of_the_base(&ctx).await?;
    let bot = ctx.exporter().await?;
    let depth = bot.gauge("bot_queue_depth", &[]);
    ctx.apply(
        &POLICY
            .replace("JOB", ctx.job())
            .replace("RUN", ctx.namespace()),
    )
    .await?;
    await_ready(&ctx, "bot", 1).await?;
    depth.set(500.0);
    await_replicas(&ctx, (1, 4)).await?;
    depth.set(0.0);
    await_replicas(&ctx, (2, 2)).await?;
    let policies = ctx.api::<BotDegradationPolicy>();
    policies.delete("bot", &DeleteParams::default()).await?;
    await_condition("the policy to be let go", SOON, || async {
        Ok(policies.get_opt("bot").await?.is_none().then_some(()))
    })
    .await?;
    operator.terminate().await?;

    let asked = await_requests(&ctx, mark).await?;
    let refused: Vec<_> = asked
        .iter()
        .filter(|event| event.is_unauthorized())
        .map(ToString::to_string)
        .collect();
    ensure!(
        refused.is_empty(),
        "the role lacks what the operator asks for: {refused:#?}"
    );
    ensure!(!asked.is_empty(), "the audit log knows the operator");
    Ok(())
}

/// The operator's own namespace takes no pod that may more than it has to.
async fn only_restricted_pods(pods: &Api<Pod>) -> Result<()> {
    let pod = |user: i64| -> Result<Pod> {
        Ok(serde_json::from_value(json!({
            "metadata": {"name": "other"},
            "spec": {
                "securityContext": {
                    "runAsNonRoot": true, "runAsUser": user, "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [{"name": "other", "image": "none", "securityContext": {
                    "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]},
                }}],
            },
        }))?)
    };
    let dry = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    pods.create(&dry, &pod(65532)?).await?;
    let root = pods.create(&dry, &pod(0)?).await;
    refused("a pod of root", root, "violates PodSecurity \"restricted")
}

/// An operator for all namespaces, as its Deployment runs it, that looks after this test's policies only.
async fn operator_of_the_base(ctx: &Ctx) -> Result<Operator> {
    let mut options = ctx.operator_options(&ctx.prometheus().url()).await?;
    let account = ctx.cluster().service_account(SYSTEM, ACCOUNT).await?;
    options.kubeconfig = account.kubeconfig;
    options.namespaces.clear();
    let selector = format!("--selector={RUN}={}", ctx.namespace());
    // the base's own Lease: the pods of its Deployment never run here
    let election = ["--leader-elect", "--leader-elect-lease-name=brownout"].map(str::to_owned);
    options.flags.push(selector);
    options
        .flags
        .push(format!("--leader-elect-lease-namespace={SYSTEM}"));
    options.flags.extend(election);
    Operator::start(ctx.environment().run.clone(), &options).await
}

/// What the operator's account asked for, once its last request is in the log.
async fn await_requests(ctx: &Ctx, mark: Mark) -> Result<Vec<AuditEvent>> {
    let user = format!("system:serviceaccount:{SYSTEM}:{ACCOUNT}");
    let audit = ctx.cluster().audit()?;
    await_condition("the operator's requests in the audit log", SOON, || async {
        let mut asked = audit.since(mark)?;
        asked.retain(|event| event.user.username == user);
        let watches = asked.iter().filter(|event| event.verb == "watch").count();
        // each watch is logged at its end
        Ok((watches >= 6).then_some(asked))
    })
    .await
}

async fn await_ready(ctx: &Ctx, name: &str, generation: i64) -> Result<()> {
    let policies = ctx.api::<BotDegradationPolicy>();
    await_condition(
        &format!("{name} to be Ready at generation {generation}"),
        SOON,
        || async {
            let status = policies.get(name).await?.status.context("no status yet")?;
            let ready = condition(&status.conditions, READY).context("not judged yet")?;
            ensure!(
                ready.status == "True",
                "{}: {}",
                ready.reason,
                ready.message
            );
            Ok((status.observed_generation >= Some(generation)).then_some(()))
        },
    )
    .await
}

async fn await_replicas(ctx: &Ctx, wanted: (i32, i32)) -> Result<()> {
    let (workers, stores) = (ctx.api::<Deployment>(), ctx.api::<StatefulSet>());
    await_condition(&format!("{wanted:?} replicas"), SOON, || async {
        let worker = workers
            .get("worker")
            .await?
            .spec
            .and_then(|spec| spec.replicas);
        let store = stores
            .get("store")
            .await?
            .spec
            .and_then(|spec| spec.replicas);
        Ok(((worker, store) == (Some(wanted.0), Some(wanted.1))).then_some(()))
    })
    .await
}

/// A pod is there, though no node is: the admission of pods, the namespace's standard included, has let it pass.
pub(crate) async fn await_pod(pods: &Api<Pod>, labels: &str) -> Result<()> {
    await_condition(&format!("a pod with {labels}"), SOON, || async {
        let list = pods.list(&ListParams::default().labels(labels)).await?;
        Ok((!list.items.is_empty()).then_some(()))
    })
    .await
}

/// Holds the test's namespace to the strictest standard for pods.
pub(crate) async fn restrict(ctx: &Ctx) -> Result<()> {
    let labels = json!({"metadata": {"labels": {
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/warn": "restricted",
    }}});
    let namespaces: Api<Namespace> = Api::all(ctx.client());
    namespaces
        .patch(
            ctx.namespace(),
            &PatchParams::default(),
            &Patch::Merge(labels),
        )
        .await?;
    Ok(())
}

/// `kubectl apply` in the checkout, with unknown fields and warnings as errors.
pub(crate) async fn kubectl_apply(ctx: &Ctx, what: &[&str]) -> Result<()> {
    let Output {
        status,
        stdout,
        stderr,
    } = tokio::process::Command::new(Tool::Kubectl.find_or_build().await?)
        .current_dir(paths::checkout())
        .env("KUBECONFIG", ctx.cluster().kubeconfig())
        .args([
            "apply",
            "--server-side",
            "--validate=strict",
            "--warnings-as-errors",
        ])
        .args(what)
        .output()
        .await?;
    let said = String::from_utf8_lossy(&stderr);
    ensure!(
        status.success() && said.is_empty(),
        "kubectl apply {what:?}: {status}\n{}{said}",
        String::from_utf8_lossy(&stdout)
    );
    Ok(())
}
