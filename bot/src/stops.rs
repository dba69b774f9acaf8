//! Whether moderators have stopped the bot, in one guild or as a whole.
//!
//! A stop holds at once in the process that was told, whatever the store does; it is written down as
//! soon as that can be, and the other replicas learn of it by looking once a second.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::store::{Stop, Store, StoreError};

/// How often to look what the other replicas were told.
const LOOK: Duration = Duration::from_secs(1);

/// By guild; `""` is the bot as a whole.
type ByGuild = BTreeMap<String, Stop>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    scope: &'static str,
}

/// `bot_stopped`.
#[derive(Clone)]
pub(crate) struct StopMetrics(Family<Labels, Gauge>);

impl StopMetrics {
    pub(crate) fn new(registry: &mut Registry) -> Self {
        let metrics = Self(Family::default());
        registry.register(
            "bot_stopped",
            "Where moderators have stopped the bot: 1 for bot where as a whole, for guild the number of guilds",
            metrics.0.clone(),
        );
        metrics.show(&ByGuild::new());
        metrics
    }

    fn show(&self, stops: &ByGuild) {
        let whole = i64::from(stops.contains_key(""));
        let guilds = i64::try_from(stops.len()).unwrap_or(i64::MAX) - whole;
        for (scope, count) in [("bot", whole), ("guild", guilds)] {
            self.0.get_or_create(&Labels { scope }).set(count);
        }
    }
}

/// The stops in force.
pub(crate) struct Stops {
    store: Store,
    current: ArcSwap<ByGuild>,
    told: Mutex<Told>,
    /// Held while writing, so that of two orders for one guild the later one lands last; and while
    /// reading, so that what was read before an order was written down does not undo it.
    store_turn: tokio::sync::Mutex<()>,
    changed: watch::Sender<()>,
    metrics: StopMetrics,
}

/// What this process was told and the store does not know yet.
#[derive(Default)]
struct Told {
    unwritten: BTreeMap<String, Option<Stop>>,
}

impl Stops {
    /// With what the store knows; where it does not answer, nothing is stopped until it does.
    pub(crate) async fn new(store: Store, metrics: StopMetrics) -> Self {
        let stops = Self {
            store,
            current: ArcSwap::default(),
            told: Mutex::default(),
            store_turn: tokio::sync::Mutex::default(),
            changed: watch::Sender::default(),
            metrics,
        };
        stops.look().await;
        stops
    }

    /// The stop that holds there: the guild's own, or that of the bot as a whole.
    pub(crate) fn of(&self, guild: Option<&str>) -> Option<Stop> {
        let current = self.current.load();
        if current.is_empty() {
            return None;
        }
        let whole = || current.get("");
        guild
            .and_then(|guild| current.get(guild))
            .or_else(whole)
            .cloned()
    }

    /// Resolves when the bot is stopped there: what waits for its turn then need not wait any longer.
    pub(crate) async fn until_stopped(&self, guild: Option<&str>) {
        let mut changes = self.changed.subscribe();
        while self.of(guild).is_none() {
            // the sender lives as long as `self`
            let _ = changes.changed().await;
        }
    }

    /// Stops, or with `None` starts: at once here, then in the store. An error says that the store does
    /// not know yet; it is told as soon as it answers.
    pub(crate) async fn order(&self, guild: &str, stop: Option<Stop>) -> Result<(), StoreError> {
        self.hold(guild, stop);
        let turn = self.store_turn.lock().await;
        self.write(&turn).await
    }

    /// The same here alone; the store is told at the next look.
    pub(crate) fn hold(&self, guild: &str, stop: Option<Stop>) {
        let mut told = self.told();
        told.unwritten.insert(guild.to_owned(), stop);
        self.apply((**self.current.load()).clone(), &told);
    }

    /// Looks for ever what was stopped or started elsewhere.
    pub(crate) async fn follow(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(LOOK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if self.store.is_up() {
                self.look().await;
            }
        }
    }

    async fn look(&self) {
        let turn = self.store_turn.lock().await;
        // errors are counted and logged by the store; the next look is a second away
        let _ = self.write(&turn).await;
        if let Ok(known) = self.store.stops().await {
            self.apply(known, &self.told());
        }
    }

