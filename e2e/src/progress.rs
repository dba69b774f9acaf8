//! Saying what is being done and for how long: bars on a terminal, plain lines elsewhere.
#![allow(
    clippy::print_stderr,
    reason = "this is the one place that talks to the person at the terminal"
)]

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often plain lines repeat where things stand.
const LINE_EVERY: Duration = Duration::from_secs(15);

/// One line of news on stderr.
pub fn say(text: impl AsRef<str>) {
    eprintln!("{}", text.as_ref());
}

/// An error with its causes, one per line, for a person: a backtrace would only show this crate.
pub fn describe(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.join("\n  because: ")
}

/// A task whose progress is shown from its creation to `finish` or `fail`.
pub struct Progress {
    what: String,
    start: Instant,
    shown: Instant,
    done: u64,
    total: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts showing a task.
    pub fn start(what: impl Into<String>) -> Self {
        let what = what.into();
        let bar = stderr().is_terminal().then(|| spinner(&what));
        if bar.is_none() {
            say(format!("{what}: started"));
        }
        let now = Instant::now();
        Self {
            what,
            start: now,
            shown: now,
            done: 0,
            total: 0,
            bar,
        }
    }

    /// Says how many steps there are, once that is known.
    pub fn total(&mut self, steps: u64) {
        self.total = steps;
        if let Some(bar) = &self.bar {
            bar.set_length(steps);
            bar.set_style(style("{spinner} {msg} {wide_bar} {pos}/{len} {elapsed}"));
        }
    }

    /// One step more is done.
    pub fn step(&mut self) {
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
        } else if self.shown.elapsed() >= LINE_EVERY {
            self.shown = Instant::now();
            say(format!(
                "{}: {} of {} steps, {}",
                self.what,
                self.done,
                self.total,
                self.elapsed()
            ));
        }
    }

    /// The task is done.
    pub fn finish(self) {
        self.end("done in");
    }

    /// The task went wrong; the reason is for the caller to tell.
    pub fn fail(self) {
        self.end("failed after");
    }

    fn end(self, how: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        say(format!("{}: {how} {}", self.what, self.elapsed()));
    }

    fn elapsed(&self) -> String {
        format!("{:.1} s", self.start.elapsed().as_secs_f64())
    }
}

fn spinner(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what.to_owned());
    bar.set_style(style("{spinner} {msg} {elapsed}"));
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A template is ours and constant; should one ever be wrong, the default style serves too.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
