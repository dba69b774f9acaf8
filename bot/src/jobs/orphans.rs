//! Answers whose gateway ended while a worker was at them: another gateway says them, where the door that
//! the message came through can speak unasked. A connection that ended with its gateway cannot be answered.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use futures::StreamExt;

use super::metrics::JobsMetrics;
use super::wire::{Adopted, Orphan};
use crate::deliver::{Deliver, DeliverError, Delivery};
use crate::message::Door;

pub(crate) const SUBJECT: &str = "chatbotler.orphans";
/// One gateway gets it, not each.
const GROUP: &str = "gateways";
/// Longer than a gateway takes to connect again: one that was away for a moment still hears it itself.
pub(crate) const ORPHANED: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(200);

/// The doors of a gateway that can speak unasked.
pub(crate) struct Orphans {
    pub(crate) client: Client,
    pub(crate) doors: Vec<(Door, Arc<dyn Deliver>)>,
    pub(crate) metrics: Arc<JobsMetrics>,
}

impl Orphans {
    /// Takes in what is offered, for ever.
    pub(crate) async fn adopt(&self) {
        loop {
            let group = GROUP.to_owned();
            if let Ok(mut offers) = self.client.queue_subscribe(SUBJECT, group).await {
                while let Some(offer) = offers.next().await {
                    let Some(receipt) = offer.reply else { continue };
                    let Ok(orphan) = serde_json::from_slice(&offer.payload) else {
                        tracing::warn!("an answer whose gateway is gone is not readable");
                        continue;
                    };
                    // without a receipt it is offered again
                    if let Some(adopted) = self.deliver(orphan).await
                        && let Ok(adopted) = serde_json::to_vec(&adopted)
                    {
                        let _ = self.client.publish(receipt, adopted.into()).await;
                    }
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// The id keeps a door from saying it twice.
    async fn deliver(&self, orphan: Orphan) -> Option<Adopted> {
        let Orphan { message, text } = orphan;
        let door = self.doors.iter().find(|(door, _)| *door == message.door);
        let Some((door, way)) = door.filter(|_| !message.author.id.is_empty()) else {
            return Some(Adopted::Nobody);
        };
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
