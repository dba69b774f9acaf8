//! A mounted `ConfigMap` of flags, swapped as the kubelet does: a new directory, a new link, a rename over
//! the old link, and the old directory removed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use anyhow::Result;
use e2e::run_dir::RunDir;
use serde_json::{Value, json};

pub(crate) struct Mount {
    dir: PathBuf,
    generation: i64,
}

impl Mount {
    pub(crate) fn new(run: &RunDir) -> Result<Self> {
        Ok(Self {
            dir: run.subfolder("flags")?,
            generation: 0,
        })
    }

    /// For the bot that is to read it.
    pub(crate) fn options(&self) -> [String; 2] {
        [
            format!("--flags-dir={}", self.dir.display()),
            "--flags-interval=50ms".to_owned(),
        ]
    }

    /// Flags of this level, with the states of the features that are named.
    pub(crate) fn swap(&mut self, level: u32, name: &str, states: &[(&str, &str)]) -> Result<()> {
        let old = self.dir.join(generation(self.generation));
        self.generation += 1;
        let features: serde_json::Map<String, Value> = states
            .iter()
            .map(|&(feature, state)| {
                let flag = json!({"state": state, "value": false, "tier": "Luxury"});
                (feature.to_owned(), flag)
            })
            .collect();
        let flags = json!({
            "version": 1, "policy": "chatbotler", "level": level, "levelName": name,
            "since": "2026-11-21T09:00:00Z", "epoch": self.generation,
            "reason": "latency-p95 is high", "features": features,
        });
        let new = self.dir.join(generation(self.generation));
        fs::create_dir(&new)?;
        fs::write(new.join("state.json"), flags.to_string())?;
        let link = self.dir.join("..data_tmp");
        symlink(generation(self.generation), &link)?;
        fs::rename(&link, self.dir.join("..data"))?;
        let file = self.dir.join("state.json");
        if !file.is_symlink() {
            symlink("..data/state.json", file)?;
        }
        let _ = fs::remove_dir_all(old); // there is none before the first
        Ok(())
    }
}

fn generation(number: i64) -> String {
    format!("..generation_{number}")
}
