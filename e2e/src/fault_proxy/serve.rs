//! One request, with what befalls it.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, Response, header};
use hyper::body::Incoming;
use tokio::net::TcpStream;

use super::body::{refusal, spoil};
use super::fault::Fault;
use super::frames;
use super::request::Asked;
use super::script::Script;

/// More than any object of a test.
const LARGEST: usize = 8 << 20;

/// Answers one request. An error closes the connection without an answer.
pub(super) async fn serve(
    script: &Arc<Script>,
    upstream: &kube::Client,
    socket: &TcpStream,
    request: Request<Incoming>,
) -> Result<Response<Body>> {
    let asked = Asked::read(request.method(), request.uri());
    let (mut head, body) = request.into_parts();
    let body = to_bytes(Body::new(body), LARGEST).await?.to_vec();
    pass_on(&mut head.headers);
    let request = Request::from_parts(head, kube::client::Body::from(body));
    let upstream = upstream.clone();
    let forward = async move || {
        let answer = upstream.send(request).await?;
        let (mut head, body) = answer.into_parts();
        head.headers.remove(header::TRANSFER_ENCODING);
        anyhow::Ok(Response::from_parts(head, Body::new(body)))
    };
    let Some(fault) = script.befalls(&asked) else {
        let answer = forward().await?;
        let watches = asked.verb == "watch" && answer.status().is_success();
        return Ok(if watches {
            answer.map(|body| frames::pass(script, asked, body))
        } else {
            answer
        });
    };
    match fault {
        Fault::Answer {
            status,
            retry_after,
        } => {
            script.hit();
            Ok(refusal(status, retry_after))
        }
        Fault::Silence { committed } => {
            if committed {
                carried_out(forward().await?).await?;
            }
            script.hit();
            std::future::pending().await
        }
        Fault::Reset { committed } => {
            if committed {
                carried_out(forward().await?).await?;
            }
            script.hit();
            socket.set_zero_linger()?;
            bail!("dropped, which resets the connection");
        }
        Fault::Late(by) => {
            script.hit();
            tokio::time::sleep(by).await;
            forward().await
        }
        Fault::Held => {
            let (held, script) = (script.held(), Arc::clone(script));
            script.hit();
            // In a task of its own: what was sent is on its way, whatever becomes of the sender.
            let late = tokio::spawn(async move {
                held.await;
                let answer = forward().await?;
                script.arrived(asked, answer.status().as_u16());
                Ok(answer)
            });
            late.await?
        }
        Fault::Unreadable => {
            script.hit();
            spoil_list(forward().await?).await
        }
        Fault::Watch(_) => bail!("a fault of frames is none of a request"),
    }
}

/// The upstream client brings its own address, credentials and encodings.
fn pass_on(headers: &mut HeaderMap) {
    for name in [
        header::HOST,
        header::AUTHORIZATION,
        header::CONNECTION,
        header::ACCEPT_ENCODING,
        header::CONTENT_LENGTH,
    ] {
        headers.remove(name);
    }
}

/// Reads an answer to its end, so that what was asked for has happened.
async fn carried_out(answer: Response<Body>) -> Result<()> {
    to_bytes(answer.into_body(), LARGEST).await?;
    Ok(())
}

async fn spoil_list(answer: Response<Body>) -> Result<Response<Body>> {
    let (mut head, body) = answer.into_parts();
    let body = to_bytes(body, LARGEST).await?;
    let mut list: serde_json::Value = serde_json::from_slice(&body)?;
    let items = list["items"].as_array_mut().context("no list")?;
    let mut bad = items.first().cloned().context("an empty list")?;
    bad["metadata"]["name"] = "unreadable".into();
    bad["metadata"]["uid"] = "unreadable".into();
    spoil(&mut bad);
    items.push(bad);
    head.headers.remove(header::CONTENT_LENGTH);
    Ok(Response::from_parts(head, Body::from(list.to_string())))
}
