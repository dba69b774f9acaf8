use super::*;
use crate::api::conditions;
use crate::controller::error::ApiError;
use crate::controller::scaling::Moved;
use crate::controller::standing::Written;
use crate::policy::WorkloadKind;

fn worker() -> Workload {
    Workload {
        kind: WorkloadKind::Deployment,
        name: "worker".to_owned(),
    }
}

/// An attempt of which these writes failed.
fn attempt(failed: &[(Option<Workload>, &str)]) -> Applied {
    let owned =
        |(workload, what): &(Option<Workload>, &str)| (workload.clone(), (*what).to_owned());
    Applied {
        failed: failed.iter().map(owned).collect(),
        stopped: failed.iter().filter_map(|(it, _)| it.clone()).collect(),
        flags_failed: failed.iter().any(|(workload, _)| workload.is_none()),
        retry: (!failed.is_empty()).then_some(ApiError::Deadline),
        ..Applied::default()
    }
}

fn told(failing: &mut Failing, applied: &Applied) -> Vec<String> {
    let told = failing.take_in(applied).into_iter();
    told.map(|refusal| {
        assert_eq!(refusal.reason, conditions::WRITE_FAILED);
        refusal.message
    })
    .collect()
}

#[test]
fn the_third_failure_in_a_row_is_told_and_the_words_stay() {
    let mut failing = Failing::default();
    let fails = attempt(&[(Some(worker()), "scale the worker")]);
    assert!(told(&mut failing, &fails).is_empty());
    assert!(told(&mut failing, &fails).is_empty());
    let words = told(&mut failing, &fails);
    assert!(
        words.len() == 1 && words[0].contains("scale the worker"),
        "{words:?}"
    );
    assert_eq!(told(&mut failing, &fails), words);
    assert!(told(&mut failing, &attempt(&[])).is_empty());
    assert!(
        told(&mut failing, &fails).is_empty(),
        "it counts from the start"
    );
}

#[test]
fn an_attempt_in_which_it_was_not_tried_says_nothing_of_it() {
    let mut failing = Failing::default();
    let fails = attempt(&[(Some(worker()), "scale the worker")]);
    for _ in 0..3 {
        told(&mut failing, &fails);
    }
    let changed = Applied {
        stopped: vec![worker()],
        retry: Some(ApiError::Changed),
        ..Applied::default()
    };
    assert_eq!(told(&mut failing, &changed).len(), 1);
    let unread = Applied {
        unread: true,
        retry: Some(ApiError::Deadline),
        ..Applied::default()
    };
    assert_eq!(told(&mut failing, &unread).len(), 1);
}

#[test]
fn one_that_succeeds_is_forgotten_while_another_goes_on_failing() {
    let mut failing = Failing::default();
    let both = attempt(&[
        (Some(worker()), "scale the worker"),
        (None, "write the flags"),
    ]);
    for _ in 0..3 {
        told(&mut failing, &both);
    }
    assert_eq!(told(&mut failing, &both).len(), 2);
    let flags = attempt(&[(None, "write the flags"), (None, "write the former ones")]);
    let words = told(&mut failing, &flags);
    assert!(
        words.len() == 1 && words[0].contains("write the flags"),
        "{words:?}"
    );
}

#[test]
fn what_was_written_at_last_is_forgotten_whatever_else_could_not_be_read() {
    let mut failing = Failing::default();
    let fails = attempt(&[
        (Some(worker()), "scale the worker"),
        (None, "write the flags"),
    ]);
    for _ in 0..3 {
        told(&mut failing, &fails);
    }
    let moved = Moved::Scaled(Written {
        resource_version: "2".to_owned(),
        replicas: 1,
    });
    let mut attempt = Applied {
        unread: true,
        moved: vec![(worker(), moved)],
        ..Applied::default()
    };
    assert_eq!(
        told(&mut failing, &attempt).len(),
        1,
        "the flags still fail"
    );
    attempt.flags_written = true;
    assert!(told(&mut failing, &attempt).is_empty());
}
