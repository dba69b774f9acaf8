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
            remaining(&keys, quota, window, |bound, used| {
                left(bound.requests, used.requests)
            })
        };
        assert_eq!(
            (of(Window::Hour), of(Window::Month)),
            (Some(hour), Some(month))
        );
    }
}
