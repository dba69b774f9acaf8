//! Sources that let nobody in without credentials: real ones, that change while they are used.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use brownout::api::conditions::SOURCE_NOT_FOUND;
use e2e::certs::{Authority, Identity};
use e2e::exporter::Exporter;
use e2e::guard::{Admits, Guard};
use e2e::harness::{Ctx, trial};
use e2e::prometheus::{Options, Prometheus, Web};
use e2e::wait::await_condition;
use k8s_openapi::api::core::v1::Secret;
use kube::api::DeleteParams;
use libtest_mimic::Trial;

use crate::faults_support::{INTERVAL, await_live, await_ticks};
use crate::sources_support::{
    apply_policy, apply_secret, apply_source, delete_sources, nowhere, operator, source_name,
};
use crate::support::{
    GAUGE, PolicyYaml, SOON, await_level, await_ready, await_reason, await_status, ready_message,
};

pub(crate) fn tests() -> Vec<Trial> {
    vec![
        trial("sources_with_tls_and_a_login", with_tls_and_a_login),
        trial("sources_with_a_token_that_is_rotated", rotated),
        trial("sources_with_a_secret_that_is_wrong", wrong_secrets),
    ]
}

/// Two passwords as `users` of a web configuration wants them (bcrypt).
const LOGINS: [(&str, &str); 2] = [
    (
        "first-password",
        "$2b$04$abcdefghijklmnopqrstuuT2j8U6U5rBY6aIOMzZiJOWuJPYKLLOe",
    ),
    (
        "second-password",
        "$2b$04$abcdefghijklmnopqrstuukluLair1GoPMg9PQfjHAu2MGkeVdhk2",
    ),
];

/// A Prometheus with HTTPS and a login, and its authority.
struct Secured {
    prometheus: Prometheus,
    config: PathBuf,
    identity: Identity,
    ca: String,
}

impl Secured {
    async fn start(ctx: &Ctx, folder: &Path) -> Result<Self> {
        let authority = Authority::create(folder)?;
        let identity = authority.server("prometheus", &["127.0.0.1"])?;
        let ca = fs::read_to_string(authority.cert())?;
        let config = folder.join("web.yml");
        write_web(&config, &identity, LOGINS[0].1)?;
        let login = format!("Basic {}", base64(format!("brownout:{}", LOGINS[0].0)));
        let headers = [("authorization".parse()?, login.parse()?)];
        let client = reqwest::Client::builder()
            .no_proxy()
            .tls_certs_only([reqwest::Certificate::from_pem(ca.as_bytes())?])
            .default_headers(headers.into_iter().collect())
            .build()?;
        let options = Options {
            web: Some(Web {
                config: config.clone(),
                client,
            }),
            ..Options::new(format!("{}-secured", ctx.namespace()))
        };
        let prometheus = Prometheus::start(ctx.environment().run.clone(), &options).await?;
        Ok(Self {
            prometheus,
            config,
            identity,
            ca,
        })
    }
}

fn write_web(path: &Path, identity: &Identity, hash: &str) -> Result<()> {
    let (cert, key) = (identity.cert.display(), identity.key.display());
    let web = format!(
        "tls_server_config: {{cert_file: {cert}, key_file: {key}}}\nbasic_auth_users: {{brownout: '{hash}'}}\n"
    );
    fs::write(path, web).with_context(|| format!("cannot write {}", path.display()))
}

/// As Secrets have it on the wire.
fn base64(bytes: impl Into<Vec<u8>>) -> String {
    let value = serde_json::json!(k8s_openapi::ByteString(bytes.into()));
    value.as_str().unwrap_or_default().to_owned()
}

const LOGIN: &str = ", auth: {basicAuthSecret: {name: login}}, tls: {caSecret: {name: authority}}";

