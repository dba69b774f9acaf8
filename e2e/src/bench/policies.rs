//! The policies of a crowd.

use std::fmt;

use anyhow::{Context, Result};
use brownout::api::BotDegradationPolicy;
use serde_json::json;

/// Whether policies ask the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Half of the policies ask one of ten sets of queries, the others each their own.
    Half,
    /// Each policy asks its own.
    None,
}

impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Half => "half of which share ten sets of queries",
            Self::None => "no two of which share a query",
        })
    }
}

impl Sharing {
    /// The shard that a policy asks about.
    pub(super) fn shard(self, policy: u32, all: u32) -> u32 {
        if self == Self::Half && policy < all / 2 {
            policy % 10
        } else {
            policy
        }
    }
}

/// A usual one: a gauge, a ratio with its least number of requests, three features, two rungs.
pub(super) fn policy(number: u32, shard: u32) -> Result<BotDegradationPolicy> {
    let object = json!({
        "apiVersion": "brownout.dev/v1alpha1",
        "kind": "BotDegradationPolicy",
        "metadata": {"name": format!("bot-{number:04}")},
        "spec": {
            "interval": "5s",
            "signals": [
                {"name": "backlog", "query": format!("max(bot_queue_depth{{shard=\"{shard}\"}})")},
                {"name": "errors", "errorRatio": {
                    "counter": "bot_requests_total", "errors": "outcome=\"error\"",
                    "matchers": format!("shard=\"{shard}\""), "window": "1m"}},
            ],
            "features": [
                {"name": "animations", "tier": "Luxury"},
                {"name": "ai-chat", "tier": "Important", "values": {"enabled": 512, "reduced": 96, "disabled": 0}},
                {"name": "commands", "tier": "Critical"},
            ],
            "levels": [
                {"name": "shed-luxury", "tiers": {"luxury": "Disabled"}, "when": {"any": [
                    {"signal": "backlog", "above": "200", "for": "15s"},
                    {"signal": "errors", "above": "0.05", "for": "30s"}]}},
                {"name": "lighten", "tiers": {"important": "Reduced"}, "when": {"any": [
                    {"signal": "backlog", "above": "500", "for": "15s"}]}},
            ],
        },
    });
    serde_json::from_value(object).context("not a policy")
}
