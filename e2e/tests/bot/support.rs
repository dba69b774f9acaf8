//! What each test of the bot begins with.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use e2e::run_dir::RunDir;
use libtest_mimic::Trial;

/// Longer than any bot of these tests takes, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A test with a folder of its own for what it starts; the logs stay when it fails.
pub(crate) fn trial<F>(name: &str, test: impl FnOnce(Arc<RunDir>) -> F + Send + 'static) -> Trial
where
    F: Future<Output = Result<()>>,
{
    Trial::test(name, move || {
        let run = || -> Result<()> {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .context("cannot start a runtime")?;
            let dir = Arc::new(RunDir::create()?);
            let result = runtime.block_on(test(Arc::clone(&dir)));
            if result.is_err() {
                dir.keep_logs();
                e2e::progress::say(format!("its logs: {}", dir.logs().display()));
            }
            result
        };
        run().map_err(|error| format!("{error:?}").into())
    })
}

/// Sends a message to `POST /chat` and gives the status and the reply.
pub(crate) async fn chat(bot: &e2e::bot::Bot, message: &str) -> Result<(u16, serde_json::Value)> {
    let body = serde_json::json!({"message": message, "user": "visitor"});
    let request = e2e::http::client()?.post(bot.url("/chat")).json(&body);
    let response = request.timeout(PATIENCE).send().await?;
    Ok((response.status().as_u16(), response.json().await?))
}

/// The value of one series in the text of `/metrics`, its labels exactly as printed.
pub(crate) fn series(metrics: &str, name: &str) -> Option<f64> {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line?.parse().ok()
}
