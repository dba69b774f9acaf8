//! `brownout replay`.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use clap::{Args as ClapArgs, ValueEnum};
use kube::ResourceExt;
use kube::core::TypeMeta;

use crate::api::BotDegradationPolicy;
use crate::policy::{Policy, from_spec};
use crate::prometheus::signals::signal_queries;
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
    super::print(&match args.output {
        Output::Json => serde_json::to_string_pretty(&report)? + "\n",
        Output::Table => table(&report, &policy),
    })
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
    let object = parse_policy(&read(path)?)
        .with_context(|| format!("{} is no BotDegradationPolicy", path.display()))?;
    let namespace = object.namespace().unwrap_or_default();
    let refused = |all: Vec<String>| anyhow!("{}: {}", path.display(), all.join("\n  "));
    let policy = from_spec(&namespace, &object.name_any(), &object.spec)
        .map_err(|violations| refused(violations.iter().map(ToString::to_string).collect()))?;
    // They are not asked here, but the operator would refuse the policy for them.
    signal_queries(&policy.signals, None)
        .map_err(|queries| refused(queries.iter().map(ToString::to_string).collect()))?;
    Ok(policy)
}

/// Takes what the API server takes: an object of this very kind, in which a scalar that YAML reads
/// as a number or a boolean is no text unless it is quoted.
fn parse_policy(text: &str) -> anyhow::Result<BotDegradationPolicy> {
    let quoted = serde_saphyr::options! { no_schema: true };
    let read = serde_saphyr::from_str::<TypeMeta>(text);
    let types = read.map_err(|err| match documents(text) {
        Some(several @ 2..) => {
            anyhow!("it holds {several} documents: write the policy alone into a file")
        }
        _ => anyhow!("{err}"),
    })?;
    let expected = TypeMeta::resource::<BotDegradationPolicy>();
    if types != expected {
        bail!(
            "it says apiVersion {:?} and kind {:?}; write {:?} and {:?}",
            types.api_version,
            types.kind,
            expected.api_version,
            expected.kind
        );
    }
    serde_saphyr::from_str_with_options(text, quoted).map_err(|err| anyhow!("{err}"))
}

/// How many documents a text holds, where that can be told.
fn documents(text: &str) -> Option<usize> {
    let all = serde_saphyr::from_multiple::<serde_json::Value>(text);
    all.ok().map(|all| all.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
apiVersion: brownout.dev/v1alpha1
kind: BotDegradationPolicy
metadata: {name: p, namespace: bots, generation: 2}
spec:
  signals: [{name: backlog, latency: {histogram: h, quantile: "0.95"}}]
  features: [{name: chat, tier: Important, values: {enabled: 512, reduced: 96, disabled: 0}}]
  levels:
    - name: shed
      when: {any: [{signal: backlog, above: "1.50", for: 30s}]}
      scale: [{name: w, replicas: 0}, {name: v, replicas: 150%}]
  recovery: {tolerance: 0%}
"#;

    #[test]
    fn what_the_api_server_takes_is_taken() {
        let json = serde_json::to_string(&parse_policy(POLICY).unwrap()).unwrap();
        for text in [POLICY, &json] {
            assert_eq!(parse_policy(text).unwrap().spec.levels[0].name, "shed");
        }
    }

    #[test]
    fn several_documents_are_no_policy() {
        let two = format!("{POLICY}---\n{POLICY}");
        let refusal = parse_policy(&two).expect_err("two").to_string();
        assert!(refusal.contains("it holds 2 documents"), "{refusal}");
    }

    #[test]
    fn a_query_that_the_operator_refuses_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("policy.yaml");
        let typed = "latency: {histogram: h, quantile: \"0.95\"}";
        for (query, says) in [("x", None), ("x > 5", Some("spec.signals[0].query"))] {
            let text = POLICY.replace(typed, &format!("query: '{query}'"));
            std::fs::write(&file, text).expect("written");
            let refusal = read_policy(&file).err().map(|err| err.to_string());
            let said = refusal.clone().unwrap_or_default();
            assert_eq!(refusal.is_some(), says.is_some(), "{query}: {said}");
            assert!(said.contains(says.unwrap_or_default()), "{query}: {said}");
        }
    }

    /// What is changed, to what, and what the refusal says.
    const REFUSED: [(&str, &str, &str); 8] = [
        ("\"1.50\"", "1.50", "1.50"),
        ("\"1.50\"", "2", "2"),
        ("\"0.95\"", "0.95", "0.95"),
        ("name: shed", "name: 1", "1"),
        ("name: chat", "name: on", "on"),
        (
            "kind: Bot",
            "kind: Robot",
            "write \"brownout.dev/v1alpha1\"",
        ),
        ("v1alpha1", "v1", "\"brownout.dev/v1\""),
        ("kind: BotDegradationPolicy\n", "", "kind"),
    ];

    #[test]
    fn what_the_api_server_refuses_is_refused() {
        for (from, to, says) in REFUSED {
            let refusal = parse_policy(&POLICY.replacen(from, to, 1)).expect_err(to);
            assert!(refusal.to_string().contains(says), "{to}: {refusal}");
        }
    }
}
