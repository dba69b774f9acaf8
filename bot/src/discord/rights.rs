//! Least privilege: what the bot asks Discord for, and which feature each of it is for. The intents of the
//! gateway, the invite link and the table in the README all come from here.

use twilight_model::gateway::Intents;
use twilight_model::guild::Permissions;

use crate::config::DiscordConfig;

/// What one thing that the bot can do needs.
struct Need {
    what: &'static str,
    /// The option that switches it on; none: it always is.
    option: Option<&'static str>,
    on: fn(&DiscordConfig) -> bool,
    intents: Intents,
    permissions: Permissions,
}

/// Slash commands need neither: Discord brings them to whoever is invited with `applications.commands`.
const NEEDS: [Need; 7] = [
    Need {
        what: "slash commands",
        option: None,
        on: |_| true,
        intents: Intents::empty(),
        permissions: Permissions::empty(),
    },
    Need {
        what: "mentions and replies in a channel, answered there",
        option: None,
        on: |_| true,
        intents: Intents::GUILD_MESSAGES,
        // Discord lets nobody reply who may not read what is replied to
        permissions: Permissions::VIEW_CHANNEL
            .union(Permissions::SEND_MESSAGES)
            .union(Permissions::READ_MESSAGE_HISTORY),
    },
    Need {
        what: "direct messages",
        option: None,
        on: |_| true,
        intents: Intents::DIRECT_MESSAGES,
        permissions: Permissions::empty(),
    },
    Need {
        what: "text commands, talks in its threads without a mention",
        option: Some("--discord-message-content"),
        on: |config| config.message_content,
        intents: Intents::MESSAGE_CONTENT,
        permissions: Permissions::empty(),
    },
    Need {
        what: "talks in a thread per person",
        option: Some("--discord-threads"),
        on: |config| config.threads,
        intents: Intents::empty(),
        permissions: Permissions::CREATE_PUBLIC_THREADS
            .union(Permissions::SEND_MESSAGES_IN_THREADS),
    },
    Need {
        what: "reactions",
        option: Some("--discord-reactions"),
        on: |config| config.reactions,
        intents: Intents::empty(),
        permissions: Permissions::ADD_REACTIONS.union(Permissions::READ_MESSAGE_HISTORY),
    },
    Need {
        what: "roles that people may take",
        option: Some("--discord-roles"),
        on: |config| config.roles,
        intents: Intents::empty(),
        permissions: Permissions::MANAGE_ROLES,
    },
];

/// The intents of what is switched on.
pub(super) fn intents(config: &DiscordConfig) -> Intents {
    needed(config).fold(Intents::empty(), |all, need| all | need.intents)
}

/// The permissions of what is switched on.
fn permissions(config: &DiscordConfig) -> Permissions {
    needed(config).fold(Permissions::empty(), |all, need| all | need.permissions)
}

/// What is asked for and why, in a line for the log.
pub(super) fn reasons(config: &DiscordConfig) -> String {
    let reasons = needed(config).map(|need| {
        let by = need.option.map(|o| format!(" ({o})")).unwrap_or_default();
        format!(
            "{}{by}: {}, {}",
            need.what,
            intent_names(need),
            permission_names(need)
        )
    });
    reasons.collect::<Vec<_>>().join("; ")
}

/// The link with what it asks for, and what each of that is for; for people.
pub(super) fn explained(application: u64, config: &DiscordConfig) -> String {
    let link = invite(application, config);
    let mut text = format!(
        "Open this link as somebody who manages a server, and the bot is let in:\n\n  {link}\n\n\
         It asks for what these options switch on, and for nothing else. The permissions are in the link, the intents \
         are asked for when the bot connects:\n\n"
    );
    text.extend(needed(config).map(|need| {
        let by = need.option.map(|o| format!(" ({o})")).unwrap_or_default();
        let (intents, permissions) = (intent_names(need), permission_names(need));
        let what = need.what;
        format!("  {what}{by}\n      intents: {intents}\n      permissions: {permissions}\n")
    }));
    if intents(config).contains(Intents::MESSAGE_CONTENT) {
        text += "\nMESSAGE_CONTENT is privileged: switch on \"Message Content Intent\" on the page \"Bot\" of your \
                 application, or Discord closes the door on the bot.\n";
    }
    if config.roles {
        text += "\nThe bot's role has to stand above the roles that it is to give.\n";
    }
    let off = NEEDS.iter().filter(|need| !(need.on)(config));
    let mut off = off
        .map(|need| format!("  {}: {}\n", need.option.unwrap_or_default(), need.what))
        .peekable();
    if off.peek().is_some() {
        text += "\nSwitched off, and not asked for:\n\n";
    }
    text.extend(off);
    text
}

/// As Discord's own pages write them, such as `VIEW_CHANNEL`.
fn permission_names(need: &Need) -> String {
    listed(need.permissions.iter_names().map(|(name, _)| name))
}

fn intent_names(need: &Need) -> String {
    listed(need.intents.iter_names().map(|(name, _)| name))
}

fn listed(names: impl Iterator<Item = &'static str>) -> String {
    let names: Vec<&str> = names.collect();
    if names.is_empty() {
        "-".to_owned()
    } else {
        names.join(", ")
    }
}

fn needed(config: &DiscordConfig) -> impl Iterator<Item = &'static Need> {
    NEEDS.iter().filter(|need| (need.on)(config))
}

/// The link by which somebody who manages a server lets the bot in, with those permissions and no others.
pub(super) fn invite(application: u64, config: &DiscordConfig) -> String {
    let permissions = permissions(config).bits();
    format!(
        "https://discord.com/oauth2/authorize?client_id={application}&scope=bot+applications.commands&permissions={permissions}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_on() -> DiscordConfig {
        DiscordConfig {
            message_content: true,
            threads: true,
            reactions: true,
            roles: true,
            ..DiscordConfig::default()
        }
    }

    #[test]
    fn what_is_off_is_not_asked_for() {
        let least = DiscordConfig::default();
        assert_eq!(
            intents(&least),
            Intents::GUILD_MESSAGES | Intents::DIRECT_MESSAGES
        );
        let base = Permissions::VIEW_CHANNEL
            | Permissions::SEND_MESSAGES
            | Permissions::READ_MESSAGE_HISTORY;
        assert_eq!(permissions(&least), base);
        let roles = DiscordConfig {
            roles: true,
            ..least
        };
        assert_eq!(permissions(&roles), base | Permissions::MANAGE_ROLES);
    }

    #[test]
    fn the_invite_holds_what_is_needed_and_no_more() {
        let link = invite(7, &all_on());
        let permissions = NEEDS
            .iter()
            .fold(Permissions::empty(), |all, need| all | need.permissions);
        assert!(link.ends_with(&format!("&permissions={}", permissions.bits())));
        assert!(!permissions.contains(Permissions::ADMINISTRATOR));
        assert!(link.contains("client_id=7&"));
    }

    #[test]
    fn the_readme_has_this_table() {
        let readme = include_str!("../../README.md");
        for need in &NEEDS {
            let (intents, permissions) = (intent_names(need), permission_names(need));
            let option = need
                .option
                .map_or("always".to_owned(), |o| format!("`{o}`"));
            let row = format!("| {} | {option} | {intents} | {permissions} |", need.what);
            assert!(readme.contains(&row), "bot/README.md lacks\n{row}");
        }
    }
}
