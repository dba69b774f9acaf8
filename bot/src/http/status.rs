//! `/status`: what is on, in kind words; the page asks it every second.

use std::sync::Arc;

use axum::Json;
use axum::extract;
use brownout::policy::State;
use serde::Serialize;

use super::App;
use crate::features::{Feature, tier_name};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    level: usize,
    level_name: String,
    /// Whether any feature is less than enabled.
    degraded: bool,
    since: Option<String>,
    reason: String,
    /// Of the flags in force; null before the first.
    epoch: Option<i64>,
    features: Vec<FeatureStatus>,
    sources: Vec<SourceStatus>,
}

#[derive(Serialize)]
struct FeatureStatus {
    name: &'static str,
    tier: &'static str,
    state: State,
    text: &'static str,
}

#[derive(Serialize)]
struct SourceStatus {
    source: &'static str,
    state: &'static str,
}

pub(super) async fn status(extract::State(app): extract::State<Arc<App>>) -> Json<Status> {
    let flags = app.flags.snapshot();
    let features: Vec<FeatureStatus> = Feature::ALL
        .into_iter()
        .map(|feature| {
            let state = flags.features.state(feature);
            FeatureStatus {
                name: feature.name(),
                tier: tier_name(feature.tier()),
                state,
                text: feature.text(state),
            }
        })
        .collect();
    let sources = app.flags.sources().into_iter();
    Json(Status {
        level: flags.level,
        level_name: flags.level_name.clone(),
        degraded: features.iter().any(|f| f.state != State::Enabled),
        since: flags.since.map(|at| at.to_string()),
        reason: flags.reason.clone(),
        epoch: flags.epoch,
        features,
        sources: sources
            .map(|(source, state)| SourceStatus {
                source: source.name(),
                state: state.name(),
            })
            .collect(),
    })
}
