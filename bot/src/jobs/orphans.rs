//! Answers whose gateway ended while a worker was at them: another gateway says them, where the door that
//! the message came through can speak unasked. A connection that ended with its gateway cannot be answered.

mod at_hand;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, Message};
use futures::{Stream, StreamExt};
use tokio::task::JoinSet;

use super::metrics::JobsMetrics;
use super::wire::{Adopted, Orphan};
use crate::deliver::{Deliver, DeliverError, Delivery};
use crate::message::Door;
use at_hand::AtHand;

pub(crate) const SUBJECT: &str = "chatbotler.orphans";
/// One gateway gets it, not each.
const GROUP: &str = "gateways";
/// Longer than a gateway takes to connect again: one that was away for a moment still hears it itself.
pub(crate) const ORPHANED: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(200);

/// The doors of a gateway that can speak unasked.
pub(crate) struct Orphans {
    client: Client,
    doors: Vec<(Door, Arc<dyn Deliver>)>,
    metrics: Arc<JobsMetrics>,
    at_hand: AtHand,
}

impl Orphans {
    pub(crate) fn new(
        client: Client,
        doors: Vec<(Door, Arc<dyn Deliver>)>,
        metrics: Arc<JobsMetrics>,
    ) -> Self {
        Self {
            client,
            doors,
            metrics,
            at_hand: AtHand::default(),
        }
    }

    /// Takes in what is offered, for ever.
    pub(crate) async fn adopt(self: Arc<Self>) {
        loop {
            let group = GROUP.to_owned();
            if let Ok(offers) = self.client.queue_subscribe(SUBJECT, group).await {
                self.take_all(offers).await;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn take_all(self: &Arc<Self>, mut offers: impl Stream<Item = Message> + Unpin) {
        let mut under_way = JoinSet::new();
        while let Some(offer) = offers.next().await {
            while under_way.try_join_next().is_some() {}
            let Some(receipt) = offer.reply else { continue };
            let Ok(orphan) = serde_json::from_slice::<Orphan>(&offer.payload) else {
                tracing::warn!("an answer whose gateway is gone is not readable");
                continue;
            };
            let this = Arc::clone(self);
            under_way.spawn(async move {
                // without a receipt it is offered again
                if let Some(adopted) = this.deliver(orphan).await
                    && let Ok(adopted) = serde_json::to_vec(&adopted)
                {
                    let _ = this.client.publish(receipt, adopted.into()).await;
                }
            });
        }
        while under_way.join_next().await.is_some() {}
    }

    /// Its id keeps a door from saying it twice.
    async fn deliver(&self, orphan: Orphan) -> Option<Adopted> {
        let Orphan { message, text } = orphan;
        let door = self.doors.iter().find(|(door, _)| *door == message.door);
        let reachable = !message.author.id.is_empty() && !message.own_way;
        let Some((door, way)) = door.filter(|_| reachable) else {
            return Some(Adopted::Nobody);
        };
        let _held = self.at_hand.take(*door, &message.id)?;
        let delivery = Delivery {
            id: Delivery::answer_to(&message.id),
            door: *door,
            place: message.place,
            to: message.author.id,
            text,
        };
        match way.deliver(&delivery).await {
            Ok(()) => {
                self.metrics.adopted();
                Some(Adopted::Delivered)
            }
            Err(error @ DeliverError::Never(_)) => {
                tracing::warn!(door = door.name(), %error, "an answer whose gateway is gone");
                Some(Adopted::Nobody)
            }
            Err(DeliverError::Later { .. }) => None,
        }
    }
}
