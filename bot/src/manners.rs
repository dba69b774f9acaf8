//! Manners: what is cleaned, what is ignored, how much is too much.

pub(crate) mod answer;
mod characters;
pub(crate) mod clean;
mod code;
mod ignore;
mod metrics;
mod newcomers;
mod people;
mod sizes;

use std::net::IpAddr;

use governor::clock::MonotonicClock;
use prometheus_client::registry::Registry;

pub(crate) use ignore::is_ignored;
pub(crate) use metrics::MannersMetrics;
pub(crate) use people::TooOften;
pub(crate) use sizes::TooMuch;

use crate::config::MannersConfig;
use crate::features::Feature;
use crate::message::{Author, Message};
use newcomers::Newcomers;
use people::{People, Rate, Which};
use sizes::Sizes;

/// Who does not say what they are called.
const NAMELESS: &str = "dear guest";

/// The message as everybody else sees it: text and name are clean.
pub(crate) fn cleaned(typed: &Message) -> Message {
    let name = match clean::name(&typed.author.name) {
        name if name.is_empty() => NAMELESS.to_owned(),
        name => name,
    };
    Message {
        own_way: false,
        id: typed.id.clone(),
        door: typed.door,
        place: typed.place.clone(),
        author: Author {
            id: typed.author.id.clone(),
            name,
            moderator: typed.author.moderator,
        },
        text: clean::clean(&typed.text),
    }
}

/// What is held to everywhere, whatever door a message comes through.
pub(crate) struct Manners {
    sizes: Sizes,
    people: People,
    newcomers: Newcomers<MonotonicClock>,
    pub(crate) metrics: MannersMetrics,
}

impl Manners {
    pub(crate) fn new(config: &MannersConfig, registry: &mut Registry) -> Self {
        let rate = |per_minute, burst| Rate { per_minute, burst };
        Self {
            sizes: Sizes {
                characters: config.message_characters,
                lines: config.message_lines,
                mentions: config.message_mentions,
            },
            people: People::new(
                rate(config.user_per_minute, config.user_burst),
                rate(config.channel_per_minute, config.channel_burst),
                rate(config.api_per_minute, config.api_burst),
                &MonotonicClock,
            ),
            newcomers: Newcomers::new(
                rate(config.new_sessions_per_minute, config.new_sessions_burst),
                &MonotonicClock,
            ),
            metrics: MannersMetrics::new(registry),
        }
    }

    /// Whether it is little enough to be read.
    pub(crate) fn check(&self, typed: &Message, clean: &Message) -> Result<(), TooMuch> {
        self.sizes.check(&typed.text, &clean.text)
    }

    /// Whether this person and this channel may ask now. What moderators do is not limited: they would
    /// be locked out just when it matters.
    pub(crate) fn admit(&self, message: &Message, feature: Feature) -> Result<(), TooOften> {
        if message.author.moderator && feature == Feature::Moderation {
            return Ok(());
        }
        let result = self.people.admit(message, feature.tier());
        self.count(result)
    }

    /// Whether this address may ask now; for a door that does not know its people.
    pub(crate) fn admit_address(&self, address: IpAddr) -> Result<(), TooOften> {
        let result = self.people.admit_address(address);
        self.count(result)
    }

    /// Whether this visitor of the page may speak: one who was never heard before counts for the address.
    pub(crate) fn admit_visitor(&self, address: IpAddr, visitor: &str) -> Result<(), TooOften> {
        let result = self.newcomers.admit(address, visitor);
        self.count(result.map_err(|wait| TooOften {
            which: Which::Session,
            wait,
            say: true,
        }))
    }

    fn count(&self, result: Result<(), TooOften>) -> Result<(), TooOften> {
        for which in Which::ALL {
            let keys = match which {
                Which::Session => self.newcomers.keys(),
                Which::User | Which::Channel | Which::Address => self.people.keys(which),
            };
            self.metrics.keys(which, keys);
        }
        result.inspect_err(|too_often| self.metrics.limited(too_often.which))
    }
}
