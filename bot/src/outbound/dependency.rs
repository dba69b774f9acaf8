//! One that is called, and how.

use std::future::Future;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::BackoffBuilder;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::breaker::{Breaker, Pass, Verdict};
use super::budget::Budget;
use super::fault::{CallError, Fault, FaultKind};
use super::limits::Limits;
use super::metrics::{OutboundMetrics, Outcome, Series};
use super::pace::Pace;

/// One that is called: an API, a model, a database. Everything that calls it shares this one.
pub(crate) struct Dependency {
    name: &'static str,
    limits: Limits,
    places: Semaphore,
    control: Mutex<Control>,
    series: Series,
}

/// What all calls together are held to.
struct Control {
    breaker: Breaker,
    budget: Budget,
    pace: Pace,
}

impl Dependency {
    /// `name` is one of those that `metrics` was made with.
    pub(crate) fn new(name: &'static str, limits: Limits, metrics: &OutboundMetrics) -> Self {
        let now = Instant::now();
        let control = Control {
            breaker: Breaker::new(limits.breaker),
            budget: Budget::new(limits.budget, now),
            pace: Pace::new(limits.rate, now),
        };
        let series = metrics.of(name);
        series.control(control.breaker.phase(), control.budget.tokens());
        Self {
            name,
            places: Semaphore::new(limits.concurrency.get().min(Semaphore::MAX_PERMITS)),
            limits,
            control: Mutex::new(control),
            series,
        }
    }

    /// Calls by `attempt`, more than once where that may help, and is back by `deadline`. That the
    /// callee wants less from us is always said as [`CallError::Limited`].
    pub(crate) async fn call<T, Fut>(
        &self,
        deadline: Instant,
        mut attempt: impl FnMut() -> Fut,
    ) -> Result<T, CallError>
    where
        Fut: Future<Output = Result<T, Fault>>,
    {
        let ending = self.series.begin();
        let result = self.attempts(deadline, &mut attempt).await;
        ending.end(result.as_ref().err().map_or(Outcome::Ok, Outcome::of));
        result.map_err(|error| match error {
            CallError::Fault(fault) if fault.kind == FaultKind::Limited => CallError::Limited {
                retry_in: self.wish(&fault).unwrap_or(self.limits.backoff_longest),
            },
            error => error,
        })
    }

    async fn attempts<T, Fut>(
        &self,
        deadline: Instant,
        attempt: &mut impl FnMut() -> Fut,
    ) -> Result<T, CallError>
    where
        Fut: Future<Output = Result<T, Fault>>,
    {
        let mut delays = self.limits.delays().build();
        let mut flight = self.admit(deadline).await?;
        self.change(|control| control.budget.deposit(Instant::now()));
        loop {
            let fault = match self.attempt(flight, deadline, attempt()).await {
                Err(CallError::Fault(fault)) if fault.may_pass() => fault,
                result => return result,
            };
            let Some(delay) = delays.next() else {
                return Err(fault.into());
            };
            if !self.affords_retry(delay, deadline) {
                return Err(fault.into());
            }
            sleep(delay).await;
            // whatever keeps it from going now, what the callee said is the better answer
            let Ok(next) = self.admit(deadline).await else {
                return Err(fault.into());
            };
            self.series.retries.inc();
            flight = next;
        }
    }

    /// Whether a retry would be let through, come in time, and is paid for.
    fn affords_retry(&self, delay: Duration, deadline: Instant) -> bool {
        let now = Instant::now();
        self.change(|control| {
            let at = (now + delay).max(control.pace.paused_until());
            at < deadline && control.breaker.refuses(at).is_none() && control.budget.withdraw(now)
        })
    }

