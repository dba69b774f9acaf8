//! Cookies, as far as the page needs them: each is for this site alone and out of reach of scripts.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;

/// The value of a cookie that came with a request.
pub(super) fn get<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|pairs| pairs.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// Has the browser keep a cookie for `age`; none at all means to forget it.
pub(super) fn set(response: &mut Response, name: &str, value: &str, age: Duration, https: bool) {
    let seconds = age.as_secs();
    let secure = if https { "; Secure" } else { "" };
    let cookie =
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}");
    // what is set here is hexadecimal digits and dots, which any header may hold
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(
            header::COOKIE,
            HeaderValue::from_static("a=1; session_x=2;session=3"),
        );
        headers.append(header::COOKIE, HeaderValue::from_static("b=4"));
        assert_eq!(get(&headers, "session"), Some("3"));
        assert_eq!(get(&headers, "b"), Some("4"));
        assert_eq!(get(&headers, "x"), None);
    }

    #[test]
    fn scripts_and_other_sites_never_see_it() {
        let mut response = Response::default();
        set(&mut response, "a", "1", Duration::from_mins(1), true);
        assert_eq!(
            response.headers()[header::SET_COOKIE],
            "a=1; Path=/; Max-Age=60; HttpOnly; SameSite=Strict; Secure"
        );
    }
}
