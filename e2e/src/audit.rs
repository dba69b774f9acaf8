//! What the API server was asked, by whom: its audit log, read back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// Everything is logged without bodies, once answered, except for what Kubernetes' own parts
/// read: that is the bulk, and nobody's question.
pub(crate) const POLICY: &str = r"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: ['system:apiserver', 'system:kube-controller-manager']
- level: None
  userGroups: ['system:serviceaccounts:kube-system']
  verbs: [get, list, watch]
- level: None
  nonResourceURLs: ['/healthz*', '/readyz*', '/livez*']
- level: Metadata
";

/// The audit log of a cluster that we started ourselves.
#[derive(Debug, Clone)]
pub struct AuditLog {
    path: PathBuf,
}

/// A place in the log, to count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark(u64);

impl Mark {
    /// The beginning of the log.
    pub const START: Self = Self(0);
}

/// One answered request.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// `ResponseComplete`, or for a watch also `ResponseStarted`.
    pub stage: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, …
    pub verb: String,
    /// The path and query that were asked for.
    #[serde(rename = "requestURI")]
    pub uri: String,
    /// Who asked.
    pub user: AuditUser,
    /// What the client calls itself.
    #[serde(default)]
    pub user_agent: String,
    /// What was asked for; absent for URLs that are no resource.
    pub object_ref: Option<AuditObject>,
    /// How it was answered.
    pub response_status: Option<AuditStatus>,
    /// When it was asked, RFC 3339.
    pub request_received_timestamp: jiff::Timestamp,
    /// What the server's own parts noted, such as why it was allowed.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Who asked.
#[derive(Debug, Clone, Deserialize)]
pub struct AuditUser {
    /// The user's name.
    pub username: String,
}

/// What was asked for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuditObject {
    /// The plural name of the resource.
    pub resource: String,
    /// Empty for cluster-scoped objects.
    pub namespace: String,
    /// Empty for collections and for creation by POST.
    pub name: String,
    /// Empty for the core group.
    pub api_group: String,
    /// `status`, `scale`, … or empty.
    pub subresource: String,
}

/// How it was answered.
#[derive(Debug, Clone, Deserialize)]
pub struct AuditStatus {
    /// The HTTP status code.
    pub code: u16,
    /// Why it failed, if it did.
    #[serde(default)]
    pub message: String,
}

impl AuditEvent {
    /// Whether the asker has no right to it: not what an admission policy refuses, nor a quota.
    pub fn is_unauthorized(&self) -> bool {
        let decision = self.annotations.get("authorization.k8s.io/decision");
        decision.is_some_and(|decision| decision == "forbid")
    }

    /// Whether an admission policy said no to it.
    pub fn is_denied(&self) -> bool {
        let status = self.response_status.as_ref();
        status.is_some_and(|status| {
            status.code == 403 && status.message.contains("ValidatingAdmissionPolicy")
        })
    }

    /// Kind and name of the role that allowed it, from the authorizer's
    /// `RBAC: allowed by RoleBinding "b/ns" of Role "name" to User "who"`.
    pub fn granted_by(&self) -> Option<(&str, &str)> {
        let reason = self.annotations.get("authorization.k8s.io/reason")?;
        let (_, role) = reason.split_once(" of ")?;
        let (kind, rest) = role.split_once(" \"")?;
        let (name, _) = rest.split_once('"')?;
        Some((kind, name))
    }

    /// Whether the request could have changed something, even if it was refused.
    pub fn is_write(&self) -> bool {
        matches!(
            self.verb.as_str(),
            "create" | "update" | "patch" | "delete" | "deletecollection"
        )
    }
}

/// `patch botdegradationpolicies/status bots/chatbotler by brownout (200)`.
impl std::fmt::Display for AuditEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = self
            .response_status
            .as_ref()
            .map_or(0, |status| status.code);
        let Some(object) = &self.object_ref else {
            return write!(
                f,
                "{} {} by {} ({code})",
                self.verb, self.uri, self.user.username
            );
        };
        write!(f, "{} {}", self.verb, object.resource)?;
        if !object.subresource.is_empty() {
            write!(f, "/{}", object.subresource)?;
        }
        write!(
            f,
            " {}/{} by {} ({code})",
            object.namespace, object.name, self.user.username
        )
    }
}

impl AuditLog {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The file, one JSON object per line.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The present end of the log.
    pub fn mark(&self) -> Result<Mark> {
        let metadata = std::fs::metadata(&self.path)
            .with_context(|| format!("cannot read {}", self.path.display()))?;
        Ok(Mark(metadata.len()))
    }

    /// Every request answered since `mark`.
    pub fn since(&self, mark: Mark) -> Result<Vec<AuditEvent>> {
        let mut events = self.stages_since(mark)?;
        events.retain(|event| event.stage == "ResponseComplete");
        Ok(events)
    }

    /// As [`AuditLog::since`], also with what is being answered: watches that go on.
    pub fn stages_since(&self, mark: Mark) -> Result<Vec<AuditEvent>> {
        // it may be long: what runs on this thread goes on on another one meanwhile
        tokio::task::block_in_place(|| self.read(mark))
    }

    fn read(&self, mark: Mark) -> Result<Vec<AuditEvent>> {
        let mut file = File::open(&self.path)
            .with_context(|| format!("cannot read {}", self.path.display()))?;
        file.seek(SeekFrom::Start(mark.0))?;
        let mut events = Vec::new();
        for line in BufReader::new(file).lines() {
            let line = line?;
            // the last line may be half written: it belongs to the next reading
            if let Ok(event) = serde_json::from_str::<AuditEvent>(&line) {
                events.push(event);
            }
        }
        Ok(events)
    }

    /// Every write since `mark` by a user or user agent whose name starts with `who`.
    pub fn writes_by(&self, who: &str, mark: Mark) -> Result<Vec<AuditEvent>> {
        let mut events = self.since(mark)?;
        events.retain(|event| {
            event.is_write()
                && (event.user.username.starts_with(who) || event.user_agent.starts_with(who))
        });
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","stage":"ResponseComplete",
        "requestURI":"/api/v1/namespaces/a/configmaps/b","verb":"update","user":{"username":"brownout","groups":["x"]},
        "userAgent":"brownout/0.1","objectRef":{"resource":"configmaps","namespace":"a","name":"b","apiVersion":"v1"},
        "responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2026-01-01T00:00:00.000000Z"}"#;

    #[test]
    fn writes_are_counted_from_the_mark_and_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let line = LINE.replace('\n', "");
        let log = AuditLog::new(folder.path().join("audit.jsonl"));
        std::fs::write(log.path(), format!("{line}\n")).unwrap();
        let mark = log.mark().unwrap();
        std::fs::write(log.path(), format!("{line}\n{line}\n{{\"half")).unwrap();

        assert_eq!(log.writes_by("brownout", Mark::START).unwrap().len(), 2);
        let after = log.writes_by("brownout", mark).unwrap();
        assert_eq!(after.len(), 1);
        assert_eq!(
            after[0].to_string(),
            "update configmaps a/b by brownout (200)"
        );
        assert!(log.writes_by("someone", mark).unwrap().is_empty());
    }
}
