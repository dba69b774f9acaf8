//! A real `PostgreSQL` for one test, on a socket in a folder of its own; it dies with the test.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection, Executor};
use tempfile::TempDir;

use crate::store::{Store, StoreError};

pub(super) const PASSWORD: &str = "correct-horse";

pub(super) struct Postgres {
    dir: TempDir,
    server: Child,
}

impl Postgres {
    pub(super) fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let password = dir.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        for path in [dir.path(), &password] {
            if let Some((user, group)) = other_user() {
                chown(path, Some(user), Some(group)).unwrap();
            }
        }
        let output = command("initdb")
            .arg("--pgdata")
            .arg(dir.path().join("data"))
            .arg("--pwfile")
            .arg(&password)
            .args(["--username=bot", "--auth=scram-sha-256", "--encoding=UTF8"])
            .args(["--no-locale", "--no-sync"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let server = serve(dir.path());
        Self { dir, server }
    }

    /// Makes a database and gives its URL.
    pub(super) async fn database(&self, name: &str) -> String {
        let url = |name: &str| {
            let dir = self.dir.path().display();
            format!("postgres://bot:{PASSWORD}@localhost/{name}?host={dir}")
        };
        let begin = Instant::now();
        let mut connection = loop {
            match sqlx::PgConnection::connect(&url("postgres")).await {
                Ok(connection) => break connection,
                Err(error) => assert!(begin.elapsed() < Duration::from_mins(1), "{error}"),
            }
            tokio::task::yield_now().await;
        };
        let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        connection.execute(statement).await.unwrap();
        url(name)
    }

    /// Kills it, and waits for its backends: a moment longer they still answer, and they keep a new one
    /// from starting.
    pub(super) fn kill(&mut self) {
        let pid = self.server.id();
        let children = format!("/proc/{pid}/task/{pid}/children");
        let children = std::fs::read_to_string(children).unwrap();
        self.server.kill().unwrap();
        self.server.wait().unwrap();
        let begin = Instant::now();
        for child in children.split_whitespace() {
            while runs(child) {
                assert!(begin.elapsed() < Duration::from_mins(1), "{child} lives on");
                std::thread::yield_now();
            }
        }
    }

    pub(super) fn start_again(&mut self) {
        self.server = serve(self.dir.path());
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A store that is up: a busy machine may take longer to let somebody in than a bot waits for it.
pub(super) async fn opened(url: &str) -> Result<Store, StoreError> {
    let begin = Instant::now();
    loop {
        let store = Store::of(url).await?;
        if store.is_up() || begin.elapsed() > Duration::from_mins(1) {
            return Ok(store);
        }
    }
}

/// Whether it runs; one that has ended may stay in the table until its new parent looks, without a command line.
fn runs(pid: &str) -> bool {
    let command_line = std::fs::read(format!("/proc/{pid}/cmdline"));
    command_line.is_ok_and(|text| !text.is_empty())
}

fn serve(dir: &Path) -> Child {
    command("postgres")
        .arg("-D")
        .arg(dir.join("data"))
        .arg("-k")
        .arg(dir)
        .args(["-c", "listen_addresses=", "-c", "shared_buffers=16MB"])
        // what is killed here is the server, never the machine: no test is to wait for the disk
        .args(["-c", "fsync=off"])
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Uid and gid of `postgres`, where we are root: no server of it runs as root.
fn other_user() -> Option<(u32, u32)> {
    let id = |option: &str, user: &[&str]| -> u32 {
        let output = Command::new("id").arg(option).args(user).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.trim().parse().unwrap()
    };
    (id("-u", &[]) == 0).then(|| (id("-u", &["postgres"]), id("-g", &["postgres"])))
}

/// A program of `PostgreSQL` that the kernel kills when we die.
fn command(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    if other_user().is_some() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    command
        .args(["--pdeathsig=KILL", "--"])
        .arg(folder().join(program));
    command.env("LC_ALL", "C").current_dir("/");
    command
}

/// Where Debian has the newest one.
fn folder() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut bins: Vec<PathBuf> = versions
        .flatten()
        .map(|version| version.path().join("bin"))
        .filter(|bin| bin.join("postgres").is_file())
        .collect();
    bins.sort();
    bins.pop()
        .expect("apt-get install postgresql: the tests of the store need a real one")
}
