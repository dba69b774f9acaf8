//! Plain HTTP to the servers of a run.

use std::time::Duration;

use anyhow::{Context, Result, bail};

/// An answer that takes longer than this is asked for again.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Installs the process-wide TLS provider; every main calls this before anything else.
pub fn install_tls_provider() {
    // an error says that one is installed already, which is all that is wanted
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A client for servers on the loopback interface: no proxy of the environment stands between.
pub fn client() -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .timeout(TIMEOUT)
        .no_proxy()
        .build()
        .context("cannot make an HTTP client")
}

/// The body of an answer with status 200.
pub async fn get_text(url: &str) -> Result<String> {
    let answer = client()?
        .get(url)
        .send()
        .await
        .with_context(|| format!("cannot get {url}"))?;
    let status = answer.status();
    let body = answer
        .text()
        .await
        .with_context(|| format!("cannot read the answer of {url}"))?;
    if !status.is_success() {
        bail!("{url} answered {status}: {body}");
    }
    Ok(body)
}

/// A probe: something once the URL answers with success.
pub(crate) async fn is_ok(url: &str) -> Result<Option<()>> {
    get_text(url).await.map(|_| Some(()))
}
