//! The commands: what must always work.

use brownout::policy::State;

use super::{Context, Services};
use crate::features::Feature;
use crate::flags::Snapshot;

/// What there is to say, with an example of each; roles only where there are any.
pub(super) fn help(services: &Services) -> String {
    let roles = if services.guild.is_some() {
        "\n`!roles`, `!role add NAME`, `!role remove NAME`: roles that you may take"
    } else {
        ""
    };
    format!(
        "Talk to me as you like, or say:\n\
         `!status`: how I do and what is resting; `!ping`: whether I hear you\n\
         `!search black tea`: I look it up\n\
         `!remind 10m tea is ready`, `!reminders`, `!reminders clear`\n\
         `!summary`: what was said here; `!deep why is the sky blue?`: a longer answer; `!stats`: who is here{roles}\n\
         Begin with `$ignore` what is not for me."
    )
}

pub(super) fn unknown() -> String {
    "I do not know that command. Try !help.".to_owned()
}

pub(super) fn status(services: &Services, context: Context<'_>) -> String {
    let mut text = features(context.flags);
    if let Some(stop) = services.stops.of(context.message.place.guild.as_deref()) {
        text.push_str(" The moderators have stopped me");
        if !stop.reason.is_empty() {
            text.push_str(": ");
            text.push_str(&stop.reason);
        }
        text.push('.');
    }
    if !services.store.is_up() {
        text.push_str(" My memory fails me: reminders and settings have to wait.");
    }
    text
}

fn features(flags: &Snapshot) -> String {
    let less: Vec<&str> = Feature::ALL
        .into_iter()
        .map(|feature| (feature, flags.features.state(feature)))
        .filter(|&(_, state)| state != State::Enabled)
        .map(|(feature, state)| feature.text(state))
        .collect();
    if less.is_empty() {
        "All is well, and everything is on.".to_owned()
    } else {
        format!(
            "It is busy here (level {}). {}",
            flags.level_name,
            less.join(" ")
        )
    }
}
