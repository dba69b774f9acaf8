//! The bot's manifests, held against its command line: what they set exists and can be read.

#![allow(clippy::panic)] // a failing test panics

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use chatbotler::Config;
use chatbotler::config::Cli;
use clap::{CommandFactory, Parser};
use serde_json::Value;

/// The YAML files of the bot: kustomizations as well, which hold no containers.
fn files() -> Vec<PathBuf> {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests");
    let mut all = vec![manifests.join("examples/chatbotler.yaml")];
    for folder in ["common", "single", "split"] {
        let folder = fs::read_dir(manifests.join("chatbotler").join(folder)).expect("a folder");
        let paths = folder.map(|entry| entry.expect("an entry").path());
        all.extend(paths.filter(|path| path.extension().is_some_and(|it| it == "yaml")));
    }
    all
}

/// The bot's containers, as far as each file writes them.
fn containers() -> Vec<(PathBuf, Value)> {
    let mut all = Vec::new();
    for file in files() {
        let text = fs::read_to_string(&file).expect("a file");
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
        for document in documents {
            let containers = document.pointer("/spec/template/spec/containers");
            let containers = containers.and_then(Value::as_array).into_iter().flatten();
            let ours = containers.filter(|container| container["name"] == "chatbotler");
            all.extend(ours.map(|container| (file.clone(), container.clone())));
        }
    }
    assert!(all.len() >= 8, "only {} containers", all.len());
    all
}

/// The option that each variable stands for.
fn options() -> BTreeMap<String, String> {
    let command = Cli::command();
    let with_variable = command.get_arguments().filter_map(|argument| {
        let variable = argument.get_env()?.to_str()?.to_owned();
        Some((variable, format!("--{}", argument.get_long()?)))
    });
    with_variable.collect()
}

fn strings(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|it| it.as_str().expect("text").to_owned())
        .collect()
}

#[test]
fn what_the_manifests_set_is_understood() {
    let options = options();
    let mut seen = 0;
    for (file, container) in containers() {
        let mut line = vec!["chatbotler".to_owned()];
        line.extend(strings(&container["args"]));
        for variable in container["env"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().expect("a name");
            if !name.starts_with("CHATBOTLER_") {
                continue; // made for a $(…) of another one
            }
            let option = options
                .get(name)
                .unwrap_or_else(|| panic!("{}: the bot reads no {name}", file.display()));
            seen += 1;
            if let Some(value) = variable["value"].as_str() {
                line.push(format!("{option}={value}"));
            }
        }
        Config::try_parse_from(&line).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    }
    assert!(seen >= 12, "only {seen} variables");
}

/// A pod that is killed while it finishes what is under way would lose it.
#[test]
fn pods_may_take_the_time_that_the_bot_takes_to_end() {
    let grace = Config::parse_from(["chatbotler"]).grace.as_secs();
    let mut seen = 0;
    for file in files() {
        let text = fs::read_to_string(&file).expect("a file");
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
        for document in documents.iter().filter(|it| it["kind"] == "Deployment") {
            let pod = &document["spec"]["template"]["spec"];
            let Some(allowed) = pod["terminationGracePeriodSeconds"].as_u64() else {
                continue; // laid over it by common/pod.yaml
            };
            seen += 1;
            let sleep = pod.pointer("/containers/0/lifecycle/preStop/sleep/seconds");
            let sleep = sleep.and_then(Value::as_u64).unwrap_or_default();
            let books = 5;
            let takes = grace + sleep + books;
            assert!(allowed >= takes, "{}: {allowed} < {takes}", file.display());
        }
    }
    assert_eq!(seen, 3);
}
