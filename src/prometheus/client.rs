//! One request to one source, bounded in time and bytes.
//!
//! Instant queries, which are here, go through `prometheus-http-query`; ranges are in [`range`].

mod not_sent;
mod range;
mod receive;
mod setup;
mod skew;
mod turns;

pub use range::{RANGE_BYTES, RANGE_POINTS, Ranged};
pub use setup::{BadSource, check_url, without_credentials};
pub use turns::{Asker, Wait};

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use prometheus_http_query::reqwest::{Response, Url, header::HeaderMap};
use tokio::time::{Instant, timeout_at};

use super::access::Access;
use super::answer::{self, Answer};
use super::backoff::Backoff;
use super::metrics::{Asked, OfSource, PollerMetrics};
use super::query::Query;
use super::source::Source;
use super::templates;
use crate::decide::Unknown;
use crate::time::{Span, Time};
use not_sent::NotSent;
use receive::{Received, receive};
use skew::Skew;
use turns::Turns;

/// The largest answer to an instant query; one number takes less than a kilobyte.
pub const INSTANT_BYTES: usize = 1 << 20;

/// A source that can be asked.
pub struct Client {
    source: Source,
    base: Url,
    range_url: Url,
    /// Replaced when credentials or authorities change, without a pause.
    line: RwLock<Arc<Line>>,
    params: Vec<(&'static str, String)>,
    turns: Turns,
    /// The server knows no native histograms, and said so.
    classic: AtomicBool,
    backoff: Mutex<Backoff>,
    skew: Skew,
    metrics: PollerMetrics,
    /// Last, so that nothing counts after it.
    _asked: Asked,
}

/// What requests go out with: the connections, and the headers of each.
struct Line {
    http: prometheus_http_query::Client,
    headers: HeaderMap,
    access: Access,
}

impl Client {
    /// A client for a source that lets everyone in. The process's TLS provider must be
    /// [installed](crate::tls::install).
    ///
    /// # Errors
    ///
    /// Where the source could never be asked.
    pub fn new(source: Source, metrics: PollerMetrics) -> Result<Self, BadSource> {
        Self::with_access(source, Access::default(), metrics)
    }

    /// The same for a source that asks who we are, or that proves itself by authorities of its own.
    ///
    /// # Errors
    ///
    /// Where the source could never be asked.
    pub fn with_access(
        source: Source,
        access: Access,
        metrics: PollerMetrics,
    ) -> Result<Self, BadSource> {
        let base = setup::base_url(&source.url)?;
        Ok(Self {
            line: RwLock::new(Arc::new(setup::line(&base, &source, access)?)),
            params: setup::params(&source.query_params),
            turns: Turns::new(source.max_concurrent_queries),
            classic: AtomicBool::new(false),
            backoff: Mutex::new(Backoff::new()),
            skew: Skew::default(),
            range_url: setup::range_url(&base),
            base,
            _asked: metrics.begin(&source.name),
            metrics,
            source,
        })
    }

    /// Asks with other credentials or authorities from now on; what is under way ends as it began. A
    /// source that was left alone is tried again at once.
    ///
    /// # Errors
    ///
    /// Where it could not be asked with these; it goes on with those it had.
    pub fn set_access(&self, access: Access) -> Result<(), BadSource> {
        if self.line().access == access {
            return Ok(());
        }
        let line = Arc::new(setup::line(&self.base, &self.source, access)?);
        *self.line.write().unwrap_or_else(PoisonError::into_inner) = line;
        self.backoff().reached();
        self.show_state();
        Ok(())
    }

    /// What this client was made for.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// How far the server's clock is ahead of ours, to about a second; `None` before it told.
    pub fn clock_skew(&self) -> Option<Span> {
        self.skew.ahead()
    }

    /// What a query gives at exactly this time, known within the source's timeout from when it is
    /// sent. It waits for its turn behind those who ask by a deadline.
    pub async fn instant(&self, query: &Query, time: Time) -> Answer {
        self.instant_as(Asker::default(), query, time).await
    }

    /// The same for one of many askers. Where it asks by a deadline, waiting for a turn counts
    /// towards it.
    pub async fn instant_as(&self, asker: Asker<'_>, query: &Query, time: Time) -> Answer {
        let known = self.known(query);
        let answer = self.instant_once(asker, &known, time).await;
        match self.without_native(&known, &answer) {
            Some(classic) => self.instant_once(asker, &classic, time).await,
            None => answer,
        }
    }

    async fn instant_once(&self, asker: Asker<'_>, query: &Query, time: Time) -> Answer {
        let line = self.line();
        let send = |left| self.send_instant(&line, query, time, left);
        match self.ask(asker, INSTANT_BYTES, send).await {
            Ok(received) => {
                let mut answer = answer::instant(&received.raw());
                line.access.hide_in(&mut answer);
                received.log(answer, self)
            }
            Err(answer) => answer,
        }
    }

