//! What a query selects, as Prometheus' own parser reads it.

use anyhow::{Context as _, Result};
use serde_json::Value;

/// The matchers of each selector of a query, each as name, operator and value, in the words of a
/// server's parser; `None` where it does not take the query.
pub async fn selectors(url: &str, query: &str) -> Result<Option<Vec<Vec<[String; 3]>>>> {
    let answer = crate::http::client()?
        .post(format!("{url}/api/v1/parse_query"))
        .form(&[("query", query)])
        .send()
        .await?;
    if answer.status() == reqwest::StatusCode::BAD_REQUEST {
        return Ok(None);
    }
    let answer: Value = answer.error_for_status()?.json().await?;
    let mut found = Vec::new();
    collect(&answer["data"], &mut found).with_context(|| format!("{query}: {answer}"))?;
    Ok(Some(found))
}

fn collect(node: &Value, found: &mut Vec<Vec<[String; 3]>>) -> Result<()> {
    let is_selector = node["type"]
        .as_str()
        .is_some_and(|t| t.ends_with("Selector"));
    if is_selector {
        let matchers = node["matchers"].as_array().context("no matchers")?;
        let of = |m: &Value, key: &str| {
            let text = m[key].as_str().map(str::to_owned);
            text.with_context(|| format!("a matcher without {key}"))
        };
        let matchers = matchers
            .iter()
            .map(|m| Ok([of(m, "name")?, of(m, "type")?, of(m, "value")?]));
        found.push(matchers.collect::<Result<_>>()?);
    }
    match node {
        Value::Array(items) => items.iter().try_for_each(|item| collect(item, found)),
        Value::Object(fields) => fields.values().try_for_each(|field| collect(field, found)),
        _ => Ok(()),
    }
}
