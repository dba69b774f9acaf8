//! The rights that the manifests ship: the operators under test have these and no others, and what
//! they asked for in a whole run shows whether each is needed and none is missing.

mod shipped;
mod verdict;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::wait::await_condition;

pub use shipped::{Shipped, kustomize, of_kind, shipped};
pub use verdict::{Verdict, judge};

/// The group of all operators that tests start.
pub const OPERATORS: &str = "e2e:operators";
/// Before the names of what is ours here, so that a test which applies the manifests finds theirs free.
const PREFIX: &str = "e2e-";
const SOON: Duration = Duration::from_secs(30);

/// The shipped rights, given to the group [`OPERATORS`] in one cluster.
pub struct Rights {
    shipped: Vec<Shipped>,
    pardoned: Mutex<BTreeSet<String>>,
}

impl Rights {
    /// Makes the shipped `ClusterRoles` and binds them to the group; what holds the shipped account holds it too.
    pub(crate) async fn install(cluster: &Cluster) -> Result<Self> {
        let (shipped, admission) = shipped().await?;
        for it in shipped.iter().filter(|it| !it.own_namespace) {
            apply(cluster, &role(it), "").await?;
            let subject = json!({"kind": "Group", "name": OPERATORS});
            apply(cluster, &binding(it, subject), "").await?;
            let group = SubjectAccessReviewSpec {
                user: Some("brownout:anybody".to_owned()),
                groups: Some(vec![OPERATORS.to_owned()]),
                ..SubjectAccessReviewSpec::default()
            };
            await_granted(cluster, it, group, None).await?;
        }
        for mut object in admission {
            for name in ["/metadata/name", "/spec/policyName", "/spec/paramRef/name"] {
                if let Some(Value::String(name)) = object.pointer_mut(name) {
                    name.insert_str(0, PREFIX);
                }
            }
            apply(cluster, &object, "").await?;
        }
        Ok(Self {
            shipped,
            pardoned: Mutex::default(),
        })
    }

    /// Gives a user what the operator is given in its own namespace.
    pub(crate) async fn own_namespace(
        &self,
        cluster: &Cluster,
        namespace: &str,
        user: &str,
    ) -> Result<()> {
        for it in self.shipped.iter().filter(|it| it.own_namespace) {
            if it.role.kind == "Role" {
                apply(cluster, &role(it), namespace).await?;
            }
            let subject = json!({"kind": "User", "name": user});
            apply(cluster, &binding(it, subject), namespace).await?;
            let user = SubjectAccessReviewSpec {
                user: Some(user.to_owned()),
                ..SubjectAccessReviewSpec::default()
            };
            await_granted(cluster, it, user, Some(namespace)).await?;
        }
        Ok(())
    }

    /// What is shipped.
    pub fn shipped(&self) -> &[Shipped] {
        &self.shipped
    }

    /// From now on it is no fault that this user is refused something: a test wants it so.
    pub fn pardon(&self, user: &str) {
        self.pardoned().insert(user.to_owned());
    }

    /// Whether refusals of this user are wanted.
    pub fn is_pardoned(&self, user: &str) -> bool {
        self.pardoned().contains(user)
    }

    fn pardoned(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.pardoned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn role(it: &Shipped) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": it.role.kind,
        "metadata": {"name": it.role.name},
        "rules": it.rules,
    })
}

fn binding(it: &Shipped, subject: Value) -> Value {
    let kind = if it.own_namespace {
        "RoleBinding"
    } else {
        "ClusterRoleBinding"
    };
    let mut subject = subject;
    subject["apiGroup"] = it.role.api_group.clone().into();
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": format!("{PREFIX}{}", it.binding)},
        "roleRef": it.role,
        "subjects": [subject],
    })
}

async fn apply(cluster: &Cluster, object: &Value, namespace: &str) -> Result<()> {
    cluster.apply(&object.to_string(), namespace).await?;
    Ok(())
}

/// Roles and bindings reach the authorizer a moment after they are stored.
async fn await_granted(
    cluster: &Cluster,
    it: &Shipped,
    who: SubjectAccessReviewSpec,
    namespace: Option<&str>,
) -> Result<()> {
    let rule = it.rules.last().context("a role without rules")?;
    let reviews: Api<SubjectAccessReview> = Api::all(cluster.client());
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            resource_attributes: Some(example(rule, namespace)),
            ..who
        },
        ..SubjectAccessReview::default()
    };
    await_condition(
        &format!("{} to be in force", it.role.name),
        SOON,
        || async {
            let answer = reviews.create(&PostParams::default(), &review).await?;
            let status = answer.status.context("a review without an answer")?;
            ensure!(
                status.allowed,
                "refused: {}",
                status.reason.unwrap_or_default()
            );
            Ok(Some(()))
        },
    )
    .await
}

/// Something that a rule allows.
fn example(rule: &PolicyRule, namespace: Option<&str>) -> ResourceAttributes {
    let first = |list: &Option<Vec<String>>| list.iter().flatten().next().cloned();
    let resource = first(&rule.resources).unwrap_or_default();
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, sub)) => (resource.to_owned(), Some(sub.to_owned())),
        None => (resource, None),
    };
    ResourceAttributes {
        group: first(&rule.api_groups),
        resource: Some(resource),
        subresource,
        verb: rule.verbs.first().cloned(),
        name: first(&rule.resource_names),
        namespace: namespace.map(str::to_owned),
        ..ResourceAttributes::default()
    }
}
