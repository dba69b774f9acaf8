//! What the bot can do, how dear each thing is, and what less of it means.
//!
//! This is the bot's own manifest: its tiers label the metrics and choose the queue, whatever the
//! flags say, and what the flags do not name is enabled.

use brownout::flags::{Flags, Value};
use brownout::policy::{State, Tier};

/// Everything the bot can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Feature {
    /// `!help`, `!ping`, `!status`.
    Commands,
    /// A talk with the butler.
    AiChat,
    /// Confetti on an answer, dots while one is awaited.
    Animations,
}

/// The value of `ai-chat` when nothing says otherwise.
pub(crate) const FULL_BUDGET: u32 = 512;
/// The value of a Reduced `ai-chat` whose flag holds no number.
const REDUCED_BUDGET: u32 = 96;
/// No flag may make one talk dearer than this.
const MOST_BUDGET: u32 = 4096;

impl Feature {
    pub(crate) const ALL: [Self; 3] = [Self::Commands, Self::AiChat, Self::Animations];

    /// As policies and metrics name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Commands => "commands",
            Self::AiChat => "ai-chat",
            Self::Animations => "animations",
        }
    }

    pub(crate) fn tier(self) -> Tier {
        match self {
            Self::Commands => Tier::Critical,
            Self::AiChat => Tier::Important,
            Self::Animations => Tier::Luxury,
        }
    }

    /// What to tell a user about it; kind, and never longer than a line on a phone or two.
    pub(crate) fn text(self, state: State) -> &'static str {
        match (self, state) {
            (Self::Commands, _) => "Commands always work.",
            (Self::AiChat, State::Enabled) => "Let us talk about anything.",
            (Self::AiChat, State::Reduced) => "My answers are shorter for a little while.",
            (Self::AiChat, State::Disabled) => "Talks are taking a short break.",
            (Self::Animations, State::Enabled) => "Answers come with confetti.",
            (Self::Animations, State::Reduced) => "A little less confetti for a while.",
            (Self::Animations, State::Disabled) => "Animations are taking a short break.",
        }
    }
}

/// A tier as metrics label it.
pub(crate) fn tier_name(tier: Tier) -> &'static str {
    match tier {
        Tier::Critical => "Critical",
        Tier::Important => "Important",
        Tier::Luxury => "Luxury",
    }
}

/// What is on, read from the flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Features {
    ai_chat: State,
    /// How much one answer of `ai-chat` may be: its length and its cost are proportional to it.
    pub(crate) chat_budget: u32,
    animations: State,
}

impl Features {
    /// With no flags to go by: everything enabled.
    pub(crate) const ALL_ENABLED: Self = Self {
        ai_chat: State::Enabled,
        chat_budget: FULL_BUDGET,
        animations: State::Enabled,
    };

    /// Features that the flags name and the bot does not know are ignored.
    pub(crate) fn of(flags: &Flags) -> Self {
        let state = |feature: Feature| {
            let flag = flags.features.get(feature.name());
            flag.map_or(State::Enabled, |flag| flag.state)
        };
        let ai_chat = state(Feature::AiChat);
        let number = flags.features.get(Feature::AiChat.name());
        let chat_budget = match (number.map(|flag| &flag.value), ai_chat) {
            (Some(&Value::Integer(n)), _) if n > 0 => {
                u32::try_from(n).unwrap_or(MOST_BUDGET).min(MOST_BUDGET)
            }
            (_, State::Enabled) => FULL_BUDGET,
            (_, State::Reduced | State::Disabled) => REDUCED_BUDGET,
        };
        Self {
            ai_chat,
            chat_budget,
            animations: state(Feature::Animations),
        }
    }

    /// A critical feature cannot be switched off, not even by flags that try.
    pub(crate) fn state(self, feature: Feature) -> State {
        match feature {
            Feature::Commands => State::Enabled,
            Feature::AiChat => self.ai_chat,
            Feature::Animations => self.animations,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use brownout::flags::Flag;

    use super::*;

    fn flags(name: &str, state: State, value: Value) -> Flags {
        let flag = Flag {
            state,
            value,
            tier: Tier::Luxury,
        };
        Flags {
            policy: String::new(),
            level: 1,
            level_name: String::new(),
            since: None,
            epoch: 1,
            reason: String::new(),
            features: BTreeMap::from([(name.to_owned(), flag)]),
        }
    }

    #[test]
    fn what_is_not_named_is_enabled_and_what_is_unknown_ignored() {
        let flags = flags("teleport", State::Disabled, Value::Boolean(false));
        assert_eq!(Features::of(&flags), Features::ALL_ENABLED);
    }

    #[test]
    fn commands_cannot_be_switched_off() {
        let features = Features::of(&flags("commands", State::Disabled, Value::Boolean(false)));
        assert_eq!(features.state(Feature::Commands), State::Enabled);
    }

    #[test]
    fn the_budget_is_the_value_within_reason() {
        for (state, value, budget) in [
            (State::Reduced, Value::Integer(96), 96),
            (State::Enabled, Value::Integer(700), 700),
            (State::Enabled, Value::Integer(i64::MAX), MOST_BUDGET),
            (State::Enabled, Value::Integer(-5), FULL_BUDGET),
            (
                State::Reduced,
                Value::Text("short".to_owned()),
                REDUCED_BUDGET,
            ),
            (State::Enabled, Value::Boolean(true), FULL_BUDGET),
        ] {
            assert_eq!(
                Features::of(&flags("ai-chat", state, value.clone())).chat_budget,
                budget,
                "{value}"
            );
        }
    }
}
