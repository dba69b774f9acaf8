//! Puts the parts together and takes them down again in order.

mod build;
mod flags;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, Role};
use crate::http::{Connections, serve as serve_http};
use build::Built;

/// How long reminders that are being delivered and counts that are being written may take at the end.
const FINISH: Duration = Duration::from_secs(5);

/// Why it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was told to.
    Stopped,
    /// A moderator wants it to begin anew: whoever started it is to start it again.
    Rebooting,
}

/// What whoever embeds the bot may give it beside its options.
#[derive(Default)]
pub struct Given {
    /// Evaluates flags by the provider that was set up for it.
    #[cfg(feature = "openfeature")]
    pub openfeature: Option<open_feature::Client>,
}

/// Serves on `listener` until `shutdown`, then takes no more and finishes what is under way, for
/// at most the configured grace.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<Ended> {
    run_with(Given::default(), config, listener, shutdown).await
}

/// As [`run`], with what a command line cannot hold.
pub async fn run_with(
    given: Given,
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<Ended> {
    let Built {
        app,
        chat,
        discord,
        jobs,
        store,
        reboot,
        draining,
        followers: _followers,
        finishing,
    } = build::build(given, &config).await?;

    let role = config.jobs.role;
    let router = match role {
        Role::All | Role::Gateway => crate::http::router(Arc::new(app)),
        Role::Worker => crate::http::worker_router(Arc::new(app)),
    };
    tracing::info!(address = %listener.local_addr()?, ?role, "serving");
    let server = {
        let (draining, rebooting) = (draining.clone(), reboot.0.clone());
        let connections = Connections {
            most: config.web.connections.get(),
            silence: config.web.silence,
        };
        serve_http(listener, router, connections, async move {
            tokio::select! {
                () = shutdown => {}
                () = rebooting.cancelled() => {}
            }
            draining.cancel();
        })
    };
    let server = async {
        server.await;
        anyhow::Ok(())
    };
    let discord = {
        let (chat, store, draining) = (Arc::clone(&chat), store.clone(), draining.clone());
        async move {
            match discord {
                // a worker only acts there: what is said there is the gateway's to hear
                Some(discord) if role != Role::Worker => {
                    Ok(discord.serve(chat, store, draining).await?)
                }
                _ => anyhow::Ok(()),
            }
        }
    };
    let work = async {
        if let Some(jobs) = &jobs {
            let draining = draining.clone();
            jobs.work(chat, store, &config.pools, draining, config.grace)
                .await;
        }
    };
    let doors = async { tokio::try_join!(server, discord).map(drop) };
    let serving = serve(doors, draining.clone(), config.grace);
    let (served, ()) = tokio::join!(serving, work);
    served?;
    if tokio::time::timeout(FINISH, finishing.join_all())
        .await
        .is_err()
    {
        tracing::warn!("what was under way in the store did not finish in time");
    }
    tracing::info!("stopped");
    Ok(if reboot.0.is_cancelled() {
        Ended::Rebooting
    } else {
        Ended::Stopped
    })
}

async fn serve(
    doors: impl Future<Output = anyhow::Result<()>>,
    draining: CancellationToken,
    grace: Duration,
) -> anyhow::Result<()> {
    let out_of_patience = async {
        draining.cancelled().await;
        tracing::info!("told to stop: finishing what is under way");
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        result = doors => {
            // a door that failed takes the others down, and a worker's pulling too
            draining.cancel();
            result?;
        }
        () = out_of_patience => tracing::warn!("some requests did not finish in time"),
    }
    Ok(())
}
