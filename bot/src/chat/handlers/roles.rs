//! The roles that people may give themselves: those that moderators have named, and of these none that has
//! power over others or stands above the bot.

use super::{Context, Failure, Services};
use crate::guild::{Guild, GuildError, GuildRole};
use crate::metrics::Outcome;

/// The setting with their names or ids, separated by commas, as in `!set roles guest,Night owl`.
const SETTING: &str = "roles";
const NO_SERVER: &str = "Roles are for servers on Discord; here I have none to give.";
const NONE_OPEN: &str = "The moderators have not opened any roles yet.";

/// Where it was asked, and what is open there.
struct Open<'a> {
    guild: &'a dyn Guild,
    id: &'a str,
    roles: Vec<GuildRole>,
}

pub(super) async fn list(services: &Services, context: Context<'_>) -> Result<String, Failure> {
    let open = open(services, context).await?;
    if open.roles.is_empty() {
        return Ok(NONE_OPEN.to_owned());
    }
    let names: Vec<&str> = open.roles.iter().map(|role| role.name.as_str()).collect();
    Ok(format!(
        "You may take: {}. Say !role add and the name.",
        names.join(", ")
    ))
}

/// Gives the asker a role, or takes it back.
pub(super) async fn change(
    services: &Services,
    context: Context<'_>,
    name: &str,
    has: bool,
) -> Result<String, Failure> {
    let open = open(services, context).await?;
    let Some(role) = open.roles.iter().find(|role| is(role, name)) else {
        return Err(denied(
            "That is not one of the roles I may give: !roles lists them.",
        ));
    };
    let author = &context.message.author.id;
    let done = open.guild.set_role(open.id, author, &role.id, has).await;
    done.map_err(|error| failed(&error))?;
    Ok(if has {
        format!("{} is yours.", role.name)
    } else {
        format!("{} is put away.", role.name)
    })
}

async fn open<'a>(services: &'a Services, context: Context<'a>) -> Result<Open<'a>, Failure> {
    let (Some(guild), Some(id)) = (&services.guild, &context.message.place.guild) else {
        return Err(denied(NO_SERVER));
    };
    let allowed = services.store.setting(id, SETTING).await;
    let allowed = allowed.map_err(|error| {
        tracing::warn!(%error, "the roles that are open cannot be read");
        Failure::plain(Outcome::Error)
    })?;
    let roles = match allowed {
        Some(allowed) => {
            let all = guild.roles(id).await.map_err(|error| failed(&error))?;
            takable(all, &allowed)
        }
        None => Vec::new(),
    };
    Ok(Open {
        guild: guild.as_ref(),
        id,
        roles,
    })
}

/// Those that are named and may be given.
fn takable(all: Vec<GuildRole>, allowed: &str) -> Vec<GuildRole> {
    let named = |role: &GuildRole| allowed.split(',').any(|name| is(role, name));
    all.into_iter()
        .filter(|role| named(role) && !role.powerful && role.within_reach)
        .collect()
}

fn is(role: &GuildRole, name: &str) -> bool {
    let name = name.trim();
    role.id == name || role.name.to_lowercase() == name.to_lowercase()
}

fn denied(text: &str) -> Failure {
    Failure {
        text: Some(text.to_owned()),
        ..Failure::plain(Outcome::Denied)
    }
}

fn failed(error: &GuildError) -> Failure {
    tracing::warn!(%error, "roles");
    match error {
        GuildError::Refused(_) => {
            denied("The server does not let me; a moderator may want to look at my own role.")
        }
        GuildError::Unavailable(_) => Failure::plain(Outcome::Error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(id: &str, name: &str, powerful: bool, within_reach: bool) -> GuildRole {
        GuildRole {
            id: id.to_owned(),
            name: name.to_owned(),
            powerful,
            within_reach,
        }
    }

    #[test]
    fn only_what_is_named_harmless_and_in_reach_can_be_taken() {
        let all = vec![
            role("1", "Guest", false, true),
            role("2", "Night owl", false, true),
            role("3", "Admin", true, true),
            role("4", "High", false, false),
            role("5", "Other", false, true),
        ];
        let open = takable(all.clone(), " guest , 2,Admin,High,nobody");
        let ids: Vec<&str> = open.iter().map(|role| role.id.as_str()).collect();
        assert_eq!(ids, ["1", "2"]);
        assert!(takable(all, "").is_empty());
    }
}