async fn with_tls_and_a_login(ctx: Ctx) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let secured = Secured::start(&ctx, folder.path()).await?;
    let bot = Exporter::start().await?;
    bot.register(&secured.prometheus, &[("job", ctx.job())])?;
    bot.gauge(GAUGE, &[]).set(300.0);
    let url = secured.prometheus.url();
    let other = Authority::create(&folder.path().join("other"))?;
    let other = fs::read_to_string(other.cert())?;
    apply_secret(&ctx, "authority", &[("ca.crt", &other)]).await?;
    let login = |password| [("username", "brownout"), ("password", password)];
    apply_secret(&ctx, "login", &login(LOGINS[0].0)).await?;
    let operator = operator(&ctx).await?;
    apply_source(&ctx, "login", (&url, LOGIN, "")).await?;
    apply_source(
        &ctx,
        "believing",
        (
            &url,
            ", auth: {basicAuthSecret: {name: login}}, tls: {insecureSkipVerify: true}",
            "",
        ),
    )
    .await?;
    apply_policy(&ctx, "bot", "login", "missing: {after: 2s}").await?;
    apply_policy(&ctx, "believing", "believing", "").await?;

    // somebody else's authority
    await_live(
        &operator,
        "bot",
        "a certificate that is not believed",
        |live| live["signals"][0]["unknown"] == "Transport" && live["blind"] == true,
    )
    .await?;
    await_level(&ctx, "believing", 1).await?;
    apply_secret(&ctx, "authority", &[("ca.crt", &secured.ca)]).await?;
    await_level(&ctx, "bot", 1).await?;
    await_ready(&ctx, "bot").await?;

    // the password changes on one side, then on the other
    write_web(&secured.config, &secured.identity, LOGINS[1].1)?;
    await_live(&operator, "bot", "a login that is refused", |live| {
        live["signals"][0]["unknown"] == "Http"
            && live["signals"][0]["detail"]
                .as_str()
                .is_some_and(|detail| detail.contains("401"))
    })
    .await?;
    apply_secret(&ctx, "login", &login("second-password\n")).await?;
    await_live(&operator, "bot", "a login that is accepted", |live| {
        live["signals"][0]["value"] == 300.0
    })
    .await?;
    let encoded = LOGINS.map(|(password, _)| base64(format!("brownout:{password}")));
    let secrets = [LOGINS[0].0, LOGINS[1].0, &encoded[0], &encoded[1]];
    nowhere(&ctx, &operator, &secrets).await?;
    delete_sources(&ctx).await
}

const TOKEN: &str = ", auth: {bearerTokenSecret: {name: token}}";

/// A rotation as it should be done, with both valid for a while, costs no reading: nothing is refused,
/// and what had been clear for some time still is.
async fn rotated(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge(GAUGE, &[]);
    depth.set(300.0);
    let guard = Guard::start(&ctx.prometheus().url(), Admits::tokens(&["token-one"])).await?;
    apply_secret(&ctx, "token", &[("token", "token-one\n")]).await?;
    let operator = operator(&ctx).await?;
    apply_source(&ctx, "token", (&guard.url(), TOKEN, "")).await?;
    apply_policy(&ctx, "bot", "token", "").await?;
    await_level(&ctx, "bot", 1).await?;
    let breached = || async {
        let live = await_live(&operator, "bot", "a comparison", |live| {
            live["comparisons"][0]["breachedFor"].is_number()
        });
        live.await?["comparisons"][0]["breachedFor"]
            .as_i64()
            .context("milliseconds")
    };
    let before = breached().await?;

    guard.admit(Admits::tokens(&["token-one", "token-two", "token-three"]));
    apply_secret(
        &ctx,
        "token",
        &[("token", "token-two"), ("next", "token-three")],
    )
    .await?;
    await_token(&guard, "token-two").await?;
    // and another key, by the source's owner
    let next = ", auth: {bearerTokenSecret: {name: token, key: next}}";
    apply_source(&ctx, "token", (&guard.url(), next, "")).await?;
    await_token(&guard, "token-three").await?;
    guard.admit(Admits::tokens(&["token-three"]));
    await_ticks(&operator, "bot", 3).await?;
    let (_, refused) = guard.counts();
    ensure!(refused == 0, "{refused} requests were refused");
    let after = breached().await?;
    ensure!(
        after >= before + 3 * INTERVAL,
        "breached for {before} ms, and then for {after} ms"
    );
    depth.set(0.0);
    let status = await_level(&ctx, "bot", 0).await?;
    ensure!(status.history.len() == 2, "{:?}", status.history);
    nowhere(&ctx, &operator, &["token-one", "token-two", "token-three"]).await?;
    delete_sources(&ctx).await
}

