#![allow(clippy::doc_markdown)] // these comments are the help text

use std::time::Duration;

use clap::Args;
use secrecy::SecretString;

use super::duration;
use super::jobs::Role;

/// Of a process that shares it with nobody.
const ALONE: &str = "sqlite:chatbotler.db?mode=rwc";

/// What is remembered, and where.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Store")]
pub struct StoreConfig {
    /// Where to keep reminders, settings and history [default: sqlite:chatbotler.db?mode=rwc]
    ///
    /// sqlite:FILE?mode=rwc for one process, postgres://USER:PASSWORD@HOST/DATABASE for more than one replica,
    /// sqlite::memory: to try something: it is gone with the process. A gateway and its workers have to be told theirs.
    #[arg(
        long = "store",
        env = "CHATBOTLER_STORE",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub url: Option<SecretString>,

    /// How long a due reminder belongs to the process that took it
    ///
    /// So long a crash may delay it.
    #[arg(long, env = "CHATBOTLER_REMINDER_LEASE", default_value = "1m", value_parser = duration, value_name = "DURATION")]
    pub reminder_lease: Duration,
}

impl StoreConfig {
    /// The database of a process in this role; none where it would not be the others'.
    pub(crate) fn of(&self, role: Role) -> Option<SecretString> {
        let alone = || (role == Role::All).then(|| SecretString::from(ALONE));
        self.url.clone().or_else(alone)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::Config;

    #[test]
    fn only_who_is_alone_needs_not_say_where() {
        for (role, url) in [
            (Role::All, Some(ALONE)),
            (Role::Gateway, None),
            (Role::Worker, None),
        ] {
            let store = Config::parse_from(["chatbotler"]).store.of(role);
            assert_eq!(store.as_ref().map(ExposeSecret::expose_secret), url);
        }
        let given = Config::parse_from(["chatbotler", "--store=sqlite:here.db"]);
        let store = given.store.of(Role::Worker).unwrap();
        assert_eq!(store.expose_secret(), "sqlite:here.db");
    }
}
