//! Two operators of one share, each known to the audit log by a user of its own.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use e2e::audit::{AuditEvent, AuditLog, Mark};
use e2e::harness::Ctx;
use e2e::operator::Operator;
use e2e::progress::say;
use e2e::wait::await_condition;
use k8s_openapi::api::coordination::v1::Lease;

use crate::support::SOON;

/// The Lease of a [`Pair`].
pub(super) const LEASE: &str = "pair";

/// A short lease: its time is waited for more than once here.
pub(super) const LEASE_DURATION: Duration = Duration::from_secs(4);

const TIMING: [&str; 4] = [
    "--leader-elect",
    "--leader-elect-lease-duration=4s",
    "--leader-elect-renew-deadline=3s",
    "--leader-elect-retry-period=500ms",
];

pub(super) struct Pair {
    /// Leads.
    pub(super) first: Member,
    /// Stands by.
    pub(super) second: Member,
}

pub(super) struct Member {
    name: String,
    pub(super) user: String,
    /// Before its first request, so that nobody reads the log of the whole run.
    pub(super) begin: Mark,
    pub(super) operator: Operator,
}

impl Pair {
    /// Two operators, the first of which leads.
    pub(super) async fn start(ctx: &Ctx) -> Result<Self> {
        Self::start_through(ctx, None).await
    }

    /// The same, the first with a kubeconfig of its own.
    pub(super) async fn start_through(ctx: &Ctx, kubeconfig: Option<PathBuf>) -> Result<Self> {
        let name = format!("--leader-elect-lease-name={LEASE}");
        let first = Member::start(ctx, "first", kubeconfig, &[&name]).await?;
        first.await_leads().await?;
        let second = Member::start(ctx, "second", None, &[&name]).await?;
        Ok(Self { first, second })
    }
}

impl Member {
    pub(super) async fn start(
        ctx: &Ctx,
        name: &str,
        kubeconfig: Option<PathBuf>,
        flags: &[&str],
    ) -> Result<Self> {
        let mut options = ctx.operator_options(&ctx.prometheus().url()).await?;
        let user = Self::user_of(ctx, name);
        options.kubeconfig = match kubeconfig {
            Some(kubeconfig) => kubeconfig,
            None => Self::kubeconfig(ctx, name).await?,
        };
        let all = TIMING.iter().chain(flags).map(|&flag| flag.to_owned());
        options.flags.extend(all);
        options.flags.push(format!("--pod-name={name}"));
        options.flags.push(format!(
            "--leader-elect-lease-namespace={}",
            ctx.namespace()
        ));
        let begin = ctx.cluster().audit().and_then(AuditLog::mark);
        Ok(Self {
            name: name.to_owned(),
            user,
            begin: begin.unwrap_or(Mark::START),
            operator: Operator::start(ctx.environment().run.clone(), &options).await?,
        })
    }

    /// Its way to the cluster, under its own name.
    pub(super) async fn kubeconfig(ctx: &Ctx, name: &str) -> Result<PathBuf> {
        let user = Self::user_of(ctx, name);
        let user = ctx.cluster().user(&user, Some("system:masters")).await?;
        Ok(user.kubeconfig)
    }

    pub(super) fn user_of(ctx: &Ctx, name: &str) -> String {
        format!("{}:{name}", ctx.operator_user())
    }

    /// Waits until it acts.
    pub(super) async fn await_leads(&self) -> Result<()> {
        await_condition(&format!("{} to lead", self.name), SOON, || async {
            Ok(self.operator.leads().await?.then_some(()))
        })
        .await
    }

    /// What its log says of the end of its leadership.
    pub(super) fn said_it_lost(&self) -> Result<()> {
        let log = std::fs::read_to_string(self.operator.log())?;
        ensure!(log.contains("lost the leadership"), "{log}");
        Ok(())
    }

    /// Its writes from a time on, but for those of the Lease.
    pub(super) fn writes_since(&self, ctx: &Ctx, from: jiff::Timestamp) -> Result<Vec<AuditEvent>> {
        let audit = ctx.cluster().audit()?;
        let mut all = audit.writes_by(&self.user, self.begin)?;
        all.retain(|event| {
            event.user.username == self.user
                && !lease_writes(event)
                && event.request_received_timestamp >= from
        });
        Ok(all)
    }
}

/// Since when the present holder has held it, as the API server's log tells.
pub(super) async fn acquired_at(ctx: &Ctx, member: &Member) -> Result<jiff::Timestamp> {
    await_condition("the takeover in the audit log", SOON, || async {
        let audit = ctx.cluster().audit()?;
        let writes = audit.writes_by(&member.user, member.begin)?;
        let won = writes.iter().find(|event| {
            let code = event
                .response_status
                .as_ref()
                .map_or(0, |status| status.code);
            lease_writes(event) && code < 300
        });
        Ok(won.map(|event| event.request_received_timestamp))
    })
    .await
}

pub(super) fn lease_writes(event: &AuditEvent) -> bool {
    let object = event.object_ref.as_ref();
    object.is_some_and(|object| object.resource == "leases")
}

/// Who holds the Lease.
pub(super) async fn holder(ctx: &Ctx) -> Result<Option<String>> {
    let lease = ctx.api::<Lease>().get_opt(LEASE).await?;
    let holder = lease.and_then(|lease| lease.spec?.holder_identity);
    Ok(holder.filter(|holder| !holder.is_empty()))
}

/// Waits for a holder.
pub(super) async fn await_holder(
    ctx: &Ctx,
    who: &str,
    wanted: impl Fn(&str) -> bool,
) -> Result<String> {
    await_condition(&format!("the Lease to be held by {who}"), SOON, || async {
        Ok(holder(ctx).await?.filter(|holder| wanted(holder)))
    })
    .await
}

/// A figure of this run.
pub(super) fn tell(what: &str, since: Instant) {
    say(format!(
        "election, {what}: {} ms (lease {LEASE_DURATION:?})",
        since.elapsed().as_millis()
    ));
}

/// The level that a policy's status tells of, of the whole.
pub(super) async fn epoch(ctx: &Ctx, map: &str) -> Result<i64> {
    let map = ctx
        .api::<k8s_openapi::api::core::v1::ConfigMap>()
        .get(map)
        .await?;
    let flags = brownout::flags::Flags::decode(map.data.as_ref().context("no data")?)?;
    Ok(flags.epoch)
}
