//! How much a number of people asks for, and whether a quota holds it: `chatbotler capacity`.
//!
//! People come together for a session, in which each of them writes some lines, and every line is one request.

use std::fmt::Write;

use serde::Serialize;

use crate::config::{CapacityConfig, Output};

/// Thresholds of the policy that is suggested: how long before the end the bot begins to save.
const SAVE_BEFORE_S: u64 = 45 * 60;
const STRETCH_BEFORE_S: u64 = 30 * 60;
/// At the present rate, the hour lasts: only then may more be asked again.
const LASTS_S: u64 = 60 * 60;
/// A shortfall that saving alone (smaller answers, kept ones) does not make up for.
const SAVEABLE: f64 = 1.5;

/// What is asked for and what is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Estimate {
    per_session: u64,
    per_hour: u64,
    per_day: u64,
    per_month: u64,
    hour: Option<Fit>,
    month: Option<Fit>,
    /// Minutes into a session until the quota of an hour is out, where it does not hold.
    minutes_until_out: Option<u64>,
    /// Days into the month until its quota is out, where it does not hold.
    days_until_out: Option<f64>,
    /// Lines per person and session that both quotas would hold.
    lines_that_fit: Option<u64>,
    plan: Vec<String>,
    policy: String,
}

/// How a demand meets a quota, over all keys.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fit {
    quota: u64,
    fits: bool,
    /// The demand in quotas, to one decimal; to two where that would say 1 of what does not fit.
    times: f64,
    /// Keys of this quota that would hold it.
    keys_needed: u64,
}

impl Fit {
    fn of(demand: u64, per_key: u64, keys: u64) -> Self {
        let quota = per_key.saturating_mul(keys);
        Self {
            quota,
            fits: demand <= quota,
            times: times(demand, quota),
            keys_needed: demand.div_ceil(per_key),
        }
    }

    fn in_words(&self, demand: &str, ends_after: Option<String>) -> String {
        let quota = grouped(self.quota);
        match ends_after {
            None => format!("{demand} fits the quota of {quota}.\n"),
            Some(time) => format!(
                "{demand} is {} times the quota of {quota}: out after {time}.\n",
                self.times
            ),
        }
    }
}

#[allow(clippy::cast_precision_loss)] // a loss in the 16th digit is no matter
fn tenths(a: u64, b: u64) -> f64 {
    (a as f64 / b as f64 * 10.0).round() / 10.0
}

/// No demand that is too much is "1 times".
#[allow(clippy::cast_precision_loss)] // as above
fn times(demand: u64, quota: u64) -> f64 {
    let times = tenths(demand, quota);
    if demand > quota && times <= 1.0 {
        let hundredths = (demand as f64 / quota as f64 * 100.0).round();
        (hundredths / 100.0).max(1.01)
    } else {
        times
    }
}

/// The answer to the question that the options ask, in words or as JSON.
pub fn answer(config: &CapacityConfig) -> String {
    let estimate = Estimate::of(config);
    match config.output {
        Output::Text => estimate.in_words(config),
        // a struct of numbers and strings always serializes
        Output::Json => serde_json::to_string_pretty(&estimate).unwrap_or_default() + "\n",
    }
}

impl Estimate {
    fn of(config: &CapacityConfig) -> Self {
        let per_session = config.users.saturating_mul(config.lines);
        let per_day = per_session.saturating_mul(config.sessions);
        let per_month = per_day.saturating_mul(config.days);
        // a part of a request is a request
        let per_hour = ceil_div(per_session, config.hours.min(apart(config))).min(per_day);
        let hour = config.quota_hour.map(|q| Fit::of(per_hour, q, config.keys));
        let month = config
            .quota_month
            .map(|q| Fit::of(per_month, q, config.keys));
        let mut estimate = Self {
            per_session,
            per_hour,
            per_day,
            per_month,
            minutes_until_out: out(hour.as_ref())
                .map(|fit| minutes(fit.quota, per_session, config.hours.min(apart(config)))),
            days_until_out: out(month.as_ref()).map(|fit| tenths(fit.quota, per_day)),
            lines_that_fit: lines_that_fit(config, hour.as_ref(), month.as_ref()),
            hour,
            month,
            plan: Vec::new(),
            policy: policy(),
        };
        estimate.plan = estimate.plan(config);
        estimate
    }

