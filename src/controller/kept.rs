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
    settle: Duration,
    kept: Mutex<BTreeMap<String, Kept<T>>>,
}

/// The task that keeps the thing of a name, telling what it finds out.
type Start<T> = Box<dyn Fn(String, Told<T>) -> BoxFuture<'static, ()> + Send + Sync>;

struct Kept<T> {
    state: Arc<watch::Sender<State<T>>>,
    _task: AbortOnDropHandle<()>,
}

/// Where a task tells what it finds out.
pub struct Told<T>(Arc<watch::Sender<State<T>>>);

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
            settle: SETTLE,
            kept: Mutex::default(),
        }
    }

    /// What is known, which is kept from now on.
    pub fn get(&self, name: &str) -> State<T> {
        self.state(name).borrow().clone()
    }

    /// Waits until something is known or has failed, which it has when that takes long: those who come
    /// later do not wait for it again.
    pub async fn settled(&self, name: &str) {
        let state = self.state(name);
        let mut changes = state.subscribe();
        let settled = changes.wait_for(|state| !matches!(state, State::Unread));
        if timeout(self.settle, settled).await.is_err() {
            state.send_if_modified(|state| {
                let unread = matches!(state, State::Unread);
                if unread {
                    *state = State::Failed("the API server has not answered yet".to_owned());
                }
                unread
            });
        }
    }

    /// Lets go of what has another name.
    pub fn retain(&self, names: &BTreeSet<&str>) {
        self.kept().retain(|name, _| names.contains(name.as_str()));
    }

    fn state(&self, name: &str) -> Arc<watch::Sender<State<T>>> {
        let mut kept = self.kept();
        if let Some(kept) = kept.get(name) {
            return Arc::clone(&kept.state);
        }
        let state = Arc::new(watch::Sender::new(State::Unread));
        let told = Told(Arc::clone(&state));
        let task = tokio::spawn((self.start)(name.to_owned(), told));
        let new = Kept {
            state: Arc::clone(&state),
            _task: AbortOnDropHandle::new(task),
        };
        kept.insert(name.to_owned(), new);
        state
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<String, Kept<T>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of what is kept.
    #[cfg(test)]
    pub fn names(&self) -> Vec<String> {
        self.kept().keys().cloned().collect()
    }
}

/// Called when something has changed: what, and whether a policy could be told another thing than
/// before.
pub type Changed<W> = Arc<dyn Fn(W, bool) + Send + Sync>;

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::sync::mpsc;

    use super::*;

    /// Keeps what is sent, one for each name that is asked for.
    fn keeper() -> (Keeper<i32>, mpsc::UnboundedReceiver<Told<i32>>) {
        let (started, tasks) = mpsc::unbounded_channel();
        let keeper = Keeper::new(move |_, told| {
            // the test may be over
            let _ = started.send(told);
            std::future::pending().boxed()
        });
        (keeper, tasks)
    }

    #[tokio::test]
    async fn what_is_silent_is_waited_for_once() {
        let (mut keeper, mut tasks) = keeper();
        keeper.settle = Duration::from_millis(50);
        keeper.settled("a").await;
        keeper.settle = Duration::from_secs(3600);
        // else this would take an hour
        keeper.settled("a").await;
        assert!(matches!(keeper.get("a"), State::Failed(why) if why.contains("not answered")));
        // it answers after all
        let told = tasks.recv().await.expect("one task");
        assert!(told.known(1));
        assert!(matches!(keeper.get("a"), State::Known(1)));
        // a failure of the watch does not take it back, the end of a token does
        assert!(!told.failed_unless_known("no".to_owned()));
        assert!(!told.known(2));
        assert!(matches!(keeper.get("a"), State::Known(2)));
        assert!(told.failed("no".to_owned()));
        assert!(!told.failed("no".to_owned()));
        assert!(tasks.try_recv().is_err(), "a second task for one name");
    }

    #[tokio::test]
    async fn what_nobody_names_is_let_go() {
        let (keeper, _tasks) = keeper();
        keeper.get("a");
        keeper.get("b");
        keeper.retain(&BTreeSet::from(["b", "c"]));
        assert_eq!(keeper.names(), ["b"]);
    }
}
