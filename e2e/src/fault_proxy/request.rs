//! What was asked, in the words of a test.

use std::fmt;

use axum::http::{Method, Uri};

/// A request, as far as it matters which one it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `get`, `list`, `watch`, `post`, `put`, `patch` or `delete`.
    pub verb: &'static str,
    /// The plural with its subresource: `deployments/scale`.
    pub resource: String,
    /// The object's name; empty for collections.
    pub name: String,
}

impl Asked {
    /// Reads it from the method and the address.
    pub(super) fn read(method: &Method, uri: &Uri) -> Self {
        let mut parts = uri.path().trim_matches('/').split('/').peekable();
        // api/v1 or apis/<group>/<version>
        let skip = if parts.next() == Some("apis") { 2 } else { 1 };
        let mut parts = parts.skip(skip).peekable();
        if parts.peek() == Some(&"namespaces") {
            parts = {
                parts.next();
                parts.next();
                parts
            };
        }
        let plural = parts.next().unwrap_or_default();
        let name = parts.next().unwrap_or_default();
        let resource = match parts.next() {
            Some(subresource) => format!("{plural}/{subresource}"),
            None => plural.to_owned(),
        };
        let watches = uri.query().is_some_and(|query| {
            query
                .split('&')
                .any(|pair| pair == "watch=true" || pair == "watch=1")
        });
        let verb = match *method {
            Method::GET if watches => "watch",
            Method::GET if name.is_empty() => "list",
            Method::GET => "get",
            Method::POST => "post",
            Method::PUT => "put",
            Method::PATCH => "patch",
            _ => "delete",
        };
        Self {
            verb,
            resource,
            name: name.to_owned(),
        }
    }

    /// Whether it may change something. Events are not counted: nothing rests on them.
    pub fn is_write(&self) -> bool {
        !matches!(self.verb, "get" | "list" | "watch") && self.resource != "events"
    }

    /// `put botdegradationpolicies/status`.
    pub fn key(&self) -> String {
        format!("{} {}", self.verb, self.resource)
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.verb, self.resource, self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: &Method, uri: &str) -> String {
        Asked::read(method, &uri.parse().unwrap()).to_string()
    }

    #[test]
    fn requests_are_told_apart() {
        let policies = "/apis/brownout.dev/v1alpha1/namespaces/a/botdegradationpolicies";
        let status = format!("{policies}/bot/status?fieldManager=brownout");
        assert_eq!(
            asked(&Method::PUT, &status),
            "put botdegradationpolicies/status bot"
        );
        assert_eq!(
            asked(
                &Method::GET,
                &format!("{policies}?&watch=true&timeoutSeconds=9")
            ),
            "watch botdegradationpolicies "
        );
        assert_eq!(
            asked(
                &Method::GET,
                "/apis/brownout.dev/v1alpha1/metricssources?limit=500"
            ),
            "list metricssources "
        );
        assert_eq!(
            asked(&Method::GET, "/api/v1/namespaces/a/configmaps/bot-flags"),
            "get configmaps bot-flags"
        );
        assert_eq!(
            asked(
                &Method::PATCH,
                "/apis/apps/v1/namespaces/a/deployments/w/scale"
            ),
            "patch deployments/scale w"
        );
    }
}
