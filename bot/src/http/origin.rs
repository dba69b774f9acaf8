//! Only the bot's own pages may send what changes something on behalf of a person's cookie.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use super::refuse;

/// Lets requests pass that a page of this very origin sent; programs have `POST /chat`.
pub(super) async fn same(request: Request, next: Next) -> Response {
    if is_same(request.headers()) {
        next.run(request).await
    } else {
        refuse(
            StatusCode::FORBIDDEN,
            "this is for the bot's own page; programs use POST /chat",
        )
    }
}

/// Browsers say where a request comes from: by `Sec-Fetch-Site` over HTTPS and on this machine, by
/// `Origin` always.
fn is_same(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let origin: Option<&str> = text(header::ORIGIN);
    let host = text(header::HOST);
    let origin = origin.and_then(|origin| origin.split_once("://"));
    matches!((origin, host), (Some((_, origin)), Some(host)) if origin == host)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_the_own_origin_passes() {
        for (headers, passes) in [
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "cross-site")], false),
            (vec![("sec-fetch-site", "none")], false),
            (
                vec![("origin", "http://bot:8080"), ("host", "bot:8080")],
                true,
            ),
            (vec![("origin", "https://bot"), ("host", "bot")], true),
            (vec![("origin", "http://bot:81"), ("host", "bot:80")], false),
            (vec![("origin", "null"), ("host", "null")], false),
            (vec![("host", "bot")], false),
            (
                vec![
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "http://bot"),
                    ("host", "bot"),
                ],
                false,
            ),
            (vec![], false),
        ] {
            let map = headers.iter().map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            });
            assert_eq!(is_same(&map.collect()), passes, "{headers:?}");
        }
    }
}
