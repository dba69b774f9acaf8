//! `make demo`: a real bot under load loses its luxury, keeps its commands and gets
//! everything back, on a real cluster and measured by a real Prometheus.
//!
//! - [`story`] is the load over time; [`load`] drives it
//! - [`stage`] starts everything, operator and bot as pods or as processes; [`watch`] follows operator, bot and cluster
//! - [`record`] keeps what was seen, [`changes`] the levels; [`screen`] and [`lines`] show it live
//! - [`summary`] counts it, [`verdict`] judges it, [`picture`] draws it

mod changes;
mod figures;
mod lines;
mod load;
mod picture;
mod record;
mod screen;
mod stage;
mod story;
mod summary;
mod verdict;
mod watch;

use std::fs;
use std::io::{IsTerminal, stderr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::node::possible;
use crate::progress::{Progress, say};
use crate::run_dir::RunDir;

use record::Record;
use stage::Stage;

/// How long the last level may take to go after the load has ended.
const PATIENCE: Duration = Duration::from_secs(90);

/// How long all is well before the end, so that it can be seen.
const LINGER: Duration = Duration::from_secs(6);

/// What the person at the terminal asked for.
#[derive(Debug, Default)]
pub struct Options {
    /// Draw what happened into this SVG file.
    pub picture: Option<PathBuf>,
    /// Run operator and bot as processes, also where they could be pods.
    pub processes: bool,
}

/// How the operator and the bot are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Pods,
    Processes,
}

impl Way {
    /// Pods wherever they can be had; with the words for a person.
    fn choose(processes: bool) -> (Self, String) {
        let why = if processes {
            "as was asked for".to_owned()
        } else {
            match possible() {
                Ok(()) => return (Self::Pods, "operator and bot run as pods".to_owned()),
                Err(why) => format!("since there can be no node here: {why}"),
            }
        };
        let words = format!("operator and bot run as processes, {why}; workers are numbers only");
        (Self::Processes, words)
    }
}

/// A demo that has been played, with everything still running.
pub struct Demo {
    stage: Stage,
    /// The figures, as text.
    pub summary: String,
    /// What the bot did not do that it should have done.
    pub shortcomings: Vec<String>,
}

impl Demo {
    /// Starts everything, plays the story to its end and counts.
    pub async fn play(run: Arc<RunDir>, options: &Options) -> Result<Self> {
        let (way, words) = Way::choose(options.processes);
        say(&words);
        let stage = Stage::set(run, way).await?;
        say(format!(
            "the bot's page: {} (open it and see what rests; KEEP=1 leaves it running afterwards)",
            stage.page()
        ));
        let record = Arc::new(Record::begin(stage.replicas().await?));
        perform(&stage, &record).await?;

        let changes = changes::changes(&record, &stage.history().await?);
        let replicas = stage.replicas().await?;
        let summary = summary::text(&words, &record, &changes);
        let shortcomings = verdict::shortcomings(&record, &changes, &replicas);
        if let Some(path) = &options.picture {
            fs::write(path, picture::svg(&record, &changes))
                .with_context(|| format!("cannot write {}", path.display()))?;
            say(format!("picture: {}", path.display()));
        }
        Ok(Self {
            stage,
            summary,
            shortcomings,
        })
    }

    /// Where everything can be reached while it runs.
    pub fn addresses(&self) -> String {
        self.stage.addresses()
    }

    /// Cleans up in a cluster that was brought along; one of our own ends with the run.
    pub async fn leave(&self) {
        self.stage.leave().await;
    }
}

/// Plays the story while it is watched and shown.
async fn perform(stage: &Stage, record: &Arc<Record>) -> Result<()> {
    let arrivals = story::arrivals();
    let over = CancellationToken::new();
    let showing = AbortOnDropHandle::new(tokio::spawn(show(Arc::clone(record), over.clone())));
    let played = async {
        load::drive(stage.door(), &arrivals, record).await?;
        // a bot that does not come back is for the verdict to tell
        let _ = tokio::time::timeout(PATIENCE, record.until_normal()).await;
        tokio::time::sleep(LINGER).await;
        anyhow::Ok(())
    };
    let result = tokio::select! {
        played = played => played,
        broken = watch::watch(stage.probes()?, record) => broken,
    };
    over.cancel();
    showing.await.context("the display panicked")?;
    result
}

async fn show(record: Arc<Record>, over: CancellationToken) {
    if stderr().is_terminal() {
        screen::show(&record, &over).await;
    } else {
        lines::show(&record, &over).await;
    }
}

/// A step of the preparations, shown while it lasts.
async fn step<T>(what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let progress = Progress::start(what);
    let result = work.await;
    match result {
        Ok(_) => progress.finish(),
        Err(_) => progress.fail(),
    }
    result
}
