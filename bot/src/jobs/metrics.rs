//! What is counted about jobs.

use std::sync::atomic::AtomicU64;

use brownout::policy::Tier;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::features::tier_name;

pub(crate) const TIERS: [Tier; 3] = [Tier::Critical, Tier::Important, Tier::Luxury];

/// What became of handing a job in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Published {
    /// It is in the queue.
    Ok,
    /// It was there already: the same message came twice.
    Duplicate,
    /// The queue has no place.
    Full,
    /// The queue does not answer.
    Down,
    /// It was sent, and no receipt has come: it may be in the queue.
    Unknown,
}

/// What became of a job that a worker took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// Worked on to its end, whatever the answer was.
    Ok,
    /// Had been done before: only its answer was repeated.
    Repeated,
    /// Its feature was switched off while it waited.
    Off,
    /// Nobody waited for it any more.
    Late,
    /// Given up: it has ended too many workers.
    Dead,
    /// Handed back to the queue.
    Returned,
    /// Nobody could read it.
    Broken,
}

impl Published {
    const ALL: [Self; 5] = [
        Self::Ok,
        Self::Duplicate,
        Self::Full,
        Self::Down,
        Self::Unknown,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Duplicate => "duplicate",
            Self::Full => "full",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}

impl Done {
    const ALL: [Self; 7] = [
        Self::Ok,
        Self::Repeated,
        Self::Off,
        Self::Late,
        Self::Dead,
        Self::Returned,
        Self::Broken,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Repeated => "repeated",
            Self::Off => "off",
            Self::Late => "late",
            Self::Dead => "dead",
            Self::Returned => "returned",
            Self::Broken => "broken",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TierLabels {
    tier: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    tier: &'static str,
    outcome: &'static str,
}

type Seconds = Gauge<f64, AtomicU64>;

/// The series of gateway and worker; the ones of the other role stay at 0.
pub(crate) struct JobsMetrics {
    published: Family<OutcomeLabels, Counter>,
    taken: Family<TierLabels, Counter>,
    done: Family<OutcomeLabels, Counter>,
    redelivered: Family<TierLabels, Counter>,
    repeated: Family<TierLabels, Counter>,
    unheard: Family<TierLabels, Counter>,
    late_replies: Counter,
    adopted: Counter,
    waiting: Family<TierLabels, Gauge>,
    oldest: Family<TierLabels, Seconds>,
    pub(crate) connected: Gauge,
}

impl JobsMetrics {
    /// With every series at 0.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            published: Family::default(),
            taken: Family::default(),
            done: Family::default(),
            redelivered: Family::default(),
            repeated: Family::default(),
            unheard: Family::default(),
            late_replies: Counter::default(),
            adopted: Counter::default(),
            waiting: Family::default(),
            oldest: Family::default(),
            connected: Gauge::default(),
        };
        metrics.register(registry);
        for tier in TIERS {
            let each = [
                &metrics.taken,
                &metrics.redelivered,
                &metrics.repeated,
                &metrics.unheard,
            ];
            for family in each {
                drop(family.get_or_create(&labels(tier)));
            }
            metrics.waiting(tier, 0);
            metrics.oldest(tier, 0.0);
            for outcome in Published::ALL {
                drop(published(&metrics, tier, outcome));
            }
            for outcome in Done::ALL {
                drop(done(&metrics, tier, outcome));
            }
        }
        metrics
    }

    fn register(&self, r: &mut Registry) {
        r.register(
            "bot_jobs_published",
            "Jobs that a gateway handed in: ok, duplicate (the same message again), full (no place in the queue), down (the queue does not answer), unknown (sent, and no receipt came)",
            self.published.clone(),
        );
        r.register(
            "bot_jobs_taken",
            "Jobs that a worker took from the queue",
            self.taken.clone(),
        );
        r.register(
            "bot_jobs_done",
            "Jobs that a worker is done with: ok, repeated (done before), off (switched off while it waited), late (nobody waited any more), dead (given up after too many attempts), returned (handed back), broken (not readable)",
            self.done.clone(),
        );
        r.register(
            "bot_jobs_redelivered",
            "Jobs that came to a worker again, since their worker was silent or handed them back",
            self.redelivered.clone(),
        );
        r.register(
            "bot_jobs_repeated",
            "Answers that were sent again, since the job was done already",
            self.repeated.clone(),
        );
        r.register(
            "bot_jobs_unheard",
            "Answers that no gateway took in time",
            self.unheard.clone(),
        );
        r.register(
            "bot_jobs_late_replies",
            "Answers that came when nobody waited any more, or a second time",
            self.late_replies.clone(),
        );
        r.register(
            "bot_jobs_adopted",
            "Answers that this gateway said for one that is gone",
            self.adopted.clone(),
        );
        r.register(
            "bot_jobs_waiting",
            "Jobs in the queue that no worker has taken",
            self.waiting.clone(),
        );
        r.register(
            "bot_jobs_oldest_seconds",
            "Age of the oldest job in the queue that is not done",
            self.oldest.clone(),
        );
        r.register(
            "bot_nats_connected",
            "1 while there is a connection to NATS",
            self.connected.clone(),
        );
    }

    pub(crate) fn published(&self, tier: Tier, outcome: Published) {
        published(self, tier, outcome).inc();
    }

    pub(crate) fn taken(&self, tier: Tier, again: bool) {
        self.taken.get_or_create(&labels(tier)).inc();
        if again {
            self.redelivered.get_or_create(&labels(tier)).inc();
        }
    }

    pub(crate) fn done(&self, tier: Tier, outcome: Done) {
        done(self, tier, outcome).inc();
        if outcome == Done::Repeated {
            self.repeated.get_or_create(&labels(tier)).inc();
        }
    }

    pub(crate) fn unheard(&self, tier: Tier) {
        self.unheard.get_or_create(&labels(tier)).inc();
    }

    pub(crate) fn late_reply(&self) {
        self.late_replies.inc();
    }

    pub(crate) fn adopted(&self) {
        self.adopted.inc();
    }

    pub(crate) fn waiting(&self, tier: Tier, jobs: u64) {
        let jobs = i64::try_from(jobs).unwrap_or(i64::MAX);
        self.waiting.get_or_create(&labels(tier)).set(jobs);
    }

    pub(crate) fn oldest(&self, tier: Tier, seconds: f64) {
        self.oldest.get_or_create(&labels(tier)).set(seconds);
    }
}

fn published(metrics: &JobsMetrics, tier: Tier, outcome: Published) -> Counter {
    metrics.published.get_or_create_owned(&OutcomeLabels {
        tier: tier_name(tier),
        outcome: outcome.name(),
    })
}

fn done(metrics: &JobsMetrics, tier: Tier, outcome: Done) -> Counter {
    metrics.done.get_or_create_owned(&OutcomeLabels {
        tier: tier_name(tier),
        outcome: outcome.name(),
    })
}

fn labels(tier: Tier) -> TierLabels {
    TierLabels {
        tier: tier_name(tier),
    }
}
