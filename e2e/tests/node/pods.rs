//! Do pods live as they should: start, say something, end, read what is mounted, use the CPU?

use anyhow::{Context as _, Result, ensure};
use e2e::harness::{Ctx, trial, trial_within};
use e2e::image::{BUSYBOX, Image};
use e2e::wait::await_condition;
use kube::ResourceExt as _;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use libtest_mimic::Trial;

use crate::support::{DEADLINE, address, await_available, pods_of, scale, start_web};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("pods_run_and_say_so", run_and_say_so),
        trial("pods_go_and_come_as_it_is_scaled", go_and_come),
        trial("pods_run_from_an_image_made_here", image_made_here),
        trial("pods_see_a_changed_config_map", changed_config_map),
        trial_within(2 * DEADLINE, "pods_have_metrics", metrics),
    ]
}

async fn run_and_say_so(ctx: Ctx) -> Result<()> {
    start_web(&ctx, 1).await?;
    await_condition("the log of the pod", DEADLINE, || async {
        let said = ctx.kubectl(&["logs", "deployment/web"]).await?;
        ensure!(said.trim() == "started", "it says {said}");
        Ok(Some(()))
    })
    .await?;
    let host = ctx.kubectl(&["exec", "deployment/web", "--", "sh", "-c", "echo $HOSTNAME"]);
    let pod = pods_of(&ctx, "web").await?.remove(0);
    assert_eq!(host.await?.trim(), pod.name_any());
    Ok(())
}

async fn go_and_come(ctx: Ctx) -> Result<()> {
    start_web(&ctx, 2).await?;
    let before = pods_of(&ctx, "web").await?;
    scale(&ctx, "web", 0).await?;
    await_condition("the pods to be gone", DEADLINE, || async {
        Ok(pods_of(&ctx, "web").await?.is_empty().then_some(()))
    })
    .await?;
    for pod in &before {
        let url = format!("http://{}:8080/greeting", address(pod)?);
        assert!(
            e2e::http::get_text(&url).await.is_err(),
            "{url} is answered"
        );
    }
    scale(&ctx, "web", 3).await?;
    await_available(&ctx, "web", 3).await?;
    for pod in pods_of(&ctx, "web").await? {
        let url = format!("http://{}:8080/greeting", address(&pod)?);
        let greeting = e2e::http::get_text(&url).await?;
        assert_eq!(
            greeting.trim(),
            format!("greetings from {}", pod.name_any())
        );
    }
    Ok(())
}

async fn image_made_here(ctx: Ctx) -> Result<()> {
    let name = format!("local/{}:1", ctx.namespace());
    let archive = ctx
        .environment()
        .run
        .data()
        .join(format!("{}.tar", ctx.namespace()));
    let busybox = std::env::split_paths(&std::env::var_os("PATH").context("no PATH")?)
        .map(|folder| folder.join("busybox"))
        .find(|path| path.is_file())
        .context("no busybox")?;
    Image::scratch(&name)
        .program("/bin/busybox", busybox)
        .text("/etc/greeting", "from an image\n")
        .user("65532:65532")
        .entrypoint(&["/bin/busybox", "cat", "/etc/greeting"])
        .write(&archive)?;
    let node = ctx.node()?;
    // two tests may want the same image at once
    let (names, again) = tokio::try_join!(node.import(&archive), node.import(&archive))?;
    assert_eq!(names, [format!("docker.io/{name}")]);
    assert_eq!(again, names);
    ctx.apply(&format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: once}}
spec:
  restartPolicy: Never
  securityContext: {{runAsNonRoot: true}}
  containers: [{{name: once, image: '{name}', imagePullPolicy: Never}}]
"
    ))
    .await?;
    await_condition("what the pod says", DEADLINE, || async {
        let said = ctx.kubectl(&["logs", "once"]).await?;
        Ok((said == "from an image\n").then_some(()))
    })
    .await
}

async fn changed_config_map(ctx: Ctx) -> Result<()> {
    let flags = |value: u32| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: flags}}\ndata: {{level: 'level {value}'}}"
        )
    };
    ctx.apply(&flags(1)).await?;
    ctx.apply(&format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: reader}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: reader
    image: {BUSYBOX}
    imagePullPolicy: Never
    volumeMounts: [{{name: flags, mountPath: /flags}}]
  volumes: [{{name: flags, configMap: {{name: flags}}}}]
"
    ))
    .await?;
    for value in [1, 2] {
        ctx.apply(&flags(value)).await?;
        let what = format!("level {value} in the volume");
        await_condition(&what, DEADLINE, || async {
            let read = ctx.kubectl(&["exec", "reader", "--", "cat", "/flags/level"]);
            let read = read.await?;
            ensure!(read == format!("level {value}"), "it says {read}");
            Ok(Some(()))
        })
        .await?;
    }
    Ok(())
}

/// As autoscalers ask for them, and as people do.
async fn metrics(ctx: Ctx) -> Result<()> {
    ctx.apply(&format!(
        "
apiVersion: v1
kind: Pod
metadata: {{name: busy}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: busy
    image: {BUSYBOX}
    imagePullPolicy: Never
    command: [sh, -c, 'while :; do :; done']
    resources: {{limits: {{cpu: 100m, memory: 32Mi}}}}
"
    ))
    .await?;
    let kind = GroupVersionKind::gvk("metrics.k8s.io", "v1beta1", "PodMetrics");
    let resource = ApiResource::from_gvk_with_plural(&kind, "pods");
    let api: kube::Api<DynamicObject> =
        kube::Api::namespaced_with(ctx.client(), ctx.namespace(), &resource);
    await_condition("figures of the busy pod", DEADLINE, || async {
        let figures = api.get("busy").await?;
        let usage = &figures.data["containers"][0]["usage"];
        let cpu = usage["cpu"].as_str().context("no figure for the CPU")?;
        // in billionths: a loop that is held to 100m uses 100 millions, and less on a busy machine
        let cpu: u64 = cpu.trim_end_matches('n').parse()?;
        ensure!((5_000_000..200_000_000).contains(&cpu), "cpu: {cpu}n");
        Ok(Some(()))
    })
    .await?;
    let said = ctx.kubectl(&["top", "pod", "busy", "--no-headers"]).await?;
    let words: Vec<&str> = said.split_whitespace().collect();
    assert!(
        matches!(words[..], ["busy", cpu, memory] if cpu.ends_with('m') && memory.ends_with("Mi")),
        "{said}"
    );
    Ok(())
}
