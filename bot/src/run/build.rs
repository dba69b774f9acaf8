//! Makes the parts from the options, each from those before it.

use std::sync::Arc;

use prometheus_client::registry::Registry;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Given;
use super::flags::{follow, sources};
use crate::activity::{Activity, ActivityMetrics};
use crate::ai::{self, Model};
use crate::chat::Chat;
use crate::chat::handlers::moderation::Reboot;
use crate::chat::handlers::{Memory, Services};
use crate::config::{Config, PoolsConfig, Role};
use crate::deliver::Deliver;
use crate::discord::{Discord, DiscordMetrics};
use crate::flags::FlagStore;
use crate::http::{App, Inbox, Probes, Web};
use crate::jobs::{Jobs, JobsError};
use crate::logs::Logs;
use crate::manners::Manners;
use crate::message::Door;
use crate::metrics::Metrics;
use crate::outbound::{Dependency, Limits, OutboundMetrics};
use crate::pools::{PerTier, Pools};
use crate::reminders::{ReminderMetrics, Reminders};
use crate::stops::{StopMetrics, Stops};
use crate::store::{Store, StoreMetrics};
use crate::work::{Costs, calibrate};

/// All of it, ready to serve.
pub(super) struct Built {
    pub(super) app: App,
    pub(super) chat: Arc<Chat>,
    pub(super) discord: Option<Discord>,
    pub(super) jobs: Option<Jobs>,
    pub(super) store: Store,
    pub(super) reboot: Reboot,
    /// Cancelled when the bot was told to stop.
    pub(super) leaving: CancellationToken,
    /// Cancelled when it takes nothing new any more.
    pub(super) draining: CancellationToken,
    /// Aborted at the end.
    pub(super) followers: JoinSet<()>,
    /// What these do when told to stop is waited for.
    pub(super) finishing: JoinSet<()>,
}

pub(super) async fn build(given: Given, config: &Config) -> anyhow::Result<Built> {
    let sources = sources(&config.flags, &given);
    let mut registry = Registry::default();
    let metrics = Arc::new(Metrics::new(&mut registry, &sources));
    let unseen = config.flags.default.features();
    let flags = Arc::new(FlagStore::new(&sources, unseen, Arc::clone(&metrics)));
    let mut followers = follow(&config.flags, given, &flags).await?;
    let manners = Arc::new(Manners::new(&config.manners, &mut registry));
    let [posts, interactions] = Discord::DEPENDENCIES;
    let outbound = OutboundMetrics::new(&mut registry, &[posts, interactions, ai::DEPENDENCY]);
    let discord = Discord::new(
        &config.discord,
        Discord::DEPENDENCIES.map(|name| Dependency::new(name, Limits::default(), &outbound)),
        DiscordMetrics::new(&mut registry),
    )?;
    let mut jobs = Jobs::connect(&config.jobs, &mut registry).await?;
    let store = config.store.of(config.jobs.role);
    let store = store.ok_or(JobsError::NoStore)?;
    let store = Store::open(&store, StoreMetrics::new(&mut registry)).await?;
    followers.spawn(store.clone().keep());
    let web = Web::new(&config.web, &mut registry)?;
    let doors = doors(&store, &web, discord.as_ref());
    let (leaving, draining) = (CancellationToken::new(), CancellationToken::new());
    let mut finishing = JoinSet::new();
    // a worker has no doors to say reminders through
    if config.jobs.role == Role::Worker {
        ReminderMetrics::new(&mut registry);
    } else {
        let reminders = Reminders {
            store: store.clone(),
            doors: doors.clone(),
            metrics: ReminderMetrics::new(&mut registry),
            lease: config.store.reminder_lease,
        };
        finishing.spawn(reminders.follow(Arc::clone(&flags), draining.clone()));
    }
    let stops = Stops::new(store.clone(), StopMetrics::new(&mut registry)).await;
    let stops = Arc::new(stops);
    followers.spawn(Arc::clone(&stops).follow());
    let activity = Activity::new(store.clone(), ActivityMetrics::new(&mut registry));
    let activity = Arc::new(activity);
    finishing.spawn(Arc::clone(&activity).follow(Arc::clone(&flags), draining.clone()));
    let model = Model::open(&config.ai, &store, &mut registry, &outbound)?;
    let model = Arc::new(model);
    followers.spawn(Arc::clone(&model).keep_books());
    let reboot = Reboot::default();
    let rounds_per_ms = tokio::task::spawn_blocking(calibrate).await?;
    let services = Services {
        store: store.clone(),
        stops: Arc::clone(&stops),
        activity,
        reboot: reboot.clone(),
        model,
        memory: Memory::new(&config.ai),
        costs: Costs::new(&config.load, rounds_per_ms),
        guild: discord.as_ref().and_then(Discord::guild),
    };
    let gateway = jobs
        .as_mut()
        .and_then(|jobs| jobs.gateway(store.clone(), doors));
    let chat = Arc::new(Chat {
        flags: Arc::clone(&flags),
        metrics: Arc::clone(&metrics),
        pools: Arc::new(pools(&config.pools, &metrics)),
        services: Arc::new(services),
        manners: Arc::clone(&manners),
        logs: Logs::new(&config.logs)?,
        deadline: config.pools.deadline,
        gateway,
    });
    let heard = config.jobs.role != Role::Worker;
    let app = App {
        chat: Arc::clone(&chat),
        flags,
        manners,
        store: store.clone(),
        stops,
        probes: Probes::new(),
        discord: discord.as_ref().filter(|_| heard).map(Discord::metrics),
        registry,
        web,
        leaving: leaving.clone(),
        draining: draining.clone(),
    };
    Ok(Built {
        app,
        chat,
        discord,
        jobs,
        store,
        reboot,
        leaving,
        draining,
        followers,
        finishing,
    })
}

/// Through which the bot can speak unasked.
fn doors(store: &Store, web: &Web, discord: Option<&Discord>) -> Vec<(Door, Arc<dyn Deliver>)> {
    let inbox: Arc<dyn Deliver> = Arc::new(Inbox::new(store.clone(), Arc::clone(&web.hub)));
    let mut doors = vec![(Door::Page, Arc::clone(&inbox)), (Door::Api, inbox)];
    doors.extend(discord.map(|discord| (Door::Discord, discord.deliver())));
    doors
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
