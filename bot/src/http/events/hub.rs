//! Which sessions have a page open, and how to wake them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::Notify;

/// Of one session: browsers open six connections to a site at most, and messages need some of them.
const MOST_PER_SESSION: usize = 3;

/// Knows the pages that listen to this process.
pub(crate) struct Hub {
    most: usize,
    open: Mutex<Open>,
    listening: Gauge,
    refused: Counter,
}

#[derive(Default)]
struct Open {
    count: usize,
    sessions: HashMap<String, Vec<Arc<Notify>>>,
}

impl Hub {
    /// For at most so many pages at once.
    pub(crate) fn new(most: usize, registry: &mut Registry) -> Self {
        let (listening, refused) = (Gauge::default(), Counter::default());
        registry.register(
            "bot_page_streams",
            "Pages that are kept up to date by a stream",
            listening.clone(),
        );
        registry.register(
            "bot_page_streams_refused",
            "Pages that found no place for a stream and ask from time to time instead",
            refused.clone(),
        );
        Self {
            most,
            open: Mutex::default(),
            listening,
            refused,
        }
    }

    /// A page of this session listens, until what is returned is dropped; none where there is no place.
    pub(crate) fn listen(hub: &Arc<Self>, session: &str) -> Option<Listener> {
        let mut open = hub.open();
        let pages = open.sessions.get(session).map_or(0, Vec::len);
        if open.count >= hub.most || pages >= MOST_PER_SESSION {
            hub.refused.inc();
            return None;
        }
        let woken = Arc::new(Notify::new());
        open.count += 1;
        let pages = open.sessions.entry(session.to_owned()).or_default();
        pages.push(Arc::clone(&woken));
        hub.listening.inc();
        Some(Listener {
            hub: Arc::clone(hub),
            session: session.to_owned(),
            woken,
        })
    }

    /// There is something in this session's inbox.
    pub(crate) fn wake(&self, session: &str) {
        for page in self.open().sessions.get(session).into_iter().flatten() {
            page.notify_one();
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One page that listens.
pub(crate) struct Listener {
    hub: Arc<Hub>,
    pub(crate) session: String,
    woken: Arc<Notify>,
}

impl Listener {
    /// Resolves after a wake, also after one that came before.
    pub(crate) async fn woken(&self) {
        self.woken.notified().await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut open = self.hub.open();
        open.count -= 1;
        if let Some(pages) = open.sessions.get_mut(&self.session) {
            pages.retain(|page| !Arc::ptr_eq(page, &self.woken));
            if pages.is_empty() {
                open.sessions.remove(&self.session);
            }
        }
        self.hub.listening.dec();
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn hub(most: usize) -> Arc<Hub> {
        Arc::new(Hub::new(most, &mut Registry::default()))
    }

    #[test]
    fn places_are_few_and_given_back() {
        let hub = hub(4);
        let three: Vec<_> = (0..4).map(|_| Hub::listen(&hub, "a")).collect();
        assert!(three[..3].iter().all(Option::is_some) && three[3].is_none());
        let other = Hub::listen(&hub, "b");
        assert!(other.is_some() && Hub::listen(&hub, "c").is_none());
        drop(three);
        assert!(Hub::listen(&hub, "c").is_some());
        drop(other);
        assert!(hub.open().sessions.is_empty());
        assert_eq!(
            (hub.open().count, hub.listening.get(), hub.refused.get()),
            (0, 0, 2)
        );
    }

    #[test]
    fn every_page_of_the_session_is_woken_and_no_other() {
        let hub = hub(4);
        let listen = |session| Hub::listen(&hub, session).unwrap();
        let (one, two, other) = (listen("a"), listen("a"), listen("b"));
        hub.wake("a");
        assert!(one.woken().now_or_never().is_some() && two.woken().now_or_never().is_some());
        assert!(one.woken().now_or_never().is_none() && other.woken().now_or_never().is_none());
    }
}
