//! src/throttle/client.rs: where a request comes from, when proxies may stand between.

use std::net::{IpAddr, SocketAddr};

use crate::config::throttle::Network;

/// Addresses that are looked at, from the right: more proxies than these stand in front of nobody.
const MOST_HOPS: usize = 16;

/// The longest element of a list that is looked at, in bytes.
const LONGEST_ELEMENT: usize = 512;

/// Where a request comes from.
///
/// The peer, unless it is a trusted proxy: then the last address in `X-Forwarded-For` or `Forwarded`
/// (RFC 7239) that is no trusted proxy. Each proxy adds, on the right, the address that it was reached
/// from, so that everything to the left of the first untrusted one is what a client says. What cannot
/// be read, or says no address, is the peer: so is whatever a trusted proxy sends without either field.
///
/// Where both fields are there, they must say the same, else it is the peer: a proxy minds one of them
/// and hands on the other as the client wrote it, and we cannot know which; the settings may say it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClientAddress {
    pub address: IpAddr,
    /// A field came from a peer that is no trusted proxy: either a client tells tales, or a proxy is
    /// missing in `trusted_proxies` and all who come through it share one bucket.
    pub from_untrusted: bool,
    /// A trusted proxy sent what says no address, or two that differ: its own stands for the client's.
    pub unreadable: bool,
}

impl ClientAddress {
    /// The fields' values as they came, one for each field, in order.
    pub fn of(
        peer: IpAddr,
        x_forwarded_for: &[&str],
        forwarded: &[&str],
        trusted: &[Network],
    ) -> Self {
        let peer = peer.to_canonical();
        let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
        let none = x_forwarded_for.is_empty() && forwarded.is_empty();
        if none || !is_trusted(peer) {
            return ClientAddress { address: peer, from_untrusted: !none, unreadable: false };
        }
        let plain = || last_untrusted(x_forwarded_for, node, is_trusted);
        let standard = || last_untrusted(forwarded, element, is_trusted);
        let address = match (x_forwarded_for, forwarded) {
            (_, []) => plain(),
            ([], _) => standard(),
            _ => plain().filter(|address| standard() == Some(*address)),
        };
        ClientAddress {
            address: address.unwrap_or(peer),
            from_untrusted: false,
            unreadable: address.is_none(),
        }
    }
}

/// The last address that is not trusted, or the first of all where every one is. The fields are one
/// list (RFC 9110 5.3).
fn last_untrusted(
    fields: &[&str],
    read: impl Fn(&str) -> Option<IpAddr>,
    is_trusted: impl Fn(IpAddr) -> bool,
) -> Option<IpAddr> {
    let elements = fields.iter().rev().flat_map(|field| field.rsplit(','));
    let mut farthest = None;
    for (hop, element) in elements.enumerate() {
        if hop == MOST_HOPS || element.len() > LONGEST_ELEMENT {
            return None;
        }
        let address = read(element.trim_matches([' ', '\t']))?.to_canonical();
        if !is_trusted(address) {
            return Some(address);
        }
        farthest = Some(address);
    }
    farthest
}

/// An element of `Forwarded`: pairs, each name once (RFC 7239 section 4).
///
/// A comma or a semicolon always parts, in quotes too, and a quoted value holds neither quotes nor
/// backslashes: no address needs one, and so nothing that a client got into another parameter can be
/// taken for an element, or swallow one.
fn element(text: &str) -> Option<IpAddr> {
    let mut names: Vec<&str> = Vec::new();
    let mut address = None;
    for pair in text.split(';') {
        let (name, value) = pair.split_once('=')?;
        if !is_token(name) || names.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            return None;
        }
        names.push(name);
        let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        let value = match quoted {
            Some(inside) if !inside.contains(['"', '\\']) => inside,
            None if is_token(value) => value,
            _ => return None,
        };
        if name.eq_ignore_ascii_case("for") {
            // `unknown`, or a name that the proxy made up, is no address.
            address = Some(node(value)?);
        }
    }
    address
}

/// An address, with or without a port; an IPv6 one with a port stands in brackets, and may without.
fn node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address);
    }
    if let Some(address) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return address.parse().ok().map(IpAddr::V6);
    }
    match text.parse::<SocketAddr>().ok()? {
        // A zone names an interface of whoever wrote it.
        SocketAddr::V6(address) if address.scope_id() != 0 => None,
        address => Some(address.ip()),
    }
}

