//! The slash commands: what is registered, and what each says in the words of a text command.

use serde_json::{Value, json};
use twilight_model::application::interaction::application_command::{
    CommandData, CommandDataOption, CommandOptionValue,
};
use twilight_model::guild::Permissions;

use crate::manners::is_ignored;

const CHAT_INPUT: u8 = 1;
const SUBCOMMAND: u8 = 1;
const STRING: u8 = 3;
/// In a server; in a direct message to the bot.
const EVERYWHERE: &[u8] = &[0, 1];
const SERVERS: &[u8] = &[0];

struct Slash {
    name: &'static str,
    description: &'static str,
    /// Name and description of what has to be given, in order.
    options: &'static [(&'static str, &'static str)],
    contexts: &'static [u8],
    /// Shown to those who may moderate members; whether they may is looked at again when it is used.
    moderators: bool,
    /// Only the asker sees the answer.
    private: bool,
}

const fn simple(name: &'static str, description: &'static str) -> Slash {
    Slash {
        name,
        description,
        options: &[],
        contexts: EVERYWHERE,
        moderators: false,
        private: false,
    }
}

const fn moderators(name: &'static str, description: &'static str) -> Slash {
    Slash {
        moderators: true,
        private: true,
        contexts: SERVERS,
        ..simple(name, description)
    }
}

const SLASHES: [Slash; 12] = [
    Slash {
        private: true,
        ..simple("help", "What I can do")
    },
    simple("ping", "Whether I am there"),
    Slash {
        private: true,
        ..simple("status", "What is resting at the moment")
    },
    Slash {
        private: true,
        contexts: SERVERS,
        ..simple("roles", "The roles that you may take")
    },
    Slash {
        options: &[("text", "What you would like to say")],
        ..simple("ask", "A talk with the butler")
    },
    Slash {
        options: &[("query", "What to look up")],
        ..simple("search", "Look something up")
    },
    Slash {
        options: &[("when", "Such as 10m or 2h"), ("what", "What of")],
        ..simple("remind", "A word at a time of your choice")
    },
    simple("summary", "What was said here lately"),
    Slash {
        options: &[("question", "What to think through")],
        ..simple("deep", "A long answer")
    },
    simple("stats", "How lively it is here"),
    moderators("stop", "Take no more talks"),
    moderators("start", "Take talks again"),
];
const REBOOT: Slash = moderators("reboot", "Begin anew");

/// A slash command as it was used.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Used {
    /// The text command that asks the same.
    pub(super) text: String,
    pub(super) private: bool,
}

fn all() -> impl Iterator<Item = &'static Slash> {
    SLASHES.iter().chain([&REBOOT])
}

/// What is registered with Discord.
pub(super) fn commands() -> Vec<Value> {
    let role = json!({
        "type": CHAT_INPUT, "name": "role", "description": "Take a role, or give it back",
        "contexts": SERVERS, "default_member_permissions": null,
        "options": [
            {"type": SUBCOMMAND, "name": "add", "description": "Take a role", "options": [string("role", "Its name")]},
            {"type": SUBCOMMAND, "name": "remove", "description": "Give a role back", "options": [string("role", "Its name")]},
        ],
    });
    all().map(registered).chain([role]).collect()
}

fn registered(slash: &Slash) -> Value {
    let who = slash
        .moderators
        .then(|| Permissions::MODERATE_MEMBERS.bits().to_string());
    let options: Vec<Value> = slash.options.iter().map(|&(n, d)| string(n, d)).collect();
    json!({
        "type": CHAT_INPUT, "name": slash.name, "description": slash.description,
        "contexts": slash.contexts, "default_member_permissions": who, "options": options,
    })
}

fn string(name: &str, description: &str) -> Value {
    json!({"type": STRING, "name": name, "description": description, "required": true})
}

/// Whether everything wanted is registered just so, and nothing else. Discord adds fields of its own, leaves
/// out what is empty, and keeps no order among commands.
pub(super) fn up_to_date(registered: &[Value], wanted: &[Value]) -> bool {
    registered.len() == wanted.len()
        && wanted
            .iter()
            .all(|command| registered.iter().any(|have| holds(have, command)))
}

