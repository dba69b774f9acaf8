//! What a case plays with: two policies, their workloads, their metrics, an operator behind a proxy.

use anyhow::{Context as _, Result};
use brownout::api::{BotDegradationPolicy, MetricsSource};
use e2e::answer_stub::AnswerStub;
use e2e::fault_proxy::FaultProxy;
use e2e::harness::Ctx;
use e2e::operator::{self, Operator};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::case::Kind;
use crate::observer::Observer;

/// Above the first rung.
pub(crate) const BUSY: f64 = 300.0;
/// Above both rungs.
pub(crate) const OVERLOADED: f64 = 500.0;

/// What the workloads are asked for while all is well.
pub(crate) const WORKERS: i32 = 3;
pub(crate) const SHARDS: i32 = 2;
/// One that an autoscaler holds, its bounds, and what the first rung makes of it.
pub(crate) const CREW: i32 = 4;
pub(crate) const CREW_BOUNDS: (i32, i32) = (2, 6);
pub(crate) const SMALL_CREW: i32 = 3;

/// What a policy that moves an autoscaled workload has besides.
const CREW_TARGET: &str = "{name: worker, replicas: 1}, {name: crew, replicas: 3}";
const CREW_WORKLOAD: &str = "---
apiVersion: apps/v1
kind: Deployment
metadata: {name: crew}
spec:
  replicas: 4
  selector: {matchLabels: {app: crew}}
  template:
    metadata: {labels: {app: crew}}
    spec: {containers: [{name: crew, image: none}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: crew}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: crew}
  minReplicas: 2
  maxReplicas: 6
";

const POLICY: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: bot}
spec:
  interval: 1s
  source: SOURCE
  signals: [{name: depth, query: max(bot_depth)}]
  features:
  - {name: animations, tier: Luxury}
  - {name: ai-chat, tier: Important, values: {enabled: 512, reduced: 96, disabled: 0}}
  - {name: commands, tier: Critical}
  levels:
  - name: shed-luxury
    when: {any: [{signal: depth, above: '200'}]}
    tiers: {luxury: Disabled}
    scale: [{name: worker, replicas: 1}]
  - name: critical-only
    when: {any: [{signal: depth, above: '400'}]}
    tiers: {important: Disabled}
    scale: [{kind: StatefulSet, name: shards, replicas: 0}]
  recovery: {after: 1s}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: worker}
spec:
  replicas: 3
  selector: {matchLabels: {app: worker}}
  template:
    metadata: {labels: {app: worker}}
    spec: {containers: [{name: worker, image: none}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: shards}
spec:
  replicas: 2
  selector: {matchLabels: {app: shards}}
  template:
    metadata: {labels: {app: shards}}
    spec: {containers: [{name: shard, image: none}]}
";

const NEIGHBOUR: &str = "
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: neighbour}
spec:
  interval: 1s
  source: SOURCE
  signals: [{name: depth, query: max(neighbour_depth)}]
  features: [{name: animations, tier: Luxury}]
  levels:
  - name: shed-luxury
    when: {any: [{signal: depth, above: '200'}]}
    tiers: {luxury: Disabled}
  recovery: {after: 1s}
";

/// What a case plays with.
pub(crate) struct Scene {
    pub(crate) ctx: Ctx,
    /// Whether there is a workload that has an autoscaler.
    pub(crate) autoscaled: bool,
    pub(crate) stub: AnswerStub,
    /// A second server of metrics, on which the bot is always overloaded.
    elsewhere: AnswerStub,
    pub(crate) proxy: FaultProxy,
    pub(crate) operator: Operator,
    pub(crate) observer: Observer,
}

impl Scene {
    /// Everything but the policies; the operator does not run yet.
    pub(crate) async fn set(ctx: Ctx, autoscaled: bool) -> Result<Self> {
        let names = ["bot_depth", "neighbour_depth"];
        let (stub, elsewhere) = (
            AnswerStub::start(&names).await?,
            AnswerStub::start(&names).await?,
        );
        elsewhere.set("bot_depth", OVERLOADED);
        let proxy = FaultProxy::start(ctx.cluster(), &ctx.operator_user()).await?;
        let options = operator::Options {
            name: format!("{}-operator", ctx.namespace()),
            kubeconfig: proxy.kubeconfig(),
            prometheus_url: stub.url(),
            namespaces: vec![ctx.namespace().to_owned()],
            flags: vec![],
        };
        let operator = Operator::new(ctx.environment().run.clone(), &options)?;
        let observer = Observer::start(&ctx);
        let scene = Self {
            ctx,
            autoscaled,
            stub,
            elsewhere,
            proxy,
            operator,
            observer,
        };
        let source = json!({
            "apiVersion": "brownout.dev/v1alpha1", "kind": "MetricsSource",
            "metadata": {"name": scene.source()},
            "spec": {"prometheus": {"url": scene.stub.url()}},
        });
        scene.ctx.apply(&source.to_string()).await?;
        Ok(scene)
    }

