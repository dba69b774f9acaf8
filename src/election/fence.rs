//! The one place that lets writes through, or not.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use axum::http::{Method, Request};
use kube::Client;
use kube::client::Body;
use tower::BoxError;

/// Lets writes through until a time on the local monotonic clock, which every renewal of the Lease moves.
///
/// That clock (`CLOCK_MONOTONIC`) goes on while the process is stopped or gets no processor, so one that
/// wakes up late finds the fence shut. It stands still while the whole machine sleeps: then only the
/// `resourceVersion` of each write is left.
#[derive(Clone, Debug)]
pub struct Fence(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    origin: Instant,
    /// Nanoseconds after the origin; 0 is shut.
    until: AtomicU64,
    /// When a write last ended without an answer, likewise; 0 is never.
    unanswered: AtomicU64,
}

/// A write that has been begun and not been answered. One that is dropped may still be carried out.
struct Sent<'a> {
    fence: &'a Fence,
    answered: bool,
}

impl Drop for Sent<'_> {
    fn drop(&mut self) {
        if !self.answered {
            let now = nanos(self.fence.now()).max(1);
            self.fence.0.unanswered.store(now, Ordering::SeqCst);
        }
    }
}

/// A write that was not let through.
#[derive(Debug, thiserror::Error)]
#[error("this operator does not lead, or could not renew its Lease in time: it writes nothing")]
pub struct Fenced;

impl Fence {
    /// A fence that is shut.
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner {
            origin: Instant::now(),
            until: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
        }))
    }

    /// The time of the local monotonic clock.
    pub(super) fn now(&self) -> Duration {
        self.0.origin.elapsed()
    }

    /// Lets writes through until then.
    pub(super) fn open_until(&self, until: Duration) {
        self.0.until.store(nanos(until), Ordering::SeqCst);
    }

    /// Lets nothing through from now on.
    pub(super) fn shut(&self) {
        self.0.until.store(0, Ordering::SeqCst);
    }

    /// Whether a write ended without an answer within that time: it may still be carried out.
    pub(super) fn is_unanswered_within(&self, span: Duration) -> bool {
        let at = self.0.unanswered.load(Ordering::SeqCst);
        at > 0 && self.now().saturating_sub(Duration::from_nanos(at)) < span
    }

    /// The same API server, with all that is not read-only going through this fence.
    pub fn client(&self, client: Client) -> Client {
        let (fence, namespace) = (self.clone(), client.default_namespace().to_owned());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (fence, client) = (fence.clone(), client.clone());
            async move {
                if is_read(request.method()) {
                    Ok::<_, BoxError>(client.send(request).await?)
                } else {
                    let mut sent = Sent {
                        fence: &fence,
                        answered: false,
                    };
                    let result = fence.pass(client.send(request)).await;
                    sent.answered = result.is_ok();
                    result
                }
            }
        });
        Client::new(service, namespace)
    }

    /// Goes on with a write only as long as the fence is open. The clock is read before each step, and not
    /// only a timer set: after a stop, the timer may come to its turn after the socket has.
    async fn pass<T, E: Into<BoxError>>(
        &self,
        write: impl Future<Output = Result<T, E>>,
    ) -> Result<T, BoxError> {
        let (mut shut, mut write) = (pin!(self.has_shut()), pin!(write));
        poll_fn(|context| {
            if !self.is_open() || shut.as_mut().poll(context).is_ready() {
                return Poll::Ready(Err(BoxError::from(Fenced)));
            }
            write.as_mut().poll(context).map_err(Into::into)
        })
        .await
    }

    /// Ends when the time is over, however often it was moved meanwhile.
    async fn has_shut(&self) {
        while let Some(left) = self.until().checked_sub(self.now()) {
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    fn is_open(&self) -> bool {
        self.now() < self.until()
    }

    fn until(&self) -> Duration {
        Duration::from_nanos(self.0.until.load(Ordering::SeqCst))
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn is_read(method: &Method) -> bool {
    *method == Method::GET || *method == Method::HEAD
}

#[cfg(test)]
mod tests;
