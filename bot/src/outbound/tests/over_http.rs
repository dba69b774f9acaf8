//! Calls to a real server on loopback that is slow, fails, limits, breaks off and recovers; what counts
//! is what the server sees.

use futures::future::join_all;
use reqwest::{Method, StatusCode, Url};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::server::{Mood, Server};
use super::*;

fn client(server: &Server, connect_timeout: Duration) -> HttpClient {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let limits = HttpLimits {
        connect_timeout,
        longest_body: 10_000,
    };
    HttpClient::new(&server.url, limits).unwrap()
}

async fn ask(
    api: &Api,
    client: &HttpClient,
    url: &Url,
    within: Duration,
) -> Result<String, CallError> {
    api.dependency
        .call(Instant::now() + within, || async {
            let request = client
                .request(Method::POST, url.clone())
                .bearer_auth("open-sesame")
                .body("a secret");
            let answer = client.send(request).await?.accept()?;
            Ok(String::from_utf8(answer.body).unwrap())
        })
        .await
}

fn quick() -> Limits {
    Limits {
        timeout: SECOND / 2,
        backoff: SECOND / 100,
        ..Limits::default()
    }
}

/// What one call without retries comes to.
async fn once(mood: Mood) -> Result<String, CallError> {
    let server = Server::start(mood).await;
    let is_slow = matches!(mood, Mood::Slow(_));
    let api = Api::new(Limits {
        retries: 0,
        timeout: if is_slow { SECOND / 2 } else { 20 * SECOND },
        ..quick()
    });
    ask(&api, &client(&server, SECOND), &server.url, 25 * SECOND).await
}

#[tokio::test]
async fn what_the_server_does_is_called_by_its_name() {
    use FaultKind::{Refused, Transient};
    assert_eq!(once(Mood::Well).await, Ok("yes".to_owned()));
    let slow = Mood::Slow(9 * SECOND);
    let table = [
        (Mood::Status(500, None), Transient, "status 500"),
        (Mood::Status(503, Some("0")), Transient, "status 503"),
        (Mood::Status(408, None), Transient, "status 408"),
        (Mood::Status(404, None), Refused, "status 404"),
        (Mood::Status(401, Some("3")), Refused, "status 401"),
        (Mood::Status(302, None), Refused, "status 302"),
        (slow, Transient, "no answer in 500ms"),
        (Mood::EndlessStatus(500), Transient, "status 500"),
        (Mood::EndlessStatus(404), Refused, "status 404"),
        (Mood::BreaksOff, Transient, "the answer broke off"),
        (
            Mood::Endless,
            Refused,
            "the answer is longer than 10000 bytes",
        ),
    ];
    for (mood, kind, message) in table {
        let result = once(mood).await;
        let Err(CallError::Fault(fault)) = &result else {
            panic!("{mood:?}: {result:?}");
        };
        assert_eq!(fault.kind, kind, "{mood:?}: {fault}");
        assert!(fault.message.starts_with(message), "{mood:?}: {fault}");
        assert!(!fault.unsent, "{mood:?}: the server has seen it");
        assert!(!format!("{result:?}").contains("sesame"), "{result:?}");
    }
    let limited = once(Mood::Status(429, Some("30"))).await;
    let retry_in = 30 * SECOND;
    assert_eq!(limited, Err(CallError::Limited { retry_in }));
}

#[tokio::test]
async fn nobody_there_and_no_such_address_tell_no_secret() {
    let server = Server::start(Mood::Well).await;
    let client = client(&server, SECOND);
    server.serve.abort();
    // the port is closed once the task is gone
    while TcpStream::connect(server.url.socket_addrs(|| None).unwrap()[0])
        .await
        .is_ok()
    {}
    let request = client.request(Method::GET, server.url.clone());
    let fault = client.send(request).await.err().unwrap();
    assert_eq!(fault.kind, FaultKind::Transient);
    assert!(fault.message.starts_with("cannot connect: "), "{fault}");
    assert!(fault.unsent);
    assert!(!format!("{fault:?}").contains("sesame"), "{fault:?}");

    let request = client
        .request(Method::GET, server.url.clone())
        .header("x-key", "open\nsesame");
    let fault = client.send(request).await.err().unwrap();
    assert_eq!(fault.kind, FaultKind::Refused);
    assert!(fault.unsent);
    assert!(!format!("{fault:?}").contains("sesame"), "{fault:?}");
}

