//! The commands: what must always work.

use brownout::policy::State;

use crate::features::Feature;
use crate::flags::Snapshot;

pub(super) fn help() -> String {
    "At your service: !help, !ping, !status. Anything else, and we talk.".to_owned()
}

pub(super) fn unknown() -> String {
    "I do not know that command. Try !help.".to_owned()
}

pub(super) fn status(flags: &Snapshot) -> String {
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