    /// A query in the functions that the server knows, as far as it has told.
    fn known<'a>(&self, query: &'a Query) -> Cow<'a, Query> {
        let classic = self.classic.load(Ordering::Relaxed);
        let classic = classic.then(|| templates::classic(query)).flatten();
        classic.map_or(Cow::Borrowed(query), Cow::Owned)
    }

    /// What to ask instead of a query that was refused because it is for native histograms as well.
    fn without_native(&self, asked: &Query, answer: &Answer) -> Option<Query> {
        let detail = answer.detail.as_deref().filter(|_| answer.rejected)?;
        let classic = templates::classic(asked).filter(|_| detail.contains("histogram_count"))?;
        self.classic.store(true, Ordering::Relaxed);
        Some(classic)
    }

    /// Sends when it is this request's turn, and reads what comes back: by the deadline, or within
    /// the timeout from then on.
    async fn ask<F>(
        &self,
        asker: Asker<'_>,
        max_bytes: usize,
        send: impl Fn(Duration) -> F,
    ) -> Result<Received, Answer>
    where
        F: Future<Output = Result<Response, NotSent>>,
    {
        let late = |what| Answer::unknown(Unknown::Timeout, what);
        let Some(_turn) = self.turns.take(asker).await else {
            return Err(late("no turn in time: too many queries are under way"));
        };
        let timeout = Instant::now() + self.source.timeout.to_duration();
        let deadline = asker
            .wait
            .deadline()
            .map_or(timeout, |deadline| deadline.min(timeout));
        if self.holds_back() {
            return Err(Answer::unknown(
                Unknown::Transport,
                "left alone after failing",
            ));
        }
        let began = Instant::now();
        let exchange = async {
            let response = match self.send(&send, deadline).await {
                Ok(response) => response,
                Err(error) => {
                    self.backoff().failed(began, Instant::now());
                    return Err(Answer::unknown(Unknown::Transport, &error.cause));
                }
            };
            self.backoff().reached();
            self.skew.note(response.headers());
            receive(response, max_bytes).await
        };
        let answer = timeout_at(deadline, exchange).await;
        let answer = answer.unwrap_or_else(|_| Err(late("no answer in time")));
        self.show_state();
        match answer {
            Ok(received) => Ok(received.since(began)),
            Err(answer) => {
                self.count(&answer, began);
                Err(answer)
            }
        }
    }

    /// Sends once more where a connection that was kept open turns out to be closed.
    async fn send<F>(
        &self,
        send: &impl Fn(Duration) -> F,
        deadline: Instant,
    ) -> Result<Response, NotSent>
    where
        F: Future<Output = Result<Response, NotSent>>,
    {
        let left = || deadline.saturating_duration_since(Instant::now());
        match send(left()).await {
            Err(error) if error.connected => send(left()).await,
            response => response,
        }
    }

    async fn send_instant(
        &self,
        line: &Line,
        query: &Query,
        time: Time,
        left: Duration,
    ) -> Result<Response, NotSent> {
        let mut request = line
            .http
            .query(query)
            .query("time", seconds(time))
            .timeout(whole_millis(left));
        for (name, value) in &line.headers {
            request = request.header(name, value.clone());
        }
        for (name, value) in &self.params {
            request = request.query(name, value);
        }
        request.post_raw().await.map_err(|e| NotSent::because(&e))
    }

    fn line(&self) -> Arc<Line> {
        Arc::clone(&self.line.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn backoff(&self) -> std::sync::MutexGuard<'_, Backoff> {
        self.backoff.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holds_back(&self) -> bool {
        let holds = self.backoff().holds(Instant::now());
        if holds {
            self.metrics.held_back.get_or_create(&self.label()).inc();
        }
        holds
    }

    fn show_state(&self) {
        let holds = self.backoff().holds(Instant::now());
        let gauge = self.metrics.backing_off.get_or_create(&self.label());
        gauge.set(i64::from(holds));
        if let Some(ahead) = self.clock_skew() {
            let gauge = self.metrics.clock_skew.get_or_create(&self.label());
            gauge.set(ahead.as_millis() / 1000);
        }
    }

    fn count(&self, answer: &Answer, began: Instant) {
        let name = &self.source.name;
        self.metrics.asked(name, answer.reading, began.elapsed());
    }

    fn label(&self) -> OfSource {
        OfSource::named(&self.source.name)
    }
}

/// Unix seconds with milliseconds, as the API takes them.
fn seconds(time: Time) -> String {
    let millis = time.as_millis();
    format!("{}.{:03}", time.as_secs(), millis.rem_euclid(1000))
}

/// At least one: the server refuses a timeout of zero.
fn whole_millis(left: Duration) -> i64 {
    i64::try_from(left.as_millis()).unwrap_or(i64::MAX).max(1)
}

#[cfg(test)]
mod tests;
