//! The election itself: reads and writes the Lease, opens and shuts the fence.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Resource};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::candidate::{Candidate, Next};
use super::fence::Fence;
use super::leadership::{Leadership, Role};
use super::settings::Settings;
use crate::metrics::ElectionMetrics;

/// An election to take part in.
pub struct Election {
    /// A client of the election's own, which does not try again by itself: neither its connection nor its
    /// turn is then shared with anything that could hold up a renewal.
    pub client: Client,
    /// How it is held.
    pub settings: Settings,
}

/// Why a leadership is over.
#[derive(Debug, thiserror::Error)]
pub enum Lost {
    /// The Lease has another holder, or none.
    #[error("lost the leadership: the Lease {lease} is held by {holder} now")]
    Taken {
        /// Which Lease.
        lease: String,
        /// Who holds it.
        holder: String,
    },
    /// It could not be renewed.
    #[error("lost the leadership: the Lease {lease} could not be renewed for {after:?}: {last}")]
    Late {
        /// Which Lease.
        lease: String,
        /// The renew deadline.
        after: Duration,
        /// What went wrong last.
        last: String,
    },
    /// A candidate may not use it, and would stand by for ever.
    #[error(
        "the Lease {namespace}/{name} may not be used: {refused}. Give this operator's ServiceAccount a Role in \
         the namespace {namespace} with get and update on leases of the name {name}, and create on leases, as \
         manifests/base/leader-election-role.yaml has it"
    )]
    Forbidden {
        /// The Lease's namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// What the API server says.
        refused: String,
    },
}

