//! What users write and what they are told: the custom resources of group `brownout.dev`.
//!
//! Doc comments of fields become the CRD's descriptions, so they speak to the person who writes YAML.
#![allow(clippy::doc_markdown, rustdoc::bare_urls)] // descriptions are read in a terminal, not as Markdown
#![allow(clippy::duplicated_attributes)] // two printer columns may have one type

pub mod conditions;
pub mod crd;
mod levels;
mod metrics_source;
mod schema;
mod signals;
mod spec;
mod status;
mod time;

pub use levels::{
    ComparisonSpec, FeatureSpec, FeatureValues, FlagValue, LevelSpec, ScaleSpec, TiersSpec,
    WhenSpec,
};
pub use metrics_source::{
    AllowedNamespaces, AuthSpec, MetricsSource, MetricsSourceSpec, PrometheusSpec, SecretKey,
    SecretName, ServiceAccountToken, TenancySpec, TlsSpec,
};
pub use signals::{DefaultsSpec, ErrorRatioSpec, LatencySpec, MinSamplesSpec, SignalSpec};
pub(crate) use spec::HOLD;
pub use spec::{
    BotDegradationPolicy, BotDegradationPolicySpec, FlagsSpec, MissingSpec, RecoverySpec,
};
pub use status::{
    AutoscalerBaseline, Baseline, BotDegradationPolicyStatus, DampingStatus, FlagsStatus,
    HistoryEntry, MAX_HISTORY, MAX_SENTENCE, MAX_WORD, PinStatus, ScaledObjectBaseline,
};
pub use time::StatusTime;

/// The finalizer that restores baselines before a policy goes.
pub const FINALIZER: &str = "brownout.dev/restore";
/// Annotation: the name of the level to pin, or Normal.
pub const PIN: &str = "brownout.dev/pin";
/// Annotation: when the pin ends, RFC 3339; a pin without it does not hold.
pub const PIN_UNTIL: &str = "brownout.dev/pin-until";
/// Annotation: why a person pinned it.
pub const PIN_REASON: &str = "brownout.dev/pin-reason";
