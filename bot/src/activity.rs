//! Who is here and how much is said: noted in memory, written in batches, and the first thing to be left out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use brownout::policy::State;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio_util::sync::CancellationToken;

use crate::features::Feature;
use crate::flags::FlagStore;
use crate::message::Message;
use crate::store::{Heard, Store, StoreError, now_ms};

/// How often a batch is written, and how often while analytics are Reduced.
const WRITE: Duration = Duration::from_secs(5);
const WRITE_REDUCED: Duration = Duration::from_mins(1);
/// So many people are kept in memory between two batches; who comes then is not counted.
const MOST_PEOPLE: usize = 10_000;
/// Rows of one transaction.
const BATCH: usize = 250;
/// What is older is forgotten.
const KEPT_MS: i64 = 30 * 86_400_000;

pub(crate) const HOUR_MS: i64 = 3_600_000;
pub(crate) const DAY_MS: i64 = 24 * HOUR_MS;
const WINDOWS: [(&str, i64); 2] = [("hour", HOUR_MS), ("day", DAY_MS)];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    window: &'static str,
}

/// `bot_active_users` and what was not counted.
#[derive(Clone)]
pub(crate) struct ActivityMetrics {
    active: Family<Labels, Gauge>,
    uncounted: Counter,
}

impl ActivityMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self {
            active: Family::default(),
            uncounted: Counter::default(),
        };
        registry.register(
            "bot_active_users",
            "People who said something to the bot within the last hour or day, in all replicas",
            metrics.active.clone(),
        );
        registry.register(
            "bot_activity_uncounted",
            "Messages that analytics left out, because too much was waiting to be written",
            metrics.uncounted.clone(),
        );
        for (window, _) in WINDOWS {
            let _ = metrics.active.get_or_create(&Labels { window });
        }
        metrics
    }
}

/// What was said since the last batch: by guild and person, the last time and how often.
type Noted = BTreeMap<(String, String), (i64, i64)>;

/// One of them.
type Note = ((String, String), (i64, i64));

/// Takes notes.
pub(crate) struct Activity {
    store: Store,
    noted: Mutex<Noted>,
    metrics: ActivityMetrics,
}

impl Activity {
    pub(crate) fn new(store: Store, metrics: ActivityMetrics) -> Self {
        Self {
            store,
            noted: Mutex::default(),
            metrics,
        }
    }

    /// Notes a message. It costs next to nothing: the store is not asked.
    pub(crate) fn note(&self, message: &Message) {
        if message.author.id.is_empty() {
            return; // nobody in particular
        }
        let guild = message.place.guild.clone().unwrap_or_default();
        let key = (guild, message.author.id.clone());
        self.add(key, now_ms(), 1);
    }

    fn add(&self, key: (String, String), at: i64, messages: i64) {
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() >= MOST_PEOPLE && !noted.contains_key(&key) {
            self.metrics.uncounted.inc();
            return;
        }
        let (last, count) = noted.entry(key).or_default();
        *last = at.max(*last);
        *count += messages;
    }

    /// Writes batches until `stop`, and what is left then.
    pub(crate) async fn follow(self: Arc<Self>, flags: Arc<FlagStore>, stop: CancellationToken) {
        loop {
            let pause = match flags.snapshot().features.state(Feature::Analytics) {
                State::Enabled => WRITE,
                State::Reduced | State::Disabled => WRITE_REDUCED,
            };
            let stopping = tokio::select! {
                biased;
                () = stop.cancelled() => true,
                () = tokio::time::sleep(pause) => false,
            };
            // errors are counted and logged by the store
            let _ = self.write().await;
            if stopping {
                return;
            }
            // also while nothing is noted: a gauge that stood still would say that everybody is still here
            let _ = self.show().await;
        }
    }

    /// Writes what was noted; what cannot be written is kept for the next time.
    async fn write(&self) -> Result<(), StoreError> {
        if !self.store.is_up() {
            return Err(StoreError::Down);
        }
        let noted = std::mem::take(&mut *self.noted.lock().unwrap_or_else(PoisonError::into_inner));
        let mut noted: Vec<_> = noted.into_iter().collect();
        while !noted.is_empty() {
            let rest = noted.split_off(noted.len().min(BATCH));
            if let Err(error) = self.write_batch(&noted).await {
                for (key, (last, count)) in noted.into_iter().chain(rest) {
                    self.add(key, last, count);
                }
                return Err(error);
            }
            noted = rest;
        }
        Ok(())
    }

