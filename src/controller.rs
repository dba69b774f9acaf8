//! The operator: watches, and what each change leads to.
//!
//! - [`watches`]: what is watched, and which policies a change concerns
//! - [`reconcile`]: one policy brought to where it should be, as a table of contents
//! - `admit`, `understand`, `restore`, `rebuild`: how a policy gets its standing
//! - `standby`, `takeover`: what an operator does while another one leads, and when that ends
//! - `decider`: observations in, decisions out
//! - `unready`: what becomes of policies where the cluster cannot be read
//! - `observe`, `apply`, `scaling`, `report`, `events`, `finalizer`, `release`: the only places that talk to the
//!   API server

mod admit;
mod apply;
mod autoscalers;
mod context;
mod decider;
pub(crate) mod error;
mod events;
mod failing;
mod finalizer;
mod former;
mod gauges;
mod hand;
mod incomplete;
mod kept;
mod late;
mod live;
mod namespaces;
mod observe;
mod rebuild;
mod reconcile;
mod record;
mod release;
mod relist;
mod report;
mod restore;
mod rewatch;
mod rivals;
mod scaling;
mod secrets;
mod sources;
mod standby;
mod standing;
mod takeover;
mod tokens;
mod understand;
mod unready;
mod verify;
mod watches;
mod words;
mod workloads;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures::StreamExt;
use jiff::Timestamp;
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::events::{Recorder, Reporter};
use kube::runtime::reflector::ObjectRef;
use kube::runtime::reflector::store::Writer;
use kube::{Client, ResourceExt};
use prometheus_client::registry::Registry;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::context::{Context, ScopeHandle};
use self::error::ApiError;
use self::sources::{Grants, Sources};
use self::standing::Standings;
use self::watches::{Guarded, Scope, Triggers, Writers};
use crate::admin;
use crate::api::MetricsSource;
use crate::election::{Election, Elector, Leadership};
use crate::metrics::{ElectionMetrics, Metrics, ReasonLabels};
use crate::policy::WorkloadKind;
use crate::prometheus::metrics::PollerMetrics;
use crate::prometheus::poller::PolicyKey;
use crate::time::Time;

/// How the operator is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The implicit source named `default`.
    pub prometheus_url: Option<String>,
    /// The namespaces to work in; empty is all.
    pub namespaces: Vec<String>,
    /// Where the Secrets are that `MetricsSource`s name: the operator's own namespace.
    pub secrets_namespace: Option<String>,
    /// Labels that a policy must have to be ours.
    pub selector: Option<String>,
    /// Where `/metrics`, `/healthz` and `/readyz` are served.
    pub metrics_address: SocketAddr,
    /// Where the live JSON is served.
    pub admin_address: SocketAddr,
}

/// How many policies are reconciled at once.
const CONCURRENCY: u16 = 16;
/// How many observations may wait for the decider.
const EVENTS: usize = 1024;
/// How long a failed reconcile waits before it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Runs the operator until `stop`; with an election, it acts once it is elected.
///
/// # Errors
///
/// Where a port cannot be had, a part of it ends, or the leadership is lost: the process has to end then.
pub async fn run(
    client: Client,
    election: Option<Election>,
    options: Options,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let metrics_listener = admin::bind(options.metrics_address).await?;
    let admin_listener = admin::bind(options.admin_address).await?;
    let mut registry = Registry::with_prefix("brownout");
    let poller_metrics = PollerMetrics::default();
    poller_metrics.register(&mut registry);
    let (events, observations) = mpsc::channel(EVENTS);
    let source_writer = Writer::<MetricsSource>::default();
    let (change, changes) = mpsc::unbounded_channel();
    let mut parts = Vec::new();
    let mut scopes = Vec::new();
    for namespace in namespaces(&options) {
        let (scope, writers) = Scope::new(namespace, options.selector.clone());
        let (kick, kicked) = mpsc::unbounded_channel();
        parts.push((scope.clone(), writers, kicked));
        scopes.push(ScopeHandle { scope, kick });
    }
    let elector = election.map(|election| {
        let metrics = ElectionMetrics::register(&mut registry);
        Elector::new(election, metrics)
    });
    // Nothing is written past the fence: the election has a client of its own.
    let client = match &elector {
        Some(elector) => elector.fence().client(client),
        None => client,
    };
    let reporter = Reporter {
        controller: "brownout.dev/controller".to_owned(),
        instance: None,
    };
    let context = Arc::new(Context {
        sources: Sources::new(
            source_writer.as_reader(),
            options.prometheus_url.clone(),
            Grants::new(&client, options.secrets_namespace.clone(), change),
            events,
            poller_metrics.clone(),
        ),
        recorder: Recorder::new(client.clone(), reporter),
        metrics: Metrics::register(&mut registry),
        client: client.clone(),
        scopes,
        standings: Standings::default(),
        ready: watch::Sender::new(false),
        started: Time::from(Timestamp::now()),
        waiting: takeover::Waiting::default(),
        listed: takeover::Listed::default(),
        leadership: elector
            .as_ref()
            .map_or_else(Leadership::undisputed, Elector::leadership),
    });
    let live = live::shown(&context);
    let registry = Arc::new(registry);
    // They go on while what is under way is finished, so that a scrape still sees it.
    let servers = async {
        tokio::try_join!(
            admin::serve_metrics(metrics_listener, registry, Arc::clone(&live)),
            admin::serve_live(admin_listener, live),
        )
    };
    let sources = sources::follow(&context, source_writer, changes);
    let controllers = parts.into_iter().map(|(scope, writers, kicked)| {
        control(Arc::clone(&context), scope, writers, kicked, stop.clone())
    });
    let decider = decider::run(Arc::clone(&context), observations);
    let becoming_ready = become_ready(&context);
    let resign = CancellationToken::new();
    let mut candidacy = standby::Candidacy::begin(&context, elector, &resign);
    let drained = standby::drained(futures::future::join_all(controllers), &context, &stop);
    let finished = tokio::select! {
        served = servers => return served.map(drop).context("a port of ours failed"),
        () = sources => anyhow::bail!("the watch of MetricsSources ended"),
        () = decider => anyhow::bail!("the decider ended"),
        never = becoming_ready => match never {},
        lost = candidacy.lost() => return Err(lost),
        finished = drained => finished,
    };
    // With a write still under way, the lease is left to run out.
    if finished {
        resign.cancel();
        candidacy.end().await?;
    }
    Ok(())
}

