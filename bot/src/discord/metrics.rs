//! What Prometheus sees of Discord.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::api::ApiError;

/// From a good line to one that is about to be given up.
const LATENCIES: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// What the gateway said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ready,
    Resumed,
    Message,
    Interaction,
    Reconnect,
    InvalidSession,
    Close,
    HeartbeatAck,
    /// Said before and said again, after a resume or to another process: not answered twice.
    Repeated,
    /// A slash command that came again when nobody could answer it any more.
    Late,
    /// Nobody could read it.
    Broken,
}

impl Kind {
    const ALL: [Self; 11] = [
        Self::Ready,
        Self::Resumed,
        Self::Message,
        Self::Interaction,
        Self::Reconnect,
        Self::InvalidSession,
        Self::Close,
        Self::HeartbeatAck,
        Self::Repeated,
        Self::Late,
        Self::Broken,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Resumed => "resumed",
            Self::Message => "message",
            Self::Interaction => "interaction",
            Self::Reconnect => "reconnect",
            Self::InvalidSession => "invalid_session",
            Self::Close => "close",
            Self::HeartbeatAck => "heartbeat_ack",
            Self::Repeated => "repeated",
            Self::Late => "late",
            Self::Broken => "broken",
        }
    }
}

/// What became of something that the bot wanted to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Posted {
    Ok,
    /// Discord said no: the channel is gone, or the bot may not.
    Refused,
    /// Discord was not to be had in time.
    Failed,
}

impl Posted {
    const ALL: [Self; 3] = [Self::Ok, Self::Refused, Self::Failed];

    pub(super) fn of(result: &Result<(), ApiError>) -> Self {
        match result {
            Ok(()) => Self::Ok,
            Err(ApiError::Refused { .. } | ApiError::Shape(_)) => Self::Refused,
            Err(ApiError::Call(_)) => Self::Failed,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PostLabels {
    outcome: &'static str,
}

/// The series of this door.
#[derive(Clone)]
pub(crate) struct DiscordMetrics {
    pub(super) connected: Gauge,
    events: Family<KindLabels, Counter>,
    pub(super) reconnects: Counter,
    pub(super) latency: Histogram,
    posts: Family<PostLabels, Counter>,
    pub(super) repeated: Counter,
}

impl DiscordMetrics {
    /// With every series at 0.
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            connected: Gauge::default(),
            events: Family::default(),
            reconnects: Counter::default(),
            latency: Histogram::new(LATENCIES),
            posts: Family::default(),
            repeated: Counter::default(),
        };
        metrics.register(registry);
        for kind in Kind::ALL {
            let _ = metrics.event_counter(kind);
        }
        for outcome in Posted::ALL {
            let _ = metrics.post_counter(outcome);
        }
        metrics
    }

    fn register(&self, r: &mut Registry) {
        r.register(
            "bot_discord_connected",
            "Shards that have a session with Discord's gateway",
            self.connected.clone(),
        );
        r.register(
            "bot_discord_gateway_events",
            "What the gateway said, by kind",
            self.events.clone(),
        );
        r.register(
            "bot_discord_reconnects",
            "Connections to the gateway after a shard's first",
            self.reconnects.clone(),
        );
        r.register(
            "bot_discord_heartbeat_latency_seconds",
            "Seconds from a heartbeat to its acknowledgement",
            self.latency.clone(),
        );
        r.register(
            "bot_discord_posts",
            "What the bot wanted to say, by outcome: ok, refused (by Discord), failed (not in time)",
            self.posts.clone(),
        );
        r.register(
            "bot_discord_posts_repeated",
            "Posts sent again after an unknown outcome when their nonce no longer protected them, so that they may stand there twice",
            self.repeated.clone(),
        );
    }

    pub(super) fn event(&self, kind: Kind) {
        self.event_counter(kind).inc();
    }

    pub(super) fn post(&self, outcome: Posted) {
        self.post_counter(outcome).inc();
    }

    fn event_counter(&self, kind: Kind) -> Counter {
        let labels = KindLabels { kind: kind.name() };
        self.events.get_or_create_owned(&labels)
    }

    fn post_counter(&self, outcome: Posted) -> Counter {
        let labels = PostLabels {
            outcome: outcome.name(),
        };
        self.posts.get_or_create_owned(&labels)
    }
}
