//! The hosts that a request may name, which are those of this server.

use crate::error::{Error, Result};
use axum::http::uri::Authority;
use std::{
    env,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// A host, without its port.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Host {
    Address(IpAddr),
    /// In lower case, and without a dot at the end.
    Name(String),
}

impl Host {
    /// Parses `host` or `host:port`, as it is in a `Host` header.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let authority = Authority::from_str(text).ok()?;
        let name = authority.host();
        let rest = text.strip_prefix(name)?;
        let port = rest.strip_prefix(':').map(u16::from_str);
        let is_whole = rest.is_empty() || matches!(port, Some(Ok(_)));
        is_whole.then(|| Host::without_port(name)).flatten()
    }

    fn without_port(name: &str) -> Option<Self> {
        let literal = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        if let Ok(address) = IpAddr::from_str(literal.unwrap_or(name)) {
            return Some(Host::Address(address.to_canonical()));
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        (!name.is_empty()).then(|| Host::Name(name.to_ascii_lowercase()))
    }

    /// Parses the value of `--allow-host`, which is a host without a port.
    ///
    /// # Errors
    ///
    /// Returns what was expected.
    pub(super) fn allowed(text: &str) -> Result<Self, String> {
        let is_alone = Authority::from_str(text).is_ok_and(|authority| authority.host() == text);
        let host = is_alone.then(|| Host::without_port(text)).flatten();
        host.ok_or_else(|| {
            format!("`{text}`: expected a host name without a port, such as my-service")
        })
    }

    /// Returns whether the host is a loopback address, `localhost`, or a name below `localhost`,
    /// which cannot be registered (RFC 6761).
    fn is_localhost(&self) -> bool {
        match self {
            Host::Address(address) => address.is_loopback(),
            Host::Name(name) => name.rsplit('.').next() == Some("localhost"),
        }
    }
}

/// The hosts that identify this server.
#[derive(Debug)]
pub(super) struct OwnHosts {
    at: IpAddr,
    allowed: Vec<Host>,
}

impl OwnHosts {
    pub(super) fn new(at: SocketAddr, allowed: Vec<Host>) -> Self {
        let at = at.ip().to_canonical();
        OwnHosts { at, allowed }
    }

    /// Reads the hosts in `NODEBACK_ALLOW_HOST`, which are separated by commas.
    pub(super) fn of_environment() -> Result<Vec<Host>> {
        let names = env::var("NODEBACK_ALLOW_HOST").unwrap_or_default();
        let names = names.split(',').map(str::trim);
        names
            .filter(|name| !name.is_empty())
            .map(|name| {
                Host::allowed(name).map_err(|mistake| {
                    let message = format!("NODEBACK_ALLOW_HOST has {mistake}");
                    Error::ours("Runtime.InvalidEnvironment", message)
                })
            })
            .collect()
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.at.is_loopback()
    }

    /// Returns whether a `Host` header names this server. A name that is not allowed is foreign
    /// even if it resolves to this machine, since its owner decides what it resolves to (DNS
    /// rebinding).
    pub(super) fn contains(&self, host: &str) -> bool {
        let Some(host) = Host::parse(host) else {
            return false;
        };
        let is_address = match host {
            Host::Address(address) => address == self.at || self.at.is_unspecified(),
            Host::Name(_) => false,
        };
        is_address || host.is_localhost() || self.allowed.contains(&host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str, allowed: &[&str]) -> OwnHosts {
        let allowed = allowed.iter().map(|name| Host::allowed(name).unwrap());
        OwnHosts::new(
            SocketAddr::new(address.parse().unwrap(), 9000),
            allowed.collect(),
        )
    }

    #[test]
    fn without_allowed_names_only_hosts_that_nobody_can_rebind_are_own() {
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
            ":9000",
            ".",
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
            let own = at(bound, &[]);
            for host in loopback {
                assert!(own.contains(host), "`{host}` at {bound}");
            }
            for host in other_addresses {
                assert_eq!(own.contains(host), addresses_too, "`{host}` at {bound}");
            }
            for host in foreign {
                assert!(!own.contains(host), "`{host}` at {bound}");
            }
        }
        assert!(at("192.168.1.5", &[]).contains("192.168.1.5:9000"));
    }

    #[test]
    fn an_allowed_name_is_own_and_similar_names_are_not() {
        let own = at(
            "0.0.0.0",
            &["my-service", "Orders.Internal.", "[2001:db8::1]"],
        );
        for (host, expected) in [
            ("my-service", true),
            ("My-Service:9000", true),
            ("my-service.", true),
            ("orders.internal:80", true),
            ("[2001:DB8:0::1]:9000", true),
            ("localhost", true),
            ("my-service.evil.example", false),
            ("evil.my-service", false),
            ("internal", false),
            ("my-service@evil.example", false),
        ] {
            assert_eq!(own.contains(host), expected, "{host}");
        }
    }

    #[test]
    fn an_allowed_host_has_no_port_and_no_scheme() {
        for text in ["", "my-service:9000", "http://my-service", "a b", "a,b c"] {
            let mistake = Host::allowed(text).unwrap_err();
            assert!(mistake.contains("without a port"), "{mistake}");
        }
    }
}
