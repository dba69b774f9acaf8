//! The README names what is there: every series and no other, and no option that `--help` does not know.

#![allow(clippy::unwrap_used)] // a test ends where something is amiss

mod common;

use std::collections::BTreeSet;

use chatbotler::config::Cli;
use clap::CommandFactory;
use common::start;

const README: &str = include_str!("../README.md");
/// Of other programs that it tells how to use.
const OTHERS: [&str; 7] = [
    "--release",
    "--workspace",
    "--features",
    "--bins",
    "--test",
    "--jetstream",
    "--store_dir",
];
/// A model and a source of flags, so that their series are there too.
const MUCH: [&str; 3] = [
    "--ai-url=http://127.0.0.1:9/v1",
    "--ai-model=m",
    "--flags-dir=/nowhere",
];

/// The words of a text that begin with `prefix` and go on with these characters.
fn words(text: &str, prefix: &str, goes_on: fn(char) -> bool) -> BTreeSet<String> {
    let begins = text.match_indices(prefix).map(|(at, _)| at);
    let own = begins.filter(|&at| !text[..at].ends_with(goes_on));
    own.map(|at| text[at..].chars().take_while(|&c| goes_on(c)).collect())
        .collect()
}

fn families(exposition: &str) -> BTreeSet<String> {
    let types = exposition
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "));
    types
        .map(|family| match family.split_once(' ').unwrap() {
            (name, "counter") => format!("{name}_total"),
            (name, _) => name.to_owned(),
        })
        .collect()
}

#[tokio::test]
async fn every_series_is_explained_and_every_explained_series_is_there() {
    let bot = start(&MUCH).await;
    let there = families(&bot.metrics().await);
    let series = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let explained = words(README, "bot_", series);
    let missing: Vec<_> = there.difference(&explained).collect();
    let surplus: Vec<_> = explained.difference(&there).collect();
    assert!(missing.is_empty(), "not in the README: {missing:?}");
    assert!(surplus.is_empty(), "only in the README: {surplus:?}");
}

#[tokio::test]
async fn every_role_has_every_series_from_the_start() {
    let all = families(&start(&MUCH).await.metrics().await);
    for role in ["--role=gateway", "--role=worker"] {
        let options = [&MUCH[..], &[role, "--nats-url=nats://127.0.0.1:9"]].concat();
        let there = families(&start(&options).await.metrics().await);
        assert_eq!(there, all, "{role}");
    }
}

#[test]
fn every_option_and_variable_is_one() {
    let mut cli = Cli::command();
    cli.build();
    let commands = cli.get_subcommands().chain([&cli]);
    let arguments: Vec<_> = commands.flat_map(clap::Command::get_arguments).collect();
    let long = arguments.iter().filter_map(|argument| argument.get_long());
    let options: BTreeSet<String> = long.map(|name| format!("--{name}")).collect();
    let variables = arguments.iter().filter_map(|argument| argument.get_env());
    let variables: BTreeSet<String> = variables
        .map(|name| name.to_str().unwrap().to_owned())
        .collect();

    let option = |c: char| c.is_ascii_lowercase() || c == '-' || c == '_';
    for word in words(README, "--", option) {
        let rule = word.chars().all(|c| c == '-');
        // "--workers-…" stands for several
        let begins = word.ends_with('-') && options.iter().any(|known| known.starts_with(&word));
        let known = options.contains(&word) || OTHERS.contains(&word.as_str());
        assert!(rule || begins || known, "{word} is no option");
    }
    let variable = |c: char| c.is_ascii_uppercase() || c == '_';
    for word in words(README, "CHATBOTLER_", variable) {
        assert!(variables.contains(&word), "{word} is no variable");
    }
}
