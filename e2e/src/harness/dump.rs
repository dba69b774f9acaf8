//! The state of a namespace as text, for a person who wonders why a test failed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, LogParams};
use kube::{Api, Client, ResourceExt as _};

use crate::cluster::Cluster;
use crate::process::tail;

/// Group, version, kind and plural of what is shown.
const SHOWN: [(&str, &str, &str, &str); 4] = [
    (
        "brownout.dev",
        "v1alpha1",
        "BotDegradationPolicy",
        "botdegradationpolicies",
    ),
    ("", "v1", "ConfigMap", "configmaps"),
    ("apps", "v1", "Deployment", "deployments"),
    ("events.k8s.io", "v1", "Event", "events"),
];

/// Made by Kubernetes in every namespace, and nobody's news.
const NO_NEWS: &str = "kube-root-ca.crt";

/// Enough of a log to see how it ended.
const LOG_LINES: usize = 30;

/// Every object of interest, as YAML.
pub(super) async fn namespace(cluster: &Cluster, namespace: &str) -> String {
    let client = &cluster.client();
    let mut text = String::new();
    for (group, version, kind, plural) in SHOWN {
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        match api.list(&ListParams::default()).await {
            Ok(list) => list
                .items
                .into_iter()
                .for_each(|object| show(&mut text, kind, object)),
            // a cluster without our CRDs has no policies either
            Err(kube::Error::Api(status)) if status.code == 404 => (),
            Err(error) => {
                let _ = writeln!(text, "--- {plural}: {error}"); // a String takes everything
            }
        }
    }
    if cluster.node().is_ok() {
        pods(&mut text, client, namespace).await;
    }
    text
}

/// What became of each pod, and what it said.
async fn pods(text: &mut String, client: &Client, namespace: &str) {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let Ok(pods) = api.list(&ListParams::default()).await else {
        return; // the API server does not answer, as was said above
    };
    for pod in pods {
        let name = pod.name_any();
        let status = serde_saphyr::to_string(&pod.status).unwrap_or_else(|error| error.to_string());
        let lines = LogParams {
            tail_lines: i64::try_from(LOG_LINES).ok(),
            ..LogParams::default()
        };
        let log = api.logs(&name, &lines).await;
        let log = log.unwrap_or_else(|error| error.to_string());
        let _ = writeln!(text, "--- Pod {name}\n{status}\n--- its log\n{log}"); // a String takes everything
    }
}

/// The last lines of every log that belongs to the test of this namespace.
pub(super) fn log_ends(logs: &Path, namespace: &str) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(logs).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        if is_log && name.to_string_lossy().starts_with(namespace) {
            let _ = writeln!(
                text,
                "--- the end of {}\n{}\n",
                path.display(),
                tail(&path, LOG_LINES)
            );
        }
    }
    text
}

fn show(text: &mut String, kind: &str, mut object: DynamicObject) {
    let name = object.metadata.name.clone().unwrap_or_default();
    if name == NO_NEWS {
        return;
    }
    object.metadata.managed_fields = None;
    let yaml = serde_saphyr::to_string(&object).unwrap_or_else(|error| error.to_string());
    let _ = writeln!(text, "--- {kind} {name}\n{yaml}"); // a String takes everything
}
