//! The chat page, embedded; it loads nothing from anywhere else, and the browser is told so.

use axum::Router;
use axum::http::header;
use axum::routing::get;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn router() -> Router {
    Router::new()
        .route("/", file(include_str!("../page/index.html"), "text/html"))
        .route(
            "/page.css",
            file(include_str!("../page/page.css"), "text/css"),
        )
        .route(
            "/page.js",
            file(include_str!("../page/page.js"), "text/javascript"),
        )
}

fn file(text: &'static str, kind: &'static str) -> axum::routing::MethodRouter {
    let headers = [
        (header::CONTENT_TYPE, format!("{kind}; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    get(move || async move { (headers, text) })
}
