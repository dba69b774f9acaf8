use super::*;

#[test]
fn what_refuses_is_named() {
    for (words, said) in [
        (
            "deployments.apps \"w\" is forbidden: User \"system:serviceaccount:brownout-system:brownout\" cannot \
             patch resource \"deployments/scale\" in API group \"apps\" in the namespace \"bots\"",
            "the right to patch deployments/scale of apps is missing in this namespace",
        ),
        (
            "configmaps \"f\" is forbidden: User \"u\" cannot get resource \"configmaps\" in API group \"\" in the \
             namespace \"bots\": asked at 12:03",
            "the right to get configmaps is missing in this namespace",
        ),
        (
            "deployments.apps \"w\" is forbidden: ValidatingAdmissionPolicy 'opt-in-2' with binding 'b' denied \
             request: the namespace bots-7 does not let the operator scale: label it brownout.dev/scale=allowed",
            "the ValidatingAdmissionPolicy opt-in-2 denies it: the namespace … does not let the operator scale: label \
             it brownout.dev/scale=allowed",
        ),
        (
            "admission webhook \"guard.example.org\" denied the request: not today, 12:03, ValidatingAdmissionPolicy",
            "the admission webhook guard.example.org denies it, the operator's log has its words",
        ),
        (
            "configmaps \"f\" is forbidden: exceeded quota: maps, requested: configmaps=1, used: 5, limited: 5",
            "the ResourceQuota maps is used up, the operator's log has its words",
        ),
        ("no", "the operator's log has its words"),
    ] {
        assert_eq!(refusal(words), said, "{words}");
    }
}

/// Else status would be written each time that it is tried again.
#[test]
fn nothing_that_changes_by_itself_is_said() {
    for words in [
        "admission webhook \"guard.example.org\" denied the request: ID",
        "admission webhook \"guard.example.org\" denied the request: ValidatingAdmissionPolicy 'ID'",
        "x is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: seen at (ID)",
        "x is forbidden: exceeded quota: maps, requested: a=1, used: a=ID, limited: a=5",
        "x is forbidden: User \"u\" cannot get resource \"x\" in API group \"\" in the namespace \"n\": request ID",
        "refused, request ID",
    ] {
        let at = |id: &str| refusal(&words.replace("ID", id));
        assert_eq!(at("12:03:04.5Z"), at("7f3a-04be"), "{words}");
    }
}

#[test]
fn what_cannot_be_read_is_said_without_the_servers_words() {
    let busy = |code, message: &str| {
        let status: kube::core::Status = serde_json::from_value(serde_json::json!({
            "status": "Failure", "code": code, "message": message, "reason": "",
        }))
        .unwrap();
        unreadable(
            &ApiError::from(kube::Error::Api(Box::new(status))),
            "ScaledObject w",
        )
    };
    assert_eq!(busy(500, "at 12:03"), busy(503, "at 12:04"));
    assert_eq!(
        busy(500, "at 12:03"),
        unreadable(&ApiError::Deadline, "ScaledObject w")
    );
    let denied = "x is forbidden: User \"u\" cannot get resource \"scaledobjects\" in API group \"keda.sh\" in";
    assert_eq!(busy(500, "").reason, "TargetUnreadable");
    assert_eq!(busy(403, denied).reason, "Forbidden");
    assert_eq!(
        busy(403, denied).message,
        "the operator may not read the ScaledObject w: 403 Forbidden, the right to get scaledobjects of keda.sh is \
         missing in this namespace"
    );
}
