//! What the bot can do, how dear each thing is, and what less of it means.
//!
//! This is the bot's own manifest: its tiers label the metrics and choose the queue, whatever the
//! flags say, and what the flags do not name is enabled.

use brownout::flags::{Flags, Value};
use brownout::policy::{State, Tier};
use serde::{Deserialize, Serialize};

/// Everything the bot can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Feature {
    /// `!help`, `!ping`, `!status`.
    Commands,
    /// The roles that people may give themselves.
    Roles,
    /// What moderators may: stop, start, reboot, settings.
    Moderation,
    /// A talk with the butler.
    AiChat,
    /// Questions that are looked up rather than talked about.
    Search,
    /// A word at a time of one's choice.
    Reminders,
    /// Confetti on an answer, dots while one is awaited.
    Animations,
    /// An emoji on the message that was answered.
    Reactions,
    /// Who is here and how much is said.
    Analytics,
    /// What a channel talked about.
    Summaries,
    /// A long answer by the larger model.
    DeepAnswers,
}

/// The value of `ai-chat` when nothing says otherwise.
pub(crate) const FULL_BUDGET: u32 = 512;
/// The value of a Reduced `ai-chat` whose flag holds no number.
const REDUCED_BUDGET: u32 = 96;
/// No flag may make one talk dearer than this.
const MOST_BUDGET: u32 = 4096;

impl Feature {
    /// In the order of their tiers, the critical ones first.
    pub(crate) const ALL: [Self; 11] = [
        Self::Commands,
        Self::Roles,
        Self::Moderation,
        Self::AiChat,
        Self::Search,
        Self::Reminders,
        Self::Animations,
        Self::Reactions,
        Self::Analytics,
        Self::Summaries,
        Self::DeepAnswers,
    ];

    /// As policies and metrics name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Commands => "commands",
            Self::Roles => "roles",
            Self::Moderation => "moderation",
            Self::AiChat => "ai-chat",
            Self::Search => "search",
            Self::Reminders => "reminders",
            Self::Animations => "animations",
            Self::Reactions => "reactions",
            Self::Analytics => "analytics",
            Self::Summaries => "summaries",
            Self::DeepAnswers => "deep-answers",
        }
    }

    pub(crate) fn tier(self) -> Tier {
        match self {
            Self::Commands | Self::Roles | Self::Moderation => Tier::Critical,
            Self::AiChat | Self::Search | Self::Reminders => Tier::Important,
            Self::Animations
            | Self::Reactions
            | Self::Analytics
            | Self::Summaries
            | Self::DeepAnswers => Tier::Luxury,
        }
    }

    /// What to tell a user about it; kind, and never longer than a line on a phone or two.
    pub(crate) fn text(self, state: State) -> &'static str {
        use State::{Disabled, Enabled, Reduced};
        match (self, state) {
            (Self::Commands, _) => "Commands always work.",
            (Self::Roles, _) => "Roles can always be taken and given back.",
            (Self::Moderation, _) => "Moderators are always heard.",
            (Self::AiChat, Enabled) => "Let us talk about anything.",
            (Self::AiChat, Reduced) => "My answers are shorter for a little while.",
            (Self::AiChat, Disabled) => "Talks are taking a short break.",
            (Self::Search, Enabled) => "Ask me to look something up.",
            (Self::Search, Reduced) => "I look things up in fewer places for a while.",
            (Self::Search, Disabled) => "Looking things up is taking a short break.",
            (Self::Reminders, Enabled) => "I can remind you of things.",
            (Self::Reminders, Reduced) => "Reminders may come a minute late for a while.",
            (Self::Reminders, Disabled) => {
                "New reminders are taking a short break; those you set are kept."
            }
            (Self::Animations, Enabled) => "Answers come with confetti.",
            (Self::Animations, Reduced) => "A little less confetti for a while.",
            (Self::Animations, Disabled) => "Animations are taking a short break.",
            (Self::Reactions, Enabled) => "I nod at what you say.",
            (Self::Reactions, Reduced) => "I nod at every fourth message for a while.",
            (Self::Reactions, Disabled) => "Reactions are taking a short break.",
            (Self::Analytics, Enabled) => "I can tell how lively it is here.",
            (Self::Analytics, Reduced) => "I count less closely for a while.",
            (Self::Analytics, Disabled) => "Counting is taking a short break.",
            (Self::Summaries, Enabled) => "I can sum up what was said.",
            (Self::Summaries, Reduced) => "I sum up the last few messages only for a while.",
            (Self::Summaries, Disabled) => "Summaries are taking a short break.",
            (Self::DeepAnswers, Enabled) => "I can think a question through.",
            (Self::DeepAnswers, Reduced) => "My deep answers are not so deep for a while.",
            (Self::DeepAnswers, Disabled) => "Deep answers are taking a short break.",
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
    /// In the order of [`Feature::ALL`].
    states: [State; Feature::ALL.len()],
    /// How much one answer of `ai-chat` may be: its length and its cost are proportional to it.
    pub(crate) chat_budget: u32,
}

