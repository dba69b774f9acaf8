//! `!stats`: who is here and how much is said.

use super::{Context, Failure, Services, store_failure};
use crate::activity::{DAY_MS, HOUR_MS};
use crate::store::now_ms;

pub(super) async fn stats(services: &Services, context: Context<'_>) -> Result<String, Failure> {
    let guild = context.message.place.guild.as_deref().unwrap_or_default();
    let store = &services.store;
    let now = now_ms();
    let counted = async {
        let hour = store.active(Some(guild), now - HOUR_MS).await?;
        let day = store.active(Some(guild), now - DAY_MS).await?;
        let messages = store.messages(guild, now - DAY_MS).await?;
        Ok((hour, day, messages))
    };
    let (hour, day, messages) = counted.await.map_err(|error| store_failure(&error))?;
    Ok(format!(
        "Within the last hour I have heard {hour} of you, within the last day {day}, in {messages} messages."
    ))
}
