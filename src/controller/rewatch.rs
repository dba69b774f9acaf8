//! Watches that notice when they no longer see: `kube`'s own, begun anew where that would go on without
//! what it has missed, and with shorter silences.

use std::fmt::Debug;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::Resource;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::utils::Backoff;
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
    let events = futures::stream::unfold((begin(), begin), move |(mut stream, begin)| async move {
        let next = stream.next().await?;
        if lost_track(&next) {
            stream = begin();
        }
        Some((next, (stream, begin)))
    });
    begun_by_an_answer(events)
}

/// `Init` comes with the first that the list gives, not before it is asked for: a list that fails would
/// otherwise follow an event that went well each time, after which the pauses begin again at the first.
fn begun_by_an_answer<K>(
    events: impl Stream<Item = watcher::Result<Event<K>>> + Send,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Send,
{
    let mut begun = false;
    events.flat_map(move |event| {
        let (init, event) = match event {
            Ok(Event::Init) => {
                begun = true;
                (None, None)
            }
            Err(err) => {
                begun = false;
                (None, Some(Err(err)))
            }
            Ok(event) => {
                let init = std::mem::take(&mut begun).then_some(Ok(Event::Init));
                (init, Some(Ok(event)))
            }
        };
        futures::stream::iter(init.into_iter().chain(event))
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

/// The pauses between tries of a watch. `kube`'s default grows to a minute.
#[derive(Debug)]
pub struct Pauses(Duration);

impl Default for Pauses {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let pause = self.0;
        self.0 = (pause * 2).min(LONGEST_PAUSE);
        Some(pause)
    }
}

impl Backoff for Pauses {
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

    /// A watch whose first lists are refused, so many of them; then each one is empty. What is watched never
    /// changes. With it, how often a list was asked for.
    fn refusing(
        first: usize,
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
            let refused = !is_watch && counted.fetch_add(1, Ordering::SeqCst) < first;
            async move {
                if is_watch {
                    std::future::pending::<()>().await;
                }
                let (code, body) = if refused {
                    let body = r#"{"apiVersion":"v1","kind":"Status","status":"Failure","message":"no","reason":"Forbidden","code":403}"#;
                    (403, body)
                } else {
                    let body = r#"{"apiVersion":"v1","kind":"ConfigMapList","metadata":{"resourceVersion":"1"},"items":[]}"#;
                    (200, body)
                };
                let body = Body::from(body.as_bytes().to_vec());
                let answer = Response::builder().status(code).body(body);
                Ok::<_, BoxError>(answer.expect("an answer"))
            }
        });
        let api = Api::namespaced(Client::new(service, "bots"), "bots");
        let events = watcher(api, Config::default()).backoff(Pauses::default());
        (events, lists)
    }

    #[tokio::test]
    async fn a_list_that_is_refused_is_asked_for_ever_more_rarely() {
        let (events, lists) = refusing(usize::MAX);
        let started = Instant::now();
        let first: Vec<_> = events.take(4).collect().await;
        assert!(first.iter().all(Result::is_err), "{first:?}");
        assert_eq!(lists.load(Ordering::SeqCst), 4);
        let least = FIRST_PAUSE * (1 + 2 + 4);
        assert!(started.elapsed() >= least, "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn a_list_that_comes_at_last_is_whole() {
        let (events, lists) = refusing(1);
        let told: Vec<_> = events.take(3).collect().await;
        assert!(
            matches!(told[..], [Err(_), Ok(Event::Init), Ok(Event::InitDone)]),
            "{told:?}"
        );
        assert_eq!(lists.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn pauses_grow_to_the_longest_and_begin_again() {
        let mut pauses = Pauses::default();
        let first: Vec<u128> = pauses.by_ref().take(6).map(|p| p.as_millis()).collect();
        assert_eq!(first, [500, 1000, 2000, 4000, 5000, 5000]);
        pauses.reset();
        assert_eq!(pauses.next(), Some(FIRST_PAUSE));
    }
}
