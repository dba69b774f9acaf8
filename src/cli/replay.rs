//! `brownout replay`.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args as ClapArgs, ValueEnum};
use kube::ResourceExt;

use crate::api::BotDegradationPolicy;
use crate::policy::{Policy, from_spec};
use crate::replay::{Report, Series, replay};

/// Options of `brownout replay`.
///
/// The same decision core as the operator's, folded over recorded readings. It is open-loop: what the
/// policy would have changed does not change the recording.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The policy, YAML or JSON; "-" reads it from stdin
    #[arg(short = 'f', long, value_name = "FILE")]
    file: PathBuf,
    /// Recorded readings: {"signals":{"NAME":[[UNIX SECONDS,"VALUE"|null|{"unknown":"REASON"}],...]}}
    #[arg(long, value_name = "FILE")]
    series: PathBuf,
    /// What is printed
    #[arg(short = 'o', long, value_enum, default_value_t)]
    output: Output,
}

/// What is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people: each transition in a line, then the time at each level
    #[default]
    Table,
    /// The whole report
    Json,
}

/// Prints what the policy would have done.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let policy = read_policy(&args.file)?;
    let series = Series::parse(&read(&args.series)?, &policy)
        .with_context(|| format!("{} is no recorded series", args.series.display()))?;
    let report = replay(&policy, &series);
    super::tell("open-loop: what the policy would have changed does not change the recording");
    for warning in series.wide_steps(&policy) {
        super::tell(&format!("warning: {warning}"));
    }
    match args.output {
        Output::Json => super::print(&(serde_json::to_string_pretty(&report)? + "\n")),
        Output::Table => super::print(&table(&report, &policy)),
    }
    Ok(())
}

fn table(report: &Report, policy: &Policy) -> String {
    let mut lines = vec![format!(
        "{} to {}, {} evaluations, {} flaps",
        report.from, report.to, report.evaluations, report.flaps
    )];
    for t in &report.transitions {
        let cause = match (&t.signal, &t.value, &t.threshold) {
            (Some(signal), Some(value), Some(threshold)) => {
                format!("{signal} {value} past {threshold}")
            }
            (Some(signal), ..) => signal.clone(),
            _ => String::new(),
        };
        let names = format!(
            "{} -> {}",
            policy.level_name(t.from),
            policy.level_name(t.to)
        );
        lines.push(
            format!(
                "{}  {:<9}  {names:<30}  {cause}",
                t.at,
                format!("{:?}", t.reason)
            )
            .trim_end()
            .to_owned(),
        );
    }
    for (name, span) in &report.seconds_per_level.0 {
        lines.push(format!("{name:<24} {span:>12}", span = span.to_string()));
    }
    lines.join("\n") + "\n"
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        return std::io::read_to_string(std::io::stdin()).context("cannot read stdin");
    }
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Reads a policy; everything that is wrong with it is in the error.
fn read_policy(path: &Path) -> anyhow::Result<Policy> {
    let text = read(path)?;
    let object: BotDegradationPolicy = serde_saphyr::from_str(&text)
        .map_err(|err| anyhow::anyhow!("{err}"))
        .with_context(|| format!("{} is no BotDegradationPolicy", path.display()))?;
    let namespace = object.namespace().unwrap_or_default();
    from_spec(&namespace, &object.name_any(), &object.spec).or_else(|violations| {
        let all: Vec<String> = violations.iter().map(ToString::to_string).collect();
        bail!("{}: {}", path.display(), all.join("\n  "))
    })
}
