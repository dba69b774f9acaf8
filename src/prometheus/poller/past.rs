//! Ranges of the past, each asked once for all who want the same: after a restart that is many
//! policies within a moment.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use tokio::time::sleep;

use super::super::answer::Trust;
use super::super::client::{Asker, Client, Ranged, Wait};
use super::super::query::Query;
use crate::time::{Span, Time};

/// How long an answer is kept for those who are a little behind.
const KEPT: Duration = Duration::from_secs(5);
/// The most points of all answers that are kept, which is a few megabytes.
const MOST_POINTS: usize = 200_000;

/// What is asked; by namespace, since an answer waits for the turns of the one who asks for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Wanted {
    circle: Option<String>,
    wait: Wait,
    query: Query,
    span: (Time, Time, Span),
}

type Answer = Shared<BoxFuture<'static, Arc<Ranged>>>;

/// The ranges that are under way or were just answered.
#[derive(Clone, Default)]
pub(super) struct Past(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    answers: HashMap<Wanted, Answer>,
    points: usize,
}

impl Past {
    /// What a query gave over a span, its ends included.
    pub(super) async fn range(
        &self,
        client: &Arc<Client>,
        asker: Asker<'_>,
        query: &Query,
        span: (Time, Time, Span),
    ) -> Arc<Ranged> {
        let wanted = Wanted {
            circle: asker.circle.map(str::to_owned),
            wait: asker.wait,
            query: query.clone(),
            span,
        };
        let answer = self.answer(client, wanted);
        answer.await
    }

    fn answer(&self, client: &Arc<Client>, wanted: Wanted) -> Answer {
        let mut kept = self.kept();
        if let Some(answer) = kept.answers.get(&wanted) {
            return answer.clone();
        }
        let (client, asked) = (Arc::clone(client), wanted.clone());
        let asking = async move {
            let asker = Asker {
                circle: asked.circle.as_deref(),
                wait: asked.wait,
            };
            let ranged = client.range_as(asker, &asked.query, asked.span, Trust::Strict);
            Arc::new(ranged.await)
        };
        let answer = asking.boxed().shared();
        kept.answers.insert(wanted.clone(), answer.clone());
        tokio::spawn(self.clone().keep(wanted, answer.clone()));
        answer
    }

    async fn keep(self, wanted: Wanted, answer: Answer) {
        let points = answer.await.points.len();
        let room = {
            let mut kept = self.kept();
            let room = kept.points + points <= MOST_POINTS;
            if room {
                kept.points += points;
            }
            room
        };
        if room {
            sleep(KEPT).await;
        }
        let mut kept = self.kept();
        kept.answers.remove(&wanted);
        if room {
            kept.points -= points;
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many answers are under way or kept.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.kept().answers.len()
    }
}
