//! The commands of bot/README.md, as they stand there. Those that take NATS, `PostgreSQL` or Discord are read by the
//! command's parser here, and run by the tests of `e2e`.

#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use chatbotler::config::Cli;
use clap::Parser;
use common::process::Process;
use tempfile::TempDir;

const README: &str = include_str!("../README.md");

/// The shell blocks, with what was continued on the next line joined.
fn blocks() -> Vec<String> {
    let fenced = README.split("\n```").skip(1).step_by(2);
    let shell = fenced.filter_map(|block| block.strip_prefix("sh\n"));
    shell.map(|block| block.replace("\\\n", " ")).collect()
}

/// The block that holds this.
fn block_with(text: &str) -> String {
    let found = blocks().into_iter().find(|block| block.contains(text));
    found.expect("the README has the block")
}

/// The words after the bot's name, if that is what a line runs.
fn of_the_bot(line: &str) -> Option<Vec<&str>> {
    let line = line.split(" #").next()?.trim();
    let rest = match line.strip_prefix("cargo run --release -p chatbotler") {
        Some(rest) => rest.strip_prefix(" -- ").unwrap_or(rest),
        None => line.strip_prefix("chatbotler")?,
    };
    Some(rest.split_whitespace().collect())
}

/// Runs lines in a shell, with what the text names put where this test has it.
fn shell(lines: &str, home: &TempDir, bot: &str) -> String {
    let lines = lines
        .replace("/tmp/flags", home.path().join("flags").to_str().unwrap())
        .replace("localhost:8080", bot.trim_start_matches("http://"));
    let mut command = Command::new("sh");
    command.args(["-euc", &lines]).current_dir(home.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{lines}\n{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The same with a bot whose own line is in the block; what is left of it is run one line after the other.
fn shell_with_bot(block: &str, home: &TempDir) -> (Process, Vec<String>) {
    let own = block.lines().find_map(of_the_bot).unwrap();
    let mut options: Vec<String> = own.into_iter().map(str::to_owned).collect();
    // the address is the test's to choose
    if let Some(at) = options.iter().position(|option| option == "--listen") {
        options.drain(at..at + 2);
    }
    for option in &mut options {
        if option == "/tmp/flags" {
            home.path()
                .join("flags")
                .to_str()
                .unwrap()
                .clone_into(option);
        } else if !option.starts_with('-') && home.path().join(&option).exists() {
            let path = home.path().join(&option);
            path.to_str().unwrap().clone_into(option);
        }
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let rest: Vec<&str> = block
        .lines()
        .filter(|line| of_the_bot(line).is_none())
        .collect();
    let bot = Process::start(&options, &[]);
    (bot, rest.into_iter().map(str::to_owned).collect())
}

#[test]
fn every_command_is_understood() {
    let blocks = blocks();
    let fenced = blocks.iter().flat_map(|block| block.lines());
    let inline = README
        .split('`')
        .filter(|code| code.starts_with("chatbotler "));
    let mut seen = 0;
    for words in fenced.chain(inline).filter_map(of_the_bot) {
        if words == ["--help"] {
            continue;
        }
        let parsed = Cli::try_parse_from(std::iter::once("chatbotler").chain(words.clone()));
        assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} were found");
}

#[test]
fn without_options_there_is_a_page() {
    let first = blocks().swap_remove(0);
    let (bot, rest) = shell_with_bot(&first, &TempDir::new().unwrap());
    assert!(rest.is_empty(), "{rest:?}");
    let page = shell(
        "curl -sf localhost:8080/",
        &TempDir::new().unwrap(),
        &bot.url,
    );
    assert!(page.contains("<html"), "{page}");
    bot.end();
}

#[test]
fn the_help_lists_the_options() {
    let help = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chatbotler"));
        let output = command.args(words).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(help(&["--help"]).contains("CHATBOTLER_FLAGS_DIR"));
    assert!(help(&["capacity", "--help"]).contains("--quota-hour"));
}

#[test]
fn flags_can_be_tried_by_hand() {
    let home = TempDir::new().unwrap();
    let block = block_with("/tmp/flags/state.json");
    let (bot, rest) = shell_with_bot(&block, &home);
    let (asking, before): (Vec<String>, _) =
        rest.into_iter().partition(|line| line.starts_with("curl "));
    shell(&before.join("\n"), &home, &bot.url);
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        let said = shell(&asking.join("\n"), &home, &bot.url);
        if said.contains("Animations are taking a short break.") {
            break;
        }
        assert!(Instant::now() < end, "{said}");
        std::thread::yield_now();
    }
    bot.end();
}

#[test]
fn moderators_have_a_secret() {
    let home = TempDir::new().unwrap();
    let block = block_with("openssl");
    let making: Vec<&str> = block
        .lines()
        .filter(|line| line.starts_with("openssl"))
        .collect();
    shell(&making.join("\n"), &home, "");
    let (bot, _) = shell_with_bot(&block, &home);
    let order = |secret: &str| {
        let line = format!(
            "curl -s localhost:8080/chat -H 'content-type: application/json' \
             -H \"authorization: Bearer {secret}\" -d '{{\"message\":\"!stop for tea\"}}'"
        );
        shell(&line, &home, &bot.url)
    };
    assert!(!order("somebody-guesses-it").contains("\"ok\""));
    assert!(order("$(cat moderators)").contains("\"ok\""));
    bot.end();
}

#[test]
fn a_model_is_named_with_its_quotas() {
    let home = TempDir::new().unwrap();
    fs::write(
        home.path().join("keys"),
        "# the firm's\nprimary:not-a-key-1\nnot-a-key-2\n",
    )
    .unwrap();
    let (bot, _) = shell_with_bot(&block_with("--ai-keys-file keys"), &home);
    let metrics = shell("curl -s localhost:8080/metrics", &home, &bot.url);
    for limit in [
        "bot_quota_limit{key=\"primary\",window=\"hour\"} 300",
        "bot_quota_limit{key=\"key-2\",window=\"month\"} 900",
    ] {
        assert!(metrics.contains(limit), "{metrics}");
    }
    assert!(!metrics.contains("not-a-key"));
    bot.end();
}

#[test]
fn the_estimate_says_what_the_text_says() {
    let block = block_with("chatbotler capacity");
    let words = block.lines().find_map(of_the_bot).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatbotler"));
    let output = command.args(words).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    for sentence in [
        "250 an hour fits the quota of 300",
        "15,000 a month is 16.7 times the quota of 900",
    ] {
        assert!(said.contains(sentence), "{said}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let anchor = |heading: &str| {
        let kept = heading.to_lowercase();
        let kept = kept
            .chars()
            .filter(|c| c.is_alphanumeric() || " -".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    };
    let anchors: Vec<String> = README
        .lines()
        .filter_map(|line| line.strip_prefix('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect();
    let links = README
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next());
    for link in links.filter(|link| !link.starts_with("http")) {
        match link.strip_prefix('#') {
            Some(wanted) => assert!(
                anchors.iter().any(|a| a == wanted),
                "#{wanted}: {anchors:?}"
            ),
            None => assert!(here.join(link).exists(), "{link}"),
        }
    }
}
