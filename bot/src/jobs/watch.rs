//! How much waits in the queue, and whether anybody takes it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use brownout::policy::Tier;
use tokio::time::Instant;

use super::metrics::TIERS;
use super::queue::{Queue, STREAM, subject};
use super::wire::Job;
use crate::store::now_ms;

const WATCH: Duration = Duration::from_secs(1);
/// A server that was down when the queue was made may be back.
const AGAIN: Duration = Duration::from_secs(30);

impl Queue {
    /// Makes the queue where it is not there, and follows how much waits, for ever. Also where there are no
    /// workers: their number may depend on it.
    pub(crate) async fn watch(&self) {
        let mut consumers = Vec::new();
        // when to bring the queue up to its options once more, where that has failed
        let mut owed: Option<Instant> = None;
        loop {
            let due = owed.is_some_and(|at| at <= Instant::now());
            if self.is_connected() && (consumers.is_empty() || due) {
                owed = (!self.is_declared().await).then(|| Instant::now() + AGAIN);
                match self.consumers().await {
                    Ok(all) => consumers = all,
                    Err(error) => tracing::warn!(%error, "the queue is not there yet"),
                }
            }
            for (tier, consumer) in &consumers {
                if let Ok(info) = consumer.get_info().await {
                    // whoever has nothing to do waits with an open question, and whoever has owes an answer
                    let deserted = info.num_waiting == 0 && info.num_ack_pending == 0;
                    self.deserted.get(*tier).store(deserted, Ordering::Relaxed);
                    self.metrics.waiting(*tier, info.num_pending);
                    self.metrics.oldest(*tier, self.oldest(*tier).await);
                } else {
                    consumers.clear();
                    break;
                }
            }
            tokio::time::sleep(WATCH).await;
        }
    }

    async fn is_declared(&self) -> bool {
        let declared = self.declare().await;
        if let Err(error) = &declared {
            // too few servers for its replicas, maybe: one that is there already still works
            tracing::warn!(%error, again = ?AGAIN, "the queue could not be brought up to its options");
        }
        declared.is_ok()
    }

    async fn consumers(&self) -> Result<Vec<(Tier, PullConsumer)>, async_nats::Error> {
        let mut all = Vec::with_capacity(TIERS.len());
        for tier in TIERS {
            all.push((tier, self.declare_consumer(tier).await?));
        }
        Ok(all)
    }

    /// The age in seconds of the first job of a tier.
    async fn oldest(&self, tier: Tier) -> f64 {
        let first = async {
            let stream = self.context.get_stream_no_info(STREAM).await.ok()?;
            let first = stream.get_first_raw_message_by_subject(subject(tier), 1);
            serde_json::from_slice::<Job>(&first.await.ok()?.payload).ok()
        };
        let age = first.await.map_or(0, |job| now_ms().saturating_sub(job.at));
        Duration::from_millis(u64::try_from(age).unwrap_or(0)).as_secs_f64()
    }
}
