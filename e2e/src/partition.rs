//! A network between an operator and the API server that can be cut and that can stand still.
//!
//! It passes bytes on and knows nothing of what they say. On loopback only, and as long as it is held.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// They are passed on.
    Open,
    /// They wait: connections stay, and nothing arrives until it is open again.
    Frozen,
    /// Connections are closed, new ones too.
    Cut,
}

/// A network in front of a server. Dropping it cuts it.
#[derive(Debug)]
pub struct Partition {
    address: SocketAddr,
    state: watch::Sender<State>,
    server: JoinHandle<()>,
}

impl Partition {
    /// An open network in front of the cluster that a kubeconfig names.
    pub async fn start(kubeconfig: &Path) -> Result<Self> {
        let upstream = server(&read(kubeconfig)?)?
            .trim_start_matches("https://")
            .to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (state, watched) = watch::channel(State::Open);
        let server = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                // an error is the end of a connection, which both sides get to see
                tokio::spawn(connect(near, upstream.clone(), watched.clone()));
            }
        });
        Ok(Self {
            address,
            state,
            server,
        })
    }

    /// A kubeconfig beside another one that leads through this network.
    pub fn kubeconfig(&self, like: &Path) -> Result<PathBuf> {
        let mut config = read(like)?;
        let server = config.pointer_mut(SERVER).context("no server")?;
        *server = format!("https://{}", self.address).into();
        let path = like.with_extension(format!("through-{}.kubeconfig", self.address.port()));
        std::fs::write(&path, serde_saphyr::to_string(&config)?)?;
        Ok(path)
    }

    /// Passes everything on, also what waited.
    pub fn open(&self) {
        self.state.send_replace(State::Open);
    }

    /// Lets nothing arrive for now.
    pub fn freeze(&self) {
        self.state.send_replace(State::Frozen);
    }

    /// Closes every connection.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        self.server.abort();
        self.cut();
    }
}

const SERVER: &str = "/clusters/0/cluster/server";

fn read(kubeconfig: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(kubeconfig)
        .with_context(|| format!("cannot read {}", kubeconfig.display()))?;
    Ok(serde_saphyr::from_str(&text)?)
}

fn server(config: &Value) -> Result<&str> {
    let server = config.pointer(SERVER).and_then(Value::as_str);
    server.context("the kubeconfig names no server")
}

async fn connect(near: TcpStream, upstream: String, state: watch::Receiver<State>) -> Result<()> {
    let far = TcpStream::connect(upstream).await?;
    let (near, far) = (near.into_split(), far.into_split());
    tokio::select! {
        ended = pump(near.0, far.1, state.clone()) => ended,
        ended = pump(far.0, near.1, state) => ended,
    }
}

/// Passes bytes on in one direction; an error where the network was cut.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
) -> Result<()> {
    let mut buffer = vec![0; 1 << 14];
    loop {
        let read = tokio::select! {
            read = from.read(&mut buffer) => read?,
            cut = state.wait_for(|state| *state == State::Cut) => {
                cut?;
                anyhow::bail!("cut");
            }
        };
        let now = *state.wait_for(|state| *state != State::Frozen).await?;
        if read == 0 || now == State::Cut {
            return Ok(());
        }
        to.write_all(&buffer[..read]).await?;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// A server that sends back what it gets, and a network in front of it.
    async fn echo() -> (Partition, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut from, mut to) = stream.split();
                    tokio::io::copy(&mut from, &mut to).await.ok()
                });
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let kubeconfig = folder.path().join("a.kubeconfig");
        let text = format!("clusters: [{{cluster: {{server: 'https://{address}'}}}}]");
        std::fs::write(&kubeconfig, text).unwrap();
        let network = Partition::start(&kubeconfig).await.unwrap();
        let through = network.kubeconfig(&kubeconfig).unwrap();
        let config = read(&through).unwrap();
        assert_eq!(
            server(&config).unwrap(),
            format!("https://{}", network.address)
        );
        let stream = TcpStream::connect(network.address).await.unwrap();
        (network, stream)
    }

    #[tokio::test]
    async fn what_waits_in_a_frozen_network_arrives_when_it_is_open_again() {
        let (network, mut stream) = echo().await;
        let mut byte = [0];
        stream.write_all(b"a").await.unwrap();
        stream.read_exact(&mut byte).await.unwrap();
        network.freeze();
        stream.write_all(b"b").await.unwrap();
        let quiet = timeout(Duration::from_millis(100), stream.read_exact(&mut byte));
        assert!(quiet.await.is_err(), "nothing arrives");
        network.open();
        stream.read_exact(&mut byte).await.unwrap();
        assert_eq!(byte, *b"b");
    }

    #[tokio::test]
    async fn a_cut_ends_connections() {
        let (network, mut stream) = echo().await;
        stream.write_all(b"a").await.unwrap();
        stream.read_exact(&mut [0]).await.unwrap();
        network.cut();
        assert!(!matches!(stream.read(&mut [0]).await, Ok(1..)));
        let mut again = TcpStream::connect(network.address).await.unwrap();
        assert!(!matches!(again.read(&mut [0]).await, Ok(1..)));
    }
}