async fn await_token(guard: &Guard, token: &str) -> Result<()> {
    await_condition(&format!("{token} to be sent"), SOON, async || {
        let sent = guard.last().and_then(|request| request.token);
        Ok((sent.as_deref() == Some(token)).then_some(()))
    })
    .await
}

async fn wrong_secrets(ctx: Ctx) -> Result<()> {
    let bot = ctx.exporter().await?;
    let depth = bot.gauge(GAUGE, &[]);
    depth.set(300.0);
    let guard = Guard::start(&ctx.prometheus().url(), Admits::tokens(&["token-one"])).await?;
    let operator = operator(&ctx).await?;
    apply_source(&ctx, "token", (&guard.url(), TOKEN, "")).await?;
    apply_policy(&ctx, "bot", "token", "").await?;
    // one that needs nothing goes on meanwhile
    ctx.apply(&PolicyYaml::with_ladder(&ctx, "other").to_string())
        .await?;

    let says = async |parts: &[&str]| {
        await_status(&ctx, "bot", &parts.join(", "), |status| {
            let message = ready_message(status);
            parts.iter().all(|part| message.contains(part))
        })
        .await
    };
    let source = source_name(&ctx, "token");
    let status = says(&["there is none"]).await?;
    await_reason(&ctx, "bot", SOURCE_NOT_FOUND).await?;
    for part in [
        &source,
        "auth.bearerTokenSecret",
        "Secret token",
        "key token",
        ctx.namespace(),
    ] {
        ensure!(
            ready_message(&status).contains(part),
            "{part}: {}",
            ready_message(&status)
        );
    }
    apply_secret(&ctx, "token", &[("tokne", "token-one")]).await?;
    says(&["key token", "lacks it"]).await?;
    apply_secret(&ctx, "token", &[("token", "token\none")]).await?;
    says(&["cannot be used", "visible ASCII"]).await?;
    let bytes = base64([0xff, 0xfe]);
    ctx.apply(&format!(
        "{{apiVersion: v1, kind: Secret, metadata: {{name: token}}, data: {{token: {bytes}}}}}"
    ))
    .await?;
    says(&["cannot be used"]).await?;
    ensure!(
        guard.counts() == (0, 0),
        "nothing was asked without a token"
    );

    apply_secret(&ctx, "token", &[("token", "token-one")]).await?;
    await_level(&ctx, "bot", 1).await?;
    await_ready(&ctx, "bot").await?;
    await_level(&ctx, "other", 1).await?;

    // it is taken away: the level holds, nothing is asked any more, and it comes back
    ctx.api::<Secret>()
        .delete("token", &DeleteParams::default())
        .await?;
    let status = says(&["there is none"]).await?;
    ensure!(status.level == 1, "the level holds");
    await_ticks(&operator, "other", 2).await?; // a last query may still be on its way
    let asked = guard.counts();
    depth.set(0.0);
    await_level(&ctx, "other", 0).await?;
    ensure!(guard.counts() == asked, "it was asked without its Secret");
    apply_secret(&ctx, "token", &[("token", "token-one")]).await?;
    await_level(&ctx, "bot", 0).await?;
    await_ready(&ctx, "bot").await?;
    nowhere(&ctx, &operator, &["token-one"]).await?;

    // the identity of this operator is a certificate
    let own = ", auth: {serviceAccountToken: {audience: thanos}}";
    apply_source(&ctx, "token", (&guard.url(), own, "")).await?;
    says(&["thanos", "no service account"]).await?;
    // and authorities that are none
    let none = ", tls: {caSecret: {name: token, key: token}}";
    apply_source(&ctx, "token", ("https://127.0.0.1:1", none, "")).await?;
    says(&["tls.caSecret", "BEGIN CERTIFICATE"]).await?;
    delete_sources(&ctx).await
}