/// Why a try came to nothing.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    /// 403.
    #[error("{0}")]
    Forbidden(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Takes part in an election, from standing by to the end of the leadership.
pub struct Elector {
    leases: Api<Lease>,
    settings: Settings,
    candidate: Candidate,
    fence: Fence,
    role: watch::Sender<Role>,
    metrics: ElectionMetrics,
    /// What went wrong last.
    trouble: Option<String>,
}

/// How often a release is tried again where the Lease changed under it: an earlier renewal of ours may
/// still have been under way.
const RELEASE_TRIES: usize = 3;

impl Elector {
    /// A candidate that has not looked at the Lease yet; its fence is shut.
    pub fn new(election: Election, metrics: ElectionMetrics) -> Self {
        let Election { client, settings } = election;
        Self {
            leases: Api::namespaced(client, &settings.namespace),
            candidate: Candidate::new(settings.identity.clone(), settings.timing),
            settings,
            fence: Fence::new(),
            role: watch::Sender::new(Role::Standby { leader: None }),
            metrics,
            trouble: None,
        }
    }

    /// What has to stand between this operator and every write of it.
    pub fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// What this operator is, as it changes.
    pub fn leadership(&self) -> Leadership {
        Leadership::contested(self.role.subscribe())
    }

    /// Who this operator is in the election.
    pub fn identity(&self) -> String {
        self.settings.identity.clone()
    }

    /// The Lease, for Events about it.
    pub fn reference(&self) -> ObjectReference {
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.settings.name.clone()),
                namespace: Some(self.settings.namespace.clone()),
                ..ObjectMeta::default()
            },
            ..Lease::default()
        };
        lease.object_ref(&())
    }

    /// Stands by, leads, and at `resign` gives the Lease back, to be called when nothing more is to be written.
    ///
    /// # Errors
    ///
    /// When the leadership is lost. The fence is shut by then, and the process has to end.
    pub async fn run(mut self, resign: CancellationToken) -> Result<(), Lost> {
        let lost = tokio::select! {
            biased;
            () = resign.cancelled() => None,
            lost = self.strive() => Some(lost),
        };
        self.fence.shut();
        self.metrics.leader.set(0);
        if let Some(lost) = lost {
            return Err(lost);
        }
        self.resign().await;
        Ok(())
    }

    /// Tries to get the Lease, and then to keep it.
    async fn strive(&mut self) -> Lost {
        loop {
            let tried = self.attempt().await;
            let pause = match tried {
                Ok(Next::Lost) => {
                    let other = |holder: &&str| *holder != self.settings.identity;
                    let holder = self.candidate.leader().filter(other);
                    return Lost::Taken {
                        lease: self.to_string(),
                        holder: holder.unwrap_or("nobody").to_owned(),
                    };
                }
                Ok(Next::Wait(free_at)) => {
                    let free_in = free_at.saturating_sub(self.fence.now());
                    self.settings.timing.jittered_retry().min(free_in)
                }
                Ok(Next::Write(_)) => self.settings.timing.retry,
                // Who leads has until its renew deadline.
                Err(Trouble::Forbidden(refused)) if self.candidate.lead().is_none() => {
                    return Lost::Forbidden {
                        namespace: self.settings.namespace.clone(),
                        name: self.settings.name.clone(),
                        refused,
                    };
                }
                Err(trouble) => {
                    let trouble = trouble.to_string();
                    tracing::warn!(lease = %self, error = trouble, "a try to get or keep the Lease failed");
                    self.trouble = Some(trouble);
                    self.settings.timing.jittered_retry()
                }
            };
            let Some(pause) = self.announce(pause) else {
                return Lost::Late {
                    lease: self.to_string(),
                    after: self.settings.timing.renew,
                    last: self
                        .trouble
                        .take()
                        .unwrap_or_else(|| "it had no turn".to_owned()),
                };
            };
            sleep(pause).await;
        }
    }

    /// Tells what came of a try, and how long to pause: never beyond the moment at which something changes
    /// by itself. `None` where the leadership is over.
    fn announce(&mut self, pause: Duration) -> Option<Duration> {
        let now = self.fence.now();
        self.metrics
            .transitions
            .set(self.candidate.transitions().into());
        let Some(lead) = self.candidate.lead() else {
            let leader = self.candidate.leader().map(str::to_owned);
            self.change_role(Role::Standby { leader });
            return Some(pause);
        };
        let left = lead.until.checked_sub(now).filter(|left| !left.is_zero())?;
        if let Some(early) = lead.from.checked_sub(now).filter(|early| !early.is_zero()) {
            return Some(pause.min(left).min(early));
        }
        self.fence.open_until(lead.until);
        self.metrics.leader.set(1);
        self.change_role(Role::Leading);
        Some(pause.min(left))
    }

    fn change_role(&self, role: Role) {
        let changed = self.role.send_if_modified(|known| {
            let changed = *known != role;
            if changed {
                *known = role.clone();
            }
            changed
        });
        match role {
            Role::Leading if changed => {
                tracing::info!(lease = %self, identity = self.settings.identity, "this operator leads");
            }
            Role::Standby { leader } if changed => {
                tracing::info!(lease = %self, leader, "this operator stands by");
            }
            _ => {}
        }
    }

    /// One look at the Lease and, where it is due, one write: each with a deadline, of which two fit into
    /// the renew deadline.
    async fn attempt(&mut self) -> Result<Next, Trouble> {
        let name = self.settings.name.clone();
        let found = self.call("read", self.leases.get_opt(&name)).await?;
        let record = found
            .as_ref()
            .map(|lease| lease.spec.clone().unwrap_or_default());
        let next = self
            .candidate
            .seen(record.as_ref(), self.fence.now(), Timestamp::now());
        let Next::Write(spec) = &next else {
            return Ok(next);
        };
        let started = self.fence.now();
        let params = PostParams::default();
        match found {
            None => {
                let lease = self.fresh(spec.as_ref().clone());
                self.call("create", self.leases.create(&params, &lease))
                    .await?;
            }
            // With the version that was read: whoever comes first wins, the other one gets a 409.
            Some(mut lease) => {
                lease.spec = Some(spec.as_ref().clone());
                self.call("write", self.leases.replace(&name, &params, &lease))
                    .await?;
            }
        }
        if self.candidate.lead().is_none() {
            tracing::info!(lease = %self, identity = self.settings.identity, "the Lease is ours");
        }
        self.candidate.won(started, self.fence.now());
        self.metrics.last_renew.set(Timestamp::now().as_second());
        self.trouble = None;
        Ok(next)
    }

    /// Nothing is under way any more: the next one need not wait. A failure costs it the lease's time.
    async fn resign(&mut self) {
        if self.candidate.lead().is_none() {
            return;
        }
        // A write that was given up may still be carried out: as long as after a crash.
        if self.fence.is_unanswered_within(self.settings.timing.lease) {
            tracing::warn!(lease = %self, "a write has had no answer: the Lease is not released but runs out");
            return;
        }
        let bound = self.settings.timing.renew;
        let tries = async {
            for _ in 0..RELEASE_TRIES {
                match self.release().await {
                    Ok(()) => return,
                    Err(trouble) => {
                        tracing::warn!(lease = %self, error = %trouble, "the Lease could not be released");
                    }
                }
            }
        };
        // An end without a release is no harm either.
        let _ = timeout(bound, tries).await;
    }

    async fn release(&mut self) -> Result<(), Trouble> {
        let name = self.settings.name.clone();
        let found = self.call("read", self.leases.get_opt(&name)).await?;
        let Some(mut lease) = found else {
            return Ok(());
        };
        let record = lease.spec.take().unwrap_or_default();
        let Some(released) = self
            .candidate
            .release(&record, self.fence.now(), Timestamp::now())
        else {
            return Ok(());
        };
        lease.spec = Some(released);
        let params = PostParams::default();
        self.call("release", self.leases.replace(&name, &params, &lease))
            .await?;
        tracing::info!(lease = %self, "the Lease is released");
        Ok(())
    }

    fn fresh(&self, spec: LeaseSpec) -> Lease {
        Lease {
            metadata: ObjectMeta {
                name: Some(self.settings.name.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(spec),
        }
    }

    async fn call<T>(
        &self,
        what: &str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Trouble> {
        let patience = self.settings.timing.renew / 2;
        match timeout(patience, request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(err)) => {
                let words = format!("cannot {what} it: {err}");
                Err(match err {
                    kube::Error::Api(status) if status.code == 403 => Trouble::Forbidden(words),
                    _ => Trouble::Other(words),
                })
            }
            Err(_) => {
                let words = format!("cannot {what} it: no answer within {patience:?}");
                Err(Trouble::Other(words))
            }
        }
    }
}

impl fmt::Display for Elector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.settings.namespace, self.settings.name)
    }
}

#[cfg(test)]
mod tests;
