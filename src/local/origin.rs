//! Rejects the requests of foreign web pages that the developer has open.

use super::{host::OwnHosts, rejection::Rejection};
use crate::text::excerpt;
use axum::{
    body::Body,
    http::{
        HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Version, header, uri::Authority,
    },
};

/// The maximum size of the request line and the headers.
pub(super) const HEADERS: usize = 16 * 1024;

/// The header in which a browser sends how the page that caused a request relates to the server.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Checks the request line and the headers of a request, before its body is read.
#[derive(Debug)]
pub(super) struct OriginCheck {
    hosts: OwnHosts,
}

impl OriginCheck {
    pub(super) fn new(hosts: OwnHosts) -> Self {
        OriginCheck { hosts }
    }

    pub(super) fn check(&self, request: &Request<Body>) -> Result<(), Rejection> {
        if size(request) > HEADERS {
            return Err(Rejection::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "RequestHeaderSectionTooLargeException",
                format!("The request line and headers must be smaller than {HEADERS} bytes"),
            ));
        }
        // The log has only the start of long values, which is enough to recognize them.
        let (method, path) = (request.method(), request.uri().path());
        let host = one_host(request)?;
        for host in [host, request.uri().authority().map(Authority::as_str)]
            .into_iter()
            .flatten()
        {
            if !self.hosts.contains(host) {
                tracing::warn!(
                    "rejected {method} {path:.200}, whose `Host` is not this server's: `{host:.200}` \
                     (`--allow-host NAME` allows a name)"
                );
                return Err(denied(
                    "The host of the request is not this server's: expected localhost, the address \
                     or name that it listens on, or a name that `--allow-host` allows",
                ));
            }
        }
        if let Some((name, value)) = foreign_page(request.headers(), host) {
            let value = excerpt(&String::from_utf8_lossy(value.as_bytes()), 200);
            tracing::warn!(
                "rejected {method} {path:.200}, which a web page of another origin caused: \
                 {name} is `{value}`"
            );
            return Err(denied(
                "A web page of another origin may not call: expected a page of this server, an \
                 address that the user typed, or a client that is not a browser",
            ));
        }
        Ok(())
    }
}

/// Returns the `Host` header. A request of HTTP/1.0 may omit it; browsers never do.
fn one_host(request: &Request<Body>) -> Result<Option<&str>, Rejection> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() < Version::HTTP_11 => Ok(None),
        (Some(host), None) => Ok(Some(host.to_str().unwrap_or_default())),
        _ => Err(Rejection::content("Expected one Host header")),
    }
}

/// Returns the header that shows that a page of another origin caused the request, if there is one.
/// Clients other than browsers send none of these headers.
fn foreign_page<'a>(
    headers: &'a HeaderMap,
    host: Option<&str>,
) -> Option<(HeaderName, &'a HeaderValue)> {
    let first = |name: HeaderName, is_foreign: &dyn Fn(&[u8]) -> bool| {
        let mut values = headers.get_all(&name).iter();
        let value = values.find(|value| is_foreign(value.as_bytes()))?;
        Some((name, value))
    };
    // Browsers since 2023 send it with every request to this machine: `none` if the user typed the
    // address or opened a bookmark, and `same-site` for a page on another port.
    let site = first(SEC_FETCH_SITE, &|site| {
        !matches!(site, b"same-origin" | b"none")
    });
    // Browsers omit it if, for example, the address of the server is one of the network. An
    // `Origin` comes only with `fetch`, a WebSocket, or a method other than GET and HEAD.
    let origin = || first(header::ORIGIN, &|origin| !is_of_host(origin, host));
    // Images, links and frames have neither, but most pages allow a `Referer`.
    let referer = || {
        if headers.contains_key(SEC_FETCH_SITE) || headers.contains_key(header::ORIGIN) {
            return None;
        }
        first(header::REFERER, &|referer| {
            !is_of_host(origin_of(referer), host)
        })
    };
    site.or_else(origin).or_else(referer)
}

