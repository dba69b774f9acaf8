//! The rights of the operator as kustomize makes them of the manifests.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::paths;
use crate::tools::Tool;

/// The folder of the cluster install.
const BASE: &str = "manifests/base";

/// A role that the install binds to the operator's account, and where.
#[derive(Debug, Clone, PartialEq)]
pub struct Shipped {
    /// What the binding refers to.
    pub role: RoleRef,
    /// The name of the binding.
    pub binding: String,
    /// Whether it is bound in the operator's own namespace only.
    pub own_namespace: bool,
    /// What it allows.
    pub rules: Vec<PolicyRule>,
}

/// Every role that the cluster install binds to the operator's account, and the admission policies that bound
/// what it may do with these.
pub async fn shipped() -> Result<(Vec<Shipped>, Vec<Value>)> {
    let objects = kustomize(&paths::checkout().join(BASE)).await?;
    let account = only_account(&objects)?;
    let mut roles = Vec::new();
    for binding in of_kind::<ClusterRoleBinding>(&objects, "ClusterRoleBinding")? {
        if names(binding.subjects.as_deref(), &account) {
            roles.push(Shipped {
                rules: rules(&objects, &binding.role_ref)?,
                binding: binding.metadata.name.unwrap_or_default(),
                role: binding.role_ref,
                own_namespace: false,
            });
        }
    }
    for binding in of_kind::<RoleBinding>(&objects, "RoleBinding")? {
        if names(binding.subjects.as_deref(), &account) {
            roles.push(Shipped {
                rules: rules(&objects, &binding.role_ref)?,
                binding: binding.metadata.name.unwrap_or_default(),
                role: binding.role_ref,
                own_namespace: true,
            });
        }
    }
    ensure!(!roles.is_empty(), "{BASE} binds no role to {account}");
    let admission = objects.into_iter().filter(|object| {
        object["kind"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("ValidatingAdmissionPolicy"))
    });
    Ok((roles, admission.collect()))
}

/// What `kubectl kustomize` makes of a folder.
pub async fn kustomize(folder: &Path) -> Result<Vec<Value>> {
    let kubectl = Tool::Kubectl.find_or_build().await?;
    let output = tokio::process::Command::new(kubectl)
        .arg("kustomize")
        .arg(folder)
        .output()
        .await?;
    if !output.status.success() {
        bail!(
            "kubectl kustomize {}: {}",
            folder.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let text = String::from_utf8(output.stdout)?;
    serde_saphyr::from_multiple(&text).context("kustomize printed no YAML")
}

/// The objects of one kind.
pub fn of_kind<T: DeserializeOwned>(objects: &[Value], kind: &str) -> Result<Vec<T>> {
    let some = objects.iter().filter(|object| object["kind"] == kind);
    some.map(|object| serde_json::from_value(object.clone()).with_context(|| kind.to_owned()))
        .collect()
}

fn only_account(objects: &[Value]) -> Result<String> {
    let accounts: Vec<_> = objects
        .iter()
        .filter(|object| object["kind"] == "ServiceAccount")
        .filter_map(|object| object["metadata"]["name"].as_str())
        .collect();
    match accounts.as_slice() {
        [one] => Ok((*one).to_owned()),
        some => bail!("{BASE} has the service accounts {some:?}"),
    }
}

fn names(subjects: Option<&[Subject]>, account: &str) -> bool {
    subjects
        .unwrap_or_default()
        .iter()
        .any(|subject| subject.kind == "ServiceAccount" && subject.name == account)
}

fn rules(objects: &[Value], role: &RoleRef) -> Result<Vec<PolicyRule>> {
    let (name, missing) = (Some(&role.name), || format!("{} {}", role.kind, role.name));
    let found = if role.kind == "Role" {
        of_kind::<Role>(objects, "Role")?
            .into_iter()
            .find(|it| it.metadata.name.as_ref() == name)
            .map(|it| it.rules)
    } else {
        of_kind::<ClusterRole>(objects, "ClusterRole")?
            .into_iter()
            .find(|it| it.metadata.name.as_ref() == name)
            .map(|it| it.rules)
    };
    Ok(found.with_context(missing)?.unwrap_or_default())
}
