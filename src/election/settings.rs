//! How an election is held: its times, its Lease, its candidate's name.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use crate::flags::content_hash;

/// How an election is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The Lease's namespace.
    pub namespace: String,
    /// The Lease's name: one for all operators of a share of the cluster.
    pub name: String,
    /// Who we are: no other process has ever the same.
    pub identity: String,
    /// The times.
    pub timing: Timing,
}

/// The times of an election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a leader that is not heard of is waited for.
    pub lease: Duration,
    /// How long after its last renewal a leader writes: then it stops by itself.
    pub renew: Duration,
    /// The pause between two tries to get or keep the Lease.
    pub retry: Duration,
}

/// A try is put off by up to a fifth, so that candidates do not try in step.
pub(super) const JITTER: f64 = 0.2;

/// The longest lease: a longer one in a Lease was written by nobody of us.
const LONGEST: Duration = Duration::from_secs(3600);
/// The shortest: a Lease counts whole seconds, and one second is how a released one is known.
const SHORTEST: Duration = Duration::from_secs(2);
const SHORTEST_RETRY: Duration = Duration::from_millis(100);

impl Timing {
    /// Checks the times against one another.
    ///
    /// # Errors
    ///
    /// A sentence that names the flag and says what to write instead.
    pub fn new(lease: Duration, renew: Duration, retry: Duration) -> Result<Self, String> {
        if lease.subsec_nanos() > 0 || !(SHORTEST..=LONGEST).contains(&lease) {
            return Err(format!(
                "--leader-elect-lease-duration must be whole seconds from 2s to 1h, not {lease:?}"
            ));
        }
        if renew >= lease {
            return Err(format!(
                "--leader-elect-renew-deadline must be shorter than --leader-elect-lease-duration, \
                 or a leader would write while the next one begins: {renew:?} is not less than {lease:?}"
            ));
        }
        if retry < SHORTEST_RETRY {
            return Err(format!(
                "--leader-elect-retry-period must be at least 100ms, not {retry:?}"
            ));
        }
        if retry.mul_f64(1.0 + JITTER) >= renew {
            return Err(format!(
                "--leader-elect-retry-period times 1.2 must be shorter than \
                 --leader-elect-renew-deadline, or one late try would end a leadership: \
                 write at most {:?}",
                renew
                    .div_f64(1.0 + JITTER)
                    .saturating_sub(Duration::from_millis(1))
            ));
        }
        Ok(Self {
            lease,
            renew,
            retry,
        })
    }

    /// The lease in whole seconds, as a Lease has it.
    pub(super) fn lease_seconds(&self) -> i32 {
        i32::try_from(self.lease.as_secs()).unwrap_or(i32::MAX)
    }

    /// How long to wait for a leader whose Lease says so many seconds. Never shorter than our own lease:
    /// somebody may have edited it, and the leader does not know yet.
    pub(super) fn patience(&self, seconds: Option<i32>) -> Duration {
        let said = seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let said = said.map(Duration::from_secs);
        said.filter(|said| *said <= LONGEST)
            .map_or(self.lease, |said| said.max(self.lease))
    }

    /// The pause before a candidate's next try.
    pub(super) fn jittered_retry(&self) -> Duration {
        #[allow(clippy::cast_precision_loss)] // 53 of 64 random bits are plenty
        let share = random() as f64 / u64::MAX as f64;
        self.retry.mul_f64(1.0 + JITTER * share)
    }
}

/// The Lease's default name: operators of different shares must not wait for one another.
pub fn lease_name(namespaces: &[String], selector: Option<&str>) -> String {
    if namespaces.is_empty() && selector.is_none() {
        return "brownout".to_owned();
    }
    let mut labels: Vec<&str> = selector
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .collect();
    labels.sort_unstable();
    let mut namespaces = namespaces.to_vec();
    namespaces.sort();
    let share = BTreeMap::from([
        ("namespaces".to_owned(), namespaces.join(",")),
        ("selector".to_owned(), labels.join(",")),
    ]);
    format!("brownout-{}", content_hash(&share))
}

/// A pod's name, made unique: a container that is started again in its pod is another candidate.
pub fn identity(pod: &str) -> String {
    format!("{pod}_{:016x}", random())
}

/// The standard library seeds each of these anew.
fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timing(lease: u64, renew: u64, retry: u64) -> Result<Timing, String> {
        let millis = Duration::from_millis;
        Timing::new(millis(lease), millis(renew), millis(retry))
    }

    #[test]
    fn times_that_cannot_work_are_refused_by_their_flag() {
        assert!(timing(15_000, 10_000, 2000).is_ok());
        assert!(timing(2000, 1000, 800).is_ok());
        for (times, flag) in [
            ((15_500, 10_000, 2000), "lease-duration must be whole"),
            ((1000, 500, 100), "lease-duration must be whole"),
            ((3_601_000, 500, 100), "lease-duration must be whole"),
            ((15_000, 15_000, 2000), "renew-deadline must be shorter"),
            ((15_000, 10_000, 99), "retry-period must be at least"),
            ((15_000, 2400, 2000), "retry-period times 1.2"),
        ] {
            let refused = timing(times.0, times.1, times.2).unwrap_err();
            assert!(refused.contains(flag), "{times:?}: {refused}");
        }
        let refused = timing(15_000, 2400, 2000).unwrap_err();
        assert!(refused.ends_with("write at most 1.999s"), "{refused}");
    }

    #[test]
    fn a_share_has_a_name_of_its_own_however_it_is_written() {
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(lease_name(&[], None), "brownout");
        let a = lease_name(&[], Some("shard=a, tier=x"));
        assert_eq!(a, lease_name(&[], Some("tier=x,shard=a")));
        let others = [
            lease_name(&[], Some("shard=b")),
            lease_name(&names(&["bots"]), None),
            lease_name(&names(&["bots"]), Some("shard=b")),
        ];
        for (n, other) in others.iter().enumerate() {
            assert!(*other != a && !others[..n].contains(other), "{others:?}");
        }
        let two = lease_name(&names(&["b", "a"]), None);
        assert_eq!(two, lease_name(&names(&["a", "b"]), None));
        // it is in Roles and scripts of whoever runs shares: it never changes
        assert_eq!(
            lease_name(&[], Some("shard=a")),
            "brownout-5faded871fc934a4"
        );
    }

    #[test]
    fn identities_differ_and_tell_the_pod() {
        let (a, b) = (identity("brownout-7f"), identity("brownout-7f"));
        assert_ne!(a, b);
        assert!(a.starts_with("brownout-7f_"));
    }

    #[test]
    fn tries_are_put_off_by_a_fifth_at_most() {
        let timing = timing(15_000, 10_000, 2000).unwrap();
        for _ in 0..100 {
            let pause = timing.jittered_retry();
            assert!(pause >= timing.retry && pause <= Duration::from_millis(2400));
        }
    }
}
