//! The README says what is so: its policy is the file, its links lead somewhere.

#![allow(clippy::panic)] // a failing test panics

use std::fs;
use std::path::{Path, PathBuf};

fn checkout() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(checkout().join(path)).expect(path)
}

/// The fenced blocks of a language, without their indentation.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(opening) = lines.find(|line| line.trim() == fence) {
        let indent = opening.len() - opening.trim_start().len();
        let block = lines.by_ref().take_while(|line| line.trim() != "```");
        let block = block.map(|line| format!("{}\n", line.get(indent..).unwrap_or_default()));
        blocks.push(block.collect());
    }
    blocks
}

#[test]
fn the_smallest_policy_is_the_file() {
    let policies = blocks(&read("README.md"), "yaml");
    let [policy] = policies.as_slice() else {
        panic!("{} policies", policies.len());
    };
    assert_eq!(policy, &read("manifests/examples/smallest-policy.yaml"));
    assert!(policy.lines().count() <= 20);
}

#[test]
fn links_lead_somewhere() {
    for page in ["README.md", "bot/README.md", "e2e/README.md"] {
        let text = read(page);
        let folder = Path::new(page).parent().expect("a folder");
        let links = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            let file = link.split('#').next().unwrap_or_default();
            assert!(
                checkout().join(folder).join(file).exists(),
                "{page}: {link}"
            );
        }
    }
}
