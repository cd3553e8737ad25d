//! src/web/client.rs: where a request comes from, and one word where that cannot be known.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;

use rocket::Request;

use super::core::Core;
use crate::event::Event;
use crate::throttle::ClientAddress;

/// The client's address: the peer's, unless that is a trusted proxy.
///
/// Rocket's `client_ip` believes an `X-Real-IP` field that a client sent, and is never asked.
pub fn address(core: &Core, request: &Request<'_>) -> IpAddr {
    let peer = request.remote().map(|peer| peer.ip());
    let fields = |name| request.headers().get(name).collect::<Vec<_>>();
    let client = ClientAddress::of(
        // Rocket's local client comes from nowhere.
        peer.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
        &fields("X-Forwarded-For"),
        &fields("Forwarded"),
        &core.settings.throttle.trusted_proxies,
    );
    if client.from_untrusted && !core.untrusted_told.swap(true, Ordering::Relaxed) {
        let fix = "a forwarded field came from a peer that is not in \
                   identity.throttle.trusted_proxies and was ignored; if the peer is your proxy, \
                   name it there, or all of its clients share one bucket";
        core.events.emit(Event::new(Event::UNTRUSTED_PROXY).cause(&fix).address(peer));
    }
    client.address
}
