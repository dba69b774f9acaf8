//! Do the bot's own manifests hold in real pods: gateways and workers with NATS between them and one `PostgreSQL`?
//!
//! Two things are not as shipped, since this cluster has nobody who makes volumes: where a `PersistentVolumeClaim`
//! is asked for there is an `emptyDir`, and `PostgreSQL`, which the manifests expect to be there, is a process beside the node.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use e2e::harness::{Ctx, trial_within};
use e2e::image::Image;
use e2e::postgres::Postgres;
use e2e::rights::kustomize;
use e2e::tools::Tool;
use e2e::wait::await_condition;
use e2e::{http, paths, shipped};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::EvictParams;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::shipped::{drop_named, operator, restrict};
use crate::support::{DEADLINE, await_available};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial_within(
            4 * DEADLINE,
            "split_bot_loses_its_luxury_worker_and_nothing_else",
            loses_luxury,
        ),
        trial_within(2 * DEADLINE, "single_bot_answers", single_answers),
    ]
}

const GATEWAY: &str = "chatbotler-gateway";
const CORE: &str = "chatbotler-core-worker";
const LUXURY: &str = "chatbotler-luxury-worker";
/// What a talk costs here, and one at a time: two workers are soon at their limits.
const SLOW: [&str; 2] = ["--chat-ms=150", "--workers-important=1"];
/// Whoever waits is to be answered, however busy the machine is.
const PATIENT: &str = "--deadline=60s";
/// Messages under way at once while there is load: most of them wait.
const AT_ONCE: usize = 40;
/// So many jobs in the queue are too many, instead of the shipped number.
const TOO_MANY: &str = "10";

async fn loses_luxury(ctx: Ctx) -> Result<()> {
    operator(&ctx).await?;
    let postgres = start_split(&ctx).await?;
    let door = door(&ctx).await?;
    let reply = await_confetti(&door, true).await?;
    e2e::progress::say(format!("answered by workers: {reply}"));

    ctx.apply(&policy(&ctx)?).await?;
    let load = Load::start(&door);
    await_replicas(&ctx, LUXURY, |replicas| replicas == 0).await?;
    await_replicas(&ctx, CORE, |replicas| replicas >= 3).await?;
    let reply = await_confetti(&door, false).await?;
    e2e::progress::say(format!("without luxury-worker: {reply}"));

    // a worker leaves as by a drain, and never without work, as most of the load waits in the queue
    let labels = "app.kubernetes.io/component=core-worker";
    let workers = ctx.cluster().ready_pods(ctx.namespace(), labels).await?;
    let leaves = &workers.first().context("no core worker is ready")?.name;
    let before = load.answered();
    let pods = ctx.api::<Pod>();
    // what the disruption budget knows of the pods may be a moment old
    await_condition("the eviction", DEADLINE, || async {
        pods.evict(leaves, &EvictParams::default()).await?;
        Ok(Some(()))
    })
    .await?;
    await_condition("the evicted worker to be gone", DEADLINE, || async {
        Ok(pods.get_opt(leaves).await?.is_none().then_some(()))
    })
    .await?;
    await_condition("answers after the eviction", DEADLINE, || async {
        Ok((load.answered() >= before + AT_ONCE).then_some(()))
    })
    .await?;

    let answered = load.end().await?;
    e2e::progress::say(format!("{answered} messages, each answered"));
    await_replicas(&ctx, LUXURY, |replicas| replicas == 1).await?;
    await_confetti(&door, true).await?;
    let done = postgres.query("SELECT count(*) FROM jobs").await?;
    e2e::progress::say(format!("jobs that PostgreSQL remembers: {done}"));
    Ok(())
}

/// One process with its file; nothing beside it.
async fn single_answers(ctx: Ctx) -> Result<()> {
    restrict(&ctx).await?;
    ctx.node()?.import(&shipped::image("chatbotler")?).await?;
    let mut objects = built("single").await?;
    let without_claims = |it: &Value| it["kind"] != "PersistentVolumeClaim";
    objects.retain(without_claims);
    for object in &mut objects {
        if let Some(volumes) = object.pointer_mut("/spec/template/spec/volumes") {
            drop_named(volumes, "store");
            let store = json!({"name": "store", "emptyDir": {}});
            volumes.as_array_mut().context("volumes")?.push(store);
        }
    }
    let namespace = ctx.namespace();
    ctx.cluster().apply_objects(&objects, namespace).await?;
    await_available(&ctx, "chatbotler", 1).await?;
    let reply = await_confetti(&door(&ctx).await?, true).await?;
    ensure!(reply["feature"] == "ai-chat", "{reply}");
    Ok(())
}

async fn built(folder: &str) -> Result<Vec<Value>> {
    kustomize(&paths::checkout().join("manifests/chatbotler").join(folder)).await
}