    async fn write(&self, _turn: &tokio::sync::MutexGuard<'_, ()>) -> Result<(), StoreError> {
        let unwritten = self.told().unwritten.clone();
        for (guild, stop) in unwritten {
            self.store.set_stop(&guild, stop.as_ref()).await?;
            let mut told = self.told();
            if told.unwritten.get(&guild) == Some(&stop) {
                told.unwritten.remove(&guild);
            }
        }
        Ok(())
    }

    /// `told` is locked, so that two do not overtake each other.
    fn apply(&self, mut stops: ByGuild, told: &Told) {
        for (guild, stop) in &told.unwritten {
            match stop {
                Some(stop) => {
                    stops.entry(guild.clone()).or_insert_with(|| stop.clone());
                }
                None => {
                    stops.remove(guild);
                }
            }
        }
        self.metrics.show(&stops);
        if **self.current.load() != stops {
            tracing::info!(stops = stops.len(), "what moderators have stopped");
            self.current.store(Arc::new(stops));
            self.changed.send_replace(());
        }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn stops(store: &Store) -> Stops {
        Stops::new(store.clone(), StopMetrics::new(&mut Registry::default())).await
    }

    fn stop(reason: &str) -> Stop {
        Stop {
            person: "hash".to_owned(),
            at: 7,
            reason: reason.to_owned(),
        }
    }

    #[tokio::test]
    async fn a_stop_of_a_guild_is_its_own_and_one_of_the_bot_is_everybodys() {
        let stops = stops(&Store::of("sqlite::memory:").await.unwrap()).await;
        stops.order("a", Some(stop("party"))).await.unwrap();
        assert_eq!(stops.of(Some("a")), Some(stop("party")));
        assert_eq!((stops.of(Some("b")), stops.of(None)), (None, None));
        stops.order("", Some(stop("night"))).await.unwrap();
        assert_eq!(stops.of(Some("b")), Some(stop("night")));
        assert_eq!(stops.of(Some("a")), Some(stop("party")));
        stops.order("", None).await.unwrap();
        stops.order("a", None).await.unwrap();
        assert_eq!((stops.of(Some("a")), stops.of(None)), (None, None));
    }

    #[tokio::test]
    async fn who_waits_is_told_of_a_stop_and_of_no_other() {
        let stops = stops(&Store::of("sqlite::memory:").await.unwrap()).await;
        let mut here = Box::pin(stops.until_stopped(Some("a")));
        let mut there = Box::pin(stops.until_stopped(Some("b")));
        assert!(futures::poll!(here.as_mut()).is_pending());
        stops.order("a", Some(stop("party"))).await.unwrap();
        assert!(futures::poll!(here.as_mut()).is_ready());
        assert!(futures::poll!(there.as_mut()).is_pending());
        stops.order("", Some(stop("night"))).await.unwrap();
        there.await;
    }

    #[tokio::test]
    async fn a_look_that_began_before_an_order_does_not_undo_it() {
        let stops = stops(&Store::of("sqlite::memory:").await.unwrap()).await;
        for _ in 0..50 {
            let (ordered, (), ()) = tokio::join!(
                stops.order("", Some(stop("fire"))),
                stops.look(),
                stops.look()
            );
            ordered.unwrap();
            assert_eq!(stops.of(None), Some(stop("fire")));
            let (ordered, (), ()) = tokio::join!(stops.order("", None), stops.look(), stops.look());
            ordered.unwrap();
            assert_eq!(stops.of(None), None);
        }
    }

    #[tokio::test]
    async fn another_replica_and_the_next_process_know_it() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        let (one, two) = (stops(&store).await, stops(&store).await);
        one.order("", Some(stop("why not"))).await.unwrap();
        assert_eq!(two.of(None), None);
        two.look().await;
        assert_eq!(two.of(None), Some(stop("why not")));
        assert_eq!(stops(&store).await.of(None), Some(stop("why not")));
    }

    #[tokio::test]
    async fn without_a_store_a_stop_holds_here_and_is_written_down_later() {
        let store = Store::of("sqlite::memory:").await.unwrap();
        let stops = stops(&store).await;
        store.pretend(false);
        stops.order("", Some(stop("fire"))).await.unwrap_err();
        stops.look().await;
        assert_eq!(stops.of(None), Some(stop("fire")));
        store.pretend(true);
        stops.look().await;
        assert_eq!(store.stops().await.unwrap()[""], stop("fire"));
        assert!(stops.told().unwritten.is_empty());
    }
}
