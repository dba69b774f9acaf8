//! What moderators may: stop, start, reboot, settings.

use tokio_util::sync::CancellationToken;

use super::{Context, Failure, Services, store_failure};
use crate::metrics::Outcome;
use crate::store::{Stop, now_ms};

/// Characters of a reason and of a setting.
const MOST_REASON: usize = 200;
const MOST_VALUE: usize = 500;

/// A thing that moderators may set: name, what it is, and what is wrong with a value.
struct Setting {
    name: &'static str,
    what: &'static str,
    check: fn(&str) -> Result<(), &'static str>,
}

/// Everything that can be set. A name that is not here is a slip, and told so.
const SETTINGS: [Setting; 2] = [
    Setting {
        name: "roles",
        what: "the roles that people may give themselves, with commas between",
        check: |_| Ok(()),
    },
    Setting {
        name: REMINDERS_PER_PERSON,
        what: "how many reminders one may have at a time, up to 100",
        check: |value| match value.parse::<u8>() {
            Ok(0..=100) => Ok(()),
            _ => Err("write a number from 0 to 100"),
        },
    },
];

/// The setting that bounds reminders.
pub(super) const REMINDERS_PER_PERSON: &str = "reminders-per-person";

/// How a reboot is asked for.
#[derive(Clone, Default)]
pub(crate) struct Reboot(pub(crate) CancellationToken);

fn moderators_only(context: Context<'_>) -> Result<(), Failure> {
    if context.message.author.moderator {
        return Ok(());
    }
    Err(Failure {
        text: Some("That is for moderators only; do ask one of them.".to_owned()),
        ..Failure::plain(Outcome::Denied)
    })
}

/// The guild that it was said in, or the bot as a whole.
fn guild(context: Context<'_>) -> &str {
    context.message.place.guild.as_deref().unwrap_or_default()
}

pub(super) async fn stop(
    services: &Services,
    context: Context<'_>,
    reason: &str,
) -> Result<String, Failure> {
    moderators_only(context)?;
    let mut stop = Stop {
        person: String::new(),
        at: now_ms(),
        reason: reason.chars().take(MOST_REASON).collect(),
    };
    // before anything is waited for: the store may be slow, and the moderator may not wait for the answer
    services.stops.hold(guild(context), Some(stop.clone()));
    let person = services.store.person(&context.message.author.id).await;
    stop.person = person.unwrap_or_default();
    let written = services.stops.order(guild(context), Some(stop)).await;
    Ok(match written {
        Ok(()) => "I have stopped; commands still work, and !start wakes me.".to_owned(),
        Err(_) => "I have stopped here, though I cannot write it down at the moment: should I be restarted before \
                   I can, I shall have forgotten."
            .to_owned(),
    })
}

pub(super) async fn start(services: &Services, context: Context<'_>) -> Result<String, Failure> {
    moderators_only(context)?;
    let whole = services.stops.of(None).is_some() && !guild(context).is_empty();
    let written = services.stops.order(guild(context), None).await;
    Ok(match written {
        Ok(()) if whole => {
            "All is set here, but I was stopped everywhere, and that is not for this server to change.".to_owned()
        }
        Ok(()) => "At your service again.".to_owned(),
        Err(_) => "At your service again, though I cannot write it down at the moment.".to_owned(),
    })
}

pub(super) fn reboot(services: &Services, context: Context<'_>) -> Result<String, Failure> {
    moderators_only(context)?;
    tracing::warn!("a moderator has asked for a reboot");
    services.reboot.0.cancel();
    Ok("I finish what is under way and begin anew; back in a moment.".to_owned())
}

/// `!set`, `!set NAME`, `!set NAME VALUE`, `!set NAME -`.
pub(super) async fn set(
    services: &Services,
    context: Context<'_>,
    rest: &str,
) -> Result<String, Failure> {
    moderators_only(context)?;
    let (name, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let (name, value) = (name.to_lowercase(), value.trim());
    let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
        let known = SETTINGS.map(|setting| format!("{}: {}", setting.name, setting.what));
        return Ok(format!(
            "Write !set NAME VALUE, or !set NAME - to unset it. I know {}.",
            known.join("; ")
        ));
    };
    let (store, guild) = (&services.store, guild(context));
    let done = match value {
        "" => store
            .setting(guild, setting.name)
            .await
            .map(|value| match value {
                Some(value) => format!("{name} is {value}"),
                None => format!("{name} is not set: {}.", setting.what),
            }),
        "-" => {
            let unset = store.unset_setting(guild, setting.name).await;
            unset.map(|()| format!("{name} is no longer set."))
        }
        _ if value.chars().count() > MOST_VALUE => {
            Ok(format!("That is too long: up to {MOST_VALUE} characters."))
        }
        _ => {
            if let Err(wrong) = (setting.check)(value) {
                return Ok(format!("{name}: {wrong}."));
            }
            let set = store.set_setting(guild, setting.name, value).await;
            set.map(|()| format!("{name} is now {value}"))
        }
    };
    done.map_err(|error| store_failure(&error))
}
