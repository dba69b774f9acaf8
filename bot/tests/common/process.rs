//! The bot as its operator starts it: a process.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

/// A bot as a child process. Dropped, it is killed.
pub struct Process {
    child: Child,
    /// Reads what it writes, or its pipe would be full and it would wait.
    log: Option<JoinHandle<String>>,
    pub url: String,
}

impl Process {
    pub fn start(options: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chatbotler"))
            .args(["--listen=127.0.0.1:0", "--store=sqlite::memory:"])
            .args(options)
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut log = String::new();
        let url = loop {
            let start = log.len();
            assert_ne!(stderr.read_line(&mut log).unwrap(), 0, "it ended: {log}");
            let line: Value = serde_json::from_str(&log[start..]).unwrap();
            if let Some(address) = line["address"].as_str() {
                break format!("http://{address}");
            }
        };
        let log = std::thread::spawn(move || {
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        Self {
            child,
            log: Some(log),
            url,
        }
    }

    /// Ends it in good order, and gives all that it ever wrote.
    pub fn end(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        let log = self.log.take().unwrap().join().unwrap();
        assert!(self.child.wait().unwrap().success(), "{log}");
        log
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