    /// The case's own source; sources are cluster-scoped.
    pub(crate) fn source(&self) -> &str {
        self.ctx.namespace()
    }

    pub(crate) async fn apply_neighbour(&self) -> Result<()> {
        self.ctx
            .apply(&NEIGHBOUR.replace("SOURCE", self.source()))
            .await?;
        Ok(())
    }

    pub(crate) async fn apply_bot(&self) -> Result<()> {
        let mut policy = POLICY.replace("SOURCE", self.source());
        if self.autoscaled {
            policy = policy.replace("{name: worker, replicas: 1}", CREW_TARGET) + CREW_WORKLOAD;
        }
        self.ctx.apply(&policy).await?;
        Ok(())
    }

    pub(crate) async fn delete_bot(&self) -> Result<()> {
        let policies = self.ctx.api::<BotDegradationPolicy>();
        policies.delete("bot", &DeleteParams::default()).await?;
        Ok(())
    }

    /// Somebody changes an object.
    pub(crate) async fn change(&self, kind: Kind) -> Result<()> {
        match kind {
            Kind::Policies => {
                let policies = self.ctx.api::<BotDegradationPolicy>();
                let mut levels = serde_json::to_value(&policies.get("bot").await?.spec.levels)?;
                levels[1]["when"]["any"][0]["above"] = json!("250");
                self.patch(kind, json!({"spec": {"levels": levels}})).await
            }
            Kind::ConfigMaps => {
                self.patch(kind, json!({"data": {"animations": "true"}}))
                    .await
            }
            Kind::Deployments | Kind::StatefulSets => {
                self.patch(kind, json!({"spec": {"replicas": 5}})).await
            }
            Kind::Autoscalers => self.patch(kind, json!({"spec": {"maxReplicas": 8}})).await,
            Kind::MetricsSources => {
                let url = self.elsewhere.url();
                self.patch(kind, json!({"spec": {"prometheus": {"url": url}}}))
                    .await
            }
        }
    }

    /// Takes back what would keep a case from ending well.
    pub(crate) fn recover(&self) {
        self.observer.floor(0, 0);
        self.stub.set("bot_depth", 0.0);
        self.elsewhere.set("bot_depth", 0.0);
    }

    /// Has the other policy escalate, wherever its source is just now.
    pub(crate) fn overload_neighbour(&self) {
        self.stub.set("neighbour_depth", OVERLOADED);
        self.elsewhere.set("neighbour_depth", OVERLOADED);
    }

    /// Changes nothing that matters: there is one more frame.
    pub(crate) async fn touch(&self, kind: Kind) -> Result<()> {
        self.patch(
            kind,
            json!({"metadata": {"annotations": {"touched": "yes"}}}),
        )
        .await
    }

    async fn patch(&self, kind: Kind, patch: Value) -> Result<()> {
        let somebody = PatchParams {
            field_manager: Some("somebody".to_owned()),
            ..PatchParams::default()
        };
        let (params, patch) = (&somebody, &Patch::Merge(patch));
        let ctx = &self.ctx;
        match kind {
            Kind::Policies => drop(
                ctx.api::<BotDegradationPolicy>()
                    .patch("bot", params, patch)
                    .await?,
            ),
            Kind::ConfigMaps => drop(
                ctx.api::<ConfigMap>()
                    .patch("bot-flags", params, patch)
                    .await?,
            ),
            Kind::Deployments => drop(
                ctx.api::<Deployment>()
                    .patch("worker", params, patch)
                    .await?,
            ),
            Kind::StatefulSets => drop(
                ctx.api::<StatefulSet>()
                    .patch("shards", params, patch)
                    .await?,
            ),
            Kind::Autoscalers => drop(
                ctx.api::<HorizontalPodAutoscaler>()
                    .patch("crew", params, patch)
                    .await?,
            ),
            Kind::MetricsSources => {
                let sources: Api<MetricsSource> = Api::all(ctx.client());
                sources
                    .patch(self.source(), params, patch)
                    .await
                    .map(drop)?;
            }
        }
        Ok(())
    }

    /// Nothing that the operator did made it panic, and it runs.
    pub(crate) async fn operator_is_well(&self) -> Result<()> {
        self.operator
            .metrics()
            .await
            .context("it does not answer")?;
        let log = std::fs::read_to_string(self.operator.log())?;
        anyhow::ensure!(!log.contains("panicked"), "it panicked");
        Ok(())
    }
}
