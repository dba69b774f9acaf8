//! Connections: how many there may be at once, and for how long one may say nothing, or take nothing of
//! what it is told.
//!
//! Without these bounds a client that sends its request byte by byte, or none at all, or does not read
//! the answer, would hold what it holds for ever, and enough of them everything.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::impatient::Impatient;

/// How it serves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Connections {
    /// At once; whoever comes then waits at the door.
    pub(crate) most: usize,
    /// The head of a request is here by then, counted from the end of the one before it; its body has a
    /// time of its own. And whoever takes nothing of an answer for so long does not get the rest.
    pub(crate) silence: Duration,
}

/// Such as that there are no more file descriptors.
const AGAIN: Duration = Duration::from_millis(100);

/// Serves until `stop`, then takes no more connections and finishes what is under way.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    connections: Connections,
    stop: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(connections.most.min(Semaphore::MAX_PERMITS)));
    let under_way = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = &mut stop => break,
            next = next => next,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be taken");
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let stream = Impatient::new(stream, connections.silence);
        let router = TowerToHyperService::new(router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            router.call(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(connections.silence)
            .serve_connection(TokioIo::new(stream), service);
        let connection = under_way.watch(connection);
        tokio::spawn(async move {
            // one that breaks is its client's to notice
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    under_way.shutdown().await;
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::response::Response;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::task::JoinHandle;
    use tokio_util::sync::CancellationToken;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: here\r\n\r\n";

    async fn start(most: usize, silence: Duration) -> (TcpListener, Router, Connections) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let router = Router::new().route("/", get(|| async { "ok" }));
        (listener, router, Connections { most, silence })
    }

    async fn answered(stream: &mut TcpStream) -> String {
        stream.write_all(REQUEST).await.unwrap();
        let mut answer = [0; 1024];
        let length = stream.read(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer[..length]).into_owned()
    }

    #[tokio::test]
    async fn whoever_never_finishes_a_request_loses_the_connection() {
        let (listener, router, limits) = start(8, Duration::from_millis(50)).await;
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, router, limits, std::future::pending()));
        for begun in [&b""[..], b"GET / HTTP/1.1\r\nhost: he"] {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(begun).await.unwrap();
            let mut rest = Vec::new();
            let closed = stream.read_to_end(&mut rest);
            let closed = tokio::time::timeout(Duration::from_secs(20), closed).await;
            // whether by an end or by a reset: it is over
            assert!(closed.is_ok(), "{begun:?} holds its connection");
        }
    }

    /// An answer that is longer than what the kernels on both sides would keep.
    #[tokio::test]
    async fn whoever_never_reads_the_answer_loses_the_connection() {
        let (listener, _, limits) = start(1, Duration::from_millis(200)).await;
        let address = listener.local_addr().unwrap();
        let endless = || async {
            let parts = futures::stream::repeat_with(|| Ok::<_, Infallible>(vec![b'x'; 1 << 16]));
            Response::new(Body::from_stream(parts))
        };
        let router = Router::new()
            .route("/", get(|| async { "ok" }))
            .route("/endless", get(endless));
        tokio::spawn(serve(listener, router, limits, std::future::pending()));
        let mut deaf = TcpStream::connect(address).await.unwrap();
        let request = b"GET /endless HTTP/1.1\r\nhost: here\r\n\r\n";
        deaf.write_all(request).await.unwrap();
        deaf.readable().await.unwrap(); // it has the one place
        let mut next = TcpStream::connect(address).await.unwrap();
        let answer = tokio::time::timeout(Duration::from_secs(30), answered(&mut next)).await;
        assert!(answer.expect("its place is free").ends_with("ok"));
    }

    #[tokio::test]
    async fn connections_are_bounded_and_their_places_given_back() {
        let (listener, router, limits) = start(1, Duration::from_mins(1)).await;
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let served: JoinHandle<()> = tokio::spawn(serve(
            listener,
            router,
            limits,
            stop.clone().cancelled_owned(),
        ));
        let mut first = TcpStream::connect(address).await.unwrap();
        assert!(answered(&mut first).await.ends_with("ok"));
        let mut second = TcpStream::connect(address).await.unwrap();
        let mut waiting = Box::pin(answered(&mut second));
        let early = tokio::time::timeout(Duration::from_millis(100), waiting.as_mut()).await;
        assert!(early.is_err(), "there is one place");
        drop(first);
        let answer = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        assert!(answer.unwrap().ends_with("ok"));
        stop.cancel();
        // an idle connection holds up nobody
        let ended = tokio::time::timeout(Duration::from_secs(20), served).await;
        ended.unwrap().unwrap();
    }
}
