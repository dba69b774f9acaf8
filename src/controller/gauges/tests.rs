use prometheus_client::registry::Registry;

use super::*;
use crate::controller::report::{self, Outcome};
use crate::controller::standing::tests::{object, standing};
use crate::controller::words;
use crate::decide::tests::builder::policy;
use crate::plan::Refusal;
use crate::time::Time;

/// What an attempt at a write comes to: refusals to tell of, and whether it is tried again.
type Attempt<'a> = (&'a [Refusal], bool);

/// The condition Ready and its metric after each attempt.
fn after(attempts: &[Attempt<'_>]) -> Vec<(Option<String>, i64)> {
    let metrics = Metrics::register(&mut Registry::default());
    let (mut object, standing) = (object("1", "a"), standing(policy(&["any a>10"])));
    let key = PolicyKey {
        namespace: "bots".into(),
        name: "bot".into(),
    };
    let told = |(refusals, pending): &Attempt<'_>| {
        let outcome = Outcome {
            published: None,
            flags_failed: false,
            refusals,
            pending: *pending,
            generation: 1,
            pin_problem: None,
        };
        let status = report::status(&object, &standing, &[], Some(&outcome), Time::default());
        set(&metrics, &key, &standing, &status);
        let ready = condition(&status.conditions, READY).map(|it| it.reason.clone());
        object.status = Some(status);
        (ready, metrics.ready.get_or_create(&labels(&key)).get())
    };
    attempts.iter().map(told).collect()
}

#[test]
fn ready_is_what_the_condition_says() {
    let failing = [words::failing("patch the scale of Deployment worker")];
    let (done, failed, told) = ((&[][..], false), (&[][..], true), (&failing[..], true));
    let (well, ill) = (
        (Some("Reconciled".to_owned()), 1),
        (Some("WriteFailed".to_owned()), 0),
    );
    assert_eq!(
        after(&[done, failed, failed, told, failed, done]),
        [&well, &well, &well, &ill, &ill, &well].map(Clone::clone)
    );
    assert_eq!(after(&[failed, done]), [(None, 0), well], "not known yet");
}
