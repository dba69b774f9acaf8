//! A real browser, headless, driven by `WebDriver`: for what only a page in a browser can show.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};

use crate::http;
use crate::pids::ProcessId;
use crate::ports::Port;
use crate::process::{Process, Spec};
use crate::run_dir::RunDir;
use crate::tools::on_path;

const READY: Duration = Duration::from_secs(30);
const KILL_DEADLINE: Duration = Duration::from_secs(5);

const MISSING: &str = "this test needs a browser: install Chromium and its driver \
    (Debian: apt-get install chromium chromium-driver)";

/// Without a screen, without a sandbox (which root cannot have), and without calling anybody.
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage", // containers often have a small /dev/shm
];

/// What the page is looked at with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    /// 360 × 740, two pixels for each, touched with fingers. A window cannot be that narrow: it is emulated.
    Phone,
    /// A window of 1280 × 800.
    Desktop,
}

/// A browser with one window. Dropping it kills it.
#[derive(Debug)]
pub struct Browser {
    name: String,
    run: Arc<RunDir>,
    client: Client,
    url: String,
    // in the order in which they are ended
    _chromium: Killed,
    _driver: Process,
    _port: Port,
}

impl Browser {
    /// Starts a browser under a name that is unique within the run.
    pub async fn start(run: Arc<RunDir>, name: &str, screen: Screen) -> Result<Self> {
        let driver = on_path("chromedriver").context(MISSING)?;
        let chromium = on_path("chromium")
            .or_else(|| on_path("google-chrome"))
            .context(MISSING)?;
        let home = run.subfolder(name)?;
        let port = Port::reserve()?;
        let spec = Spec::new(name, driver)
            .arg(format!("--port={}", port.number()))
            .env("HOME", home.as_os_str()); // what is kept beside the profile goes with the run, too
        let driver = Process::start(&run, &spec)?;
        let url = format!("http://{}", port.address());
        let status = format!("{url}/status");
        driver.await_ready(READY, || http::is_ok(&status)).await?;

        let capabilities = capabilities(screen, &chromium, &home.join("profile"));
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&url)
            .await
            .with_context(|| format!("no browser; its log: {}", driver.log().display()))?;
        let chromium = main_process(&client)?;
        run.record(chromium)?; // it is the driver's child, not ours: nobody else would end it
        Ok(Self {
            name: name.to_owned(),
            run,
            client,
            url,
            _chromium: Killed(chromium),
            _driver: driver,
            _port: port,
        })
    }

    /// Opens a page and waits until it is loaded.
    pub async fn open(&self, url: &str) -> Result<()> {
        let opened = self.client.goto(url).await;
        opened.with_context(|| format!("cannot open {url}"))
    }

    /// The first element that a CSS selector matches.
    pub async fn find(&self, selector: &str) -> Result<Element> {
        let found = self.client.find(Locator::Css(selector)).await;
        found.with_context(|| format!("the page has no {selector}"))
    }

    /// The visible text of every element that a CSS selector matches.
    pub async fn texts(&self, selector: &str) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        for element in self.client.find_all(Locator::Css(selector)).await? {
            texts.push(element.text().await?);
        }
        Ok(texts)
    }

    /// Whether a person would see the element.
    pub async fn is_visible(&self, selector: &str) -> Result<bool> {
        Ok(self.find(selector).await?.is_displayed().await?)
    }

    /// What a script returns.
    pub async fn script(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// Looks at the page with another screen, of so many pixels, from now on.
    pub async fn resize(&self, width: u32, height: u32) -> Result<()> {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 0, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics)
            .await
    }

    /// What the person prefers, as a style sheet asks for it: `prefers-color-scheme` and the like.
    pub async fn prefer(&self, preferences: &[(&str, &str)]) -> Result<()> {
        let features = preferences
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}));
        let features = json!({"features": features.collect::<Vec<_>>()});
        self.devtools("Emulation.setEmulatedMedia", features).await
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Result<()> {
        let body = json!({"cmd": command, "params": parameters});
        self.own("goog/cdp/execute", &body).await.map(drop)
    }

    /// A command of chromedriver that `WebDriver` does not know.
    async fn own(&self, command: &str, body: &Value) -> Result<Value> {
        let session = self.client.session_id().await?.context("no session")?;
        let url = format!("{}/session/{session}/{command}", self.url);
        let asked = http::client()?.post(&url).json(body);
        let answer: Value = asked.send().await?.error_for_status()?.json().await?;
        Ok(answer["value"].clone())
    }

    /// What the console has been told since the last asking, warnings and worse.
    pub async fn complaints(&self) -> Result<Vec<String>> {
        let log = self.own("se/log", &json!({"type": "browser"})).await?;
        let entries = log.as_array().context("not a log")?;
        Ok(entries.iter().map(ToString::to_string).collect())
    }

    /// Takes a picture of the window, kept among the run's logs.
    pub async fn screenshot(&self, what: &str) -> Result<PathBuf> {
        let path = self.run.logs().join(format!("{}-{what}.png", self.name));
        let png = self.client.screenshot().await?;
        fs::write(&path, png).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

fn capabilities(screen: Screen, chromium: &Path, profile: &Path) -> Map<String, Value> {
    let own = [
        format!("--user-data-dir={}", profile.display()),
        "--window-size=1280,800".to_owned(),
    ];
    let arguments: Vec<&str> = ARGUMENTS
        .into_iter()
        .chain(own.iter().map(String::as_str))
        .collect();
    let mut options = json!({"binary": chromium, "args": arguments});
    if screen == Screen::Phone {
        options["mobileEmulation"] = json!({
            "deviceMetrics": {"width": 360, "height": 740, "pixelRatio": 2, "touch": true, "mobile": true}
        });
    }
    let all = [
        ("browserName", json!("chrome")),
        ("goog:chromeOptions", options),
        ("goog:loggingPrefs", json!({"browser": "WARNING"})),
    ];
    all.map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .collect()
}

fn main_process(client: &Client) -> Result<ProcessId> {
    let told = client
        .capabilities()
        .and_then(|all| all.get("goog:processID"));
    let id = told
        .and_then(Value::as_u64)
        .context("chromedriver does not tell the browser's process id")?;
    ProcessId::of(u32::try_from(id)?)
}

/// Its helper processes go when it goes.
#[derive(Debug)]
struct Killed(ProcessId);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill_and_wait(KILL_DEADLINE);
    }
}
