use serde_json::json;

use super::*;

fn source(prometheus: &serde_json::Value) -> MetricsSource {
    let mut object = json!({
        "apiVersion": "brownout.dev/v1alpha1",
        "kind": "MetricsSource",
        "metadata": { "name": "prod" },
        "spec": { "prometheus": { "url": "https://127.0.0.1:1" } },
    });
    let into = object["spec"]["prometheus"]
        .as_object_mut()
        .expect("an object");
    into.extend(prometheus.as_object().expect("an object").clone());
    serde_json::from_value(object).expect("a MetricsSource")
}

fn grants(namespace: Option<&str>) -> Grants {
    crate::tls::install();
    let config = kube::Config::new("http://127.0.0.1:1".parse().expect("a URL"));
    let client = Client::try_from(config).expect("a client");
    let (changes, _) = mpsc::unbounded_channel();
    Grants::new(&client, namespace.map(str::to_owned), changes)
}

#[test]
fn a_secret_is_one_line() {
    for (value, line_of) in [
        ("secret", Some("secret")),
        ("secret\n", Some("secret")),
        ("secret\r\n", Some("secret")),
        ("sécret", Some("sécret")),
        ("secret\n\n", None),
        ("se\ncret", None),
        ("\nsecret", None),
        ("secret\0", None),
        ("\n", None),
        ("", None),
    ] {
        assert_eq!(line(value.as_bytes()).as_deref(), line_of, "{value:?}");
    }
    assert_eq!(line(b"secret\xff"), None);
}

#[tokio::test]
async fn what_a_source_needs_is_named() {
    let bearer =
        json!({"auth": {"bearerTokenSecret": {"name": "b"}}, "tls": {"caSecret": {"name": "ca"}}});
    let of: Vec<_> = secrets_of(&source(&bearer)).map(str::to_owned).collect();
    assert_eq!(of, ["ca", "b"]);
    let token = source(&json!({"auth": {"serviceAccountToken": {"audience": "thanos"}}}));
    assert_eq!(audience_of(&token), Some("thanos"));
    assert_eq!(secrets_of(&token).count(), 0);
}

#[tokio::test]
async fn without_a_namespace_of_our_own_no_secret_is_read() {
    let wants = source(&json!({"auth": {"basicAuthSecret": {"name": "login"}}}));
    let grants = grants(None);
    grants.settled(&wants).await;
    let why = grants.access(&wants).expect_err("no Secret");
    for part in [
        "prod",
        "auth.basicAuthSecret",
        "login",
        "--secrets-namespace",
    ] {
        assert!(why.contains(part), "{why}");
    }
    // while what needs none is fine
    let open = source(&json!({"tls": {"insecureSkipVerify": true}}));
    assert!(grants.access(&open).is_ok());
}

#[tokio::test]
async fn an_api_server_that_is_gone_is_named_and_not_waited_for_for_long() {
    let wants = source(&json!({"auth": {"bearerTokenSecret": {"name": "login"}}}));
    let grants = grants(Some("brownout-system"));
    grants.settled(&wants).await;
    let why = grants.access(&wants).expect_err("no Secret");
    for part in ["prod", "auth.bearerTokenSecret", "login", "brownout-system"] {
        assert!(why.contains(part), "{why}");
    }
    let other = Arc::new(source(&json!({})));
    grants.retain(&[other]);
    let kept = grants.secrets.as_ref().map(|(_, secrets)| secrets.names());
    assert_eq!(kept, Some(Vec::new()));
}

#[test]
fn no_token_for_the_api_server_is_sent_to_a_source() {
    for audience in [
        "https://kubernetes.default.svc",
        "https://kubernetes.default.svc.cluster.local",
        "kubernetes.default.svc",
        "kubernetes.default",
    ] {
        assert!(is_api_server(audience), "{audience}");
    }
    assert!(!is_api_server("prometheus"));
    assert!(!is_api_server("https://kubernetes.defaults.example"));
}
