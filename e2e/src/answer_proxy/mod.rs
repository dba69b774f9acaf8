//! A server between an operator and a Prometheus: it passes what it is asked on, or answers wrongly.
//!
//! Each way to be wrong has a base URL of its own, so that all of them can be served at once. It
//! speaks to the socket itself: much of what is wrong no HTTP library would send.

mod wrong;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::http;

pub use wrong::{Deed, Wrong, all};

/// Under this name everything is passed on, always: what a redirect leads to.
const RIGHT: &str = "right";

/// A server on a free port. Dropping it closes the port.
pub struct AnswerProxy {
    address: SocketAddr,
    state: Arc<State>,
    server: JoinHandle<()>,
}

struct State {
    upstream: String,
    client: reqwest::Client,
    wrongs: Vec<Wrong>,
    wrong: AtomicBool,
    address: SocketAddr,
}

/// A request as far as it matters here.
struct Request {
    /// The name of a way to be wrong: the first segment of the path.
    name: String,
    /// The rest of the path.
    path: String,
    body: Vec<u8>,
}

impl AnswerProxy {
    /// Starts a server in front of the one at `upstream` that passes everything on.
    pub async fn start(upstream: &str, wrongs: Vec<Wrong>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("cannot listen")?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            upstream: upstream.to_owned(),
            client: http::client()?,
            wrongs,
            wrong: AtomicBool::new(false),
            address,
        });
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                // an error says that the other side has heard enough
                tokio::spawn(async move { serve(&state, stream).await.ok() });
            }
        });
        Ok(Self {
            address,
            state,
            server,
        })
    }

    /// The base URL of a way to be wrong.
    pub fn url(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// Answers wrongly from now on, or rightly.
    pub fn set_wrong(&self, wrong: bool) {
        self.state.wrong.store(wrong, Ordering::SeqCst);
    }
}

impl Drop for AnswerProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Answers one request and closes the connection.
async fn serve(state: &State, stream: TcpStream) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let request = read_request(&mut stream).await?;
    let mut stream = stream.into_inner();
    let wrong = state.wrongs.iter().find(|wrong| wrong.name == request.name);
    match wrong.filter(|_| state.wrong.load(Ordering::SeqCst)) {
        Some(wrong) => misbehave(state, &wrong.deed, &mut stream).await?,
        None => pass_on(state, request, &mut stream).await?,
    }
    stream.shutdown().await?;
    // read to the end: closed with something unread, the other side could lose our answer
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await?;
    Ok(())
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Result<Request> {
    let mut first = String::new();
    stream.read_line(&mut first).await?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let path = first.split(' ').nth(1).context("no path")?;
    let (name, path) = path
        .trim_start_matches('/')
        .split_once('/')
        .context("no name in the path")?;
    Ok(Request {
        name: name.to_owned(),
        path: path.to_owned(),
        body,
    })
}

async fn pass_on(state: &State, request: Request, stream: &mut TcpStream) -> Result<()> {
    let answer = state
        .client
        .post(format!("{}/{}", state.upstream, request.path))
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(request.body)
        .send()
        .await?;
    let (status, body) = (answer.status().as_u16(), answer.bytes().await?);
    write_head(stream, status, "application/json", body.len(), "").await?;
    stream.write_all(&body).await?;
    Ok(())
}

async fn misbehave(state: &State, deed: &Deed, stream: &mut TcpStream) -> Result<()> {
    match deed {
        Deed::Answer { status, kind, body } => {
            write_head(stream, *status, kind, body.len(), "").await?;
            stream.write_all(body).await?;
        }
        Deed::Encoded { encoding, body } => {
            let more = format!("Content-Encoding: {encoding}\r\n");
            write_head(stream, 200, "application/json", body.len(), &more).await?;
            stream.write_all(body).await?;
        }
        Deed::Redirect => {
            let to = format!(
                "Location: http://{}/{RIGHT}/api/v1/query\r\n",
                state.address
            );
            write_head(stream, 307, "application/json", 0, &to).await?;
        }
        Deed::Short { body, missing } => {
            write_head(stream, 200, "application/json", body.len() + missing, "").await?;
            stream.write_all(body).await?;
        }
        Deed::Huge { begin, end, filler } => {
            let length = begin.len() + filler + end.len();
            write_head(stream, 200, "application/json", length, "").await?;
            stream.write_all(begin).await?;
            let block = vec![b'a'; 1 << 16];
            for _ in 0..filler / block.len() {
                stream.write_all(&block).await?;
            }
            stream.write_all(&block[..filler % block.len()]).await?;
            stream.write_all(end).await?;
        }
        Deed::Drip { body } => {
            write_head(stream, 200, "application/json", body.len(), "").await?;
            for byte in body {
                stream.write_all(&[*byte]).await?;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
        Deed::Silence => {
            // until the other side has had enough
            stream.read_u8().await?;
        }
        Deed::Close => {}
        Deed::Reset => stream.set_zero_linger()?,
        Deed::NoHttp => stream.write_all(b"220 mail.example ESMTP\r\n").await?,
    }
    if matches!(deed, Deed::Reset) {
        anyhow::bail!("dropped, which resets the connection");
    }
    Ok(())
}

async fn write_head(
    stream: &mut TcpStream,
    status: u16,
    kind: &str,
    length: usize,
    more: &str,
) -> Result<()> {
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n{more}Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    Ok(())
}
