//! The sessions of all shards, as the next process needs them: kept in the store, off the hot path.
//!
//! A process that holds one says every few seconds that it is alive. Whoever starts takes over from one that is
//! gone, and leaves alone one that lives: then it begins a session of its own.

mod choice;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::progress::Progress;
use crate::store::sessions::{Bookmark, KeptSession, Part};
use crate::store::{Store, StoreError, millis, now_ms};
use choice::{Choice, choose};

/// So long a process counts as alive without another word.
pub(super) const LEASE: Duration = Duration::from_secs(6);
/// At most so often something is written.
const TICK: Duration = Duration::from_secs(1);
/// Discord keeps what a session misses for some minutes; it does not say how many.
const STALE: Duration = Duration::from_mins(5);
/// How often what is old is forgotten.
const FORGET: Duration = Duration::from_mins(1);
/// What was answered so long ago is not said again by any session.
const LONG_ANSWERED: Duration = Duration::from_hours(1);
/// A thread in which nobody has talked for so long is nobody's.
const LONG_SILENT: Duration = Duration::from_hours(24 * 30);

/// What is kept of sessions.
pub(super) struct Sessions {
    store: Store,
    /// This process.
    holder: String,
    intents: u64,
    shards: Mutex<BTreeMap<u32, Followed>>,
    news: Notify,
}

/// The session of a shard.
struct Followed {
    part: Part,
    /// Its sequence is the one that it began with.
    mark: Bookmark,
    progress: Progress,
    saved: Option<Bookmark>,
    /// Its shard has ended and been begun anew with it, and Discord has not said yet that it goes on.
    tried_again: bool,
}

impl Followed {
    fn now(&self) -> Bookmark {
        Bookmark {
            sequence: self.progress.finished(),
            ..self.mark.clone()
        }
    }
}

impl Sessions {
    pub(super) fn new(store: Store, holder: &str, intents: u64) -> Self {
        Self {
            store,
            holder: holder.to_owned(),
            intents,
            shards: Mutex::default(),
            news: Notify::new(),
        }
    }

    /// The session to go on with: that of a shard of ours that is begun anew, or else the one that a process before
    /// this one has left. A process that ended without a word is waited for, until it is certain that it is gone.
    /// What belongs to any other bot than `me` is left alone: two applications may share a database, and a token may
    /// be changed for that of another one.
    pub(super) async fn restore(
        &self,
        shard: u32,
        shards: u32,
        me: &str,
    ) -> Option<(Bookmark, Progress)> {
        let part = self.part(shard, shards);
        if self.follows(part) {
            return self.again(shard);
        }
        match self.try_restore(part, me).await {
            Ok(restored) => restored,
            Err(error) => {
                tracing::warn!(%error, "no session can be taken over");
                None
            }
        }
    }

    fn follows(&self, part: Part) -> bool {
        let shards = self.shards();
        shards.get(&part.shard).is_some_and(|f| f.part == part)
    }

    /// Our own session, with what is still being answered of it. It is tried once more only: it may be what ends
    /// the shard.
    fn again(&self, shard: u32) -> Option<(Bookmark, Progress)> {
        if let Some(followed) = self.shards().get_mut(&shard)
            && !followed.tried_again
            && !followed.mark.session.is_empty()
        {
            followed.tried_again = true;
            return Some((followed.now(), followed.progress.clone()));
        }
        // nor shall the next process try it
        self.lost(shard);
        None
    }

    /// Discord goes on with the session.
    pub(super) fn resumed(&self, shard: u32) {
        if let Some(followed) = self.shards().get_mut(&shard) {
            followed.tried_again = false;
        }
    }

