use super::*;
use crate::plan::Refusal;
use crate::policy::{Workload, WorkloadKind};

#[test]
fn a_target_that_cannot_be_looked_at_is_left_out_and_the_flags_stay() {
    let flags = Write::CreateFlags { data: [].into() };
    let baseline = Baseline {
        workload: Workload {
            kind: WorkloadKind::Deployment,
            name: "w".to_owned(),
        },
        replicas: 3,
        applied: Some(3),
        autoscaler: None,
        set_backs: Vec::new(),
        contested_by: None,
    };
    let denied = || ApiError::Forbidden("at 12:03".to_owned());
    for (err, tried_again, told) in [
        (ApiError::Deadline, true, Some("TargetUnreadable")),
        (denied(), false, Some("Forbidden")),
        (ApiError::Changed, true, None),
    ] {
        let mut plan = Plan {
            record: vec![baseline.clone()],
            settled: vec![baseline.clone()],
            writes: vec![flags.clone()],
            ..Plan::default()
        };
        let word = err.reason();
        let retry = leave_out(&mut plan, &baseline, err, "Deployment w");
        assert_eq!(retry.is_some(), tried_again, "{word}");
        let reasons: Vec<&str> = plan.refusals.iter().map(|r| r.reason).collect();
        assert_eq!(reasons, Vec::from_iter(told), "{word}");
        let about = |refusal: &Refusal| refusal.message.contains("the Deployment w ");
        let steady = |refusal: &Refusal| !refusal.message.contains("12:03");
        assert!(plan.refusals.iter().all(steady), "{:?}", plan.refusals);
        assert!(
            word == "Forbidden" || plan.refusals.iter().all(about),
            "{:?}",
            plan.refusals
        );
        assert_eq!(plan.writes, std::slice::from_ref(&flags), "{word}");
        assert_eq!((plan.record.len(), plan.settled.len()), (0, 0), "{word}");
    }
}
