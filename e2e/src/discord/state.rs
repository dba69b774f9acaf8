//! What the stand-in knows.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::buckets::Buckets;
use super::session::Session;
use super::{BOT, CHANNEL, GUILD};

/// A call of the API.
#[derive(Debug, Clone)]
pub struct Call {
    /// When it came.
    pub at: Instant,
    /// Of HTTP.
    pub method: String,
    /// Without `/api/v10/`.
    pub path: String,
    /// What it was answered with.
    pub status: u16,
    /// What it brought.
    pub body: Value,
}

/// A message that the bot has posted.
#[derive(Debug, Clone)]
pub struct Post {
    /// Its id.
    pub id: u64,
    /// The channel or thread where it stands.
    pub channel: u64,
    /// What it says.
    pub content: String,
    /// All that was sent.
    pub body: Value,
}

impl Post {
    /// The message that it is a reply to.
    pub fn reply_to(&self) -> Option<u64> {
        self.body["message_reference"]["message_id"]
            .as_str()?
            .parse()
            .ok()
    }
}

/// How a call goes wrong.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Nothing is done, and this is the answer.
    Status(u16),
    /// It is done, and the answer says that it failed.
    Lost,
    /// It is done after this long.
    Slow(Duration),
    /// It is done, and there is no answer for this long.
    Hung(Duration),
    /// Nothing is done; nothing at all may be asked for this long.
    Global(Duration),
    /// Nothing is done; others have used up what all share of this route.
    Shared(Duration),
}

/// Which calls go wrong.
#[derive(Debug, Clone)]
pub struct Rule {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) left: usize,
    pub(super) fault: Fault,
}

/// The answer to an interaction that was acknowledged.
#[derive(Debug, Clone)]
pub struct Promise {
    /// When the interaction was made.
    pub made: Instant,
    /// How long it took to be acknowledged.
    pub acknowledged: Option<Duration>,
    /// Only the asker sees it.
    pub ephemeral: bool,
    /// What it was edited to.
    pub answer: Option<Value>,
}

/// Everything.
pub struct State {
    /// Calls of the API, in order.
    pub calls: Vec<Call>,
    /// Messages of the bot, in order.
    pub posts: Vec<Post>,
    /// What a client did that it may not.
    pub violations: Vec<String>,
    /// The slash commands that are registered.
    pub commands: Vec<Value>,
    /// Parent and owner of each thread.
    pub threads: HashMap<u64, (u64, u64)>,
    /// Channel and emoji of each reaction, by message.
    pub reactions: Vec<(u64, u64, String)>,
    /// The roles of the server.
    pub roles: Vec<Value>,
    /// The roles of each member.
    pub members: BTreeMap<u64, Vec<String>>,
    /// By token.
    pub promises: HashMap<String, Promise>,
    /// Calls that have come and have no answer yet.
    pub under_way: usize,
    /// Milliseconds.
    pub heartbeat_interval: u64,
    /// Heartbeats are not acknowledged.
    pub deaf: bool,
    /// Bits of intents that the application was granted; others end in close code 4014.
    pub granted: u64,
    /// How many shards are recommended.
    pub shards: u32,
    /// Identifies seen, with the intents that each asked for.
    pub identifies: Vec<(Instant, u64)>,
    /// Sessions that were resumed.
    pub resumes: usize,
    /// Who resumes is told by this close code that the session is no more.
    pub refuse_resumes: Option<u16>,
    pub(super) nonce_window: Duration,
    pub(super) nonces: HashMap<(u64, String), (Instant, u64)>,
    pub(super) rules: Vec<Rule>,
    pub(super) buckets: Buckets,
    pub(super) sessions: HashMap<String, Session>,
    next: u64,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            calls: Vec::new(),
            posts: Vec::new(),
            violations: Vec::new(),
            commands: Vec::new(),
            threads: HashMap::new(),
            reactions: Vec::new(),
            roles: roles(),
            members: BTreeMap::from([(BOT, vec!["50".to_owned()])]),
            promises: HashMap::new(),
            under_way: 0,
            heartbeat_interval: 41_250,
            deaf: false,
            granted: u64::MAX,
            shards: 1,
            identifies: Vec::new(),
            resumes: 0,
            refuse_resumes: None,
            nonce_window: Duration::from_secs(180),
            nonces: HashMap::new(),
            rules: Vec::new(),
            buckets: Buckets::new(),
            sessions: HashMap::new(),
            next: 0,
        }
    }

    /// A new id, as Discord makes them: the time first.
    pub(super) fn id(&mut self) -> u64 {
        self.next += 1;
        let ms = jiff::Timestamp::now().as_millisecond() - 1_420_070_400_000;
        (u64::try_from(ms).unwrap_or_default() << 22) | (self.next & 0xfff)
    }

    pub(super) fn violation(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    /// What is to go wrong with this call.
    pub(super) fn fault(&mut self, method: &str, path: &str) -> Option<Fault> {
        let rule = self
            .rules
            .iter_mut()
            .find(|rule| rule.left > 0 && rule.method == method && path.contains(&rule.path))?;
        rule.left -= 1;
        Some(rule.fault)
    }

    /// As the API shows a channel.
    pub(super) fn channel(&self, id: u64) -> Option<Value> {
        if let Some((parent, owner)) = self.threads.get(&id) {
            return Some(json!({
                "id": id.to_string(), "type": 11, "guild_id": GUILD.to_string(), "name": "a thread",
                "parent_id": parent.to_string(), "owner_id": owner.to_string(),
            }));
        }
        // every other number near the first is a channel of the server, so that tests need not share one
        let known = (CHANNEL..CHANNEL + 1000).contains(&id);
        known.then(|| {
            json!({"id": id.to_string(), "type": 0, "guild_id": GUILD.to_string(), "name": "general"})
        })
    }
}

fn roles() -> Vec<Value> {
    let role = |id: u64, name: &str, position: u64, permissions: u64| {
        json!({
            "id": id.to_string(), "name": name, "position": position, "permissions": permissions.to_string(),
            "color": 0, "hoist": false, "managed": false, "mentionable": false, "flags": 0,
        })
    };
    vec![
        role(GUILD, "@everyone", 0, 1 << 10),
        role(50, "ChatBotler", 5, 1 << 28),
        role(51, "Guest", 1, 0),
        role(52, "Night owl", 2, 0),
        role(53, "Warden", 3, 1 << 2),
        role(54, "Owner", 9, 0),
        role(77, "Moderator", 8, 1 << 40),
    ]
}
