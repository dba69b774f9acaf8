//! Watches that notice when they no longer see: `kube`'s own, begun anew where that would go on without
//! what it has missed, and with shorter silences.

use std::fmt::Debug;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::Resource;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::utils::{Backoff, ResetTimerBackoff};
use kube::runtime::watcher::{self, Config, Error, Event};
use serde::de::DeserializeOwned;

/// How long the API server keeps one watch open, in seconds. A connection that has gone silent, without an
/// end, is noticed five seconds after that at the latest; a watch goes on where the last one ended, so a
/// short one costs a request and nothing else.
const WINDOW: u32 = 15;

/// The pause after the first failure in a row; each further one is twice as long, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// An outage is over at most this long before its end is noticed.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// What has not failed for so long, two windows of a watch, works: its next failure is a first one.
const LIVED: Duration = Duration::from_secs(30);

/// `kube`'s watcher, begun anew with a list where an event could not be read (it would be skipped) or where
/// the version to go on from is refused (it would be asked for again and again).
pub fn watcher<K>(
    api: Api<K>,
    config: Config,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    begun_anew(api, config, |next| next.as_ref().is_err_and(has_lost_track))
}

/// The same for a kind of ours: an object that cannot be read, as after a step back to an older operator,
/// does not stop the watch of the others.
pub fn guarded<K>(
    api: Api<DeserializeGuard<K>>,
    config: Config,
) -> impl Stream<Item = watcher::Result<Event<DeserializeGuard<K>>>> + Send
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    begun_anew(api, config, |next| match next {
        Ok(Event::Apply(object) | Event::Delete(object)) => object.0.is_err(),
        Ok(_) => false,
        Err(err) => has_lost_track(err),
    })
}

fn begun_anew<K>(
    api: Api<K>,
    config: Config,
    lost_track: fn(&watcher::Result<Event<K>>) -> bool,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = config.timeout(WINDOW);
    let begin = move || watcher::watcher(api.clone(), config.clone()).boxed();
    futures::stream::unfold((begin(), begin), move |(mut stream, begin)| async move {
        let next = stream.next().await?;
        if lost_track(&next) {
            stream = begin();
        }
        Some((next, (stream, begin)))
    })
}

/// The same for one object of a known name: `None` while there is none.
pub fn watch_object<K>(
    api: Api<K>,
    name: &str,
) -> impl Stream<Item = watcher::Result<Option<K>>> + Send
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    let config = Config::default().fields(&format!("metadata.name={name}"));
    let mut listed = false;
    watcher(api, config).filter_map(move |event| {
        let told = match event {
            Ok(Event::Init) => {
                listed = false;
                None
            }
            Ok(Event::InitApply(object) | Event::Apply(object)) => {
                listed = true;
                Some(Ok(Some(object)))
            }
            Ok(Event::InitDone) if listed => None,
            Ok(Event::InitDone | Event::Delete(_)) => Some(Ok(None)),
            Err(err) => Some(Err(err)),
        };
        std::future::ready(told)
    })
}

/// The event without its guard; `None` where the object cannot be read: it is left out.
pub fn readable<K: Resource<DynamicType = ()>>(
    event: Event<DeserializeGuard<K>>,
) -> Option<Event<K>> {
    let read = |guard: DeserializeGuard<K>| match guard.0 {
        Ok(object) => Some(object),
        Err(invalid) => {
            let (name, kind) = (invalid.metadata.name.as_deref(), K::kind(&()));
            tracing::error!(name, %kind, error = %invalid.error, "an object cannot be read and is left out");
            None
        }
    };
    Some(match event {
        Event::Init => Event::Init,
        Event::InitDone => Event::InitDone,
        Event::InitApply(guard) => Event::InitApply(read(guard)?),
        Event::Apply(guard) => Event::Apply(read(guard)?),
        Event::Delete(guard) => Event::Delete(read(guard)?),
    })
}

fn has_lost_track(error: &Error) -> bool {
    match error {
        Error::WatchFailed(kube::Error::SerdeError(_) | kube::Error::Api(_)) => true,
        Error::WatchStartFailed(kube::Error::Api(status)) => status.code == 410,
        _ => false,
    }
}

/// The pauses between tries of a watch. `kube`'s default grows to half a minute.
pub struct Pauses(ResetTimerBackoff<Growing>);

impl Default for Pauses {
    fn default() -> Self {
        Self(ResetTimerBackoff::new(Growing::default(), LIVED))
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next()
    }
}

impl Backoff for Pauses {
    /// Called at whatever goes well, which proves nothing: `kube` announces each list before it asks for it,
    /// and a list may come each time although every watch after it is refused.
    fn reset(&mut self) {}
}

/// Each twice as long as the one before, up to the longest.
#[derive(Debug)]
struct Growing(Duration);

impl Default for Growing {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Iterator for Growing {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }
}

impl Backoff for Growing {
    fn reset(&mut self) {
        *self = Self::default();
    }
}

