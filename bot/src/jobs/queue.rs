//! The queue itself: one stream of `JetStream`, in which each tier has a subject and a consumer.
//!
//! # Guarantees
//!
//! - What was accepted is on the server's disk until a worker has acknowledged it, or nobody waits for it.
//! - A message that is handed in twice within [`DUPLICATES`] is in the queue once.
//! - A gateway makes it and brings it up to its options; a worker only takes from it, and needs no right to more.
//! - Each tier has so many places; who finds none is told so at once, and the others have theirs.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use brownout::policy::Tier;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;

use super::metrics::{JobsMetrics, Published};
use super::wire::{Job, token};
use super::{JobsError, Limits};
use crate::config::Role;
use crate::pools::PerTier;
use crate::store::now_ms;

pub(super) const STREAM: &str = "chatbotler-jobs";
const SUBJECTS: &str = "chatbotler.jobs";
/// Longer than a door repeats a message after an interrupted connection.
const DUPLICATES: Duration = Duration::from_mins(2);
/// A guard only: each job has a time to live of its own.
const OLDEST: Duration = Duration::from_mins(10);
/// A guard only: so many jobs of the longest messages are a fraction of it.
const BYTES_PER_JOB: i64 = 64 * 1024;
/// The server's own bound on deliveries; workers give a job up long before.
const DELIVERIES: i64 = 100;
/// For one answer of the server.
const ANSWER: Duration = Duration::from_secs(1);
/// How long handing in is tried again, while there is a connection.
const PUBLISH: Duration = Duration::from_secs(3);
const AGAIN: Duration = Duration::from_millis(100);
const LONGEST_RECONNECT: Duration = Duration::from_secs(2);

/// A connection to the queue, which makes itself anew whenever it breaks.
pub(crate) struct Queue {
    pub(crate) client: Client,
    pub(super) context: Context,
    limits: Limits,
    pub(super) metrics: Arc<JobsMetrics>,
    /// Of each tier: when it was last looked, no worker took its jobs.
    pub(super) deserted: PerTier<AtomicBool>,
}

impl Queue {
    /// Begins to connect; it need not succeed for the bot to start.
    pub(crate) async fn connect(
        url: &SecretString,
        role: Role,
        limits: Limits,
        metrics: Arc<JobsMetrics>,
    ) -> Result<Self, JobsError> {
        // the parser's own error may repeat the password
        let servers = url.expose_secret().split(',').map(ServerAddr::from_str);
        let servers: Vec<_> = servers
            .collect::<Result<_, _>>()
            .map_err(|_| JobsError::Url)?;
        let events = Arc::clone(&metrics);
        let mut options = ConnectOptions::new()
            .name("chatbotler")
            .custom_inbox_prefix(inbox(role))
            .retry_on_initial_connect()
            .connection_timeout(Duration::from_secs(2))
            .request_timeout(Some(ANSWER))
            .ping_interval(Duration::from_secs(5))
            .reconnect_delay_callback(|attempts| {
                let factor = u32::try_from(attempts).unwrap_or(u32::MAX);
                AGAIN.saturating_mul(factor).min(LONGEST_RECONNECT)
            })
            .event_callback(move |event| {
                let metrics = Arc::clone(&events);
                async move { heed(&event, &metrics) }
            });
        // for those too that are heard of later
        let known = servers
            .iter()
            .find_map(|server| Some((server.username()?, server.password()?)));
        if let Some((user, password)) = known {
            options = options.user_and_password(user.to_owned(), password.to_owned());
        }
        let client = options.connect(servers).await.map_err(JobsError::Connect)?;
        let mut context = jetstream::new(client.clone());
        context.set_timeout(ANSWER);
        Ok(Self {
            client,
            context,
            limits,
            metrics,
            deserted: PerTier::default(),
        })
    }