    /// Waits for a turn and for a place. What may take time comes before the breaker's pass, so that a
    /// probe is one that goes.
    async fn admit(&self, deadline: Instant) -> Result<Flight<'_>, CallError> {
        loop {
            let now = Instant::now();
            if now >= deadline {
                return Err(CallError::Deadline);
            }
            let turn = self.change(|control| {
                if let Some(retry_in) = control.breaker.refuses(now) {
                    return Err(CallError::Open { retry_in });
                }
                let turn = control.pace.reserve(now, deadline);
                turn.map_err(|retry_in| CallError::Limited { retry_in })
            })?;
            sleep_until(turn).await;
            let patience = (Instant::now() + self.limits.patience).min(deadline);
            let Ok(Ok(place)) = timeout_at(patience, self.places.acquire()).await else {
                return Err(CallError::Busy);
            };
            let now = Instant::now();
            let pass = self.change(|control| {
                // the callee may have asked for a pause since the turn was reserved
                (control.pace.paused_until() <= now).then(|| control.breaker.admit(now))
            });
            match pass {
                None => {}
                Some(Ok(pass)) => return Ok(Flight::begin(self, place, pass, now)),
                Some(Err(retry_in)) => return Err(CallError::Open { retry_in }),
            }
        }
    }

    async fn attempt<T>(
        &self,
        mut flight: Flight<'_>,
        deadline: Instant,
        attempt: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, CallError> {
        let own = flight.began + self.limits.timeout;
        let fault = match timeout_at(own.min(deadline), attempt).await {
            Ok(Ok(answer)) => {
                flight.verdict = Verdict::Healthy;
                return Ok(answer);
            }
            Ok(Err(fault)) => fault,
            Err(_elapsed) if own <= deadline => {
                Fault::transient(format!("no answer in {:?}", self.limits.timeout))
            }
            // the caller had little time left: that says something about the callee only if it was slow
            Err(_elapsed) => return Err(CallError::Deadline),
        };
        flight.verdict = match fault.kind {
            // it could not even be made
            FaultKind::Refused if fault.unsent => Verdict::Unasked,
            FaultKind::Transient => Verdict::Failed,
            FaultKind::Limited => Verdict::Unknown,
            FaultKind::Refused => Verdict::Healthy,
            FaultKind::Unasked => Verdict::Unasked,
        };
        if let Some(wait) = self.wish(&fault) {
            // not everyone who was told the same comes back in the same moment
            let until = Instant::now() + wait + wait.mul_f64(fastrand::f64() / 10.0);
            self.change(|control| control.pace.pause(until));
        }
        tracing::debug!(dependency = self.name, fault = %fault, "an attempt failed");
        Err(fault.into())
    }

    /// How long the callee wants everyone to leave it alone, within reason.
    fn wish(&self, fault: &Fault) -> Option<Duration> {
        let wait = fault.retry_after?.min(self.limits.longest_pause);
        fault.may_pass().then_some(wait)
    }

    /// Does something to what is shared, and shows what has become of it.
    fn change<R>(&self, change: impl FnOnce(&mut Control) -> R) -> R {
        let mut control = self.control();
        let before = control.breaker.phase();
        let result = change(&mut control);
        let after = control.breaker.phase();
        self.series.control(after, control.budget.tokens());
        drop(control);
        if before != after {
            tracing::warn!(dependency = self.name, ?before, ?after, "circuit breaker");
        }
        result
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        // nothing in there can be left half done
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt under way. Dropped, however that comes about, it is over: its place is free, the breaker
/// has its pass back.
struct Flight<'a> {
    dependency: &'a Dependency,
    pass: Option<Pass>,
    began: Instant,
    verdict: Verdict,
    _place: SemaphorePermit<'a>,
}

impl<'a> Flight<'a> {
    fn begin(
        dependency: &'a Dependency,
        place: SemaphorePermit<'a>,
        pass: Pass,
        now: Instant,
    ) -> Self {
        dependency.series.attempts.inc();
        dependency.series.in_flight.inc();
        Self {
            dependency,
            pass: Some(pass),
            began: now,
            verdict: Verdict::Unknown,
            _place: place,
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let now = Instant::now();
        let took = now - self.began;
        let series = &self.dependency.series;
        series.in_flight.dec();
        series.durations.observe(took.as_secs_f64());
        if let Some(pass) = self.pass.take() {
            let verdict = self.verdict;
            self.dependency.change(|control| {
                let jitter = fastrand::f64();
                control.breaker.record(pass, verdict, took, now, jitter);
            });
        }
    }
}
