//! The operator and the bot as pods, with the images that `make images` has built.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Service;
use kube::Api;
use serde_json::{Value, json};

use super::{BOT_OPTIONS, NAME, Place};
use crate::demo::step;
use crate::environment::Environment;
use crate::pods::{ReadyPod, install_operator};
use crate::shipped;

/// The pods behind the bot's Service.
const CORE: &str = "app.kubernetes.io/name=chatbotler,app.kubernetes.io/component=core";
const CORE_WORKER: &str = "chatbotler-core-worker";
const READY: Duration = Duration::from_secs(120);

/// The ports in the manifests.
const ADMIN: u16 = 8081;
const HTTP: u16 = 8080;

/// Where they run; they end with the cluster.
pub(super) struct Pods {
    operators: Vec<ReadyPod>,
    bot: ReadyPod,
    door: SocketAddr,
}

impl Pods {
    pub(super) async fn start(environment: &Environment, namespace: &str) -> Result<Self> {
        let installed = install_operator(environment);
        let mut operators = step("starting the operator's pods", installed).await?;
        let (bot, door) =
            step("starting the bot's pods", start_bot(environment, namespace)).await?;
        let leader = environment.cluster.await_leader(READY);
        let what = "waiting for one of the operator's pods to lead (up to 15 s after the start)";
        let leader = step(what, leader).await?;
        operators.sort_by_key(|pod| pod.name != leader.name); // who leads is asked first
        Ok(Self {
            operators,
            bot,
            door,
        })
    }

    pub(super) fn place(&self) -> Place {
        Place {
            door: self.door,
            bot: self.bot.at(HTTP),
            live: self
                .operators
                .iter()
                .map(|pod| pod.at(ADMIN).to_string())
                .collect(),
            log: format!("the bot's log: kubectl logs {}", self.bot.name),
        }
    }
}

/// What is missing is told before anything is started.
pub(super) fn check() -> Result<()> {
    shipped::image("brownout")?;
    shipped::image(NAME)?;
    Ok(())
}

/// One core pod and its Service. Prometheus finds the pods itself, those too that a level adds.
async fn start_bot(environment: &Environment, namespace: &str) -> Result<(ReadyPod, SocketAddr)> {
    let cluster = &environment.cluster;
    cluster.node()?.import(&shipped::image(NAME)?).await?;
    let mut objects = shipped::manifest(shipped::BOT)?;
    shipped::add_to_container(
        &mut objects,
        "args",
        &BOT_OPTIONS.map(|option| json!(option)),
    );
    // one, since the story's rates are made for what one can do on a small machine
    for object in objects.iter_mut().filter(|object| is_core(object)) {
        object["spec"]["replicas"] = json!(1);
    }
    cluster.apply_objects(&objects, namespace).await?;
    let pods = cluster.await_pods(namespace, CORE, 1, READY).await?;
    let pod = pods.into_iter().next().context("there is one")?;
    let services: Api<Service> = Api::namespaced(cluster.client(), namespace);
    let Some(spec) = services.get(NAME).await?.spec else {
        bail!("the Service {NAME} is empty");
    };
    let address = spec.cluster_ip.context("the Service has no address")?;
    Ok((pod, format!("{address}:80").parse()?))
}

fn is_core(object: &Value) -> bool {
    object["kind"] == "Deployment" && object["metadata"]["name"] == CORE_WORKER
}