    /// Whether nobody takes the jobs of a tier, as far as is known.
    pub(crate) fn is_deserted(&self, tier: Tier) -> bool {
        self.deserted.get(tier).load(Ordering::Relaxed)
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Makes the stream, and brings it up to these limits.
    pub(crate) async fn declare(&self) -> Result<(), async_nats::Error> {
        self.context.create_or_update_stream(self.stream()).await?;
        Ok(())
    }

    fn stream(&self) -> stream::Config {
        let places = i64::from(self.limits.places);
        let all = places * 3;
        stream::Config {
            name: STREAM.to_owned(),
            subjects: vec![format!("{SUBJECTS}.*")],
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::File,
            discard: DiscardPolicy::New,
            discard_new_per_subject: true,
            max_messages_per_subject: places,
            max_messages: all,
            max_bytes: all * BYTES_PER_JOB,
            max_age: OLDEST,
            duplicate_window: DUPLICATES,
            num_replicas: self.limits.replicas,
            allow_message_ttl: true,
            ..stream::Config::default()
        }
    }

    /// The consumer of a tier, as a gateway has made it.
    pub(crate) async fn consumer(&self, tier: Tier) -> Result<PullConsumer, async_nats::Error> {
        let consumer = self.context.get_consumer_from_stream(token(tier), STREAM);
        Ok(consumer.await?)
    }

    /// Makes the consumer of a tier, or brings it up to these limits.
    pub(crate) async fn declare_consumer(
        &self,
        tier: Tier,
    ) -> Result<PullConsumer, async_nats::Error> {
        let stream = self.context.get_stream_no_info(STREAM).await?;
        let config = pull::Config {
            durable_name: Some(token(tier).to_owned()),
            filter_subject: subject(tier),
            ack_policy: AckPolicy::Explicit,
            ack_wait: self.limits.ack_wait,
            max_deliver: DELIVERIES,
            max_ack_pending: i64::from(self.limits.places),
            ..pull::Config::default()
        };
        Ok(stream.create_consumer(config).await?)
    }

    /// Hands a job in. While the server comes back it is tried again for a little: the queue knows a
    /// repetition by its id. Without a connection the answer is there at once, unless the job may have
    /// arrived over one that was lost.
    pub(crate) async fn publish(&self, job: &Job) -> Published {
        let outcome = self.try_publish(job).await;
        self.metrics.published(job.tier(), outcome);
        outcome
    }

    async fn try_publish(&self, job: &Job) -> Published {
        let Ok(payload) = serde_json::to_vec(job) else {
            return Published::Down;
        };
        let give_up = Instant::now() + PUBLISH;
        let (mut first, mut perhaps) = (true, false);
        while (perhaps || self.is_connected()) && Instant::now() < give_up {
            // whole seconds, and 0 would be for ever
            let ttl = job.left(now_ms()) + Duration::from_secs(1);
            let message = PublishMessage::build()
                .message_id(job.id())
                .ttl(ttl)
                .payload(payload.clone().into());
            let sent = self.context.send_publish(subject(job.tier()), message);
            let answered = match sent.await {
                Ok(answer) => answer.await,
                Err(error) => Err(error),
            };
            match answered {
                Ok(answer) if answer.duplicate && first => return Published::Duplicate,
                Ok(_accepted) => return Published::Ok,
                Err(error) if is_full(&error) => return Published::Full,
                Err(error) => {
                    tracing::debug!(%error, "a job could not be handed in yet");
                    perhaps |= may_have_arrived(error.kind());
                    if error.kind() == PublishErrorKind::StreamNotFound {
                        let _ = self.declare().await; // or it is said again next time
                    }
                }
            }
            first = false;
            tokio::time::sleep(AGAIN).await;
        }
        if perhaps {
            Published::Unknown
        } else {
            Published::Down
        }
    }
}

/// Where answers of the server come in: to each role its own, so that one cannot listen to the other's.
fn inbox(role: Role) -> &'static str {
    match role {
        Role::Worker => "_INBOX.worker",
        Role::All | Role::Gateway => "_INBOX.gateway",
    }
}

pub(super) fn subject(tier: Tier) -> String {
    format!("{SUBJECTS}.{}", token(tier))
}

fn heed(event: &Event, metrics: &JobsMetrics) {
    match event {
        Event::Connected => {
            metrics.connected.set(1);
            tracing::info!("connected to NATS");
        }
        Event::Disconnected | Event::Closed => {
            metrics.connected.set(0);
            tracing::warn!("no connection to NATS");
        }
        other => tracing::warn!(event = %other, "NATS"),
    }
}

/// Whether no answer came, rather than one that says no.
fn may_have_arrived(error: PublishErrorKind) -> bool {
    matches!(
        error,
        PublishErrorKind::TimedOut | PublishErrorKind::BrokenPipe
    )
}

/// Whether the stream refused it since one of its limits is reached.
fn is_full(error: &PublishError) -> bool {
    let refusal = std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<jetstream::Error>());
    refusal.is_some_and(|refusal| refusal.error_code() == ErrorCode::STREAM_STORE_FAILED)
}