#[tokio::test]
async fn a_server_that_fails_sees_no_cascade_and_then_almost_nothing_until_it_recovers() {
    let server = Server::start(Mood::Status(500, None)).await;
    let mut limits = quick();
    limits.retries = 5;
    limits.breaker.open_for = SECOND / 5;
    limits.breaker.open_longest = SECOND / 5;
    let api = Api::new(limits);
    let client = client(&server, SECOND);
    // all at once, so that the breaker does not know yet: this is where retries would multiply
    let begin = Instant::now();
    let calls = (0..50).map(|_| ask(&api, &client, &server.url, 5 * SECOND));
    for result in join_all(calls).await {
        assert!(result.is_err());
    }
    let seen = server.requests();
    let bound = 50.0 * 1.1 + 1.0 + 0.1 * begin.elapsed().as_secs_f64();
    assert!(f64::from(seen) <= bound, "{seen} requests, at most {bound}");
    assert!(api.outcome("transient") >= 10.0);

    // open: a stream of calls is a probe at a time
    let begin = Instant::now();
    let mut calls = 0u32;
    while begin.elapsed() < SECOND || calls <= 50 {
        let _ = ask(&api, &client, &server.url, SECOND).await;
        calls += 1;
        sleep(SECOND / 1000).await;
    }
    let probes = server.requests() - seen;
    let most = 8.0 * begin.elapsed().as_secs_f64();
    assert!(
        probes >= 1 && f64::from(probes) <= most,
        "{probes} probes of {calls} calls, at most {most}"
    );
    assert!(calls > 2 * probes, "refused at once: {calls}");

    server.set(Mood::Well);
    let recovered = async {
        while api.metric("breaker_state", "") > 0.5 {
            let _ = ask(&api, &client, &server.url, SECOND).await;
            sleep(SECOND / 1000).await;
        }
    };
    timeout(30 * SECOND, recovered).await.unwrap();
    let calls = (0..50).map(|_| ask(&api, &client, &server.url, 5 * SECOND));
    for result in join_all(calls).await {
        assert_eq!(result, Ok("yes".to_owned()));
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_left_alone() {
    let server = Server::start(Mood::Slow(60 * SECOND)).await;
    let mut limits = quick();
    limits.timeout = 30 * SECOND;
    limits.breaker.slow_after = SECOND / 2;
    let api = Api::new(limits);
    let client = client(&server, SECOND);
    // their callers go away long before an attempt times out
    let calls = (0..12).map(|_| timeout(3 * SECOND, ask(&api, &client, &server.url, 9 * SECOND)));
    assert!(join_all(calls).await.iter().all(Result::is_err));
    let result = ask(&api, &client, &server.url, SECOND).await;
    assert!(matches!(result, Err(CallError::Open { .. })), "{result:?}");
    assert_eq!(server.requests(), 12);
    assert!((api.outcome("cancelled") - 12.0).abs() < 1e-9);
}

#[tokio::test]
async fn a_server_that_limits_hears_nothing_until_it_said() {
    let server = Server::start(Mood::Status(429, Some("1"))).await;
    let api = Api::new(Limits {
        timeout: 20 * SECOND,
        ..quick()
    });
    let client = client(&server, SECOND);
    let begin = Instant::now();
    let recovers = async {
        while server.requests() == 0 {
            tokio::task::yield_now().await;
        }
        server.set(Mood::Well);
    };
    let first = ask(&api, &client, &server.url, 5 * SECOND);
    let (result, ()) = tokio::join!(first, recovers);
    assert_eq!(result, Ok("yes".to_owned()));
    assert!(begin.elapsed() >= SECOND);
    assert_eq!(server.requests(), 2);

    server.set(Mood::Status(429, Some("20")));
    let calls = (0..30).map(|_| ask(&api, &client, &server.url, 5 * SECOND));
    for result in join_all(calls).await {
        assert!(
            matches!(result, Err(CallError::Limited { .. })),
            "{result:?}"
        );
    }
    // those who were on their way when it said so, not one of those who waited for a place
    let seen = server.requests() - 2;
    assert!(seen <= 16, "{seen}");
    assert_eq!(api.metric("breaker_state", "").to_bits(), 0f64.to_bits());
}

#[tokio::test]
async fn status_of_an_answer_is_there_to_be_looked_at() {
    let server = Server::start(Mood::Status(402, Some("7"))).await;
    let client = client(&server, SECOND);
    let request = client.request(Method::GET, server.url.clone());
    let answer = client.send(request).await.unwrap();
    assert_eq!(answer.status, StatusCode::PAYMENT_REQUIRED);
    assert_eq!(answer.headers["retry-after"], "7");
    assert!(answer.body.is_empty());
}
