//! Against a real server on loopback that answers as badly as it can.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use axum::routing::post;
use futures::stream;
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::sleep;

use super::super::access::Believe;
use super::super::answer::Trust;
use super::*;
use crate::decide::Reading;
use Unknown::{Http, Malformed, Timeout, TooLarge, Transport};

static HUGE: [u8; 64 << 10] = [b'x'; 64 << 10];

const ONE: &str = "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[{\"metric\":{},\"value\":[1,\"42\"]}]}}";

/// What the server saw.
#[derive(Default)]
struct Seen {
    forms: std::sync::Mutex<Vec<(HashMap<String, String>, HeaderMap)>>,
    now: AtomicUsize,
    most: AtomicUsize,
}

fn json(status: u16) -> axum::http::response::Builder {
    Response::builder()
        .status(status)
        .header("content-type", "application/json; charset=utf-8")
}

fn pieces(piece: &'static [u8], pause: Duration) -> Body {
    let start: Vec<Result<Bytes, Infallible>> = vec![Ok(Bytes::from_static(b"{\"status\":\""))];
    let rest = stream::unfold((), move |()| async move {
        sleep(pause).await;
        Some((Ok(Bytes::from_static(piece)), ()))
    });
    Body::from_stream(stream::StreamExt::chain(stream::iter(start), rest))
}

fn broken() -> Body {
    let parts: Vec<Result<Bytes, std::io::Error>> = vec![
        Ok(Bytes::from_static(b"{\"status\":")),
        Err(std::io::Error::other("gone")),
    ];
    Body::from_stream(stream::iter(parts))
}

async fn answer(
    State(seen): State<Arc<Seen>>,
    Path(how): Path<String>,
    headers: HeaderMap,
    body: String,
) -> Response<Body> {
    let url = Url::parse(&format!("http://form/?{body}")).expect("a form");
    let form = url.query_pairs().into_owned().collect();
    seen.forms.lock().expect("unpoisoned").push((form, headers));
    let now = seen.now.fetch_add(1, Ordering::SeqCst) + 1;
    seen.most.fetch_max(now, Ordering::SeqCst);
    let error =
        "{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"parse error: unexpected x\"}";
    let huge: &'static [u8] = &HUGE;
    let response = match how.as_str() {
        "good" => json(200).body(Body::from(ONE)),
        "slow" => {
            sleep(Duration::from_millis(50)).await;
            json(200).body(Body::from(ONE))
        }
        "huge" => json(200).body(pieces(huge, Duration::ZERO)),
        "huge-error" => json(500).body(pieces(huge, Duration::ZERO)),
        "trickle" => json(200).body(pieces(b"x", Duration::from_millis(20))),
        "silent" => {
            sleep(Duration::from_secs(60)).await;
            json(200).body(Body::from(ONE))
        }
        "redirect" => Response::builder()
            .status(302)
            .header("location", "/good/api/v1/query")
            .body(Body::empty()),
        "broken" => json(200).body(broken()),
        "gzip" => json(200)
            .header("content-encoding", "gzip")
            .body(pieces(&[0; 1024], Duration::ZERO)),
        "html" => Response::builder()
            .header("content-type", "text/html")
            .body(pieces(huge, Duration::ZERO)),
        "rejected" => json(400).body(Body::from(error)),
        // an ill-behaved server, or a proxy that helps debugging
        "echo" | "echo-warning" => {
            let (_, headers) = seen
                .forms
                .lock()
                .expect("unpoisoned")
                .last()
                .cloned()
                .expect("a request");
            let said = headers["authorization"].to_str().expect("text").to_owned();
            let (status, body) = if how == "echo" {
                (
                    400,
                    format!(
                        "{{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"{said} is wrong\"}}"
                    ),
                )
            } else {
                let warned = format!("\"warnings\":[\"{said} is odd\"],\"data\"");
                (200, ONE.replace("\"data\"", &warned))
            };
            json(status).body(Body::from(body))
        }
        // as VictoriaMetrics, which has no functions for native histograms
        "classic" => {
            let (form, _) = seen
                .forms
                .lock()
                .expect("unpoisoned")
                .last()
                .cloned()
                .expect("a request");
            let told = "error when executing query=\\\"..\\\" for (time=1, step=1): unsupported function \\\"histogram_count\\\"";
            if form["query"].contains("histogram_count(sum")
                || form["query"].starts_with("histogram_count")
            {
                json(422).body(Body::from(format!(
                    "{{\"status\":\"error\",\"errorType\":\"422\",\"error\":\"{told}\"}}"
                )))
            } else {
                json(200).body(Body::from(ONE))
            }
        }
        "plain" => Response::builder()
            .status(503)
            .body(Body::from("Service Unavailable")),
        "bytes" => json(200).body(Body::from(&b"{\"status\":\"\xff\"}"[..])),
        status => json(status.parse().unwrap_or(404)).body(Body::empty()),
    };
    seen.now.fetch_sub(1, Ordering::SeqCst);
    response.expect("a response")
}

