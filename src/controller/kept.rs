//! What is kept up to date only while a source names it, by a task for each name: Secrets, tokens, the
//! labels of namespaces.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// How long something that is named for the first time is waited for.
const SETTLE: Duration = Duration::from_secs(5);

/// What is known of a thing.
#[derive(Clone)]
pub enum State<T> {
    /// Nothing yet.
    Unread,
    /// Why it cannot be had: a sentence that stays the same while that is so.
    Failed(String),
    /// It.
    Known(T),
}

/// Keeps things of one kind.
pub struct Keeper<T> {
    start: Start<T>,
    kept: Mutex<BTreeMap<String, Kept<T>>>,
}

/// The task that keeps the thing of a name, telling what it finds out.
type Start<T> = Box<dyn Fn(String, Told<T>) -> BoxFuture<'static, ()> + Send + Sync>;

struct Kept<T> {
    state: watch::Receiver<State<T>>,
    _task: AbortOnDropHandle<()>,
}

/// Where a task tells what it finds out.
pub struct Told<T>(watch::Sender<State<T>>);

impl<T> Told<T> {
    /// It is this now. True where it was not known before.
    pub fn known(&self, thing: T) -> bool {
        let before = self.0.send_replace(State::Known(thing));
        !matches!(before, State::Known(_))
    }

    /// It cannot be had, and what was known is void. True where that is new.
    pub fn failed(&self, why: String) -> bool {
        let mut new = false;
        self.0.send_if_modified(|state| {
            new = !matches!(state, State::Failed(before) if *before == why);
            *state = State::Failed(why);
            new
        });
        new
    }

    /// It cannot be had, unless it is known: then that stands. True where it is void and that is new.
    pub fn failed_unless_known(&self, why: String) -> bool {
        let known = matches!(*self.0.borrow(), State::Known(_));
        !known && self.failed(why)
    }
}

impl<T: Clone + Send + Sync + 'static> Keeper<T> {
    /// Keeps nothing yet; `start` gives the task for a name.
    pub fn new(
        start: impl Fn(String, Told<T>) -> BoxFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        Self {
            start: Box::new(start),
            kept: Mutex::default(),
        }
    }

    /// What is known, which is kept from now on.
    pub fn get(&self, name: &str) -> State<T> {
        self.state(name).borrow().clone()
    }

    /// Waits until something is known or has failed, but not for long.
    pub async fn settled(&self, name: &str) {
        let mut state = self.state(name);
        let settled = state.wait_for(|state| !matches!(state, State::Unread));
        // an error says that it is no longer kept; what is unread is told as such
        let _ = timeout(SETTLE, settled).await;
    }

    /// Lets go of what has another name.
    pub fn retain(&self, names: &BTreeSet<&str>) {
        self.kept().retain(|name, _| names.contains(name.as_str()));
    }

    fn state(&self, name: &str) -> watch::Receiver<State<T>> {
        let mut kept = self.kept();
        if let Some(kept) = kept.get(name) {
            return kept.state.clone();
        }
        let (sender, state) = watch::channel(State::Unread);
        let task = tokio::spawn((self.start)(name.to_owned(), Told(sender)));
        let new = Kept {
            state: state.clone(),
            _task: AbortOnDropHandle::new(task),
        };
        kept.insert(name.to_owned(), new);
        state
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Kept<T>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are kept.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.kept().len()
    }
}

/// Called when something has changed: what, and whether a policy could be told another thing than
/// before.
pub type Changed<W> = Arc<dyn Fn(W, bool) + Send + Sync>;
