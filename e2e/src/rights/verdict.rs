//! Whether what the operators asked for and what the manifests allow are the same.

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::rbac::v1::PolicyRule;

use super::Shipped;
use crate::audit::{AuditEvent, AuditObject};
use crate::kubeconfig::AGENT;

/// What a run showed of the shipped rights.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// How many requests of operators were looked at.
    pub requests: usize,
    /// Each right (a verb on a resource, of a role) that was used.
    pub used: BTreeSet<String>,
    /// Each right that no request needed.
    pub unused: BTreeSet<String>,
    /// Each kind of request that no rule covers, or that an admission policy denies.
    pub refused: BTreeSet<String>,
}

impl Verdict {
    /// Whether each right is needed and none is missing.
    pub fn is_good(&self) -> bool {
        self.requests > 0 && self.unused.is_empty() && self.refused.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.used.len() + self.unused.len();
        write!(
            f,
            "the operators' {} requests used {} of {all} shipped rights",
            self.requests,
            self.used.len()
        )?;
        for right in &self.unused {
            write!(f, "\n  unused: {right}")?;
        }
        for request in &self.refused {
            write!(f, "\n  refused: {request}")?;
        }
        Ok(())
    }
}

/// Compares every request with what is shipped. `pardoned` are users who are to be refused.
pub fn judge(
    shipped: &[Shipped],
    requests: impl IntoIterator<Item = AuditEvent>,
    pardoned: impl Fn(&str) -> bool,
) -> Verdict {
    let mut verdict = Verdict::default();
    for event in requests {
        if !is_operator(&event.user.username) || event.user_agent == AGENT {
            continue;
        }
        verdict.requests += 1;
        if event.is_unauthorized() || event.is_denied() {
            if !pardoned(&event.user.username) {
                verdict.refused.insert(in_words(&event));
            }
            continue;
        }
        let granting = shipped.iter().filter(|it| grants(it, &event));
        let used = granting.flat_map(|it| {
            let rules = it.rules.iter().enumerate();
            rules.filter_map(|(number, rule)| {
                Some(right(it, number, covered(rule, &event)?, &event.verb))
            })
        });
        verdict.used.extend(used);
    }
    let all: BTreeSet<_> = shipped.iter().flat_map(rights).collect();
    verdict.unused = all.difference(&verdict.used).cloned().collect();
    verdict
}

/// Whether the request was allowed by this role, or by it under a name that a kustomization has prefixed.
fn grants(it: &Shipped, event: &AuditEvent) -> bool {
    let Some((kind, name)) = event.granted_by() else {
        return false;
    };
    let prefix = name.strip_suffix(it.role.name.as_str());
    kind == it.role.kind && prefix.is_some_and(|prefix| prefix.is_empty() || prefix.ends_with('-'))
}

/// The users of [`crate::harness::Ctx::operator_user`], and the account of the manifests wherever it is.
fn is_operator(user: &str) -> bool {
    user.starts_with("brownout:")
        || user
            .strip_prefix("system:serviceaccount:")
            .is_some_and(|account| account.ends_with("brownout"))
}

/// Each verb on each resource of a role: in words.
fn rights(it: &Shipped) -> Vec<String> {
    let rules = it.rules.iter().enumerate();
    rules
        .flat_map(|(number, rule)| {
            let resources = rule.resources.iter().flatten();
            resources.flat_map(move |resource| {
                let verbs = rule.verbs.iter();
                verbs.map(move |verb| right(it, number, resource, verb))
            })
        })
        .collect()
}

/// `ClusterRole brownout, rule 3: patch deployments/scale`.
fn right(it: &Shipped, number: usize, resource: &str, verb: &str) -> String {
    let (kind, name) = (&it.role.kind, &it.role.name);
    format!("{kind} {name}, rule {}: {verb} {resource}", number + 1)
}

/// The resource of the rule that covers the request, if one does.
fn covered<'a>(rule: &'a PolicyRule, event: &AuditEvent) -> Option<&'a str> {
    let object = event.object_ref.as_ref()?;
    let groups = rule.api_groups.as_deref().unwrap_or_default();
    let names = rule.resource_names.as_deref().unwrap_or_default();
    let covers = rule.verbs.contains(&event.verb)
        && groups.contains(&object.api_group)
        && (names.is_empty() || names.contains(&object.name));
    let resources = rule.resources.iter().flatten().map(String::as_str);
    resources
        .filter(|_| covers)
        .find(|resource| *resource == resource_of(object))
}

fn resource_of(object: &AuditObject) -> String {
    if object.subresource.is_empty() {
        object.resource.clone()
    } else {
        format!("{}/{}", object.resource, object.subresource)
    }
}

/// `patch apps deployments/scale in bots, by brownout:bots`.
fn in_words(event: &AuditEvent) -> String {
    let user = &event.user.username;
    match &event.object_ref {
        Some(object) => format!(
            "{} {} {} in {:?}, by {user}",
            event.verb,
            object.api_group,
            resource_of(object),
            object.namespace
        ),
        None => format!("{} {}, by {user}", event.verb, event.uri),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn role(own_namespace: bool, rules: serde_json::Value) -> Shipped {
        let kind = if own_namespace { "Role" } else { "ClusterRole" };
        let role =
            json!({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "brownout"});
        Shipped {
            role: serde_json::from_value(role).unwrap(),
            binding: "brownout".to_owned(),
            own_namespace,
            rules: serde_json::from_value(rules).unwrap(),
        }
    }

    fn request(user: &str, verb: &str, resource: &str, allowed: Option<&str>) -> AuditEvent {
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let decision = if allowed.is_some() { "allow" } else { "forbid" };
        let reason = allowed.map_or(String::new(), |role| {
            format!(r#"RBAC: allowed by RoleBinding "b/ns" of {role} "brownout" to User "x""#)
        });
        serde_json::from_value(json!({
            "stage": "ResponseComplete", "verb": verb, "requestURI": "/", "user": {"username": user},
            "objectRef": {"resource": resource, "subresource": subresource, "apiGroup": "apps", "name": "bot"},
            "requestReceivedTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"authorization.k8s.io/decision": decision, "authorization.k8s.io/reason": reason},
        }))
        .unwrap()
    }

    #[test]
    fn what_is_used_unused_and_refused_is_told() {
        let shipped = [
            role(
                false,
                json!([{"apiGroups": ["apps"], "resources": ["deployments", "deployments/scale"], "verbs": ["get"]}]),
            ),
            role(
                true,
                json!([
                    {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["bot"], "verbs": ["get"]},
                    {"apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["other"], "verbs": ["get"]},
                ]),
            ),
        ];
        let requests = [
            request("brownout:a", "get", "deployments", Some("ClusterRole")),
            request(
                "system:serviceaccount:b:brownout",
                "get",
                "deployments",
                Some("Role"),
            ),
            request("brownout:a", "delete", "deployments", None),
            request("brownout:pardoned", "delete", "deployments", None),
            request("somebody", "get", "deployments/scale", Some("ClusterRole")),
        ];
        let verdict = judge(&shipped, requests, |user| user == "brownout:pardoned");
        assert_eq!(
            verdict.to_string(),
            "the operators' 4 requests used 2 of 4 shipped rights\n  \
               unused: ClusterRole brownout, rule 1: get deployments/scale\n  \
               unused: Role brownout, rule 2: get deployments\n  \
               refused: delete apps deployments in \"\", by brownout:a"
        );
        assert!(!verdict.is_good());
        assert!(
            !judge(&[], [], |_| false).is_good(),
            "nothing was looked at"
        );
    }
}
