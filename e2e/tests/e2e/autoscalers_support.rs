//! What the tests of autoscalers share.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use brownout::api::BotDegradationPolicy;
use e2e::harness::Ctx;
use e2e::wait::await_condition;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::{SOON, Scene};

/// Nothing is written for so long once what led here is over.
const QUIET: Duration = Duration::from_secs(2);

/// An autoscaler on CPU, as YAML; `min` may be left to the API server.
pub(crate) fn hpa(name: &str, kind: &str, target: &str, min: Option<i32>, max: i32) -> String {
    let min = min.map_or_else(String::new, |min| format!("  minReplicas: {min}\n"));
    format!(
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {{name: {name}}}\nspec:\n  \
           scaleTargetRef: {{apiVersion: apps/v1, kind: {kind}, name: {target}}}\n{min}  maxReplicas: {max}\n  \
           metrics: [{{type: Resource, resource: {{name: cpu, target: {{type: Utilization, averageUtilization: 50}}}}}}]\n"
    )
}

/// The bounds of an autoscaler.
pub(crate) async fn bounds(ctx: &Ctx, name: &str) -> Result<(i32, i32)> {
    let found = ctx.api::<HorizontalPodAutoscaler>().get(name).await?;
    let spec = found.spec.context("no spec")?;
    Ok((
        spec.min_replicas.context("no lower bound")?,
        spec.max_replicas,
    ))
}

/// Waits until an autoscaler has these bounds.
pub(crate) async fn await_bounds(ctx: &Ctx, name: &str, wanted: (i32, i32)) -> Result<()> {
    await_condition(&format!("{name}: bounds {wanted:?}"), SOON, || async {
        let now = bounds(ctx, name).await?;
        if now != wanted {
            bail!("it has {now:?}");
        }
        Ok(Some(()))
    })
    .await
}

/// Waits until an autoscaler says that it stands still, its target being at 0.
pub(crate) async fn sleeps(ctx: &Ctx, name: &str) -> Result<()> {
    let hpas = ctx.api::<HorizontalPodAutoscaler>();
    await_condition(&format!("{name} to stand still"), SOON, || async {
        let status = hpas.get(name).await?.status.unwrap_or_default();
        let conditions = status.conditions.unwrap_or_default();
        let disabled = |reason: Option<&str>| reason == Some("ScalingDisabled");
        Ok(conditions
            .iter()
            .any(|c| c.type_ == "ScalingActive" && disabled(c.reason.as_deref()))
            .then_some(()))
    })
    .await
}

/// Sets bounds as a person or tool does.
pub(crate) async fn set_bounds_as(
    ctx: &Ctx,
    manager: &str,
    name: &str,
    (min, max): (i32, i32),
) -> Result<()> {
    let params = PatchParams {
        field_manager: Some(manager.to_owned()),
        ..PatchParams::default()
    };
    let patch = json!({"spec": {"minReplicas": min, "maxReplicas": max}});
    ctx.api::<HorizontalPodAutoscaler>()
        .patch(name, &params, &Patch::Merge(patch))
        .await?;
    Ok(())
}

/// Turns an autoscaler to another Deployment.
pub(crate) async fn turn_to(ctx: &Ctx, name: &str, deployment: &str) -> Result<()> {
    let patch = json!({"spec": {"scaleTargetRef": {"name": deployment}}});
    ctx.api::<HorizontalPodAutoscaler>()
        .patch(name, &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    Ok(())
}

/// Deletes an autoscaler.
pub(crate) async fn delete_hpa(ctx: &Ctx, name: &str) -> Result<()> {
    ctx.api::<HorizontalPodAutoscaler>()
        .delete(name, &DeleteParams::default())
        .await?;
    Ok(())
}

/// Has the operator look at a policy once more, with nothing changed: it must not write.
pub(crate) async fn reconcile_once(scene: &Scene, policy: &str) -> Result<()> {
    let ctx = &scene.ctx;
    let Ok(audit) = ctx.cluster().audit() else {
        return Ok(()); // a cluster that was brought along has no audit log for us
    };
    quiet(ctx).await?;
    let mark = audit.mark()?;
    let before = reconciles(scene).await?;
    let touch = json!({"metadata": {"annotations": {"brownout-e2e/touch": before.to_string()}}});
    ctx.api::<BotDegradationPolicy>()
        .patch(policy, &PatchParams::default(), &Patch::Merge(touch))
        .await?;
    await_condition("a reconcile", SOON, || async {
        Ok((reconciles(scene).await? > before).then_some(()))
    })
    .await?;
    let writes = audit.writes_by(&ctx.operator_user(), mark)?;
    let writes: Vec<String> = writes.iter().map(ToString::to_string).collect();
    ensure!(writes.is_empty(), "nothing changed: {writes:?}");
    Ok(())
}

/// Waits until the operator has written nothing for a while: what was waited for may not be its last write.
async fn quiet(ctx: &Ctx) -> Result<()> {
    let audit = ctx.cluster().audit()?;
    await_condition("the last write of what led here", SOON, || async {
        let mark = audit.mark()?;
        tokio::time::sleep(QUIET).await;
        let writes = audit.writes_by(&ctx.operator_user(), mark)?;
        Ok(writes.is_empty().then_some(()))
    })
    .await
}

async fn reconciles(scene: &Scene) -> Result<f64> {
    let metrics = scene.operator.metrics().await?;
    let mut lines = metrics.lines();
    let line =
        lines.find_map(|line| line.strip_prefix("brownout_reconcile_duration_seconds_count "));
    Ok(line.context("no count of reconciles")?.trim().parse()?)
}

/// A rule of the API server that refuses to move the bounds of one autoscaler.
pub(crate) struct Rule(String);

/// Has the API server refuse to move the bounds of an autoscaler; in force when this returns.
pub(crate) async fn refuse(ctx: &Ctx, name: &str) -> Result<Rule> {
    let rule = format!("fixed-{}", ctx.namespace());
    let here = json!({"matchLabels": {"kubernetes.io/metadata.name": ctx.namespace()}});
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": rule},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": here,
                "resourceRules": [{"apiGroups": ["autoscaling"], "apiVersions": ["*"],
                    "operations": ["UPDATE"], "resources": ["horizontalpodautoscalers"]}],
            },
            "validations": [{
                "expression": format!("object.metadata.name != '{name}' || object.spec.maxReplicas == oldObject.spec.maxReplicas"),
                "message": "its bounds are not to be moved",
                "reason": "Forbidden",
            }],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": rule},
        "spec": {"policyName": rule, "validationActions": ["Deny"]},
    });
    ctx.apply(&format!("{policy}\n---\n{binding}")).await?;
    let (_, max) = bounds(ctx, name).await?;
    await_condition("the rule to be in force", SOON, || async {
        let api = ctx.api::<HorizontalPodAutoscaler>();
        let try_it: Value = json!({"spec": {"maxReplicas": max + 1}});
        let dry = PatchParams::default().dry_run();
        let tried = api.patch(name, &dry, &Patch::Merge(try_it)).await;
        Ok(tried.is_err().then_some(()))
    })
    .await?;
    Ok(Rule(rule))
}

impl Rule {
    /// Takes the rule away.
    pub(crate) async fn lift(self, ctx: &Ctx) -> Result<()> {
        let bindings: Api<ValidatingAdmissionPolicyBinding> = Api::all(ctx.client());
        bindings.delete(&self.0, &DeleteParams::default()).await?;
        let policies: Api<ValidatingAdmissionPolicy> = Api::all(ctx.client());
        policies.delete(&self.0, &DeleteParams::default()).await?;
        Ok(())
    }
}
