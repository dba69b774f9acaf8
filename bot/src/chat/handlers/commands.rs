//! The commands: what must always work.

use brownout::policy::State;

use super::{Context, Services};
use crate::features::Feature;
use crate::flags::Snapshot;

pub(super) fn help() -> String {
    "At your service: !help, !ping, !status, !remind 10m tea is ready, !reminders, !stats. Anything else, and we talk.".to_owned()
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
