//! Who may call: a web page that the developer has open may not.

use super::refusal::Refusal;
use axum::{
    body::Body,
    http::{HeaderMap, Request, StatusCode, Version, header, uri::Authority},
};
use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// How much of the request line and the headers is taken.
pub(super) const HEADERS: usize = 16 * 1024;

/// Checks what a request says of itself, before its body is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct OriginCheck {
    at: IpAddr,
}

impl OriginCheck {
    pub(super) fn new(at: SocketAddr) -> Self {
        let at = at.ip().to_canonical();
        OriginCheck { at }
    }

    pub(super) fn is_local(self) -> bool {
        self.at.is_loopback()
    }

    pub(super) fn check(self, request: &Request<Body>) -> Result<(), Refusal> {
        if size(request) > HEADERS {
            return Err(Refusal::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "RequestHeaderSectionTooLargeException",
                format!("The request line and headers must be smaller than {HEADERS} bytes"),
            ));
        }
        let host = one_host(request)?;
        for host in [host, request.uri().authority().map(Authority::as_str)]
            .into_iter()
            .flatten()
        {
            if !self.is_own(host) {
                return Err(denied(
                    "The host of the request is not this server's: expected localhost, or the \
                     address that it listens on",
                ));
            }
        }
        for origin in request.headers().get_all(header::ORIGIN) {
            if !is_of_host(origin.as_bytes(), host) {
                return Err(denied("A web page of another origin may not call"));
            }
        }
        Ok(())
    }

    /// Whether a host is one by which only this server can be meant. A name is not, whatever it
    /// resolves to: who owns it can have it resolve to here (DNS rebinding).
    fn is_own(self, host: &str) -> bool {
        let Ok(authority) = Authority::from_str(host) else {
            return false;
        };
        let name = authority.host();
        if !host.strip_prefix(name).is_some_and(is_port) {
            return false;
        }
        let literal = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        match IpAddr::from_str(literal.unwrap_or(name)) {
            Ok(address) => {
                let address = address.to_canonical();
                address.is_loopback() || address == self.at || self.at.is_unspecified()
            }
            Err(_) => is_localhost(name),
        }
    }
}

/// Nothing, or the port behind a host.
fn is_port(rest: &str) -> bool {
    let port = rest.strip_prefix(':').map(u16::from_str);
    rest.is_empty() || matches!(port, Some(Ok(_)))
}

/// `localhost` and what is below it, which nobody can own (RFC 6761).
fn is_localhost(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    let last = name.rsplit('.').next().unwrap_or(name);
    last.eq_ignore_ascii_case("localhost")
}

/// The `Host` header. HTTP/1.0 may leave it out, which no browser does.
fn one_host(request: &Request<Body>) -> Result<Option<&str>, Refusal> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if request.version() < Version::HTTP_11 => Ok(None),
        (Some(host), None) => Ok(Some(host.to_str().unwrap_or_default())),
        _ => Err(Refusal::content("Expected one Host header")),
    }
}

fn is_of_host(origin: &[u8], host: Option<&str>) -> bool {
    let (Some(host), Some(origin)) = (host, origin.strip_prefix(b"http://")) else {
        return false;
    };
    origin.eq_ignore_ascii_case(host.as_bytes())
}

fn denied(message: &str) -> Refusal {
    Refusal::new(StatusCode::FORBIDDEN, "AccessDeniedException", message)
}

/// About the bytes that they took as HTTP.
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

    fn at(address: &str) -> OriginCheck {
        OriginCheck::new(SocketAddr::new(address.parse().unwrap(), 9000))
    }

    #[test]
    fn only_a_host_that_nobody_can_rebind_is_own() {
        let loopback = [
            "localhost",
            "localhost:9000",
            "LocalHost.",
            "orders.localhost:80",
            "127.0.0.1",
            "127.9.9.9:1",
            "[::1]:9000",
            "[::ffff:127.0.0.1]",
        ];
        let other_addresses = ["10.0.0.7:9000", "0.0.0.0:9000", "[fe80::1]", "[::]"];
        let foreign = [
            "",
            "evil.example",
            "evil.example:9000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evillocalhost",
            "localhost@evil.example",
            "evil@localhost",
            "2130706433",
            "0x7f.1",
            "127.1",
            "local host",
            "[::1",
            "::1",
            "localhost:",
            "localhost:9000:9000",
            "localhost:http",
            "[::1].evil.example",
        ];
        for (bound, addresses_too) in [
            ("127.0.0.1", false),
            ("::1", false),
            ("192.168.1.5", false),
            ("0.0.0.0", true),
            ("::", true),
        ] {
            let guard = at(bound);
            for host in loopback {
                assert!(guard.is_own(host), "`{host}` at {bound}");
            }
            for host in other_addresses {
                assert_eq!(guard.is_own(host), addresses_too, "`{host}` at {bound}");
            }
            for host in foreign {
                assert!(!guard.is_own(host), "`{host}` at {bound}");
            }
        }
        assert!(at("192.168.1.5").is_own("192.168.1.5:9000"));
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
