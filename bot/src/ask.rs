//! What a message asks for: a command, or a talk.

use crate::features::Feature;

/// The sign that a command begins with.
const SIGN: char = '!';

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Help,
    Ping,
    Status,
    /// The roles that one may take.
    Roles,
    RoleAdd(String),
    RoleRemove(String),
    /// Moderators: take no more talks, for this reason.
    Stop(String),
    /// Moderators: go on.
    Start,
    /// Moderators: begin anew.
    Reboot,
    /// Moderators: read or change a setting, as in `!set roles guest,helper`.
    Set(String),
    Search(String),
    /// As typed after `!remind`, such as `10m tea is ready`.
    Remind(String),
    Reminders,
    RemindersClear,
    Stats,
    Summary,
    Deep(String),
    /// A command that nobody knows.
    Unknown,
    /// Everything else is a talk.
    Talk(String),
}

impl Ask {
    /// Of the text of a message, cleaned already.
    pub(crate) fn of(text: &str) -> Self {
        let text = text.trim();
        let Some(command) = text.strip_prefix(SIGN) else {
            return Self::Talk(text.to_owned());
        };
        let (word, rest) = split(command);
        match word.to_lowercase().as_str() {
            "help" => Self::Help,
            "ping" => Self::Ping,
            "status" => Self::Status,
            "roles" => Self::Roles,
            "role" => role(rest),
            "stop" => Self::Stop(rest.to_owned()),
            "start" => Self::Start,
            "reboot" => Self::Reboot,
            "set" => Self::Set(rest.to_owned()),
            "search" if !rest.is_empty() => Self::Search(rest.to_owned()),
            "remind" => Self::Remind(rest.to_owned()),
            "reminders" if rest.eq_ignore_ascii_case("clear") => Self::RemindersClear,
            "reminders" => Self::Reminders,
            "stats" => Self::Stats,
            "summary" => Self::Summary,
            "deep" if !rest.is_empty() => Self::Deep(rest.to_owned()),
            _ => Self::Unknown,
        }
    }

    /// Whether it takes more than the process that heard it and the store. The rest is answered at the door,
    /// so moderators are heard whatever became of the workers.
    pub(crate) fn needs_worker(&self) -> bool {
        let at_the_door = matches!(self, Self::Help | Self::Ping | Self::Status | Self::Unknown);
        !at_the_door && self.feature() != Feature::Moderation
    }

    /// The feature that it is part of.
    pub(crate) fn feature(&self) -> Feature {
        match self {
            Self::Help | Self::Ping | Self::Status | Self::Unknown => Feature::Commands,
            Self::Roles | Self::RoleAdd(_) | Self::RoleRemove(_) => Feature::Roles,
            Self::Stop(_) | Self::Start | Self::Reboot | Self::Set(_) => Feature::Moderation,
            Self::Search(_) => Feature::Search,
            Self::Remind(_) | Self::Reminders | Self::RemindersClear => Feature::Reminders,
            Self::Stats => Feature::Analytics,
            Self::Summary => Feature::Summaries,
            Self::Deep(_) => Feature::DeepAnswers,
            Self::Talk(_) => Feature::AiChat,
        }
    }
}

/// The first word and the rest, without the space around.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, rest.trim()),
        None => (text, ""),
    }
}

fn role(rest: &str) -> Ask {
    let (verb, name) = split(rest);
    match (verb.to_lowercase().as_str(), name) {
        ("add", name) if !name.is_empty() => Ask::RoleAdd(name.to_owned()),
        ("remove", name) if !name.is_empty() => Ask::RoleRemove(name.to_owned()),
        ("list", "") => Ask::Roles,
        _ => Ask::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_talk() {
        for (message, ask) in [
            ("!ping", Ask::Ping),
            ("  !HELP me ", Ask::Help),
            ("!status", Ask::Status),
            ("!", Ask::Unknown),
            ("!dance", Ask::Unknown),
            ("!roles", Ask::Roles),
            ("!role add Night owl", Ask::RoleAdd("Night owl".to_owned())),
            ("!role remove guest", Ask::RoleRemove("guest".to_owned())),
            ("!role", Ask::Unknown),
            ("!remind 10m tea", Ask::Remind("10m tea".to_owned())),
            ("!remind", Ask::Remind(String::new())),
            ("!reminders", Ask::Reminders),
            ("!reminders CLEAR", Ask::RemindersClear),
            ("!stop for the night", Ask::Stop("for the night".to_owned())),
            ("!search", Ask::Unknown),
            ("ping", Ask::Talk("ping".to_owned())),
            ("", Ask::Talk(String::new())),
        ] {
            assert_eq!(Ask::of(message), ask, "{message:?}");
        }
    }
}