    async fn try_restore(
        &self,
        part: Part,
        me: &str,
    ) -> Result<Option<(Bookmark, Progress)>, StoreError> {
        let mut first_seen = HashMap::new();
        loop {
            let now = now_ms();
            let stale = now.saturating_sub(millis(STALE));
            let mut kept = self.store.kept_sessions(part, stale).await?;
            kept.retain(|kept| kept.mark.bot == me);
            match choose(&kept, &mut first_seen, now) {
                Choice::Fresh => return Ok(None),
                Choice::Wait(until) => {
                    let left = u64::try_from(until.saturating_sub(now)).unwrap_or_default();
                    // on a clock that has jumped that may be long
                    sleep(Duration::from_millis(left).min(LEASE)).await;
                }
                Choice::Take(KeptSession { holder, mark, .. }) => {
                    let until = now.saturating_add(millis(LEASE));
                    let taken =
                        self.store
                            .take_session(holder, part.shard, &self.holder, now, until);
                    if taken.await? {
                        return Ok(Some(self.follow(part, mark.clone(), true)));
                    }
                }
            }
        }
    }

    /// A shard has a new session.
    pub(super) fn began(&self, shard: u32, shards: u32, mark: Bookmark) -> Progress {
        let (_, progress) = self.follow(self.part(shard, shards), mark, false);
        // until it is written, other processes take this one for dead
        self.news.notify_one();
        progress
    }

    fn follow(&self, part: Part, mark: Bookmark, saved: bool) -> (Bookmark, Progress) {
        let progress = Progress::from(mark.sequence);
        let followed = Followed {
            part,
            mark: mark.clone(),
            progress: progress.clone(),
            saved: saved.then(|| mark.clone()),
            tried_again: false,
        };
        self.shards().insert(part.shard, followed);
        (mark, progress)
    }

    /// Discord does not know the session any more. This process goes on living.
    pub(super) fn lost(&self, shard: u32) {
        if let Some(followed) = self.shards().get_mut(&shard) {
            followed.mark.session.clear();
        }
        self.news.notify_one();
    }

    /// Writes down what changes, for ever.
    pub(super) async fn keep(&self) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut held_until, mut forget_at) = (0, 0);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.news.notified() => {}
            }
            let now = now_ms();
            let until = now.saturating_add(millis(LEASE));
            match self.save(until, held_until - now < millis(LEASE / 2)).await {
                Ok(true) => held_until = until,
                Ok(false) => {}
                Err(error) => tracing::debug!(%error, "how far the sessions are is not written"),
            }
            if now >= forget_at {
                forget_at = now.saturating_add(millis(FORGET));
                if let Err(error) = self.forget(now).await {
                    tracing::debug!(%error, "what is old cannot be forgotten yet");
                }
            }
        }
    }

    /// The last word: whoever starts next need not wait.
    pub(super) async fn leave(&self) {
        let now = now_ms();
        if let Err(error) = self.save(now, true).await {
            tracing::warn!(%error, "how far the sessions are is not written");
        }
    }

    /// Writes what has changed; all are held until the same moment, since it is one process that does.
    async fn save(&self, until: i64, hold: bool) -> Result<bool, StoreError> {
        let changed: Vec<(Part, Bookmark)> = {
            let shards = self.shards();
            let now = shards.values().map(|f| (f.part, f.now(), &f.saved));
            now.filter(|(_, now, saved)| saved.as_ref() != Some(now))
                .map(|(part, now, _)| (part, now))
                .collect()
        };
        for (part, mark) in &changed {
            self.store
                .keep_session(&self.holder, *part, mark, until)
                .await?;
            if let Some(followed) = self.shards().get_mut(&part.shard) {
                followed.saved = Some(mark.clone());
            }
        }
        let all = self.shards().len();
        if all > changed.len() && (hold || !changed.is_empty()) {
            self.store.hold_sessions(&self.holder, until).await?;
        }
        Ok(hold || !changed.is_empty())
    }

    async fn forget(&self, now: i64) -> Result<(), StoreError> {
        let before = |time| now.saturating_sub(millis(time));
        self.store.forget_sessions(before(STALE)).await?;
        self.store.forget_jobs(before(LONG_ANSWERED)).await?;
        self.store.forget_threads(before(LONG_SILENT)).await
    }

    fn part(&self, shard: u32, shards: u32) -> Part {
        Part {
            shard,
            shards,
            intents: self.intents,
        }
    }

    fn shards(&self) -> MutexGuard<'_, BTreeMap<u32, Followed>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
