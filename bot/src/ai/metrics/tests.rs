use KeyState::{Limited, Ready, Refused, Spent};

use super::*;
use crate::ai::{Bound, Used};

fn shown(state: KeyState, hour: u64, month: u64) -> Shown<'static> {
    let used = |requests| Used {
        requests,
        tokens: 0,
    };
    Shown {
        name: "key-1",
        state,
        usage: Usage {
            hour: used(hour),
            month: used(month),
        },
        short: Short::default(),
    }
}

#[test]
fn what_remains_is_what_can_be_had() {
    let requests = |n| Bound {
        requests: Some(n),
        tokens: None,
    };
    let quota = Quota {
        hour: requests(300),
        month: requests(900),
        ..Quota::default()
    };
    for (keys, hour, month) in [
        (vec![shown(Ready, 100, 100)], 200, 800),
        // the month has less than the hour
        (vec![shown(Ready, 10, 880)], 20, 20),
        (
            vec![shown(Ready, 0, 0), shown(Limited, 299, 300)],
            301,
            1500,
        ),
        (vec![shown(Spent, 0, 0), shown(Refused, 0, 0)], 0, 0),
    ] {
        let of = |window| {
            remaining(&keys, window, |key, window| {
                left(quota.of(window).requests, key.usage.of(window).requests)
            })
        };
        assert_eq!(
            (of(Window::Hour), of(Window::Month)),
            (Some(hour), Some(month))
        );
    }
}

/// For a policy, NaN and infinity are no reading: it would be blind for a quota that is no trouble at all.
#[test]
fn every_series_is_a_finite_number_from_the_first_scrape_on() {
    let mut registry = Registry::default();
    let metrics = AiMetrics::new(&mut registry);
    let finite = |registry: &Registry| {
        let text = crate::metrics::render(registry).unwrap();
        let mut seen = 0;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
            assert!(value.is_finite(), "{line}");
            seen += usize::from(line.starts_with("bot_quota"));
        }
        assert!(seen >= 4, "{text}");
    };
    finite(&registry);
    let unlimited = Quota::default();
    let fast = Rates {
        requests: 1.0,
        tokens: 0.0,
    };
    metrics.show(&[shown(Ready, 5, 5)], unlimited, fast, 0);
    finite(&registry);
}
