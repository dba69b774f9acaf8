//! Puts the parts together and takes them down again in order.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::TryFutureExt as _;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::activity::{Activity, ActivityMetrics};
use crate::ai::{self, Model};
use crate::chat::Chat;
use crate::chat::handlers::moderation::Reboot;
use crate::chat::handlers::{Memory, Services};
use crate::config::{Config, FlagsConfig, PoolsConfig};
use crate::deliver::Deliver;
use crate::discord::{Discord, DiscordMetrics};
use crate::flags::{FlagStore, Source, follow_directory};
use crate::http::{App, Inbox, Web};
use crate::message::Door;
use crate::metrics::Metrics;
use crate::outbound::{Dependency, Limits, OutboundMetrics};
use crate::pools::{PerTier, Pools};
use crate::reminders::{ReminderMetrics, Reminders};
use crate::stops::{StopMetrics, Stops};
use crate::store::{Store, StoreMetrics};
use crate::work::{Costs, calibrate};

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

/// Serves on `listener` until `shutdown`, then takes no more and finishes what is under way, for
/// at most the configured grace.
pub async fn run(
    config: Config,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<Ended> {
    let sources = sources(&config.flags);
    let mut registry = Registry::default();
    let metrics = Arc::new(Metrics::new(&mut registry, &sources));
    let unseen = config.flags.default.features();
    let flags = Arc::new(FlagStore::new(&sources, unseen, Arc::clone(&metrics)));
    // aborts the tasks when it goes out of scope
    let mut followers = follow(&config.flags, &flags).await?;

    let pools = Arc::new(pools(&config.pools, &metrics));
    let rounds_per_ms = tokio::task::spawn_blocking(calibrate).await?;
    let [posts, interactions] = Discord::DEPENDENCIES;
    let outbound = OutboundMetrics::new(&mut registry, &[posts, interactions, ai::DEPENDENCY]);
    let discord = Discord::new(
        &config.discord,
        Discord::DEPENDENCIES.map(|name| Dependency::new(name, Limits::default(), &outbound)),
        DiscordMetrics::new(&mut registry),
    )?;
    let store_metrics = StoreMetrics::new(&mut registry);
    let store = Store::open(&config.store.url, store_metrics).await?;
    followers.spawn(store.clone().keep());
    let stops = Stops::new(store.clone(), StopMetrics::new(&mut registry)).await;
    let stops = Arc::new(stops);
    followers.spawn(Arc::clone(&stops).follow());
    let activity_metrics = ActivityMetrics::new(&mut registry);
    let activity = Arc::new(Activity::new(store.clone(), activity_metrics));
    let web = Web::new(&config.web, &mut registry)?;
    let inbox: Arc<dyn Deliver> = Arc::new(Inbox::new(store.clone(), Arc::clone(&web.hub)));
    let mut doors = vec![(Door::Page, Arc::clone(&inbox)), (Door::Api, inbox)];
    doors.extend(discord.as_ref().map(|d| (Door::Discord, d.deliver())));
    let reminders = Reminders {
        store: store.clone(),
        doors,
        metrics: ReminderMetrics::new(&mut registry),
        lease: config.store.reminder_lease,
    };
    let draining = CancellationToken::new();
    // what these do when told to stop is waited for
    let mut finishing = JoinSet::new();
    finishing.spawn(reminders.follow(Arc::clone(&flags), draining.clone()));
    finishing.spawn(Arc::clone(&activity).follow(Arc::clone(&flags), draining.clone()));
    let reboot = Reboot::default();
    let model = Arc::new(Model::open(&config.ai, &store, &mut registry, &outbound)?);
    followers.spawn(Arc::clone(&model).keep_books());
    let services = Arc::new(Services {
        store: store.clone(),
        stops: Arc::clone(&stops),
        activity,
        reboot: reboot.clone(),
        model,
        memory: Memory::new(&config.ai),
        costs: Costs::new(&config.load, rounds_per_ms),
        guild: discord.as_ref().and_then(Discord::guild),
    });
    let chat = Arc::new(Chat::new(
        Arc::clone(&flags),
        Arc::clone(&metrics),
        pools,
        services,
        config.pools.deadline,
    ));

    let app = App {
        chat: Arc::clone(&chat),
        flags,
        store,
        stops,
        registry,
        web,
        draining: draining.clone(),
    };
    let discord = {
        let draining = draining.clone();
        async move {
            match discord {
                Some(discord) => discord.serve(chat, draining).await,
                None => Ok(()),
            }
        }
    };
    tracing::info!(address = %listener.local_addr()?, "serving");
    let server = {
        let (draining, rebooting) = (draining.clone(), reboot.0.clone());
        axum::serve(listener, crate::http::router(Arc::new(app))).with_graceful_shutdown(
            async move {
                tokio::select! {
                    () = shutdown => {}
                    () = rebooting.cancelled() => {}
                }
                draining.cancel();
            },
        )
    };
    let server = async { server.into_future().await.context("the HTTP server") };
    let doors = async { tokio::try_join!(server, discord.map_err(anyhow::Error::from)) };
    serve(doors.map_ok(drop), draining, config.grace).await?;
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
    server: impl Future<Output = anyhow::Result<()>>,
    draining: CancellationToken,
    grace: Duration,
) -> anyhow::Result<()> {
    let out_of_patience = async {
        draining.cancelled().await;
        tracing::info!("told to stop: finishing what is under way");
        tokio::time::sleep(grace).await;
    };
    tokio::select! {
        result = server => result?,
        () = out_of_patience => tracing::warn!("some requests did not finish in time"),
    }
    Ok(())
}

fn sources(config: &FlagsConfig) -> Vec<Source> {
    let directory = config.dir.as_ref().map(|_| Source::Directory);
    #[cfg(feature = "watch")]
    let watch = config.configmap.as_ref().map(|_| Source::Watch);
    #[cfg(not(feature = "watch"))]
    let watch = None;
    directory.into_iter().chain(watch).collect()
}

#[cfg_attr(not(feature = "watch"), allow(clippy::unused_async))] // only a client is made asynchronously
async fn follow(config: &FlagsConfig, flags: &Arc<FlagStore>) -> anyhow::Result<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    if let Some(dir) = config.dir.clone() {
        let flags = Arc::clone(flags);
        tasks.spawn(follow_directory(dir, config.interval, flags));
    }
    #[cfg(feature = "watch")]
    if let Some(name) = config.configmap.clone() {
        // reads the kubeconfig or the pod's account; it does not connect, so a bot starts without a cluster
        let client = kube::Client::try_default()
            .await
            .context("no cluster to watch the flags in")?;
        let namespace = config.namespace.clone();
        tasks.spawn(crate::flags::follow_watch(
            client,
            namespace,
            name,
            Arc::clone(flags),
        ));
    }
    Ok(tasks)
}

fn pools(config: &PoolsConfig, metrics: &Metrics) -> Pools {
    let places = PerTier {
        critical: config.queue_critical,
        important: config.queue_important,
        luxury: config.queue_luxury,
    };
    let workers = PerTier {
        critical: config.workers_critical,
        important: config.workers_important,
        luxury: config.workers_luxury,
    };
    match config.workers {
        Some(all) => Pools::shared(all, places, metrics.queues()),
        None => Pools::new(workers, places, metrics.queues()),
    }
}
