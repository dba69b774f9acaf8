//! `/status`: what is on, in kind words; the page's stream says the same at each change.

use std::sync::Arc;

use axum::Json;
use axum::extract;
use brownout::policy::State;
use jiff::Timestamp;
use serde::Serialize;

use super::App;
use crate::discord::{DiscordMetrics, Standing};
use crate::features::{Feature, tier_name};

#[derive(PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    level: usize,
    level_name: String,
    /// Whether any feature is less than enabled.
    degraded: bool,
    /// Whether a moderator has stopped the bot, and why.
    stopped: Option<StopStatus>,
    since: Option<String>,
    reason: String,
    /// Of the flags in force; null before the first.
    epoch: Option<i64>,
    features: Vec<FeatureStatus>,
    sources: Vec<SourceStatus>,
    /// Null where that door is closed.
    discord: Option<Standing>,
}

#[derive(PartialEq, Serialize)]
struct StopStatus {
    since: String,
    reason: String,
}

#[derive(PartialEq, Serialize)]
struct FeatureStatus {
    name: &'static str,
    tier: &'static str,
    state: State,
    text: &'static str,
}

#[derive(PartialEq, Serialize)]
struct SourceStatus {
    source: &'static str,
    state: &'static str,
}

pub(super) async fn status(extract::State(app): extract::State<Arc<App>>) -> Json<Status> {
    Json(Status::of(&app))
}

impl Status {
    pub(super) fn of(app: &App) -> Self {
        let flags = app.flags.snapshot();
        let features = Feature::ALL.map(|feature| {
            let state = flags.features.state(feature);
            FeatureStatus {
                name: feature.name(),
                tier: tier_name(feature.tier()),
                state,
                text: feature.text(state),
            }
        });
        let stop = app.stops.of(None).map(|stop| StopStatus {
            since: Timestamp::from_millisecond(stop.at)
                .unwrap_or_default()
                .to_string(),
            reason: stop.reason,
        });
        let sources = app.flags.sources().into_iter();
        Self {
            level: flags.level,
            level_name: flags.level_name.clone(),
            degraded: features.iter().any(|f| f.state != State::Enabled),
            stopped: stop,
            since: flags.since.map(|at| at.to_string()),
            reason: flags.reason.clone(),
            epoch: flags.epoch,
            features: features.into(),
            sources: sources
                .map(|(source, state)| SourceStatus {
                    source: source.name(),
                    state: state.name(),
                })
                .collect(),
            discord: app.discord.as_ref().map(DiscordMetrics::standing),
        }
    }
}
