//! src/config/site.rs: an origin (RFC 6454), as `Origin` fields and `origins = [..]` write it.

use serde::Deserialize;
use serde::de::Error;

/// Scheme, host in lower case, and port with the scheme's default filled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    pub scheme: Scheme,
    pub host: String,
    pub port: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    Http,
    Https,
}

impl Site {
    /// `http[s]://host[:port]` and nothing more; `null`, a path, a user or a list is no site.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = match text.split_once("://")? {
            (scheme, rest) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, rest),
            (scheme, rest) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, rest),
            _ => return None,
        };
        let (host, port) = split_port(rest)?;
        let port = port.unwrap_or(scheme.default_port());
        Some(Site { scheme, host: host.to_ascii_lowercase(), port })
    }

    /// Whether `host[:port]` of a request names this site; the scheme is ignored, since a proxy
    /// that ends TLS hides it.
    pub fn is_at(&self, host: &str, port: Option<u16>) -> bool {
        self.host.eq_ignore_ascii_case(host)
            && port.map_or(self.port == self.scheme.default_port(), |port| port == self.port)
    }
}

impl Scheme {
    fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

/// A host (a name, an IPv4 address, or an IPv6 address in brackets) and its port, if any.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    let inside = host.trim_start_matches('[').trim_end_matches(']');
    let v6 = host.starts_with('[');
    let valid = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b) || (v6 && b == b':');
    if inside.is_empty() || !inside.bytes().all(valid) {
        return None;
    }
    match port.strip_prefix(':') {
        None => port.is_empty().then_some((host, None)),
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
            Some((host, Some(digits.parse().ok()?)))
        }
        Some(_) => None,
    }
}

impl<'de> Deserialize<'de> for Site {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Site::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "origins: {text:?} is no origin; write scheme, host and port only, such as \
                 \"https://app.example.com\""
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_scheme_host_and_port_make_a_site() {
        for good in ["https://a.test", "HTTP://A.test:8000", "http://[::1]:8000", "http://1.2.3.4"]
        {
            assert!(Site::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "null",
            "a.test",
            "https://",
            "https://a.test/",
            "https://u@a.test",
            "https://a:b",
            "https://a.test:99999",
            "https://a.test:+1",
            "https://a.test:",
            "ftp://a.test",
            "https://a.test https://b.test",
            "https://a.test,https://b.test",
            "https://*.a.test",
            "https://[::1",
            "https://[]",
            "https://a.test?x",
            "https://a.test#x",
            "https://é.test",
        ] {
            assert_eq!(Site::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_host_without_a_port_is_the_default_port_of_the_origin() {
        let site = Site::parse("https://App.test").unwrap();
        assert!(site.is_at("app.test", None) && site.is_at("APP.test", Some(443)));
        assert!(!site.is_at("app.test", Some(8443)) && !site.is_at("app.test.evil.test", None));
        let other = Site::parse("https://app.test:8443").unwrap();
        assert!(other.is_at("app.test", Some(8443)) && !other.is_at("app.test", None));
    }
}