    async fn write_batch(&self, noted: &[Note]) -> Result<(), StoreError> {
        let mut batch = Vec::with_capacity(noted.len());
        for ((guild, person), (last, messages)) in noted {
            batch.push(Heard {
                guild: guild.clone(),
                person: self.store.person(person).await?,
                last: *last,
                messages: *messages,
            });
        }
        batch.sort_by(|a, b| (&a.guild, &a.person).cmp(&(&b.guild, &b.person)));
        self.store.add_activity(&batch).await
    }

    async fn show(&self) -> Result<(), StoreError> {
        let now = now_ms();
        for (window, length) in WINDOWS {
            let people = self.store.active(None, now - length).await?;
            self.metrics
                .active
                .get_or_create(&Labels { window })
                .set(people);
        }
        self.store.prune_activity(now - KEPT_MS).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Features;
    use crate::message::{Author, Door, Place};
    use crate::metrics::Metrics;

    fn message(guild: &str, person: &str) -> Message {
        Message {
            own_way: false,
            id: "1".to_owned(),
            door: Door::Discord,
            place: Place {
                guild: Some(guild.to_owned()),
                ..Place::default()
            },
            author: Author {
                id: person.to_owned(),
                name: person.to_owned(),
                moderator: false,
            },
            text: "hello".to_owned(),
        }
    }

    fn activity(store: &Store) -> Activity {
        Activity::new(
            store.clone(),
            ActivityMetrics::new(&mut Registry::default()),
        )
    }

    #[tokio::test]
    async fn what_was_said_is_counted_by_person_and_guild_under_no_name() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        let activity = activity(&store);
        for (guild, person) in [("a", "ann"), ("a", "ann"), ("a", "bob"), ("b", "ann")] {
            activity.note(&message(guild, person));
        }
        assert_eq!(
            store.active(None, 0).await.unwrap(),
            0,
            "nothing is written on the way"
        );
        activity.write().await.unwrap();
        activity.show().await.unwrap();
        assert_eq!(
            store.active(Some("a"), now_ms() - HOUR_MS).await.unwrap(),
            2
        );
        assert_eq!(store.active(None, now_ms() - HOUR_MS).await.unwrap(), 2);
        assert_eq!(store.active(None, now_ms() + 1).await.unwrap(), 0);
        assert_eq!(store.messages("a", now_ms() - DAY_MS).await.unwrap(), 3);
        let hour = activity
            .metrics
            .active
            .get_or_create(&Labels { window: "hour" })
            .get();
        assert_eq!(hour, 2);
    }

    #[tokio::test]
    async fn who_has_gone_is_not_active_any_more_though_nothing_is_noted() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        let activity = Arc::new(activity(&store));
        let metrics = Metrics::new(&mut Registry::default(), &[]);
        let flags = FlagStore::new(&[], Features::safe(), Arc::new(metrics));
        assert_eq!(
            flags.snapshot().features.state(Feature::Analytics),
            State::Disabled
        );
        let labels = Labels { window: "hour" };
        let shown = activity.metrics.active.get_or_create_owned(&labels);
        shown.set(5);
        let stop = CancellationToken::new();
        tokio::time::pause();
        let following = Arc::clone(&activity).follow(Arc::new(flags), stop.clone());
        let following = tokio::spawn(following);
        tokio::task::yield_now().await;
        tokio::time::advance(2 * WRITE_REDUCED).await;
        tokio::time::resume();
        let gone = async {
            while shown.get() != 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), gone)
            .await
            .unwrap();
        stop.cancel();
        following.await.unwrap();
    }

    #[tokio::test]
    async fn what_the_store_does_not_take_is_kept_and_bounded() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        let activity = activity(&store);
        activity.note(&message("a", "ann"));
        store.pretend(false);
        activity.write().await.unwrap_err();
        for n in 0..MOST_PEOPLE {
            activity.note(&message("a", &n.to_string()));
        }
        assert_eq!(activity.metrics.uncounted.get(), 1);
        activity.note(&message("a", "ann"));
        assert_eq!(
            activity.metrics.uncounted.get(),
            1,
            "whoever is known still counts"
        );
        store.pretend(true);
        activity.write().await.unwrap();
        assert_eq!(store.messages("a", 0).await.unwrap(), 10_001);
    }
}
