//! What each call does.

use std::net::SocketAddr;
use std::time::Instant;

use serde_json::{Value, json};

use super::BOT;
use super::state::{Post, State};

type Answered = (u16, Value);

/// Does it, and gives status and body.
pub(super) fn route(
    state: &mut State,
    gateway: SocketAddr,
    method: &str,
    path: &str,
    body: &Value,
) -> Answered {
    let parts: Vec<&str> = path.split('/').collect();
    match (method, parts.as_slice()) {
        ("GET", ["gateway", "bot"]) => (200, info(state, gateway)),
        ("GET", ["oauth2", "applications", "@me"] | ["applications", "@me"]) => {
            (200, json!({"id": BOT.to_string(), "name": "ChatBotler"}))
        }
        ("GET", ["users", "@me"]) => (200, user()),
        ("GET", ["applications", _, "commands"] | ["applications", _, "guilds", _, "commands"]) => {
            (200, json!(state.commands))
        }
        ("PUT", ["applications", _, "commands"] | ["applications", _, "guilds", _, "commands"]) => {
            (200, commands(state, body))
        }
        ("GET", ["channels", channel]) => match state.channel(id(channel)) {
            Some(channel) => (200, channel),
            None => refused(404, 10_003, "Unknown Channel"),
        },
        ("POST", ["channels", channel, "messages"]) => post(state, id(channel), body),
        ("POST", ["channels", channel, "messages", message, "threads"]) => {
            thread(state, id(channel), id(message), body)
        }
        (
            "PUT",
            [
                "channels",
                channel,
                "messages",
                message,
                "reactions",
                emoji,
                "@me",
            ],
        ) => {
            let reaction = (id(channel), id(message), (*emoji).to_owned());
            state.reactions.push(reaction);
            (204, Value::Null)
        }
        ("POST", ["interactions", _, token, "callback"]) => acknowledge(state, token, body),
        ("PATCH", ["webhooks", _, token, "messages", "@original"]) => fulfil(state, token, body),
        ("GET", ["guilds", _, "roles"]) => (200, json!(state.roles)),
        ("GET", ["guilds", _, "members", user]) => match state.members.get(&id(user)) {
            Some(roles) => (200, json!({"user": {"id": user}, "roles": roles})),
            None => refused(404, 10_007, "Unknown Member"),
        },
        (method, ["guilds", _, "members", user, "roles", role]) => {
            set_role(state, method == "PUT", id(user), role)
        }
        _ => {
            state.violation(format!("{method} {path} is no call that there is"));
            refused(404, 0, "404: Not Found")
        }
    }
}

fn id(text: &str) -> u64 {
    text.parse().unwrap_or_default()
}

fn refused(status: u16, code: u64, message: &str) -> Answered {
    (status, json!({"message": message, "code": code}))
}

fn info(state: &State, gateway: SocketAddr) -> Value {
    json!({
        "url": format!("ws://{gateway}"), "shards": state.shards,
        "session_start_limit": {"total": 1000, "remaining": 999, "reset_after": 14_400_000, "max_concurrency": 1},
    })
}

fn commands(state: &mut State, body: &Value) -> Value {
    let mut commands = body.as_array().cloned().unwrap_or_default();
    for command in &mut commands {
        command["id"] = json!(state.id().to_string());
        command["application_id"] = json!(BOT.to_string());
        command["version"] = json!(state.id().to_string());
        command["nsfw"] = json!(false);
        // as Discord does with what is empty
        if command["options"] == json!([])
            && let Some(fields) = command.as_object_mut()
        {
            fields.remove("options");
        }
    }
    state.commands = commands;
    json!(state.commands)
}

fn post(state: &mut State, channel: u64, body: &Value) -> Answered {
    if state.channel(channel).is_none() {
        return refused(404, 10_003, "Unknown Channel");
    }
    let content = body["content"].as_str().unwrap_or_default();
    if content.is_empty() || content.chars().count() > 2000 {
        return refused(400, 50_035, "Invalid Form Body");
    }
    let now = Instant::now();
    let window = state.nonce_window;
    state.nonces.retain(|_, (at, _)| now - *at < window);
    let nonce = body["nonce"].as_str().unwrap_or_default().to_owned();
    if nonce.len() > 25 {
        return refused(400, 50_035, "Invalid Form Body");
    }
    let enforced = body["enforce_nonce"] == true && !nonce.is_empty();
    let known = state
        .nonces
        .get(&(channel, nonce.clone()))
        .map(|(_, id)| *id);
    if let Some(id) = known.filter(|_| enforced) {
        return (200, message(id, channel, content));
    }
    let id = state.id();
    state.nonces.insert((channel, nonce), (now, id));
    state.posts.push(Post {
        id,
        channel,
        content: content.to_owned(),
        body: body.clone(),
    });
    (200, message(id, channel, content))
}

fn message(id: u64, channel: u64, content: &str) -> Value {
    json!({
        "id": id.to_string(), "channel_id": channel.to_string(), "content": content, "type": 0,
        "author": user(),
    })
}

/// The bot itself.
fn user() -> Value {
    json!({"id": BOT.to_string(), "username": "ChatBotler", "discriminator": "0", "avatar": null, "bot": true})
}

fn thread(state: &mut State, channel: u64, message: u64, body: &Value) -> Answered {
    if state.threads.contains_key(&channel) {
        return refused(400, 50_024, "Cannot execute action on this channel type");
    }
    if state.threads.contains_key(&message) {
        return refused(
            400,
            160_004,
            "A thread has already been created for this message",
        );
    }
    let name = body["name"].as_str().unwrap_or_default().chars().count();
    if !(1..=100).contains(&name) {
        return refused(400, 50_035, "Invalid Form Body");
    }
    state.threads.insert(message, (channel, BOT));
    (201, state.channel(message).unwrap_or_default())
}

fn acknowledge(state: &mut State, token: &str, body: &Value) -> Answered {
    let Some(promise) = state.promises.get_mut(token) else {
        return refused(404, 10_062, "Unknown interaction");
    };
    let late = promise.made.elapsed().as_secs() >= 3;
    if promise.acknowledged.is_some() {
        return refused(400, 40_060, "Interaction has already been acknowledged.");
    }
    if late {
        state.violation("an interaction was acknowledged after more than 3 s");
        return refused(404, 10_062, "Unknown interaction");
    }
    promise.acknowledged = Some(promise.made.elapsed());
    promise.ephemeral = body["data"]["flags"].as_u64().unwrap_or_default() & 64 != 0;
    (204, Value::Null)
}

fn fulfil(state: &mut State, token: &str, body: &Value) -> Answered {
    let promise = state.promises.get_mut(token);
    match promise.filter(|promise| promise.acknowledged.is_some()) {
        Some(promise) => {
            promise.answer = Some(body.clone());
            (200, body.clone())
        }
        None => refused(404, 10_015, "Unknown Webhook"),
    }
}

fn set_role(state: &mut State, has: bool, user: u64, role: &str) -> Answered {
    let height = |state: &State, id: &str| {
        let role = state.roles.iter().find(|role| role["id"] == id)?;
        role["position"].as_u64()
    };
    let own = state.members.get(&BOT).cloned().unwrap_or_default();
    let top = own.iter().filter_map(|id| height(state, id)).max();
    if height(state, role) >= top {
        return refused(403, 50_013, "Missing Permissions");
    }
    let roles = state.members.entry(user).or_default();
    roles.retain(|held| held != role);
    if has {
        roles.push(role.to_owned());
    }
    (204, Value::Null)
}