/// RFC 9110 5.6.2.
fn is_token(text: &str) -> bool {
    let symbols = b"!#$%&'*+-.^_`|~";
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || symbols.contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.1";
    const CLIENT: &str = "192.0.2.7";

    fn of(peer: &str, plain: &[&str], standard: &[&str]) -> (String, bool) {
        let trusted = ["10.0.0.0/8", "fd00::/8"].map(|text| Network::parse(text).unwrap());
        let found = ClientAddress::of(peer.parse().unwrap(), plain, standard, &trusted);
        (found.address.to_string(), found.from_untrusted)
    }

    /// Checklist row 85: what a client writes changes nothing.
    #[test]
    fn a_field_from_a_peer_that_is_no_trusted_proxy_is_told_of_and_not_believed() {
        for (plain, standard) in [
            (&["1.1.1.1"][..], &[][..]),
            (&[], &["for=1.1.1.1"]),
            (&["1.1.1.1", "10.0.0.1"], &["for=1.1.1.1"]),
            (&[""], &[]),
        ] {
            assert_eq!(of(CLIENT, plain, standard), (CLIENT.into(), true));
        }
        assert_eq!(of(CLIENT, &[], &[]), (CLIENT.into(), false));
        let nobody = ClientAddress::of(PROXY.parse().unwrap(), &["1.1.1.1"], &[], &[]);
        assert_eq!((nobody.address.to_string(), nobody.from_untrusted), (PROXY.into(), true));
    }

    /// Checklist row 85: of what a proxy sends on, what it added itself.
    #[test]
    fn behind_a_trusted_proxy_it_is_the_last_untrusted_address_whatever_stands_before() {
        for fields in [
            &["192.0.2.7"][..],
            &["1.1.1.1, 192.0.2.7"],
            &["1.1.1.1", "192.0.2.7"],
            &["1.1.1.1,2.2.2.2 ,\t192.0.2.7 , 10.9.9.9"],
            &["10.0.0.3, 192.0.2.7"],
            &["garbage, , \", 192.0.2.7, 10.0.0.2", "10.0.0.3"],
            &["1.1.1.1, 192.0.2.7:55555"],
            &["::ffff:192.0.2.7"],
            &["[::ffff:192.0.2.7]:80, ::ffff:10.1.1.1"],
        ] {
            assert_eq!(of(PROXY, fields, &[]), (CLIENT.into(), false), "{fields:?}");
            assert_eq!(of("::ffff:10.0.0.1", fields, &[]).0, CLIENT, "{fields:?}");
        }
        for fields in [
            &["for=192.0.2.7"][..],
            &["For=\"192.0.2.7:80\";Proto=https;by=10.0.0.1"],
            &["for=1.1.1.1, for=192.0.2.7;host=a.test"],
            &["for=1.1.1.1", "for=192.0.2.7", "for=10.0.0.2"],
            // An open quote of the client's swallows nothing of what the proxy adds.
            &["for=1.1.1.1;x=\", for=192.0.2.7;by=\"_p\""],
            &["for=\"1.1.1.1, for=192.0.2.7"],
            &["for=\"[::ffff:192.0.2.7]\""],
        ] {
            assert_eq!(of(PROXY, &[], fields), (CLIENT.into(), false), "{fields:?}");
        }
        assert_eq!(of(PROXY, &["2001:db8::7"], &[]).0, "2001:db8::7");
        assert_eq!(of("fd00::1", &[], &["for=\"[2001:db8::7]:80\""]).0, "2001:db8::7");
    }

    #[test]
    fn what_cannot_be_read_or_names_nobody_is_the_peer() {
        let long = format!("1.1.1.1{}", " ".repeat(LONGEST_ELEMENT));
        for field in [
            "",
            ",",
            "192.0.2.7,",
            "unknown",
            "192.0.2.7;",
            "192.0.2",
            "192.0.2.7:99999",
            "192.0.2.07",
            "0xc0000207",
            "[192.0.2.7]",
            "fe80::1%eth0",
            "[fe80::1%1]:80",
            "192.0.2.7 10.0.0.1",
            "for=192.0.2.7",
            &long,
        ] {
            assert_eq!(of(PROXY, &[field], &[]), (PROXY.into(), false), "{field:?}");
        }
        for field in [
            "192.0.2.7",
            "for=",
            "for=unknown",
            "for=_hidden",
            "by=192.0.2.7",
            "for=192.0.2.7;for=1.1.1.1",
            "for=192.0.2.7;For=1.1.1.1",
            "for=192.0.2.7;",
            "for = 192.0.2.7",
            "for=\"192.0.2.7",
            "for=192.0.2.7\"",
            "for=\"\\192.0.2.7\"",
            "for=[2001:db8::7]",
            // A client's `Host` that a proxy quoted, and that looks like an element.
            "for=192.0.2.7;host=\"x, for=1.1.1.1;y=\"",
            "for=192.0.2.7;host=\"x, for=1.1.1.1;y=z\"",
            "for=192.0.2.7;host=\"x\\\", for=\\\"1.1.1.1\"",
        ] {
            assert_eq!(of(PROXY, &[], &[field]), (PROXY.into(), false), "{field:?}");
        }
    }

    #[test]
    fn where_both_fields_are_there_they_must_say_the_same() {
        let both = |plain, standard| of(PROXY, &[plain], &[standard]).0;
        assert_eq!(both("1.1.1.1, 192.0.2.7", "for=192.0.2.7;proto=https"), CLIENT);
        assert_eq!(both("192.0.2.7", "for=1.1.1.1"), PROXY);
        assert_eq!(both("192.0.2.7", "for=unknown"), PROXY);
        assert_eq!(both("unknown", "for=_x"), PROXY);
    }

    #[test]
    fn no_more_hops_are_looked_at_than_proxies_can_stand_in_front() {
        let list = |trusted| format!("192.0.2.7{}", ", 10.0.0.2".repeat(trusted));
        assert_eq!(of(PROXY, &[&list(MOST_HOPS - 1)], &[]).0, CLIENT);
        assert_eq!(of(PROXY, &[&list(MOST_HOPS)], &[]).0, PROXY);
        assert_eq!(of(PROXY, &["10.0.0.9, 10.0.0.8"], &[]).0, "10.0.0.9");
    }
}
