//! src/config/throttle.rs: `[default.identity.throttle]`: how many guesses, and whose word is taken for
//! where they come from.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::Error;

use super::span;

#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(default)]
pub struct Throttle {
    /// Guesses at one account at once, and the time in which one comes back.
    pub account_burst: u32,
    #[serde(deserialize_with = "span::read")]
    pub account_refill: Duration,
    /// The same of one address: an IPv4 address, or the /64 of an IPv6 one.
    pub address_burst: u32,
    #[serde(deserialize_with = "span::read")]
    pub address_refill: Duration,
    /// Proxies whose `X-Forwarded-For` or `Forwarded` field is believed.
    pub trusted_proxies: Vec<Network>,
    /// The one field that the proxies set; the other is a client's and not read. `None`: whichever
    /// comes, and where both do they must agree.
    pub proxy_field: Option<ProxyField>,
    /// Accounts and addresses that this process remembers at once; those beyond share one bucket.
    pub max_entries: usize,
}

/// Which field says where a request came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum ProxyField {
    #[serde(rename = "X-Forwarded-For")]
    XForwardedFor,
    /// RFC 7239.
    Forwarded,
}

impl Default for Throttle {
    fn default() -> Self {
        Throttle {
            account_burst: 10,
            account_refill: Duration::from_secs(30),
            address_burst: 50,
            address_refill: Duration::from_secs(5),
            trusted_proxies: Vec::new(),
            proxy_field: None,
            max_entries: 100_000,
        }
    }
}

impl Throttle {
    /// What the types cannot say of a value.
    pub(super) fn check(&self) -> Result<(), String> {
        // NIST SP 800-63B-4 3.2.2: no more than 100 failures in a row.
        for (key, burst, most) in [
            ("account_burst", self.account_burst, 100),
            ("address_burst", self.address_burst, 10_000),
        ] {
            if !(1..=most).contains(&burst) {
                return Err(format!(
                    "identity.throttle.{key} is {burst}: it must be from 1 to {most}"
                ));
            }
        }
        let longest = Duration::from_secs(24 * 60 * 60);
        let window = |refill: Duration, burst| refill.saturating_mul(burst);
        for (key, refill, burst) in [
            ("account_refill", self.account_refill, self.account_burst),
            ("address_refill", self.address_refill, self.address_burst),
        ] {
            if refill < Duration::from_millis(1) || refill > longest {
                return Err(format!(
                    "identity.throttle.{key} is {refill:?}: it must be from a millisecond to a day, \
                     such as \"30s\""
                ));
            }
            if window(refill, burst) > longest * 366 {
                return Err(format!(
                    "identity.throttle.{key} is {refill:?}, so that a burst of {burst} takes more \
                     than a year to come back; lower one of them"
                ));
            }
        }
        if !(1_000..=10_000_000).contains(&self.max_entries) {
            return Err("identity.throttle.max_entries must be from 1000 to 10000000".into());
        }
        let all = self.trusted_proxies.iter().find(|network| network.0.prefix_len() == 0);
        if let Some(network) = all {
            return Err(format!(
                "identity.throttle.trusted_proxies names {}: every client could say where it comes \
                 from; name the addresses of your proxies, such as \"10.0.0.7\"",
                network.0
            ));
        }
        Ok(())
    }
}

/// One address, or a network in CIDR notation (RFC 4632).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network(IpNet);

impl Network {
    /// A network of IPv4 addresses written as IPv6 (`::ffff:10.0.0.0/104`) is the IPv4 one.
    pub fn parse(text: &str) -> Option<Self> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse().ok()?,
        };
        let IpNet::V6(v6) = network else { return Some(Network(network)) };
        let mapped = v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
        Some(Network(match mapped {
            Some((address, prefix)) => IpNet::new(address.into(), prefix).ok()?,
            None => network,
        }))
    }

    /// Whether the address, which may be an IPv4 one written as IPv6, lies in it.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Network::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "trusted_proxies: {text:?} is neither an address nor a network such as \
                 \"10.0.0.0/8\""
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_one_address_or_a_prefix() {
        let holds = |network: &str, address: &str| {
            Network::parse(network).unwrap().contains(address.parse().unwrap())
        };
        assert!(holds("10.0.0.0/8", "10.1.2.3") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("10.0.0.1", "10.0.0.1") && !holds("10.0.0.1", "10.0.0.2"));
        assert!(holds("10.0.0.1/8", "10.9.9.9"), "bits beyond the prefix do not count");
        assert!(holds("fd00::/8", "fdff::1") && !holds("fd00::/8", "fe00::1"));
        assert!(holds("::1", "::1") && !holds("::1", "::2"));
        for text in ["", "10.0.0", "10.0.0.0/33", "10.0.0.0/-1", "localhost", "fd00::/129", "*"] {
            assert_eq!(Network::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ipv4_written_as_ipv6_is_ipv4_on_either_side() {
        let network = Network::parse("10.0.0.0/8").unwrap();
        assert_eq!(Network::parse("::ffff:10.0.0.0/104"), Some(network));
        assert_eq!(Network::parse("::ffff:10.0.0.1"), Network::parse("10.0.0.1"));
        assert!(network.contains("::ffff:10.1.1.1".parse().unwrap()));
        assert!(!Network::parse("::/8").unwrap().contains("10.0.0.1".parse().unwrap()));
    }
}
