//! A request that was let in, until its end.

use std::time::Duration;

use tokio::time::Instant;

use super::handlers::Failure;
use crate::metrics::{Arrival, Outcome};
use crate::pools::{Place, Turn};

/// It has a turn or a place in a queue.
pub(super) struct Ticket<'a> {
    /// None where another process has counted it.
    arrival: Option<Arrival<'a>>,
    /// None where another process works on it.
    place: Option<Place>,
}

/// What became of it.
pub(super) struct Worked<T> {
    pub(super) result: Result<T, Failure>,
    /// Where that is a failure: what failed, in a word out of few.
    pub(super) cause: &'static str,
    /// How long it waited for its turn.
    pub(super) queue: Duration,
}

impl<'a> Ticket<'a> {
    pub(super) fn new(arrival: Option<Arrival<'a>>, place: Option<Place>) -> Self {
        Self { arrival, place }
    }

    /// Waits for the turn, then does the work. Where it is called off while it waits, the place in the
    /// queue is given up: shedding must also rid us of what is queued already, and so must a stop. What
    /// has begun is finished, since what it costs is spent.
    pub(super) async fn work<T>(
        self,
        deadline: Instant,
        called_off: impl Future<Output = (Outcome, &'static str)>,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Worked<T> {
        let at = Instant::now();
        let Self { arrival, place } = self;
        let late = |_elapsed| (Err(Failure::plain(Outcome::Error)), "deadline");
        let turn = async {
            tokio::select! {
                biased;
                turn = turn(place) => Ok(turn),
                (outcome, cause) = called_off => Err((Err(Failure::plain(outcome)), cause)),
            }
        };
        let turn = tokio::time::timeout_at(deadline, turn).await;
        let queue = at.elapsed();
        let (result, cause) = match turn.map_err(late).and_then(|turn| turn) {
            Ok(_turn) => tokio::time::timeout_at(deadline, work)
                .await
                .map_or_else(late, |result| (result, "work")),
            Err(given_up) => given_up,
        };
        if let Some(arrival) = arrival {
            match &result {
                Ok(_) => arrival.end(Outcome::Ok),
                Err(failure) if failure.at_once => arrival.end_at_once(failure.outcome),
                Err(failure) => arrival.end(failure.outcome),
            };
        }
        Worked {
            result,
            cause,
            queue,
        }
    }
}

async fn turn(place: Option<Place>) -> Option<Turn> {
    match place {
        Some(place) => Some(place.turn().await),
        None => None,
    }
}