/// The split in a namespace that is held to the strictest standard for pods.
async fn start_split(ctx: &Ctx) -> Result<Postgres> {
    restrict(ctx).await?;
    let host = ctx.node()?.host_address();
    let run = &ctx.environment().run;
    let postgres = Postgres::start_also_at(run, "postgres-for-pods", &host).await?;
    let secret = |name: &str, data: Value| json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
    // as a number the first would be another one
    let passwords = json!({"gateway": "12e4567890abcdef", "worker": "e24567890abcdef1"});
    let mut objects = vec![
        secret("chatbotler-store", json!({"url": postgres.url_at(&host)})),
        secret("chatbotler-nats", passwords),
    ];
    objects.extend(built("split").await?);
    for object in &mut objects {
        if object["kind"] == "StatefulSet" {
            import_nats(ctx, object).await?;
            object["spec"]["volumeClaimTemplates"] = json!([]);
            let data = json!({"name": "data", "emptyDir": {}});
            let volumes = &mut object["spec"]["template"]["spec"]["volumes"];
            volumes.as_array_mut().context("volumes")?.push(data);
        }
        let name = object["metadata"]["name"].clone();
        let slow: &[&str] = if name == CORE { &SLOW } else { &[] };
        if object["kind"] == "Deployment" {
            let args = &mut object["spec"]["template"]["spec"]["containers"][0]["args"];
            let args = args.as_array_mut().context("args")?;
            args.extend([PATIENT].iter().chain(slow).map(|option| json!(option)));
        }
    }
    let namespace = ctx.namespace();
    ctx.cluster().apply_objects(&objects, namespace).await?;
    await_available(ctx, GATEWAY, 2).await?;
    await_available(ctx, LUXURY, 1).await?;
    await_replicas(ctx, CORE, |replicas| replicas >= 2).await?;
    Ok(postgres)
}

/// The image that the manifest names, made of the server that the other tests run.
async fn import_nats(ctx: &Ctx, stateful_set: &Value) -> Result<()> {
    let image = &stateful_set["spec"]["template"]["spec"]["containers"][0]["image"];
    let image = image.as_str().context("the image of NATS")?;
    let program = Tool::NatsServer.find_or_build().await?;
    let version = image.split_once(':').context("its tag")?.1;
    ensure!(
        program.to_string_lossy().ends_with(version),
        "{} is not the version of the manifest, {version}",
        program.display()
    );
    let archive = ctx.environment().run.data().join("nats-image.tar");
    let image = Image::scratch(image).program("/nats-server", program);
    image.entrypoint(&["/nats-server"]).write(&archive)?;
    ctx.node()?.import(&archive).await.map(drop)
}

/// The shipped policy, about this namespace's pods alone and in haste.
fn policy(ctx: &Ctx) -> Result<String> {
    let mut policy = shipped::manifest("manifests/chatbotler/policy.yaml")?.remove(0);
    policy["spec"]["interval"] = json!("1s");
    policy["spec"]["maxLevel"] = json!("shed-luxury"); // talks are to go on
    policy["spec"]["defaults"]["window"] = json!("15s");
    policy["spec"]["recovery"]["after"] = json!("5s");
    for level in policy["spec"]["levels"].as_array_mut().context("levels")? {
        for condition in level["when"]["any"].as_array_mut().context("conditions")? {
            condition["for"] = json!("1s");
            if condition["signal"] == "jobs-waiting" && condition["above"] == "50" {
                condition["above"] = json!(TOO_MANY);
            }
        }
    }
    let text = serde_saphyr::to_string(&policy)?;
    let ours = format!("job=\"chatbotler\",namespace=\"{}\"", ctx.namespace());
    // in a quoted text of YAML the quotes are escaped
    let escaped = ours.replace('"', "\\\"");
    Ok(text
        .replace("job=\\\"chatbotler\\\"", &escaped)
        .replace("job=\"chatbotler\"", &ours))
}

/// Where the Service is reached from here.
async fn door(ctx: &Ctx) -> Result<String> {
    let service = ctx.api::<Service>().get("chatbotler").await?;
    let address = service.spec.and_then(|spec| spec.cluster_ip);
    Ok(format!(
        "http://{}/chat",
        address.context("the Service has no address")?
    ))
}

async fn ask(client: &reqwest::Client, door: &str) -> Result<Value> {
    let body = json!({"message": "How do you do?", "user": "visitor"});
    let request = client.post(door).timeout(DEADLINE).json(&body);
    let response = request.send().await?;
    let status = response.status();
    let reply: Value = response.json().await?;
    if status != 200 || reply["outcome"] != "ok" {
        bail!("{status}: {reply}");
    }
    Ok(reply)
}

async fn await_confetti(door: &str, wanted: bool) -> Result<Value> {
    let client = http::client()?;
    let what = format!("answers with confetti: {wanted}");
    await_condition(&what, DEADLINE, || async {
        let reply = ask(&client, door).await?;
        ensure!(reply["animation"].is_object() == wanted, "{reply}");
        Ok(Some(reply))
    })
    .await
}

/// All of them ready.
async fn await_replicas(ctx: &Ctx, name: &str, such: impl Fn(i32) -> bool) -> Result<()> {
    let deployments = ctx.api::<Deployment>();
    await_condition(&format!("the pods of {name}"), DEADLINE, || async {
        let status = deployments.get(name).await?.status.unwrap_or_default();
        let there = status.replicas.unwrap_or(0);
        let ready = status.ready_replicas.unwrap_or(0);
        ensure!(
            there == ready && such(ready),
            "{ready} of {there} are ready"
        );
        Ok(Some(()))
    })
    .await
}

/// People who talk without a pause.
struct Load {
    over: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    people: Vec<JoinHandle<Result<()>>>,
}

impl Load {
    fn start(door: &str) -> Self {
        let (over, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let person = |_| {
            let (over, answered) = (Arc::clone(&over), Arc::clone(&answered));
            let door = door.to_owned();
            tokio::spawn(async move {
                let client = http::client()?;
                while !over.load(Ordering::Relaxed) {
                    ask(&client, &door).await?;
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        };
        let people = (0..AT_ONCE).map(person).collect();
        Self {
            over,
            answered,
            people,
        }
    }

    fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends it; one message without a good answer is an error.
    async fn end(self) -> Result<usize> {
        self.over.store(true, Ordering::Relaxed);
        for person in self.people {
            let limit = tokio::time::timeout(Duration::from_secs(90), person);
            limit.await.context("an answer never came")???;
        }
        Ok(self.answered.load(Ordering::Relaxed))
    }
}
