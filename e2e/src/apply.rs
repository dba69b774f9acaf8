//! Manifests: getting objects into the cluster.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DynamicObject, Patch, PatchParams};
use kube::discovery::{Scope, pinned_kind};
use kube::{Api, ResourceExt};
use serde::Deserialize as _;

use crate::cluster::Cluster;
use crate::wait::await_condition;

const ESTABLISHED: Duration = Duration::from_secs(30);

impl Cluster {
    /// Applies every document of a YAML text by server-side apply; what names no namespace and
    /// needs one goes to `namespace`. Gives the objects as they are afterwards.
    pub async fn apply(&self, yaml: &str, namespace: &str) -> Result<Vec<DynamicObject>> {
        let documents: Vec<DynamicObject> =
            serde_saphyr::from_multiple(yaml).context("not YAML of Kubernetes objects")?;
        self.apply_all(&documents, namespace).await
    }

    /// As [`Cluster::apply`], for objects that a text was made into already.
    pub async fn apply_objects(
        &self,
        objects: &[serde_json::Value],
        namespace: &str,
    ) -> Result<Vec<DynamicObject>> {
        let objects: Result<Vec<_>, _> = objects.iter().map(DynamicObject::deserialize).collect();
        self.apply_all(&objects?, namespace).await
    }

    async fn apply_all(
        &self,
        documents: &[DynamicObject],
        namespace: &str,
    ) -> Result<Vec<DynamicObject>> {
        let mut applied = Vec::with_capacity(documents.len());
        for document in documents {
            applied.push(self.apply_one(document, namespace).await?);
        }
        Ok(applied)
    }

    async fn apply_one(&self, object: &DynamicObject, namespace: &str) -> Result<DynamicObject> {
        let types = object
            .types
            .as_ref()
            .context("an object without apiVersion and kind")?;
        let kind = types
            .try_into()
            .with_context(|| format!("not an apiVersion: {}", types.api_version))?;
        let (resource, capabilities) =
            pinned_kind(&self.client(), &kind).await.with_context(|| {
                format!(
                    "the cluster does not know {} {}",
                    types.api_version, types.kind
                )
            })?;
        let api: Api<DynamicObject> = match capabilities.scope {
            Scope::Cluster => Api::all_with(self.client(), &resource),
            Scope::Namespaced => Api::namespaced_with(
                self.client(),
                object.metadata.namespace.as_deref().unwrap_or(namespace),
                &resource,
            ),
        };
        let name = object.name_any();
        api.patch(
            &name,
            &PatchParams::apply("brownout-e2e").force(),
            &Patch::Apply(object),
        )
        .await
        .with_context(|| format!("cannot apply {} {name}", types.kind))
    }

    /// Applies every `*.yaml` file of a folder with CRDs and waits until all are served.
    pub async fn install_crds(&self, folder: &Path) -> Result<()> {
        let mut names = Vec::new();
        for entry in
            fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?
        {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let yaml = fs::read_to_string(&path)?;
            let applied = self
                .apply(&yaml, "default")
                .await
                .with_context(|| path.display().to_string())?;
            names.extend(
                applied
                    .iter()
                    .filter(|object| is_crd(object))
                    .map(ResourceExt::name_any),
            );
        }
        for name in names {
            self.await_established(&name).await?;
        }
        Ok(())
    }

    /// Waits until a definition is served.
    pub async fn await_established(&self, name: &str) -> Result<()> {
        let crds: Api<CustomResourceDefinition> = Api::all(self.client());
        await_condition(
            &format!("{name} to be established"),
            ESTABLISHED,
            || async {
                let status = crds.get(name).await?.status.unwrap_or_default();
                let conditions = status.conditions.unwrap_or_default();
                Ok(conditions
                    .iter()
                    .any(|c| c.type_ == "Established" && c.status == "True")
                    .then_some(()))
            },
        )
        .await
    }
}

fn is_crd(object: &DynamicObject) -> bool {
    object
        .types
        .as_ref()
        .is_some_and(|types| types.kind == "CustomResourceDefinition")
}