/// Serves until the test's runtime ends; the base URL lacks the way to misbehave.
async fn server() -> (String, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let app = Router::new()
        .route("/{how}/api/v1/query", post(answer))
        .route("/{how}/api/v1/query_range", post(answer))
        .with_state(Arc::clone(&seen));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, seen)
}

fn client(url: &str, change: impl FnOnce(&mut Source)) -> Client {
    crate::tls::install();
    let mut source = Source::new("default", url);
    source.timeout = Span::from_secs(20);
    change(&mut source);
    Client::new(source, PollerMetrics::default()).expect("a client")
}

fn now() -> Time {
    Time::from_millis(1_795_247_500_033)
}

#[tokio::test]
async fn an_answer_is_bounded_in_time_and_bytes() {
    let (url, _) = server().await;
    for (how, class, about) in [
        ("huge", TooLarge, "bytes"),
        ("trickle", Timeout, "no answer in time"),
        ("silent", Timeout, "no answer in time"),
        ("redirect", Transport, "redirect"),
        ("broken", Transport, ""),
        ("gzip", Malformed, "content encoding"),
        ("html", Malformed, "text/html"),
        ("bytes", Malformed, "UTF-8"),
        ("huge-error", Http, "HTTP 500"),
        ("rejected", Http, "parse error"),
        ("plain", Http, "HTTP 503"),
        ("401", Http, "HTTP 401"),
        ("403", Http, "HTTP 403"),
        ("422", Http, "HTTP 422"),
        ("429", Http, "HTTP 429"),
        ("204", Malformed, ""),
    ] {
        let client = client(&format!("{url}/{how}/"), |source| {
            if class == Timeout {
                source.timeout = Span::from_secs(1);
            }
        });
        let began = Instant::now();
        let answer = client.instant(&Query::unchecked("up"), now()).await;
        assert_eq!(answer.reading, Reading::Unknown(class), "{how}: {answer:?}");
        let detail = answer.detail.as_deref().unwrap_or_default();
        assert!(detail.contains(about), "{how}: {detail}");
        assert_eq!(answer.rejected, how == "rejected");
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{how} took {:?}",
            began.elapsed()
        );
    }
}

#[tokio::test]
async fn a_request_says_when_and_how_long() {
    let (url, seen) = server().await;
    let client = client(&format!("{url}/good"), |source| {
        source.headers = vec![("X-Scope-OrgID".to_owned(), "bots".to_owned())];
        source.query_params = vec![("dedup".to_owned(), "true".to_owned())];
    });
    let answer = client
        .instant(&Query::unchecked("up{a=\"ü&b\"}"), now())
        .await;
    assert_eq!(answer.reading, Reading::Value(42.0));
    let from = Time::from_millis(1500);
    client
        .range(
            &Query::unchecked("up"),
            (from, Time::from_millis(4400), Span::from_millis(1000)),
            Trust::Strict,
        )
        .await;
    let forms = seen.forms.lock().expect("unpoisoned");
    assert_eq!(forms.len(), 2);
    let ((instant, headers), (range, _)) = (&forms[0], &forms[1]);
    assert_eq!(instant["query"], "up{a=\"ü&b\"}");
    assert_eq!(instant["time"], "1795247500.033");
    assert_eq!(instant["dedup"], "true");
    assert!(instant["timeout"].ends_with("ms"));
    assert_eq!(headers["x-scope-orgid"], "bots");
    assert_eq!(headers["accept-encoding"], "identity");
    assert_eq!(
        (
            range["start"].as_str(),
            range["end"].as_str(),
            range["step"].as_str()
        ),
        ("1.500", "3.500", "1.000")
    );
    assert_eq!(range["dedup"], "true");
}

