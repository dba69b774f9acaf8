//! An install of one's own, as users make it: a kustomization over the manifests, applied.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use brownout::api::BotDegradationPolicy;
use e2e::harness::Ctx;
use e2e::operator::Operator;
use e2e::paths::checkout;
use e2e::rights::kustomize;
use e2e::users::User;
use e2e::wait::await_condition;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::support::SOON;

/// An installed overlay. Everything in it has a prefix, so that each test has one to itself.
pub(crate) struct Overlay {
    /// Before every name.
    pub(crate) prefix: String,
    /// The operator's namespace.
    pub(crate) namespace: String,
    /// What is installed.
    pub(crate) objects: Vec<Value>,
}

impl Overlay {
    /// Builds and applies a kustomization over `manifests/<base>`, with more of its fields as JSON. The
    /// definitions are there already.
    pub(crate) async fn install(
        ctx: &Ctx,
        base: &str,
        components: &[&str],
        more: Value,
    ) -> Result<Self> {
        let prefix = prefix(ctx);
        let folder = tempfile::tempdir()?;
        let within = |name: &str| relative(&folder.path().canonicalize()?, name);
        let components: Result<Vec<_>> = components
            .iter()
            .map(|name| within(&format!("manifests/components/{name}")))
            .collect();
        let mut kustomization = json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namePrefix": prefix,
            "resources": [within(&format!("manifests/{base}"))?],
            "components": components?,
        });
        let fields = kustomization.as_object_mut().context("an object")?;
        fields.extend(more.as_object().cloned().unwrap_or_default());
        let file = folder.path().join("kustomization.yaml");
        std::fs::write(&file, kustomization.to_string())?;

        let mut objects = kustomize(folder.path()).await?;
        objects.retain(|object| object["kind"] != "CustomResourceDefinition");
        for object in &objects {
            ctx.apply(&object.to_string()).await?;
        }
        let account = objects.iter().find(|it| it["kind"] == "ServiceAccount");
        let account = account.context("no ServiceAccount")?;
        let namespace = account["metadata"]["namespace"].as_str();
        Ok(Self {
            namespace: namespace
                .context("an account without a namespace")?
                .to_owned(),
            prefix,
            objects,
        })
    }

    /// The name of the operator's account.
    pub(crate) fn account(&self) -> String {
        format!("{}brownout", self.prefix)
    }

    /// What the API server calls that account.
    pub(crate) fn user_name(&self) -> String {
        format!(
            "system:serviceaccount:{}:{}",
            self.namespace,
            self.account()
        )
    }

    /// That account, logged in.
    pub(crate) async fn login(&self, ctx: &Ctx) -> Result<User> {
        let cluster = ctx.cluster();
        cluster
            .service_account(&self.namespace, &self.account())
            .await
    }

    /// The operator, as that account, once its rights have reached the authorizer.
    pub(crate) async fn operator(&self, ctx: &Ctx, namespaces: &[&str]) -> Result<Operator> {
        let mut options = ctx.operator_options(&ctx.prometheus().url()).await?;
        let user = self.login(ctx).await?;
        let policies = Api::<BotDegradationPolicy>::namespaced(user.client, ctx.namespace());
        await_condition("the operator's rights", SOON, || async {
            policies.list(&ListParams::default()).await?;
            Ok(Some(()))
        })
        .await?;
        options.kubeconfig = user.kubeconfig;
        options.namespaces = namespaces.iter().map(|&it| it.to_owned()).collect();
        Operator::start(Arc::clone(&ctx.environment().run), &options).await
    }
}

/// Short, since names of Services are.
fn prefix(ctx: &Ctx) -> String {
    let mut parts = ctx.namespace().rsplitn(3, '-');
    let (number, process) = (parts.next(), parts.next());
    format!(
        "t{}-{}-",
        process.unwrap_or_default(),
        number.unwrap_or_default()
    )
}

/// The way from one folder to one of the checkout: kustomize takes no absolute ones.
fn relative(from: &Path, name: &str) -> Result<String> {
    let target = checkout().join(name).canonicalize()?;
    let up: PathBuf = from.components().skip(1).map(|_| "..").collect();
    let way = up.join(target.strip_prefix("/")?);
    Ok(way.to_str().context("a path that is no text")?.to_owned())
}

/// Sees to it that a request was refused, for a reason that says this.
pub(crate) fn refused<T>(what: &str, result: kube::Result<T>, why: &str) -> Result<()> {
    match result {
        Ok(_) => anyhow::bail!("{what}: it was let through"),
        Err(kube::Error::Api(status)) => {
            ensure!(
                status.code == 403 && status.message.contains(why),
                "{what}: not for {why:?} but: {} {}",
                status.code,
                status.message
            );
            Ok(())
        }
        Err(other) => Err(other).with_context(|| what.to_owned()),
    }
}