/// No pause: each watch takes its own, and one that fails must not hold back what the others bring.
#[derive(Debug)]
pub struct NoPause;

impl Iterator for NoPause {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        Some(Duration::ZERO)
    }
}

impl Backoff for NoPause {
    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use axum::http::{Request, Response};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Client;
    use kube::client::Body;
    use kube::runtime::WatchStreamExt as _;
    use tower::BoxError;

    use super::*;

    const EMPTY: &str = r#"{"apiVersion":"v1","kind":"ConfigMapList","metadata":{"resourceVersion":"1"},"items":[]}"#;
    const FORBIDDEN: &str = r#"{"apiVersion":"v1","kind":"Status","status":"Failure","message":"no","reason":"Forbidden","code":403}"#;
    const EXPIRED: &str = r#"{"apiVersion":"v1","kind":"Status","status":"Failure","message":"too old","reason":"Expired","code":410}"#;

    /// A status and a body.
    type Answer = (u16, String);

    fn empty() -> Answer {
        (200, EMPTY.to_owned())
    }

    /// A watch of an API server: what it answers to each list, by how many there were before, and to each watch;
    /// none keeps it open, and nothing changes. With it, how often a list was asked for.
    fn served(
        list: fn(usize) -> Answer,
        watch: Option<Answer>,
    ) -> (
        impl Stream<Item = watcher::Result<Event<ConfigMap>>> + Send,
        Arc<AtomicUsize>,
    ) {
        let lists = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&lists);
        let service = tower::service_fn(move |request: Request<Body>| {
            let is_watch = request
                .uri()
                .query()
                .is_some_and(|query| query.contains("watch="));
            let answer = if is_watch {
                watch.clone()
            } else {
                Some(list(counted.fetch_add(1, Ordering::SeqCst)))
            };
            async move {
                let Some((code, body)) = answer else {
                    return std::future::pending().await;
                };
                let body = Body::from(body.into_bytes());
                let answer = Response::builder().status(code).body(body);
                Ok::<_, BoxError>(answer.expect("an answer"))
            }
        });
        let api = Api::namespaced(Client::new(service, "bots"), "bots");
        let events = watcher(api, Config::default()).backoff(Pauses::default());
        (events, lists)
    }

    /// Four failures in a row take four lists and the pauses between them.
    async fn assert_asks_ever_more_rarely(list: fn(usize) -> Answer, watch: Option<Answer>) {
        let (events, lists) = served(list, watch);
        let started = Instant::now();
        let failures = events.filter(|event| std::future::ready(event.is_err()));
        assert_eq!(failures.take(4).count().await, 4);
        assert_eq!(lists.load(Ordering::SeqCst), 4);
        let least = FIRST_PAUSE * (1 + 2 + 4);
        assert!(started.elapsed() >= least, "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn a_list_that_is_refused_is_asked_for_ever_more_rarely() {
        assert_asks_ever_more_rarely(|_| (403, FORBIDDEN.to_owned()), None).await;
    }

    #[tokio::test]
    async fn so_is_one_after_which_every_watch_is_gone() {
        let refused = (410, EXPIRED.to_owned());
        let ended = (
            200,
            format!("{{\"type\":\"ERROR\",\"object\":{EXPIRED}}}\n"),
        );
        tokio::join!(
            assert_asks_ever_more_rarely(|_| empty(), Some(refused)),
            assert_asks_ever_more_rarely(|_| empty(), Some(ended)),
        );
    }

    #[tokio::test]
    async fn a_list_that_comes_at_last_is_whole() {
        let first_refused = |before| match before {
            0 => (403, FORBIDDEN.to_owned()),
            _ => empty(),
        };
        let (events, lists) = served(first_refused, None);
        let told: Vec<_> = events.take(4).collect().await;
        assert!(
            matches!(
                told[..],
                [
                    Ok(Event::Init),
                    Err(_),
                    Ok(Event::Init),
                    Ok(Event::InitDone)
                ]
            ),
            "{told:?}"
        );
        assert_eq!(lists.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn pauses_grow_to_the_longest_whatever_goes_well_in_between() {
        let mut pauses = Pauses::default();
        let mut next = || {
            pauses.reset();
            pauses.next().map(|pause| pause.as_millis())
        };
        let first: Vec<_> = std::iter::from_fn(&mut next).take(6).collect();
        assert_eq!(first, [500, 1000, 2000, 4000, 5000, 5000]);
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_begin_again_once_a_watch_has_lived() {
        let mut pauses = Pauses::default();
        assert_eq!(pauses.by_ref().take(3).last(), Some(FIRST_PAUSE * 4));
        tokio::time::advance(LIVED).await;
        assert_eq!(pauses.next(), Some(FIRST_PAUSE * 8));
        tokio::time::advance(LIVED + FIRST_PAUSE).await;
        assert_eq!(pauses.next(), Some(FIRST_PAUSE));
    }
}