fn holds(have: &Value, wanted: &Value) -> bool {
    match (have, wanted) {
        (Value::Object(have), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, value)| holds(have.get(key).unwrap_or(&Value::Null), value)),
        (Value::Array(have), Value::Array(wanted)) => {
            have.len() == wanted.len() && have.iter().zip(wanted).all(|(h, w)| holds(h, w))
        }
        (Value::Null, Value::Array(wanted)) => wanted.is_empty(),
        _ => have == wanted,
    }
}

/// In the words of a text command; none if it is nothing that we have registered.
pub(super) fn used(data: &CommandData) -> Option<Used> {
    if data.name == "role" {
        return role(&data.options);
    }
    let slash = all().find(|slash| slash.name == data.name)?;
    let mut words = Vec::new();
    for (name, _) in slash.options {
        words.push(given(&data.options, name)?);
    }
    let said = words.join(" ");
    let text = match slash.name {
        // what is asked is a talk, whatever it begins with
        "ask" => said.trim_start_matches(['!', ' ']).to_owned(),
        name => format!("!{name} {said}").trim_end().to_owned(),
    };
    // it has to be answered, but nobody else needs to see that there was nothing to answer
    let private = slash.private || is_ignored(&text);
    Some(Used { text, private })
}

fn role(options: &[CommandDataOption]) -> Option<Used> {
    let [verb] = options else { return None };
    let CommandOptionValue::SubCommand(options) = &verb.value else {
        return None;
    };
    Some(Used {
        text: format!("!role {} {}", verb.name, given(options, "role")?),
        private: true,
    })
}

fn given<'a>(options: &'a [CommandDataOption], name: &str) -> Option<&'a str> {
    let option = options.iter().find(|option| option.name == name)?;
    match &option.value {
        CommandOptionValue::String(text) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Ask;

    fn data(options: &Value, name: &str) -> CommandData {
        let data = json!({"id": "1", "type": 1, "name": name, "options": options});
        serde_json::from_value(data).unwrap()
    }

    fn text(value: &str, name: &str) -> Value {
        json!({"type": 3, "name": name, "value": value})
    }

    #[test]
    fn each_is_a_command_that_the_core_knows() {
        for slash in all() {
            let options: Vec<Value> = slash.options.iter().map(|(n, _)| text("x", n)).collect();
            let used = used(&data(&json!(options), slash.name)).unwrap();
            assert_ne!(Ask::of(&used.text), Ask::Unknown, "{}", used.text);
        }
        let add = json!([{"type": 1, "name": "add", "options": [text("Night owl", "role")]}]);
        let used = used(&data(&add, "role")).unwrap();
        assert_eq!(Ask::of(&used.text), Ask::RoleAdd("Night owl".to_owned()));
    }

    #[test]
    fn a_question_stays_a_question() {
        let asked = used(&data(&json!([text("!stop", "text")]), "ask")).unwrap();
        assert_eq!(Ask::of(&asked.text), Ask::Talk("stop".to_owned()));
        assert!(used(&data(&json!([]), "dance")).is_none());
    }

    #[test]
    fn what_asks_to_be_ignored_is_between_the_two() {
        for (said, private) in [("$ignore me", true), ("! $IGNORE", true), ("hello", false)] {
            let asked = used(&data(&json!([text(said, "text")]), "ask")).unwrap();
            assert_eq!(asked.private, private, "{said}");
        }
    }

    #[test]
    fn what_discord_adds_is_no_change() {
        let wanted = commands();
        let mut registered = wanted.clone();
        registered.reverse();
        for (n, command) in registered.iter_mut().enumerate() {
            command["id"] = json!(n.to_string());
            command["version"] = json!("1");
            if command["options"] == json!([]) {
                command.as_object_mut().unwrap().remove("options");
            }
        }
        assert!(up_to_date(&registered, &wanted));
        registered[0]["description"] = json!("Something else");
        assert!(!up_to_date(&registered, &wanted));
        assert!(!up_to_date(&[], &wanted));
    }
}
