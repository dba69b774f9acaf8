//! Which of the messages in a channel are meant for the bot. Pure.
//!
//! People talk to each other; the bot is one of the guests and waits until it is spoken to: by a mention, a
//! reply to its own words, a direct message, a command, or in a thread of its own.

use twilight_model::channel::Message as Posted;
use twilight_model::channel::message::MessageType;
use twilight_model::id::Id;
use twilight_model::id::marker::{RoleMarker, UserMarker};
use twilight_model::user::User;

use crate::ask::Ask;
use crate::message::{Author, Door, Message, Place};

/// What begins with this is for friends, not for the bot.
const IGNORE: &str = "$ignore";
/// What a mention without a word means.
const NUDGE: &str = "!help";

/// Who listens.
pub(super) struct Ears<'a> {
    pub(super) me: Id<UserMarker>,
    /// Whether Discord shows us the text of what is not addressed to us.
    pub(super) content: bool,
    pub(super) moderators: &'a [u64],
}

/// What to make of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Nothing,
    /// It is for the bot.
    Spoken(Message),
    /// It is for the bot if its channel is a thread of the bot's.
    Perhaps(Message),
}

pub(super) fn hear(posted: &Posted, ears: &Ears<'_>) -> Heard {
    let machine = posted.author.bot || posted.webhook_id.is_some() || posted.author.id == ears.me;
    let said = matches!(posted.kind, MessageType::Regular | MessageType::Reply);
    if machine || !said {
        return Heard::Nothing;
    }
    let mentioned = posted.mentions.iter().any(|who| who.id == ears.me);
    let text = without_mention(&posted.content, ears.me);
    if is_aside(&posted.content) || is_aside(&text) {
        return Heard::Nothing;
    }
    if text.is_empty() && !mentioned {
        return Heard::Nothing;
    }
    let answered = posted
        .referenced_message
        .as_ref()
        .is_some_and(|first| first.author.id == ears.me);
    let addressed = posted.guild_id.is_none() || mentioned || answered;
    let command = ears.content && text.starts_with('!');
    // a command of some other bot
    if command && !addressed && Ask::of(&text) == Ask::Unknown {
        return Heard::Nothing;
    }
    let message = message(posted, ears, text);
    if addressed || command {
        Heard::Spoken(message)
    } else if ears.content {
        Heard::Perhaps(message)
    } else {
        Heard::Nothing
    }
}

fn message(posted: &Posted, ears: &Ears<'_>, text: String) -> Message {
    let member = posted.member.as_ref();
    let roles = member.map_or(&[][..], |member| &member.roles);
    let nick = member.and_then(|member| member.nick.as_deref());
    Message {
        own_way: false,
        id: posted.id.to_string(),
        door: Door::Discord,
        place: Place {
            guild: posted.guild_id.map(|id| id.to_string()),
            channel: posted.channel_id.to_string(),
            thread: None,
        },
        author: author(&posted.author, nick, roles, ears.moderators),
        text: if text.is_empty() {
            NUDGE.to_owned()
        } else {
            text
        },
    }
}

/// Somebody on Discord.
pub(super) fn author(
    user: &User,
    nick: Option<&str>,
    roles: &[Id<RoleMarker>],
    moderators: &[u64],
) -> Author {
    let name = nick.or(user.global_name.as_deref()).unwrap_or(&user.name);
    Author {
        id: user.id.to_string(),
        name: name.chars().filter(|c| !c.is_control()).take(40).collect(),
        moderator: roles.iter().any(|role| moderators.contains(&role.get())),
    }
}

fn without_mention(text: &str, me: Id<UserMarker>) -> String {
    let text = text
        .replace(&format!("<@{me}>"), "")
        .replace(&format!("<@!{me}>"), "");
    text.trim().to_owned()
}

fn is_aside(text: &str) -> bool {
    let start = text.trim_start().get(..IGNORE.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(IGNORE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ME: u64 = 10;
    const MODERATORS: [u64; 1] = [77];

    fn posted(content: &str, more: &Value) -> Posted {
        let mut message = json!({
            "id": "1000", "channel_id": "20", "guild_id": "30", "content": content, "type": 0,
            "author": {"id": "40", "username": "ada", "discriminator": "0", "avatar": null},
            "member": {"roles": [], "deaf": false, "mute": false, "flags": 0, "joined_at": null, "nick": null},
            "attachments": [], "embeds": [], "mentions": [], "mention_roles": [], "mention_everyone": false,
            "pinned": false, "timestamp": "2026-11-21T09:00:00+00:00", "edited_timestamp": null, "tts": false,
        });
        for (key, value) in more.as_object().unwrap() {
            message[key] = value.clone();
        }
        serde_json::from_value(message).unwrap()
    }

    fn heard(content: &str, more: &Value, with_content: bool) -> Heard {
        let ears = Ears {
            me: Id::new(ME),
            content: with_content,
            moderators: &MODERATORS,
        };
        hear(&posted(content, more), &ears)
    }

    fn mention() -> Value {
        json!({"mentions": [{"id": "10", "username": "bot", "discriminator": "0", "avatar": null, "public_flags": 0}]})
    }

    #[test]
    fn friends_are_left_alone() {
        assert_eq!(heard("nice weather", &json!({}), false), Heard::Nothing);
        assert!(matches!(
            heard("nice weather", &json!({}), true),
            Heard::Perhaps(_)
        ));
        assert_eq!(heard("!play a song", &json!({}), true), Heard::Nothing);
        for aside in ["$ignore me", "<@10> $IGNORE that", "  $ignore"] {
            assert_eq!(heard(aside, &mention(), true), Heard::Nothing, "{aside}");
        }
        let bot = json!({"author": {"id": "41", "username": "b", "discriminator": "0", "avatar": null, "bot": true}});
        assert_eq!(heard("!ping", &bot, true), Heard::Nothing);
        assert_eq!(
            heard("!ping", &json!({"webhook_id": "5"}), true),
            Heard::Nothing
        );
        assert_eq!(heard("!ping", &json!({"type": 7}), true), Heard::Nothing);
    }

    #[test]
    fn whoever_speaks_to_the_bot_is_heard() {
        let Heard::Spoken(message) = heard("<@10> hello", &mention(), false) else {
            unreachable!("a mention")
        };
        assert_eq!(
            (message.text.as_str(), message.id.as_str()),
            ("hello", "1000")
        );
        let Heard::Spoken(nudge) = heard("<@!10>", &mention(), false) else {
            unreachable!("a nudge")
        };
        assert_eq!(nudge.text, NUDGE);
        let direct = json!({"guild_id": null, "member": null});
        assert!(matches!(heard("hello", &direct, false), Heard::Spoken(_)));
        assert!(matches!(heard("!ping", &json!({}), true), Heard::Spoken(_)));
    }

    #[test]
    fn moderators_are_known_by_their_roles() {
        let member = json!({"roles": ["5", "77"], "deaf": false, "mute": false, "flags": 0, "joined_at": null, "nick": "Ada"});
        let Heard::Spoken(message) = heard("!stop", &json!({"member": member}), true) else {
            unreachable!("a command")
        };
        assert!(message.author.moderator);
        assert_eq!(message.author.name, "Ada");
        let Heard::Spoken(message) = heard("!stop", &json!({}), true) else {
            unreachable!("a command")
        };
        assert!(!message.author.moderator);
    }
}
