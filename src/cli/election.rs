//! The options of `brownout controller` that concern leader election.

use std::time::Duration;

use anyhow::Context;
use clap::Args as ClapArgs;
use clap::builder::FalseyValueParser;

use super::controller::UNUSABLE;
use crate::controller::Options;
use crate::election::{Election, Settings, Timing, identity, lease_name};
use crate::policy::parse_duration;

/// How several operators agree on one.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Leader election")]
pub struct ElectionArgs {
    /// Run several operators, of which one acts: the others watch, and one of them takes over when it ends.
    /// They agree by a Lease, and need get, create and update on leases in its namespace
    #[arg(long, env = "BROWNOUT_LEADER_ELECT", value_parser = FalseyValueParser::new())]
    leader_elect: bool,
    /// How long a leader that is not heard of is waited for, in whole seconds
    #[arg(
        long,
        env = "BROWNOUT_LEADER_ELECT_LEASE_DURATION",
        default_value = "15s",
        value_parser = duration,
        value_name = "DURATION"
    )]
    leader_elect_lease_duration: Duration,
    /// How long a leader that cannot renew its Lease goes on writing: then it ends, and is to be started
    /// again. Shorter than the lease, by what clocks may differ in speed and requests may take
    #[arg(
        long,
        env = "BROWNOUT_LEADER_ELECT_RENEW_DEADLINE",
        default_value = "10s",
        value_parser = duration,
        value_name = "DURATION"
    )]
    leader_elect_renew_deadline: Duration,
    /// The pause between two tries to get or renew the Lease
    #[arg(
        long,
        env = "BROWNOUT_LEADER_ELECT_RETRY_PERIOD",
        default_value = "2s",
        value_parser = duration,
        value_name = "DURATION"
    )]
    leader_elect_retry_period: Duration,
    /// The Lease's name, the same for all operators of one share: by default "brownout", or one made from
    /// --selector and --namespaces where they are given
    #[arg(long, env = "BROWNOUT_LEADER_ELECT_LEASE_NAME", value_name = "NAME")]
    leader_elect_lease_name: Option<String>,
    /// The Lease's namespace: by default the operator's own
    #[arg(
        long,
        env = "BROWNOUT_LEADER_ELECT_LEASE_NAMESPACE",
        value_name = "NAMESPACE"
    )]
    leader_elect_lease_namespace: Option<String>,
    /// The operator's own namespace, by the downward API
    #[arg(long, env = "POD_NAMESPACE", hide = true)]
    pod_namespace: Option<String>,
    /// The operator's own name, by the downward API
    #[arg(long, env = "POD_NAME", hide = true)]
    pod_name: Option<String>,
}

impl ElectionArgs {
    /// The election that the options ask for, if any.
    pub fn enter(
        self,
        mut config: kube::Config,
        options: &Options,
    ) -> anyhow::Result<Option<Election>> {
        if !self.leader_elect {
            return Ok(None);
        }
        let timing = Timing::new(
            self.leader_elect_lease_duration,
            self.leader_elect_renew_deadline,
            self.leader_elect_retry_period,
        )
        .map_err(anyhow::Error::msg)?;
        let given = |value: Option<String>| value.filter(|value| !value.is_empty());
        let settings = Settings {
            namespace: given(self.leader_elect_lease_namespace)
                .or_else(|| given(self.pod_namespace))
                .unwrap_or_else(|| config.default_namespace.clone()),
            name: given(self.leader_elect_lease_name)
                .unwrap_or_else(|| lease_name(&options.namespaces, options.selector.as_deref())),
            identity: identity(&given(self.pod_name).unwrap_or_else(host)),
            timing,
        };
        config.default_retry = false;
        config.connect_timeout = Some(timing.renew / 2);
        let client = kube::Client::try_from(config).context(UNUSABLE)?;
        Ok(Some(Election { client, settings }))
    }
}

/// A pod's host name is its own name.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "brownout".to_owned(),
        name => name.to_owned(),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .map(crate::time::Span::to_duration)
        .ok_or_else(|| format!("write a duration such as 15s, 500ms or 1m30s, not {text:?}"))
}
