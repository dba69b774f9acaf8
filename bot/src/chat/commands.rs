//! The commands: what must always work.

use brownout::policy::State;

use crate::features::Feature;
use crate::flags::Snapshot;

/// A message that begins with an exclamation mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    Ping,
    Status,
    Unknown,
}

/// `None` where the message is no command.
pub(super) fn parse(message: &str) -> Option<Command> {
    let word = message.trim().strip_prefix('!')?;
    let word = word.split_whitespace().next().unwrap_or_default();
    Some(match word.to_ascii_lowercase().as_str() {
        "help" => Command::Help,
        "ping" => Command::Ping,
        "status" => Command::Status,
        _ => Command::Unknown,
    })
}

impl Command {
    pub(super) fn answer(self, flags: &Snapshot) -> String {
        match self {
            Self::Help => {
                "At your service: !help, !ping, !status. Anything else, and we talk.".to_owned()
            }
            Self::Ping => "Pong.".to_owned(),
            Self::Status => status(flags),
            Self::Unknown => "I do not know that command. Try !help.".to_owned(),
        }
    }
}

fn status(flags: &Snapshot) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_talk() {
        for (message, command) in [
            ("!ping", Some(Command::Ping)),
            ("  !HELP me ", Some(Command::Help)),
            ("!status", Some(Command::Status)),
            ("!", Some(Command::Unknown)),
            ("!dance", Some(Command::Unknown)),
            ("ping", None),
            ("", None),
        ] {
            assert_eq!(parse(message), command, "{message:?}");
        }
    }
}