    fn plan(&self, config: &CapacityConfig) -> Vec<String> {
        let mut plan = Vec::new();
        let unfit: Vec<&Fit> = [out(self.hour.as_ref()), out(self.month.as_ref())]
            .into_iter()
            .flatten()
            .collect();
        if config.quota_hour.is_none() && config.quota_month.is_none() {
            plan.push(
                "Give --quota-hour and --quota-month to see whether they hold this.".to_owned(),
            );
        }
        if let Some(keys) = unfit.iter().map(|fit| fit.keys_needed).max() {
            plan.push(format!(
                "To answer everything: {} of this quota, or a plan for {} an hour and {} a month.",
                count(keys, "key"),
                count(self.per_hour, "request"),
                grouped(self.per_month)
            ));
        }
        if let (false, Some(lines)) = (unfit.is_empty(), self.lines_that_fit) {
            plan.push(match lines {
                0 => "With these quotas not even one line per person and session is answered: let only some \
                      people talk, or turn ai-chat off by default."
                    .to_owned(),
                lines => format!(
                    "With these quotas: {} per person and session. A limit per person keeps to that fairly.",
                    count(lines, "line")
                ),
            });
        }
        if unfit.iter().any(|fit| fit.times <= SAVEABLE) {
            plan.push(
                "Little is missing: fewer retries, answers of searches kept (--search-ttl) and ai-chat Reduced at \
                 peak times may do."
                    .to_owned(),
            );
        }
        plan.push(
            "Let a policy turn luxury off before the quota is out, as below, so that what is left goes to talks."
                .to_owned(),
        );
        plan
    }

    fn in_words(&self, config: &CapacityConfig) -> String {
        let mut text = format!(
            "{} × {} = {} in a session of {} h: {} an hour.\n{} a day × {} = {} a month.\n\n",
            count(config.users, "user"),
            count(config.lines, "line"),
            count(self.per_session, "request"),
            config.hours,
            grouped(self.per_hour),
            grouped(self.per_day),
            count(config.days, "day"),
            grouped(self.per_month),
        );
        if let Some(fit) = &self.hour {
            let ends = self.minutes_until_out.map(|n| count(n, "minute"));
            text.push_str(&fit.in_words(&format!("{} an hour", grouped(self.per_hour)), ends));
        }
        if let Some(fit) = &self.month {
            let ends = self.days_until_out.map(|n| format!("{n} days"));
            text.push_str(&fit.in_words(&format!("{} a month", grouped(self.per_month)), ends));
        }
        text.push_str("\nPlan\n");
        for step in &self.plan {
            let _ = writeln!(text, "- {step}");
        }
        let _ = write!(text, "\nPolicy (a part of it)\n{}", self.policy);
        text
    }
}

/// The fit, where it is none.
fn out(fit: Option<&Fit>) -> Option<&Fit> {
    fit.filter(|fit| !fit.fits)
}

#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)] // as above; the options bound the rest
fn ceil_div(requests: u64, hours: f64) -> u64 {
    (requests as f64 / hours).ceil() as u64
}

/// Hours from the beginning of one session to that of the next, were they spread over the day. Where they last
/// longer they overlap, and an hour has more than one of them.
#[allow(clippy::cast_precision_loss)] // as above
fn apart(config: &CapacityConfig) -> f64 {
    24.0 / config.sessions as f64
}

/// How long a quota lasts at the rate of a session.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)] // as above
fn minutes(quota: u64, per_session: u64, hours: f64) -> u64 {
    (quota as f64 * hours * 60.0 / per_session as f64) as u64
}

/// How many lines per person and session the tighter quota holds.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)] // as above
fn lines_that_fit(config: &CapacityConfig, hour: Option<&Fit>, month: Option<&Fit>) -> Option<u64> {
    let by_hour = hour.map(|fit| {
        // a session shorter than an hour has the quota of a whole one
        let hours = config.hours.max(1.0).min(apart(config));
        (fit.quota as f64 * hours) as u64 / config.users
    });
    let by_month =
        month.map(|fit| fit.quota / config.users.saturating_mul(config.sessions * config.days));
    by_hour.into_iter().chain(by_month).min()
}

/// What of a policy looks at the quota.
fn policy() -> String {
    format!(
        "spec:
  signals:
  - name: quota-ends-in
    query: min(bot_quota_exhausted_in_seconds)
  - name: quota-left
    query: min(bot_quota_remaining)
  features:
  - {{name: deep-answers, tier: Luxury}}
  - {{name: summaries, tier: Luxury}}
  - {{name: search, tier: Important, values: {{enabled: 2, reduced: 1, disabled: 0}}}}
  - {{name: ai-chat, tier: Important, values: {{enabled: 512, reduced: 96, disabled: 0}}}}
  levels:
  - name: save-quota
    when:
      any:
      - {{signal: quota-ends-in, below: \"{SAVE_BEFORE_S}\", clear: \"{LASTS_S}\", for: 1m}}
    tiers: {{luxury: Disabled}}
    features: {{search: Reduced}}
  - name: stretch-quota
    when:
      any:
      - {{signal: quota-ends-in, below: \"{STRETCH_BEFORE_S}\", clear: \"{LASTS_S}\", for: 1m}}
    tiers: {{important: Reduced}}
  - name: quota-out
    when:
      any:
      - {{signal: quota-left, below: \"1\"}}
    features: {{ai-chat: Disabled}}
"
    )
}

fn count(n: u64, what: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {what}{s}", grouped(n))
}

/// As in 15,000.
fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests;
