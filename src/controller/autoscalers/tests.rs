use super::*;

fn hpa(more: &str) -> HorizontalPodAutoscaler {
    let yaml = format!(
        "
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: worker
  managedFields:
  - {{manager: brownout, operation: Update, fieldsV1: {{'f:spec': {{'f:maxReplicas': {{}}}}}}}}
  - {{manager: helm, operation: Apply, fieldsV1: {{'f:spec': {{'f:minReplicas': {{}}, 'f:metrics': {{}}}}}}}}
  - {{manager: kube-controller-manager, operation: Update, subresource: status, fieldsV1: {{'f:status': {{}}}}}}
{more}
"
    );
    serde_saphyr::from_str(&yaml).unwrap()
}

const SPEC: &str =
    "spec: {maxReplicas: 8, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: w}}";

#[test]
fn the_target_is_one_that_policies_scale() {
    for (reference, named) in [
        (
            "apiVersion: apps/v1, kind: Deployment, name: w",
            "Deployment w",
        ),
        (
            "apiVersion: apps/v1beta2, kind: StatefulSet, name: s",
            "StatefulSet s",
        ),
        ("apiVersion: apps/v1, kind: ReplicaSet, name: w", "-"),
        ("apiVersion: example.org/v1, kind: Deployment, name: w", "-"),
        ("kind: Deployment, name: w", "-"),
    ] {
        let hpa = hpa(&format!(
            "spec: {{maxReplicas: 8, scaleTargetRef: {{{reference}}}}}"
        ));
        let found = target(&hpa).map(|w| format!("{} {}", w.kind, w.name));
        assert_eq!(found.as_deref().unwrap_or("-"), named, "{reference}");
    }
}

#[test]
fn pruning_keeps_what_a_plan_is_made_from() {
    let whole = hpa(SPEC);
    let mut pruned = whole.clone();
    prune(&mut pruned);
    let reduced = reduce(&pruned, true);
    assert_eq!(reduced, reduce(&whole, true));
    assert_eq!(reduced.bounds, Bounds { min: 1, max: 8 }, "omitted is 1");
    assert_eq!(reduced.max_owner, Owner::Us);
    assert_eq!(reduced.min_owner, Owner::Other("helm".to_owned()));
    assert_eq!(pruned.metadata.managed_fields.unwrap().len(), 2);
}

#[test]
fn kedas_are_known_by_their_owner() {
    let owned = |group: &str, kind: &str| {
        let mut hpa = hpa(SPEC);
        let owner = format!("[{{apiVersion: {group}, kind: {kind}, name: so, uid: u}}]");
        hpa.metadata.owner_references = Some(serde_saphyr::from_str(&owner).unwrap());
        reduce(&hpa, true).made_by
    };
    assert_eq!(
        owned("keda.sh/v1alpha1", "ScaledObject").as_deref(),
        Some("so")
    );
    assert_eq!(owned("example.org/v1", "ScaledObject"), None);
    assert_eq!(owned("keda.sh/v1alpha1", "ScaledJob"), None);
}

#[test]
fn the_pause_is_read_with_its_owner() {
    let yaml = "
name: so
annotations: {autoscaling.keda.sh/paused-replicas: '3'}
managedFields:
- {manager: helm, fieldsV1: {'f:spec': {}}}
- {manager: brownout, fieldsV1: {'f:metadata': {'f:annotations': {'f:autoscaling.keda.sh/paused-replicas': {}}}}}
";
    let metadata: ObjectMeta = serde_saphyr::from_str(yaml).unwrap();
    let found = scaled_object(&metadata);
    assert_eq!(found.paused.as_deref(), Some("3"));
    assert_eq!(found.owner, Owner::Us);
    assert_eq!(scaled_object(&ObjectMeta::default()).owner, Owner::Nobody);
}

#[test]
fn those_concern_a_workload_that_name_it_or_that_its_baseline_names() {
    let hpa = hpa(SPEC);
    let workload = |kind, name: &str| Workload {
        kind,
        name: name.to_owned(),
    };
    let (deployment, set) = (WorkloadKind::Deployment, WorkloadKind::StatefulSet);
    for (kind, name, recorded, holds) in [
        (deployment, "w", None, Some(true)),
        (deployment, "w", Some("another"), Some(true)),
        (deployment, "v", Some("worker"), Some(false)),
        (deployment, "v", Some("another"), None),
        (deployment, "v", None, None),
        (set, "w", None, None),
    ] {
        let found = concerning(&hpa, &workload(kind, name), recorded);
        assert_eq!(
            found.map(|hpa| hpa.holds),
            holds,
            "{kind} {name} {recorded:?}"
        );
    }
}
