//! The `CustomResourceDefinition`s, as they are applied and as they are printed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use super::{BotDegradationPolicy, MetricsSource};

/// Both definitions. Apply these rather than the derive's own: they are tidied.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![
        tidied(&BotDegradationPolicy::crd()),
        tidied(&MetricsSource::crd()),
    ]
}

/// Both definitions as YAML that every reader understands alike: words that YAML 1.1 takes for
/// booleans are in quotes.
#[cfg(feature = "operator")]
pub fn crds_yaml() -> String {
    let documents: Vec<String> = crds().iter().map(yaml).collect();
    documents.join("---\n")
}

/// Each generated file: its name under `crds/` and its content.
#[cfg(feature = "operator")]
pub fn files() -> Vec<(&'static str, String)> {
    let names = ["botdegradationpolicies.yaml", "metricssources.yaml"];
    let texts = crds()
        .into_iter()
        .map(|crd| format!("{HEADER}{}", yaml(&crd)));
    names.into_iter().zip(texts).collect()
}

#[cfg(feature = "operator")]
const HEADER: &str = "# Generated from src/api, not to be edited: UPDATE_CRDS=1 cargo test -p brownout --lib api::crd\n";

#[cfg(feature = "operator")]
#[allow(clippy::expect_used)] // strings, numbers, lists and maps with text keys can always be written
fn yaml(crd: &CustomResourceDefinition) -> String {
    serde_saphyr::to_string(crd).expect("a definition can be written")
}

/// Takes out what the derive adds and nobody needs: `nullable` and null among the words (the server
/// drops a null where it is not allowed, which is what leaving the field out means), the source
/// code's line breaks, and defaults in status, which only the operator writes.
#[allow(clippy::expect_used)] // a definition becomes JSON and back, with keywords removed
fn tidied(crd: &CustomResourceDefinition) -> CustomResourceDefinition {
    let mut json = serde_json::to_value(crd).expect("a definition is JSON");
    let schema = "/spec/versions/0/schema/openAPIV3Schema";
    if let Some(schema) = json.pointer_mut(schema) {
        tidy(schema, false);
    }
    serde_json::from_value(json).expect("still a definition")
}

fn tidy(schema: &mut Value, in_status: bool) {
    let Some(keywords) = schema.as_object_mut() else {
        return;
    };
    keywords.remove("nullable");
    if let Some(Value::String(text)) = keywords.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    if in_status {
        keywords.remove("default");
    }
    if let Some(words) = keywords.get_mut("enum").and_then(Value::as_array_mut) {
        words.retain(|word| !word.is_null());
    }
    if let Some(properties) = keywords
        .get_mut("properties")
        .and_then(Value::as_object_mut)
    {
        for (name, property) in properties {
            tidy(property, in_status || name == "status");
        }
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = keywords.get_mut(inner) {
            tidy(inner, in_status);
        }
    }
}

#[cfg(all(test, feature = "operator"))]
mod tests {
    use std::path::Path;

    use super::*;

    const UPDATE: &str = "UPDATE_CRDS=1 cargo test -p brownout --lib api::crd";

    #[test]
    fn the_files_are_what_the_types_say() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
        for (name, text) in files() {
            let path = folder.join(name);
            if std::env::var_os("UPDATE_CRDS").is_some() {
                std::fs::create_dir_all(&folder).expect("crds/ can be made");
                std::fs::write(&path, &text).expect("crds/ can be written");
            }
            let stored = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(stored == text, "crds/{name} is out of date; run: {UPDATE}");
        }
    }

    #[test]
    fn the_yaml_reads_back_as_the_definitions() {
        for (crd, (name, text)) in crds().into_iter().zip(files()) {
            let read: CustomResourceDefinition = serde_saphyr::from_str(&text).expect("YAML");
            assert_eq!(read, crd, "{name}");
        }
    }

    /// Every field, by its path, with its schema.
    fn fields<'a>(path: &str, schema: &'a Value, all: &mut Vec<(String, &'a Value)>) {
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            fields(&path, property, all);
            all.push((path, property));
        }
        for inner in ["items", "additionalProperties"] {
            if let Some(inner) = schema.get(inner) {
                let path = format!("{path}[]");
                fields(&path, inner, all);
                all.push((path, inner));
            }
        }
    }

    #[test]
    fn every_field_is_described_and_bounded() {
        for crd in crds() {
            let json = serde_json::to_value(&crd).expect("JSON");
            let schema = &json["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
            let mut all = Vec::new();
            for part in ["spec", "status"] {
                fields(part, &schema["properties"][part], &mut all);
            }
            assert!(all.len() > 15);
            for (path, field) in all {
                let described = field["description"].as_str().is_some_and(|d| d.len() > 5);
                assert!(
                    described || path.ends_with("[]"),
                    "{path} has no description"
                );
                let bounded = match field["type"].as_str() {
                    Some("string") => {
                        !field["maxLength"].is_null()
                            || !field["enum"].is_null()
                            || field["format"] == "date-time"
                    }
                    Some("array") => !field["maxItems"].is_null(),
                    Some("object") => {
                        field["additionalProperties"].is_null() || !field["maxProperties"].is_null()
                    }
                    Some("integer") => {
                        let format = field["format"].as_str().unwrap_or_default();
                        !format.starts_with('u') && !format.is_empty()
                    }
                    Some("boolean") => true,
                    None => field["x-kubernetes-int-or-string"] == true,
                    Some(_) => false,
                };
                assert!(bounded, "{path} has no bound: {field}");
            }
        }
    }

    #[test]
    fn words_that_yaml_1_1_takes_for_booleans_are_quoted() {
        let text = serde_saphyr::to_string(&["on", "Off", "yes", "n"]).expect("YAML");
        assert!(
            !text.contains("- on\n") && !text.contains("- Off\n"),
            "{text}"
        );
    }
}
