//! Every command in the documents is run by a test, or it is said here why not. One that is new belongs into the table,
//! and into the test that runs it.

#![allow(clippy::panic)] // a failing test panics

mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use table::{BOTS, CLUSTERS, EVERYWHERE, NOT_RUN, OPERATORS, PARTS, PROGRAMS, Row};

const DOCUMENTS: [&str; 7] = [
    "README.md",
    "bot/README.md",
    "docs/metrics.md",
    "docs/operations.md",
    "docs/policy.md",
    "docs/security.md",
    "e2e/README.md",
];

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(root.join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
}

/// The lines of the blocks that are commands, fenced as `sh` or indented by four, and what is code in sentences.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let (mut found, mut sentences) = (Vec::new(), String::new());
    let mut lines = joined.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(language) = line.trim().strip_prefix("```") {
            let block = lines.by_ref().take_while(|line| line.trim() != "```");
            let block: Vec<&str> = block.collect();
            if language == "sh" {
                let indent = line.len() - line.trim_start().len();
                found.extend(block.iter().filter_map(|line| own(line.get(indent..)?)));
            }
        } else if line.starts_with("    ") {
            let mut block = vec![line];
            while let Some(more) = lines.next_if(|line| line.starts_with("    ") || line.is_empty())
            {
                block.push(more);
            }
            // YAML and Rust are shown in the same way
            let first = line.trim();
            let shown =
                [":", "{", "}"].iter().any(|end| first.ends_with(end)) || first.starts_with("- ");
            if !shown {
                found.extend(block.iter().filter_map(|line| own(line.get(4..)?)));
            }
        } else {
            sentences.push_str(line);
            sentences.push(' ');
        }
    }
    let code = sentences.split('`').skip(1).step_by(2);
    let of_program = |code: &&str| {
        let program = code.split(' ').next().unwrap_or_default();
        PROGRAMS.contains(&program) && code.contains(' ')
    };
    found.extend(code.filter(of_program).map(squeezed));
    found
}

/// A line that begins a command, without its remark.
fn own(line: &str) -> Option<String> {
    let begins = line
        .chars()
        .next()
        .is_some_and(|first| !first.is_whitespace() && first != '#');
    begins.then(|| squeezed(line.split(" # ").next().unwrap_or_default()))
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn rows(document: &str) -> Vec<Row> {
    let own: &[Row] = match document {
        "bot/README.md" => &BOTS,
        "e2e/README.md" => &CLUSTERS,
        _ => &OPERATORS,
    };
    own.iter().chain(&EVERYWHERE).copied().collect()
}

#[test]
fn each_command_is_run_by_a_test() {
    let (mut unknown, mut met) = (Vec::new(), BTreeSet::new());
    for document in DOCUMENTS {
        let rows = rows(document);
        for command in commands(&read(document)) {
            let run = rows.iter().find(|(begin, ..)| command.starts_with(begin));
            let not = NOT_RUN.iter().find(|(begin, _)| command.starts_with(begin));
            match (run, not) {
                (None, None) => unknown.push(format!("{document}: {command}")),
                (Some((begin, ..)), _) | (_, Some((begin, _))) => {
                    met.insert(*begin);
                }
            }
        }
    }
    assert!(unknown.is_empty(), "no test runs {unknown:#?}");
    let all = EVERYWHERE
        .iter()
        .chain(&OPERATORS)
        .chain(&BOTS)
        .chain(&CLUSTERS);
    let all = all.map(|row| row.0).chain(NOT_RUN.iter().map(|row| row.0));
    let surplus: Vec<_> = all.filter(|begin| !met.contains(begin)).collect();
    assert!(surplus.is_empty(), "in no document: {surplus:?}");
}

#[test]
fn the_tests_that_are_named_run_them() {
    for (begin, file, says) in EVERYWHERE
        .iter()
        .chain(&OPERATORS)
        .chain(&BOTS)
        .chain(&CLUSTERS)
    {
        assert!(
            read(file).contains(says),
            "{file} does not run {begin}: it lacks {says}"
        );
    }
    // what the parts leave out with a variable
    assert!(read(PARTS).contains("everything=(--workspace --features chatbotler/watch)"));
}

#[test]
fn every_document_is_looked_at() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["", "bot", "docs", "e2e"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder") {
            let name = entry.expect("an entry").file_name();
            let path = Path::new(folder).join(name);
            if path.extension().is_some_and(|extension| extension == "md") {
                let path = path.to_str().expect("text");
                assert!(DOCUMENTS.contains(&path), "{path} is not in the list");
            }
        }
    }
}

#[test]
fn a_new_command_is_noticed() {
    let text = "\nSay `chatbotler dance`, `cargo dance` or `level`.\n\n    frobnicate --all   # never\n\n```sh\n\
                kubectl dance\n```\n\n    spec:\n      a: b\n";
    let found = commands(text);
    assert_eq!(
        found,
        [
            "frobnicate --all",
            "kubectl dance",
            "chatbotler dance",
            "cargo dance"
        ]
    );
}
