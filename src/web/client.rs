//! src/web/client.rs: where a request comes from, and one word where that cannot be known.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};

use rocket::Request;

use super::core::Core;
use crate::config::throttle::ProxyField;
use crate::event::Event;
use crate::throttle::ClientAddress;

/// What was told already, so that no client fills the log.
#[derive(Default)]
pub struct Told {
    untrusted: AtomicBool,
    unreadable: AtomicBool,
}

const UNTRUSTED: &str = "a forwarded field came from a peer that is not in \
    identity.throttle.trusted_proxies and was ignored; if the peer is your proxy, name it there, or \
    all of its clients share one bucket";
const UNREADABLE: &str = "a trusted proxy sent no address in X-Forwarded-For or Forwarded, or two that \
    differ, so its own counts for the client's; let it set one of them, and name that in \
    identity.throttle.proxy_field";

/// The client's address: the peer's, unless that is a trusted proxy.
///
/// Rocket's `client_ip` believes an `X-Real-IP` field that a client sent, and is never asked.
pub fn address(core: &Core, request: &Request<'_>) -> IpAddr {
    let peer = request.remote().map(|peer| peer.ip());
    let throttle = &core.settings.throttle;
    let fields = |field: ProxyField, name| match throttle.proxy_field {
        Some(other) if other != field => Vec::new(),
        _ => request.headers().get(name).collect(),
    };
    let client = ClientAddress::of(
        // Rocket's local client comes from nowhere.
        peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
        &fields(ProxyField::XForwardedFor, "X-Forwarded-For"),
        &fields(ProxyField::Forwarded, "Forwarded"),
        &throttle.trusted_proxies,
    );
    for (is_so, told, fix) in [
        (client.from_untrusted, &core.client_told.untrusted, UNTRUSTED),
        (client.unreadable, &core.client_told.unreadable, UNREADABLE),
    ] {
        if is_so && !told.swap(true, Ordering::Relaxed) {
            core.events.emit(Event::new(Event::CLIENT_UNKNOWN).cause(&fix).address(peer));
        }
    }
    client.address
}

/// The same for an event: the local client of tests comes from nowhere.
pub fn known_address(core: &Core, request: &Request<'_>) -> Option<IpAddr> {
    request.remote().map(|_| address(core, request))
}
