use super::*;
use crate::policy::remains;

/// A policy of which nothing but its identity matters.
pub(crate) fn object(version: &str, uid: &str) -> BotDegradationPolicy {
    let object = serde_json::json!({
        "apiVersion": "brownout.dev/v1alpha1",
        "kind": "BotDegradationPolicy",
        "metadata": {"name": "bot", "namespace": "bots", "uid": uid, "resourceVersion": version},
        "spec": {"signals": [], "levels": []},
    });
    serde_json::from_value(object).expect("a policy")
}

/// A policy that nothing is known of but its spec.
pub(crate) fn standing(policy: Policy) -> Standing {
    let remembered = Remembered::nothing(&policy);
    let understood = Understood {
        policy: Arc::new(policy),
        queries: Arc::new([]),
        tenant: None,
    };
    Standing::new(&object("1", "a"), understood, remembered, Phase::Deciding)
}

/// A policy that was read again at a takeover is not forgotten for an older one of the watch, before
/// anything has been written.
#[test]
fn what_it_began_from_counts_until_the_watch_has_come_as_far() {
    let read_again = object("12", "a");
    let policy = Arc::new(remains("bots", "bot", &read_again.spec));
    let understood = Understood {
        policy: Arc::clone(&policy),
        queries: Arc::new([]),
        tenant: None,
    };
    let remembered = Remembered::nothing(&policy);
    let standing = Standing::new(&read_again, understood, remembered, Phase::Resting);
    let newer = |version, uid| {
        let newer = standing.newer(&object(version, uid))?;
        newer.resource_version()
    };
    assert_eq!(newer("11", "a").as_deref(), Some("12"));
    assert_eq!(newer("13", "a"), None);
    assert_eq!(newer("11", "b"), None, "another policy of the same name");
}
