//! A proxy between an operator and the API server that fails as networks and servers do: answers that
//! are wrong, late, lost before or after the request was carried out, and watches that break.
//!
//! It ends the operator's TLS with a certificate of the run's own authority and asks the real API
//! server as the operator's user. It speaks HTTP/1.1, so each watch has a connection of its own.

mod body;
mod fault;
mod frames;
mod request;
mod script;
mod serve;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::certs::Identity;
use crate::cluster::Cluster;
use crate::kubeconfig::{self, Credentials};

pub use fault::{Fault, Rule, Target, Times, WatchFault};
pub use request::Asked;
pub use script::{Script, Seen};

/// A proxy on a free port. Dropping it closes the port.
pub struct FaultProxy {
    kubeconfig: PathBuf,
    script: Arc<Script>,
    server: JoinHandle<()>,
}

impl FaultProxy {
    /// Starts a proxy that passes everything on, for a user with all rights.
    pub async fn start(cluster: &Cluster, user: &str) -> Result<Self> {
        let own = cluster
            .own
            .as_ref()
            .context("a proxy needs the certificates of a cluster that we started")?;
        let upstream = cluster.user(user, Some("system:masters")).await?;
        let upstream = kubeconfig::client_without_retries(&upstream.kubeconfig).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("cannot listen")?;
        let address = listener.local_addr()?;
        let file = format!("proxy-{}", address.port());
        let acceptor = acceptor(&own.authority.server(&file, &["127.0.0.1"])?)?;
        let kubeconfig = cluster.run.data().join(format!("{file}.kubeconfig"));
        // Who the operator claims to be does not matter: the proxy knows.
        kubeconfig::write(
            &kubeconfig,
            &url(address),
            &own.authority.cert(),
            &Credentials::Token("proxied"),
        )?;
        let script = Arc::new(Script::default());
        let served = Arc::clone(&script);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, script, upstream) =
                    (acceptor.clone(), Arc::clone(&served), upstream.clone());
                // An error says that one side has gone.
                tokio::spawn(
                    async move { connection(stream, acceptor, script, upstream).await.ok() },
                );
            }
        });
        Ok(Self {
            kubeconfig,
            script,
            server,
        })
    }

    /// The way to the cluster through this proxy.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// What goes wrong, and what was seen.
    pub fn script(&self) -> &Script {
        &self.script
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn url(address: SocketAddr) -> String {
    format!("https://{address}")
}

fn acceptor(identity: &Identity) -> Result<TlsAcceptor> {
    let cert = CertificateDer::from_pem_file(&identity.cert)?;
    let key = PrivateKeyDer::from_pem_file(&identity.key)?;
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![cert], key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn connection(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    script: Arc<Script>,
    upstream: kube::Client,
) -> Result<()> {
    // A second handle on the socket: what is to be reset is not in the hands of the TLS stream.
    let stream = stream.into_std()?;
    let socket = Arc::new(TcpStream::from_std(stream.try_clone()?)?);
    let stream = acceptor.accept(TcpStream::from_std(stream)?).await?;
    let service =
        hyper::service::service_fn(|request| serve::serve(&script, &upstream, &socket, request));
    hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}
