//! Free ports for servers that want to be told theirs, and that may want it again after a restart.
//!
//! The ports lie below the range from which the kernel takes the source ports of connections, so
//! nothing takes one while its server is being restarted; a lock file per port, held as long as
//! this process lives, keeps two runs on one machine apart.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, bail};

use crate::paths;

const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port of the loopback interface that no other run is given while this lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves a free port.
    pub fn reserve() -> Result<Self> {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let folder = paths::cache()?.join("ports");
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        // processes start their search at different places, so they seldom try the same port
        let start = u16::try_from(std::process::id() % u32::from(COUNT))?;
        for _ in 0..COUNT {
            let step = NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
            let number = FIRST + (start + step) % COUNT;
            let path = folder.join(number.to_string());
            let lock =
                File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
            if lock.try_lock().is_ok() && is_free(number) {
                return Ok(Self {
                    number,
                    _lock: lock,
                });
            }
        }
        bail!("no free port from {FIRST} to {}", FIRST + COUNT - 1)
    }

    /// The number of the port.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// `127.0.0.1:<port>`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}

fn is_free(number: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_reservations_differ_and_can_be_bound() {
        let (a, b) = (Port::reserve().unwrap(), Port::reserve().unwrap());
        assert_ne!(a.number(), b.number());
        TcpListener::bind(a.address()).unwrap();
        TcpListener::bind(b.address()).unwrap();
    }
}