#[tokio::test]
async fn a_long_range_is_asked_in_pieces_and_has_every_time() {
    let (url, seen) = server().await;
    let client = client(&format!("{url}/good"), |_| {});
    let to = Time::from_millis(25_000_000);
    let span = (Time::from_millis(0), to, Span::from_millis(1000));
    let ranged = client
        .range(&Query::unchecked("up"), span, Trust::Strict)
        .await;
    assert_eq!(seen.forms.lock().expect("unpoisoned").len(), 3);
    assert_eq!(ranged.points.len(), 25_001);
    // a vector is no answer to a range
    let wrong = Reading::Unknown(Unknown::ResultType);
    assert_eq!(ranged.points.last(), Some(&(to, wrong)));
}

#[tokio::test]
async fn no_more_queries_are_under_way_than_allowed() {
    let (url, seen) = server().await;
    let client = client(&format!("{url}/slow"), |source| {
        source.max_concurrent_queries = 3;
        source.timeout = Span::from_secs(5);
    });
    let query = Query::unchecked("up");
    let deadline = Instant::now() + Duration::from_secs(5);
    let asker = Asker {
        circle: None,
        wait: Wait::Until(deadline),
    };
    let asking = (0..20).map(|_| client.instant_as(asker, &query, now()));
    let answers = futures::future::join_all(asking).await;
    assert!(answers.iter().all(|a| a.reading == Reading::Value(42.0)));
    assert_eq!(seen.most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_source_that_cannot_be_reached_is_left_alone_and_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let client = client(&format!("http://{address}/good"), |_| {});
    let query = Query::unchecked("up");
    let first = client.instant(&query, now()).await;
    assert_eq!(first.reading, Reading::Unknown(Transport));
    assert!(
        first
            .detail
            .as_deref()
            .unwrap_or_default()
            .contains("refused"),
        "{first:?}"
    );
    assert!(is_left_alone(&client, &query).await);
    // it comes back on the same port
    let app = Router::new()
        .route("/{how}/api/v1/query", post(answer))
        .with_state(Arc::new(Seen::default()));
    let listener = TcpListener::bind(address)
        .await
        .expect("the port is free again");
    tokio::spawn(async move { axum::serve(listener, app).await });
    let tried = async {
        while client.instant(&query, now()).await.reading != Reading::Value(42.0) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    let tried = tokio::time::timeout(Duration::from_secs(30), tried);
    tried.await.expect("it is tried again");
}

/// Whether the source is left alone. A machine that stands still may miss a pause; each is longer.
async fn is_left_alone(client: &Client, query: &Query) -> bool {
    for _ in 0..3 {
        let answer = client.instant(query, now()).await;
        if answer.detail.as_deref() == Some("left alone after failing") {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn credentials_are_sent_replaced_and_never_shown() {
    let (url, seen) = server().await;
    let query = Query::unchecked("up");
    let bearer = |token| Access::bearer(token).expect("a token");
    let basic = Access::basic("bot", "pass:wörd").expect("a login");
    let good = client(&format!("{url}/good"), |_| {});
    for access in [bearer("token-one"), bearer("token-two"), basic.clone()] {
        good.set_access(access).expect("good access");
        good.instant(&query, now()).await;
    }
    let sent: Vec<_> = {
        let forms = seen.forms.lock().expect("unpoisoned");
        let sent = forms
            .iter()
            .map(|(_, headers)| headers["authorization"].clone());
        sent.collect()
    };
    // the latter is what `printf bot:pass:wörd | base64` says
    assert_eq!(
        sent,
        [
            "Bearer token-one",
            "Bearer token-two",
            "Basic Ym90OnBhc3M6d8O2cmQ="
        ]
    );
    for how in ["echo", "echo-warning"] {
        for access in [bearer("token-one"), basic.clone()] {
            let client = client(&format!("{url}/{how}"), |_| {});
            client.set_access(access.clone()).expect("good access");
            let answer = client.instant(&query, now()).await;
            let detail = answer.detail.as_deref().unwrap_or_default();
            assert!(detail.contains("not shown"), "{how}: {detail}");
            let span = (now(), now(), Span::from_millis(1000));
            let ranged = client.range(&query, span, Trust::Strict).await;
            assert_eq!(ranged.details, [detail], "{how}");
            let shown = format!("{access:?} {answer:?} {ranged:?}");
            for secret in ["token-one", "pass", "Ym90OnBhc3M6d8O2cmQ"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
    for bad in ["", "two words", "tokén", "line\nline"] {
        assert!(Access::bearer(bad).is_none(), "{bad:?}");
    }
    assert!(Access::basic("a:b", "c").is_none());
    assert!(Access::basic("a", "b\nc").is_none());
}

#[tokio::test]
async fn a_server_without_native_histograms_is_asked_for_classic_ones() {
    let (url, seen) = server().await;
    let client = client(&format!("{url}/classic"), |_| {});
    let both = Query::unchecked(
        r#"sum(increase(h_bucket{a=" or histogram_count(",le="+Inf"}[1m])) or histogram_count(sum(increase(h{a=" or histogram_count("}[1m])))"#,
    );
    for _ in 0..2 {
        let answer = client.instant(&both, now()).await;
        assert_eq!(answer.reading, Reading::Value(42.0));
    }
    let asked: Vec<String> = {
        let forms = seen.forms.lock().expect("unpoisoned");
        forms
            .iter()
            .map(|(form, _)| form["query"].clone())
            .collect()
    };
    // refused once, and never asked so again
    let native = |query: &&String| query.contains("histogram_count(sum");
    assert_eq!((asked.len(), asked.iter().filter(native).count()), (3, 1));
    // what somebody wrote is not taken apart
    let theirs = Query::unchecked("histogram_count(h)");
    assert!(client.instant(&theirs, now()).await.rejected);
}

#[tokio::test]
async fn a_redirect_is_given_no_credentials() {
    let (url, seen) = server().await;
    let client = client(&format!("{url}/redirect"), |_| {});
    client
        .set_access(Access::bearer("token").expect("a token"))
        .expect("good access");
    let answer = client.instant(&Query::unchecked("up"), now()).await;
    assert_eq!(answer.reading, Reading::Unknown(Transport));
    // it leads to this very server, which was asked once
    assert_eq!(seen.forms.lock().expect("unpoisoned").len(), 1);
}

#[tokio::test]
async fn new_credentials_are_tried_at_once() {
    // a port that nobody else can take meanwhile, and on which nobody listens
    let socket = TcpSocket::new_v4().expect("a socket");
    let any = "127.0.0.1:0".parse().expect("an address");
    socket.bind(any).expect("a free port");
    let address = socket.local_addr().expect("an address");
    let client = client(&format!("https://{address}"), |_| {});
    let query = Query::unchecked("up");
    client.instant(&query, now()).await;
    assert!(is_left_alone(&client, &query).await);
    client
        .set_access(Access::default().believing(Believe::Anyone))
        .expect("good access");
    let tried = client.instant(&query, now()).await;
    assert!(tried.detail.is_some_and(|d| d.contains("refused")));
    let no_authorities = Access::default().believing(Believe::Only(b"no PEM".as_slice().into()));
    let refused = client.set_access(no_authorities).err();
    assert!(refused.is_some_and(|e| e.to_string().contains("tls.caSecret")));
}

#[test]
fn urls_that_cannot_be_used_are_refused() {
    crate::tls::install();
    for (url, about) in [
        ("", "relative URL"),
        ("prometheus:9090", "http://"),
        ("ftp://prometheus", "http://"),
        ("http://user:secret@prometheus", "credentials"),
        ("http://prometheus?a=b", "queryParams"),
    ] {
        let refused = Client::new(Source::new("s", url), PollerMetrics::default());
        let message = refused.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(message.contains(about), "{url}: {message}");
        assert!(!message.contains("secret"));
    }
    let mut source = Source::new("s", "http://prometheus");
    source.headers = vec![("a b".to_owned(), "c".to_owned())];
    assert!(Client::new(source, PollerMetrics::default()).is_err());
}
