//! A source's words as things that can be sent.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_http_query::Client;
use prometheus_http_query::reqwest::header::{
    ACCEPT_ENCODING, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue,
};
use prometheus_http_query::reqwest::{self, Certificate, Url, redirect};
use thiserror::Error;

use super::super::access::{Access, Believe};
use super::super::source::Source;
use super::Line;
use super::not_sent::root_cause;

/// A source that cannot be asked at all.
#[derive(Debug, Error)]
pub enum BadSource {
    /// The URL is none, or none that can be used.
    #[error("url {url:?} cannot be used: {why}")]
    Url {
        /// As it was written, without credentials.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// A header's name or value cannot be sent.
    #[error("header {0:?} cannot be sent")]
    Header(String),
    /// What should be certificates is none.
    #[error(
        "tls.caSecret holds no certificate: write one or several, each from -----BEGIN CERTIFICATE----- on"
    )]
    Authorities,
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made: {0}")]
    Client(String),
}

/// A URL, even one that cannot be parsed, as it may be shown: nothing before the last `@`.
pub fn without_credentials(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => text.to_owned(),
    }
}

/// Says what is wrong with a URL that no source can be asked at.
///
/// # Errors
///
/// What is wrong, without credentials.
pub fn check_url(text: &str) -> Result<(), BadSource> {
    base_url(text).map(drop)
}

/// The base URL, without the slash at its end.
pub(super) fn base_url(text: &str) -> Result<Url, BadSource> {
    let refused = |why: &str| BadSource::Url {
        url: without_credentials(text),
        why: why.to_owned(),
    };
    let mut url = Url::parse(text).map_err(|e| refused(&e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("write http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        // not repeated in the message: it would end up in a status
        return Err(BadSource::Url {
            url: url.host_str().unwrap_or_default().to_owned(),
            why: "credentials do not belong into a URL".to_owned(),
        });
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("parameters belong into queryParams"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// Where range queries go.
pub(super) fn range_url(base: &Url) -> Url {
    let mut range = base.clone();
    let path = format!("{}/api/v1/query_range", base.path().trim_end_matches('/'));
    range.set_path(&path);
    range
}

/// Connections and headers.
pub(super) fn line(base: &Url, source: &Source, access: Access) -> Result<Line, BadSource> {
    let mut headers = headers(&source.headers)?;
    if let Some(authorization) = access.authorization() {
        headers.insert(AUTHORIZATION, authorization.clone());
    }
    Ok(Line {
        http: http(base, access.believe())?,
        headers,
        access,
    })
}

fn http(base: &Url, believe: &Believe) -> Result<Client, BadSource> {
    let client = |e: &dyn std::error::Error| BadSource::Client(root_cause(e));
    let mut http = reqwest::Client::builder()
        // followed, credentials would go wherever the answer points
        .redirect(redirect::Policy::none())
        .user_agent(concat!("brownout/", env!("CARGO_PKG_VERSION")))
        // shorter than what load balancers keep
        .pool_idle_timeout(Duration::from_secs(50));
    http = match believe {
        // without this an image that holds no certificates could not even speak plain HTTP
        _ if base.scheme() == "http" => http.tls_certs_only([]),
        Believe::WellKnown => http,
        Believe::Only(pem) => http.tls_certs_only(authorities(pem)?),
        Believe::Anyone => http.tls_danger_accept_invalid_certs(true),
    };
    let http = http.build().map_err(|e| client(&e))?;
    Client::from(http, base.as_str()).map_err(|e| client(&e))
}

/// The certificates of a PEM text, at least one.
fn authorities(pem: &[u8]) -> Result<Vec<Certificate>, BadSource> {
    match Certificate::from_pem_bundle(pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(BadSource::Authorities),
    }
}

/// The headers of every request.
pub(super) fn headers(written: &[(String, String)]) -> Result<HeaderMap, BadSource> {
    let mut headers = HeaderMap::new();
    // a compressed answer could be any size
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, value) in written {
        let bad = || BadSource::Header(name.clone());
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
        value.set_sensitive(true);
        headers.append(key, value);
    }
    Ok(headers)
}

/// The fields of every form.
pub(super) fn params(written: &[(String, String)]) -> Vec<(&'static str, String)> {
    let params = written.iter();
    params
        .map(|(name, value)| (lasting(name), value.clone()))
        .collect()
}

/// A name that lasts as long as the process, because the library wants one. Each different name is
/// kept once; there are as many as people write into sources.
fn lasting(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name) {
        return known;
    }
    let kept: &'static str = Box::leak(Box::from(name));
    names.insert(kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_refusal_repeats_credentials() {
        for url in [
            "http://me:secret@[",
            "ftp://me:secret@a",
            "http://me:secret@a",
            "me:secret@a:x",
        ] {
            let refusal = base_url(url).expect_err(url).to_string();
            assert!(!refusal.contains("secret"), "{refusal}");
            assert!(!without_credentials(url).contains("secret"));
        }
    }
}