impl Features {
    /// Everything enabled.
    pub(crate) const ALL_ENABLED: Self = Self {
        states: [State::Enabled; Feature::ALL.len()],
        chat_budget: FULL_BUDGET,
    };

    /// What an owner may prefer while there are no flags to go by: no luxury, and less of the rest.
    pub(crate) fn safe() -> Self {
        let states = Feature::ALL.map(|feature| match feature.tier() {
            Tier::Critical => State::Enabled,
            Tier::Important => State::Reduced,
            Tier::Luxury => State::Disabled,
        });
        Self {
            states,
            chat_budget: REDUCED_BUDGET,
        }
    }

    /// What the flags do not name is enabled; features that they name and the bot does not know are
    /// ignored.
    pub(crate) fn of(flags: &Flags) -> Self {
        let states = Feature::ALL.map(|feature| {
            let flag = flags.features.get(feature.name());
            match feature.tier() {
                // cannot be switched off, not even by flags that try
                Tier::Critical => State::Enabled,
                Tier::Important | Tier::Luxury => flag.map_or(State::Enabled, |flag| flag.state),
            }
        });
        let talk = flags.features.get(Feature::AiChat.name());
        let state = talk.map_or(State::Enabled, |flag| flag.state);
        let chat_budget = match (talk.map(|flag| &flag.value), state) {
            (Some(&Value::Integer(n)), _) if n > 0 => {
                u32::try_from(n).unwrap_or(MOST_BUDGET).min(MOST_BUDGET)
            }
            (_, State::Enabled) => FULL_BUDGET,
            (_, State::Reduced | State::Disabled) => REDUCED_BUDGET,
        };
        Self {
            states,
            chat_budget,
        }
    }

    /// The features that the flags name in vain: those that the bot does not have, and critical ones that
    /// are to be less than enabled.
    pub(crate) fn in_vain(flags: &Flags) -> Vec<&str> {
        let vain = flags.features.iter().filter(|(name, flag)| {
            let known = Feature::ALL.into_iter().find(|f| f.name() == *name);
            known.is_none_or(|feature| {
                feature.tier() == Tier::Critical && flag.state != State::Enabled
            })
        });
        vain.map(|(name, _)| name.as_str()).collect()
    }

    /// Each feature as far off as either says.
    #[cfg(feature = "openfeature")]
    pub(crate) fn least(self, other: Self) -> Self {
        let states = Feature::ALL.map(|feature| self.state(feature).max(other.state(feature)));
        Self {
            states,
            chat_budget: self.chat_budget.min(other.chat_budget),
        }
    }

    /// These features as `other` has them.
    #[cfg(feature = "openfeature")]
    pub(crate) fn with(mut self, features: &[Feature], other: Self) -> Self {
        for &feature in features {
            self.states[feature as usize] = other.state(feature);
        }
        if features.contains(&Feature::AiChat) {
            self.chat_budget = other.chat_budget;
        }
        self
    }

    /// What the feature is now.
    pub(crate) fn state(self, feature: Feature) -> State {
        self.states[feature as usize]
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
    fn features_stand_at_their_own_index_tier_by_tier() {
        for (index, feature) in Feature::ALL.into_iter().enumerate() {
            assert_eq!(feature as usize, index);
        }
        assert!(Feature::ALL.is_sorted_by_key(|feature| feature.tier() as u8));
    }

    #[test]
    fn the_safe_start_keeps_what_is_critical() {
        let safe = Features::safe();
        assert_eq!(safe.state(Feature::Roles), State::Enabled);
        assert_eq!(safe.state(Feature::AiChat), State::Reduced);
        assert_eq!(safe.state(Feature::DeepAnswers), State::Disabled);
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
