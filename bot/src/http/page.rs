//! The pages, embedded; they load nothing from anywhere else, and the browser is told so.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use super::App;
use super::session::Session;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Path, text and kind of everything but the chat page itself.
const FILES: [(&str, &str, &str); 10] = [
    ("/desk", include_str!("../page/desk.html"), "text/html"),
    ("/base.css", include_str!("../page/base.css"), "text/css"),
    ("/page.css", include_str!("../page/page.css"), "text/css"),
    ("/desk.css", include_str!("../page/desk.css"), "text/css"),
    ("/page.js", include_str!("../page/page.js"), SCRIPT),
    ("/desk.js", include_str!("../page/desk.js"), SCRIPT),
    ("/house.js", include_str!("../page/house.js"), SCRIPT),
    ("/live.js", include_str!("../page/live.js"), SCRIPT),
    ("/readings.js", include_str!("../page/readings.js"), SCRIPT),
    ("/talk.js", include_str!("../page/talk.js"), SCRIPT),
];
const SCRIPT: &str = "text/javascript";

pub(super) fn router() -> Router<Arc<App>> {
    let pages = Router::new().route("/", get(chat));
    FILES.into_iter().fold(pages, |pages, (path, text, kind)| {
        pages.route(path, file(text, kind))
    })
}

/// The cookie comes with the page, so that the page's first two requests are of one session.
async fn chat(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let page = serve(include_str!("../page/index.html"), "text/html");
    Session::of(&headers).keep(app.web.https, page)
}

fn file(text: &'static str, kind: &'static str) -> MethodRouter<Arc<App>> {
    get(move || async move { serve(text, kind) })
}

fn serve(text: &'static str, kind: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, format!("{kind}; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    (headers, text).into_response()
}