fn is_of_host(origin: &[u8], host: Option<&str>) -> bool {
    let (Some(host), Some(origin)) = (host, origin.strip_prefix(b"http://")) else {
        return false;
    };
    origin.eq_ignore_ascii_case(host.as_bytes())
}

/// Returns the part of a URL before its path.
fn origin_of(url: &[u8]) -> &[u8] {
    let mut slashes = url.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    let end = slashes.nth(2).map_or(url.len(), |(at, _)| at);
    url.get(..end).unwrap_or(url)
}

fn denied(message: &str) -> Rejection {
    Rejection::new(StatusCode::FORBIDDEN, "AccessDeniedException", message)
}

/// Returns the approximate size of the request line and the headers in bytes.
fn size(request: &Request<Body>) -> usize {
    const LINE: usize = "GET / HTTP/1.1\r\n\r\n".len();
    let target = request.uri().path_and_query();
    LINE + target.map_or(0, |target| target.as_str().len()) + headers_size(request.headers())
}

fn headers_size(headers: &HeaderMap) -> usize {
    let lines = headers.iter();
    lines
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(headers: &[(&str, &str)]) -> Option<String> {
        let headers = headers.iter().map(|(name, value)| {
            (
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        });
        let headers = headers.collect::<HeaderMap>();
        foreign_page(&headers, Some("localhost:9000")).map(|(name, _)| name.to_string())
    }

    const SITE: &str = "sec-fetch-site";
    const OWN: &str = "http://localhost:9000";
    const FOREIGN: &str = "http://localhost:3000";

    #[test]
    fn requests_that_a_foreign_page_can_cause_are_rejected() {
        for (headers, by) in [
            (vec![(SITE, "cross-site")], SITE),
            (vec![(SITE, "same-site")], SITE),
            (vec![(SITE, "")], SITE),
            (vec![(SITE, "something-new")], SITE),
            (vec![(SITE, "cross-site"), ("origin", OWN)], SITE),
            (vec![(SITE, "none"), (SITE, "cross-site")], SITE),
            (vec![(SITE, "none"), ("origin", FOREIGN)], "origin"),
            (vec![(SITE, "same-origin"), ("origin", "null")], "origin"),
            (vec![("origin", FOREIGN)], "origin"),
            (vec![("origin", OWN), ("origin", FOREIGN)], "origin"),
            (vec![("referer", "http://localhost:3000/page")], "referer"),
            (vec![("referer", "https://localhost:9000/")], "referer"),
            (
                vec![("referer", "http://localhost:9000@evil.example/")],
                "referer",
            ),
            (
                vec![("referer", "http://evil.example/http://localhost:9000/")],
                "referer",
            ),
            (vec![("referer", "about:blank")], "referer"),
        ] {
            assert_eq!(rejected(&headers).as_deref(), Some(by), "{headers:?}");
        }
    }

    #[test]
    fn the_users_own_navigation_a_page_of_the_server_and_other_clients_pass() {
        for headers in [
            vec![],
            vec![("user-agent", "curl/8.0")],
            vec![(SITE, "none")],
            vec![(SITE, "same-origin")],
            vec![(SITE, "same-origin"), ("origin", OWN)],
            vec![("origin", "http://LOCALHOST:9000")],
            vec![("referer", "http://localhost:9000/page?x=http://a/")],
            vec![("referer", OWN)],
            // A proxy of a frontend's development server that sets `Host`.
            vec![(SITE, "same-origin"), ("referer", "http://localhost:3000/")],
        ] {
            assert_eq!(rejected(&headers), None, "{headers:?}");
        }
    }

    #[test]
    fn an_origin_is_own_only_with_the_same_host_and_port() {
        for (origin, own) in [
            ("http://localhost:9000", true),
            ("http://LOCALHOST:9000", true),
            ("http://localhost:3000", false),
            ("http://localhost", false),
            ("https://localhost:9000", false),
            ("http://evil.example", false),
            ("null", false),
            ("", false),
        ] {
            let is_own = is_of_host(origin.as_bytes(), Some("localhost:9000"));
            assert_eq!(is_own, own, "{origin}");
        }
        assert!(!is_of_host(b"http://localhost:9000", None));
    }
}
