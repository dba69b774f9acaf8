//! A word at a time of one's choice: set, list, clear. What delivers them is `crate::reminders`.

use std::time::Duration;

use super::moderation::REMINDERS_PER_PERSON;
use super::{Context, Failure, Services, store_failure};
use crate::reminders::when;
use crate::store::{Added, NewReminder, StoreError, millis, now_ms};

/// How many one may have at a time, where moderators have set nothing else.
const MOST: i64 = 20;
/// How many are listed.
const LISTED: usize = 10;

const NOBODY: &str = "I would not know whom to remind: please come with a session of your own.";

pub(super) async fn remind(
    services: &Services,
    context: Context<'_>,
    rest: &str,
) -> Result<String, Failure> {
    let message = context.message;
    if message.author.id.is_empty() {
        return Ok(NOBODY.to_owned());
    }
    let (delay, text) = match when::parse(rest) {
        Ok(parsed) => parsed,
        Err(wrong) => return Ok(wrong.to_string()),
    };
    let new = NewReminder {
        id: &message.id,
        door: message.door,
        place: &message.place,
        person: &message.author.id,
        text,
        due: now_ms().saturating_add(millis(delay)),
    };
    let kept = async {
        let most = most(services, context).await?;
        Ok((most, services.store.add_reminder(&new, most).await?))
    };
    match kept.await.map_err(|error| store_failure(&error))? {
        (_, Added::Kept) => Ok(format!(
            "Gladly: in {} I shall remind you of it.",
            when::in_words(delay)
        )),
        (most, Added::TooMany) => Ok(format!(
            "You have {most} already, and more I cannot keep in mind; see !reminders, or let go of them with \
             !reminders clear."
        )),
    }
}

async fn most(services: &Services, context: Context<'_>) -> Result<i64, StoreError> {
    let guild = context.message.place.guild.as_deref().unwrap_or_default();
    let set = services.store.setting(guild, REMINDERS_PER_PERSON).await?;
    Ok(set.and_then(|set| set.parse().ok()).unwrap_or(MOST))
}

pub(super) async fn list(services: &Services, context: Context<'_>) -> Result<String, Failure> {
    let message = context.message;
    if message.author.id.is_empty() {
        return Ok(NOBODY.to_owned());
    }
    let set = services
        .store
        .reminders_of(message.door, &message.author.id)
        .await;
    let set = set.map_err(|error| store_failure(&error))?;
    if set.is_empty() {
        return Ok("You have no reminders. Write for example: !remind 10m tea is ready".to_owned());
    }
    let now = now_ms();
    let mut lines = vec![format!("Your reminders ({}):", set.len())];
    lines.extend(set.iter().take(LISTED).map(|(due, text)| {
        let left = Duration::from_millis(u64::try_from(due - now).unwrap_or_default());
        format!("in {}: {text}", when::in_words(left))
    }));
    if set.len() > LISTED {
        lines.push(format!("and {} more", set.len() - LISTED));
    }
    Ok(lines.join("\n"))
}

pub(super) async fn clear(services: &Services, context: Context<'_>) -> Result<String, Failure> {
    let message = context.message;
    let store = &services.store;
    let gone = store
        .clear_reminders(message.door, &message.author.id, now_ms())
        .await;
    Ok(match gone.map_err(|error| store_failure(&error))? {
        0 => "You had no reminders.".to_owned(),
        gone => format!("Forgotten: {gone}."),
    })
}
