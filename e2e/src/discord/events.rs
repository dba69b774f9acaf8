//! What people do: they write messages and use slash commands.

use std::time::Instant;

use serde_json::{Value, json};

use super::state::{Promise, State};
use super::{BOT, CHANNEL, Discord, GUILD};

const GUILD_MESSAGES: u64 = 1 << 9;
const DIRECT_MESSAGES: u64 = 1 << 12;
const MESSAGE_CONTENT: u64 = 1 << 15;

/// A message as somebody writes it.
#[derive(Debug, Clone)]
pub struct Said {
    /// Where: a channel or a thread.
    pub channel: u64,
    /// In which server; none is a direct message.
    pub guild: Option<u64>,
    /// Who.
    pub author: u64,
    /// How the author is called.
    pub name: String,
    /// The roles of the author.
    pub roles: Vec<u64>,
    /// Whether that is a machine.
    pub bot: bool,
    /// What.
    pub text: String,
}

impl Said {
    /// By an ordinary person in the first channel.
    pub fn new(text: &str) -> Self {
        Self {
            channel: CHANNEL,
            guild: Some(GUILD),
            author: 40,
            name: "ada".to_owned(),
            roles: Vec::new(),
            bot: false,
            text: text.to_owned(),
        }
    }

    /// With the bot's name before it.
    pub fn to_bot(text: &str) -> Self {
        Self::new(&format!("<@{BOT}> {text}"))
    }

    /// In another channel.
    #[must_use]
    pub fn in_channel(mut self, channel: u64) -> Self {
        self.channel = channel;
        self
    }

    /// By somebody else.
    #[must_use]
    pub fn by(mut self, author: u64, roles: &[u64]) -> Self {
        self.author = author;
        self.roles = roles.to_vec();
        self
    }
}

impl Discord {
    /// Somebody says something; gives the id of the message.
    pub fn say(&self, said: &Said) -> u64 {
        self.with(|state| {
            let id = state.id();
            let message = message(id, said);
            tell(state, said, &message);
            id
        })
    }

    /// The gateway says a message again that was said before, as it may when it is not sure.
    pub fn say_again(&self, id: u64, said: &Said) {
        self.with(|state| tell(state, said, &message(id, said)));
    }

    /// Somebody uses a slash command with text options; gives the interaction's token.
    pub fn slash(
        &self,
        name: &str,
        options: &[(&str, &str)],
        author: u64,
        roles: &[u64],
    ) -> String {
        let options = options
            .iter()
            .map(|(name, value)| json!({"type": 3, "name": name, "value": value}));
        self.interact(name, &options.collect(), author, roles)
    }

    /// As [`Self::slash`], with options of any kind.
    pub fn interact(&self, name: &str, options: &Value, author: u64, roles: &[u64]) -> String {
        self.with(|state| {
            let id = state.id();
            let token = format!("interaction-{id}");
            let interaction = json!({
                "id": id.to_string(), "application_id": BOT.to_string(), "type": 2, "token": token, "version": 1,
                "data": {"id": "1", "type": 1, "name": name, "options": options},
                "guild_id": GUILD.to_string(), "channel_id": CHANNEL.to_string(),
                "channel": state.channel(CHANNEL), "member": member(Some(&user(author, "ada", false)), roles),
                "entitlements": [], "authorizing_integration_owners": {"0": GUILD.to_string()},
                "context": 0, "attachment_size_limit": 10_485_760, "locale": "en-US", "guild_locale": "en-US",
            });
            let promise = Promise {
                made: Instant::now(),
                acknowledged: None,
                ephemeral: false,
                answer: None,
            };
            state.promises.insert(token.clone(), promise);
            for session in state.sessions.values_mut() {
                if is_shard(GUILD, session.shard) {
                    session.dispatch("INTERACTION_CREATE", &interaction);
                }
            }
            token
        })
    }
}

/// To the sessions that asked for such, and with its text only where Discord shows that.
fn tell(state: &mut State, said: &Said, message: &Value) {
    let needed = if said.guild.is_some() {
        GUILD_MESSAGES
    } else {
        DIRECT_MESSAGES
    };
    let addressed = said.guild.is_none() || said.text.contains(&format!("<@{BOT}>"));
    let mut silent = message.clone();
    silent["content"] = json!("");
    for session in state.sessions.values_mut() {
        if session.intents & needed == 0 || !is_shard(said.guild.unwrap_or(0), session.shard) {
            continue;
        }
        let shown = addressed || session.intents & MESSAGE_CONTENT != 0;
        session.dispatch("MESSAGE_CREATE", if shown { message } else { &silent });
    }
}

fn is_shard(guild: u64, (shard, total): (u32, u32)) -> bool {
    (guild >> 22) % u64::from(total) == u64::from(shard)
}

fn user(id: u64, name: &str, bot: bool) -> Value {
    json!({
        "id": id.to_string(), "username": name, "global_name": null, "discriminator": "0",
        "avatar": null, "bot": bot, "public_flags": 0,
    })
}

fn member(user: Option<&Value>, roles: &[u64]) -> Value {
    let roles: Vec<String> = roles.iter().map(u64::to_string).collect();
    let mut member = json!({
        "roles": roles, "nick": null, "avatar": null, "premium_since": null, "joined_at": "2026-01-01T00:00:00+00:00",
        "deaf": false, "mute": false, "pending": false, "flags": 0, "communication_disabled_until": null,
    });
    if let Some(user) = user {
        member["user"] = user.clone();
        member["permissions"] = json!("0");
    }
    member
}

fn message(id: u64, said: &Said) -> Value {
    let mentions = if said.text.contains(&format!("<@{BOT}>")) {
        json!([user(BOT, "ChatBotler", true)])
    } else {
        json!([])
    };
    let mut message = json!({
        "id": id.to_string(), "channel_id": said.channel.to_string(), "type": 0, "content": said.text,
        "author": user(said.author, &said.name, said.bot), "timestamp": "2026-11-21T09:00:00.000000+00:00",
        "edited_timestamp": null, "tts": false, "pinned": false, "mention_everyone": false, "mentions": mentions,
        "mention_roles": [], "attachments": [], "embeds": [], "components": [], "flags": 0, "channel_type": 0,
        "nonce": null,
    });
    if let Some(guild) = said.guild {
        message["guild_id"] = json!(guild.to_string());
        message["member"] = member(None, &said.roles);
    }
    message
}
