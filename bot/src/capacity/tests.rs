use super::*;

fn config(users: u64, lines: u64, hours: f64) -> CapacityConfig {
    CapacityConfig {
        users,
        lines,
        hours,
        sessions: 1,
        days: 30,
        keys: 1,
        quota_hour: None,
        quota_month: None,
        output: Output::Text,
    }
}

#[test]
fn twenty_people_of_an_evening() {
    let config = CapacityConfig {
        quota_hour: Some(300),
        quota_month: Some(900),
        ..config(20, 25, 2.0)
    };
    let text = answer(&config);
    for told in [
        "20 users × 25 lines = 500 requests in a session of 2 h: 250 an hour.",
        "500 a day × 30 days = 15,000 a month.",
        "250 an hour fits the quota of 300.",
        "15,000 a month is 16.7 times the quota of 900: out after 1.8 days.",
        "To answer everything: 17 keys of this quota, or a plan for 250 requests an hour and 15,000 a month.",
        "With these quotas: 1 line per person and session.",
        "spec:\n  signals:\n  - name: quota-ends-in\n    query: min(bot_quota_exhausted_in_seconds)\n",
    ] {
        assert!(text.contains(told), "{told} is not in\n{text}");
    }
}

#[test]
fn what_hardly_does_not_fit_is_not_once_the_quota() {
    for (demand, times_of) in [
        (900, 1.0),
        (901, 1.01),
        (930, 1.03),
        (950, 1.1),
        (2000, 2.2),
    ] {
        let fit = Fit::of(demand, 900, 1);
        assert!((fit.times - times_of).abs() < 1e-9, "{demand}: {fit:?}");
    }
}

#[test]
fn the_numbers_hold() {
    for (users, lines, hours, sessions, keys, quotas, per_hour, per_month, fits, lines_that_fit) in [
        (20, 25, 2.0, 1, 1, (300, 900), 250, 15_000, (true, false), 1),
        (
            20,
            25,
            2.0,
            1,
            17,
            (300, 900),
            250,
            15_000,
            (true, true),
            25,
        ),
        (
            20,
            25,
            1.0,
            1,
            1,
            (300, 90_000),
            500,
            15_000,
            (false, true),
            15,
        ),
        // a session shorter than an hour is still all within one
        (
            20,
            25,
            0.5,
            1,
            1,
            (300, 90_000),
            500,
            15_000,
            (false, true),
            15,
        ),
        (3, 1, 2.0, 2, 1, (1, 10_000), 2, 180, (false, true), 0),
        (1, 1, 24.0, 1, 1, (1, 30), 1, 30, (true, true), 1),
        // one an hour, each of two hours: there are always two
        (
            20,
            25,
            2.0,
            24,
            1,
            (300, 900_000),
            500,
            360_000,
            (false, true),
            15,
        ),
    ] {
        let config = CapacityConfig {
            sessions,
            keys,
            quota_hour: Some(quotas.0),
            quota_month: Some(quotas.1),
            ..config(users, lines, hours)
        };
        let estimate = Estimate::of(&config);
        let case = format!("{config:?}");
        assert_eq!(
            (estimate.per_hour, estimate.per_month),
            (per_hour, per_month),
            "{case}"
        );
        let (hour, month) = (estimate.hour.unwrap(), estimate.month.unwrap());
        assert_eq!((hour.fits, month.fits), fits, "{case}");
        assert_eq!(estimate.lines_that_fit, Some(lines_that_fit), "{case}");
        assert_eq!(estimate.minutes_until_out.is_none(), hour.fits, "{case}");
        assert_eq!(estimate.days_until_out.is_none(), month.fits, "{case}");
    }
}

#[test]
fn without_quotas_there_is_nothing_to_hold() {
    let estimate = Estimate::of(&config(1, 1, 1.0));
    assert_eq!(
        (estimate.hour, estimate.month, estimate.lines_that_fit),
        (None, None, None)
    );
    assert!(estimate.plan[0].contains("--quota-hour"));
}

#[test]
fn for_programs_it_is_json() {
    let config = CapacityConfig {
        quota_month: Some(900),
        output: Output::Json,
        ..config(20, 25, 2.0)
    };
    let value: serde_json::Value = serde_json::from_str(&answer(&config)).unwrap();
    assert_eq!(value["perMonth"], 15_000);
    assert_eq!(value["month"]["times"], 16.7);
    assert_eq!(value["month"]["keysNeeded"], 17);
    assert_eq!(value["hour"], serde_json::Value::Null);
}

/// That the operator takes it is for the end-to-end tests: its check is not linked here.
#[test]
fn the_readme_shows_the_policy() {
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&format!("```yaml\n{}```", policy())));
}
