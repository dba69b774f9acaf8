//! Namespaces: one for each test.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{
    ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, ObjectMeta, Patch,
    PatchParams, PostParams,
};
use kube::{Api, ResourceExt as _};
use serde_json::json;

use crate::cluster::Cluster;
use crate::progress::{describe, say};

/// What a name of 63 characters has room for beside process id and number.
const LONGEST_LABEL: usize = 40;

impl Cluster {
    /// Makes a namespace with a name that nothing else has, told from others by `prefix`.
    pub async fn namespace(&self, prefix: &str) -> Result<String> {
        let name = unique(prefix);
        let namespace = Namespace {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                ..ObjectMeta::default()
            },
            ..Namespace::default()
        };
        Api::all(self.client())
            .create(&PostParams::default(), &namespace)
            .await
            .with_context(|| format!("cannot make the namespace {name}"))?;
        Ok(name)
    }

    /// Cleans up a namespace where it would outlive the run: in a cluster that was brought
    /// along. Policies let go first, since no operator is left to do what their finalizer asks.
    pub(crate) async fn leave(&self, name: &str) {
        if self.own.is_some() {
            return;
        }
        if let Err(error) = self.remove(name).await {
            say(format!("the namespace {name} stays: {}", describe(&error)));
        }
    }

    async fn remove(&self, name: &str) -> Result<()> {
        let kind = GroupVersionKind::gvk("brownout.dev", "v1alpha1", "BotDegradationPolicy");
        let resource = ApiResource::from_gvk_with_plural(&kind, "botdegradationpolicies");
        let policies: Api<DynamicObject> = Api::namespaced_with(self.client(), name, &resource);
        // a cluster without our CRDs has no policies either
        let held = policies
            .list(&ListParams::default())
            .await
            .map_or(Vec::new(), |list| list.items);
        let let_go = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        for policy in held {
            policies
                .patch(&policy.name_any(), &PatchParams::default(), &let_go)
                .await?;
        }
        let namespaces: Api<Namespace> = Api::all(self.client());
        namespaces.delete(name, &DeleteParams::default()).await?;
        Ok(())
    }
}

/// A cluster that was brought along may hold namespaces of earlier runs, so the process id is
/// part of the name.
fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let label: String = prefix
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .take(LONGEST_LABEL)
        .collect();
    format!(
        "{}-{}-{number}",
        label.trim_matches('-'),
        std::process::id()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_and_differ() {
        let long = "_A test: whose name goes on and on and on, well past sixty-three characters";
        let (one, other) = (unique(long), unique(long));
        assert_ne!(one, other);
        assert!(one.len() <= 63 && one.starts_with("a-test--whose"));
    }
}