fn namespaces(options: &Options) -> Vec<Option<String>> {
    if options.namespaces.is_empty() {
        vec![None]
    } else {
        options.namespaces.iter().cloned().map(Some).collect()
    }
}

/// The controller of one scope, until `stop`; what is under way is finished first.
async fn control(
    context: Arc<Context>,
    scope: Scope,
    writers: Writers,
    kicked: mpsc::UnboundedReceiver<ObjectRef<Guarded>>,
    stop: CancellationToken,
) {
    let mut triggers = scope.watch(&context.client, writers);
    if !standby::wait_for_turn(&context, &scope, &mut triggers, &stop).await {
        return;
    }
    let Triggers {
        policies,
        config_maps,
        deployments,
        stateful_sets,
        autoscalers,
    } = triggers;
    let store = scope.policies.clone();
    let (maps, workloads, sets) = (store.clone(), store.clone(), store.clone());
    let autoscaled = store.clone();
    // Nothing is reconciled before every store has its first list: an empty one is no empty cluster.
    let kicks = futures::stream::unfold(kicked, async |mut kicked| {
        kicked.recv().await.map(|key| (key, kicked))
    });
    Controller::for_stream(policies, store)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .trigger_backoff(rewatch::NoPause)
        .watches_stream(config_maps, move |map| {
            watches::policies_publishing(
                &maps,
                &map.namespace().unwrap_or_default(),
                &map.name_any(),
            )
        })
        .watches_stream(deployments, move |deployment| {
            let workload = watches::workload(WorkloadKind::Deployment, deployment.name_any());
            watches::policies_naming(
                &workloads,
                &deployment.namespace().unwrap_or_default(),
                &workload,
            )
        })
        .watches_stream(stateful_sets, move |set| {
            let workload = watches::workload(WorkloadKind::StatefulSet, set.name_any());
            watches::policies_naming(&sets, &set.namespace().unwrap_or_default(), &workload)
        })
        .watches_stream(autoscalers, move |autoscaler| {
            watches::policies_autoscaled(&autoscaled, &autoscaler)
        })
        .reconcile_on(kicks)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(
            async |object, context: Arc<Context>| match unready::wait(&context, &object).await {
                Some(instead) => instead,
                None => reconcile::reconcile(object, context).await,
            },
            |object, err, context| failed(object.as_ref(), err, &context),
            Arc::clone(&context),
        )
        .for_each(async |result| ended(&context, result))
        .await;
}

fn failed(object: &Guarded, err: &ApiError, context: &Context) -> Action {
    let reason = err.reason();
    context
        .metrics
        .reconcile_errors
        .get_or_create(&ReasonLabels { reason })
        .inc();
    match err {
        // The watch or the next list brings the newer object; this was a lost race, not a failure.
        ApiError::Changed => tracing::debug!(
            namespace = object.namespace(),
            policy = object.name_any(),
            "decided on an older object: again"
        ),
        err => tracing::warn!(
            namespace = object.namespace(),
            policy = object.name_any(),
            error = %err,
            "a reconcile failed and is tried again"
        ),
    }
    Action::requeue(RETRY)
}

fn ended<Q>(
    context: &Context,
    result: Result<(ObjectRef<Guarded>, Action), kube::runtime::controller::Error<ApiError, Q>>,
) where
    Q: std::error::Error + 'static,
{
    use kube::runtime::controller::Error;
    match result {
        Ok(_) | Err(Error::ReconcilerFailed(..)) => {}
        Err(Error::ObjectNotFound(object)) => {
            let namespace = object.namespace.clone().unwrap_or_default();
            release::forget(
                context,
                &PolicyKey {
                    namespace,
                    name: object.name.clone(),
                },
            );
        }
        Err(err) => tracing::warn!(error = %err, "a watch failed and is started again"),
    }
}

async fn become_ready(context: &Context) -> std::convert::Infallible {
    // An error means that the writer is gone: we are stopping.
    let _ = context.sources.store().wait_until_ready().await;
    unready::wait_for_scopes(context).await;
    context.ready.send_replace(true);
    std::future::pending().await
}
