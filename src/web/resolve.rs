//! src/web/resolve.rs: from the credentials of a request to a user, once per request.

use std::sync::Arc;

use super::core::{Core, Mode};
use super::credentials::Credentials;
use super::reload;
use super::visit::{Current, Proof, Resolved, Visit};
use crate::error::Reason;
use crate::event::Event;
use crate::session::{Resumed, StoreError};
use crate::user::User;

/// Looks the request's user up at the first call; later ones wait for it or read it.
pub async fn resolve<'r, U: User>(core: &Core, visit: &'r Visit<U>) -> &'r Resolved<U> {
    visit.resolved.get_or_init(|| look_up(core, visit)).await
}

/// The same where the fairing goes by tokens and nothing is waited for: a future that could wait for a
/// store is large, and copied several times on its way.
#[cfg(feature = "jwt")]
pub fn resolve_token<'r, U: User>(core: &Core, visit: &'r Visit<U>) -> Option<&'r Resolved<U>> {
    if visit.resolved.get().is_none()
        && let (Mode::Tokens(mode), Credentials::Tokens { bearer, cookie }) =
            (&core.mode, &visit.credentials)
    {
        let _ = visit.resolved.set(mode.resolve(core, visit, (bearer, cookie)));
    }
    visit.resolved.get()
}

async fn look_up<U: User>(core: &Core, visit: &Visit<U>) -> Resolved<U> {
    // One future for all of it: each one more that is nested in another is copied once more.
    let (mode, presented) = match (&core.mode, &visit.credentials) {
        (Mode::Sessions(mode), Credentials::Tickets(presented)) => (mode, presented),
        #[cfg(feature = "jwt")]
        (Mode::Tokens(mode), Credentials::Tokens { bearer, cookie }) => {
            return mode.resolve(core, visit, (bearer, cookie));
        }
        #[cfg(feature = "jwt")]
        _ => return Resolved::Anonymous(Reason::Unauthenticated),
    };
    let tell = |event: Event| core.events.emit(event.address(visit.peer));
    let refused = |reason: Reason| tell(Event::new(Event::REFUSED).reason(reason.code()));
    if !presented.any() {
        return Resolved::Anonymous(Reason::Unauthenticated);
    }
    let Some(ticket) = presented.ticket() else {
        refused(Reason::SessionInvalid);
        return Resolved::Anonymous(Reason::SessionInvalid);
    };
    // Before any store read: a foreign page must not spend our store's time.
    if visit.cross_origin {
        refused(Reason::CrossOrigin);
        return Resolved::Refused(Reason::CrossOrigin);
    }
    let (session, stored) = match mode.sessions.resume(ticket).await {
        Ok(Resumed::Live { session, user, untouched }) => {
            if let Some(cause) = untouched {
                tell(Event::new(Event::TOUCH_FAILED).tag(ticket.tag()).cause(&cause));
            }
            (session, user)
        }
        Ok(Resumed::Gone) => {
            refused(Reason::SessionInvalid);
            return Resolved::Anonymous(Reason::SessionInvalid);
        }
        Err(StoreError::Unreadable(cause)) => {
            tell(Event::new(Event::UNREADABLE).tag(ticket.tag()).cause(&cause));
            return Resolved::Anonymous(Reason::SessionInvalid);
        }
        Err(cause) => {
            let code = Reason::StoreUnavailable.code();
            tell(Event::new(Event::STORE_FAILED).reason(code).tag(ticket.tag()).cause(&cause));
            return Resolved::Refused(Reason::StoreUnavailable);
        }
    };
    match read_user::<U>(stored.version, &stored.json) {
        Ok(mut user) => {
            let limit = core.settings.session.reload;
            if limit.is_some_and(|limit| core.clock.now().since(stored.as_of) >= limit) {
                // Boxed: it is taken seldom, and every request would carry the room for it.
                let who = (ticket.tag(), user.id());
                match Box::pin(reload::again(core, mode, visit, who)).await {
                    Ok(newer) => user = newer.map_or(user, |(newer, _)| newer),
                    Err(failure) if failure.reason == Reason::SessionInvalid => {
                        return Resolved::Anonymous(Reason::SessionInvalid);
                    }
                    Err(failure) => {
                        // The store did not take it: what is known stays for now.
                        let cause = failure.source.map(|cause| cause.to_string());
                        let cause = cause.unwrap_or_default();
                        tell(Event::new(Event::RELOAD_FAILED).tag(ticket.tag()).cause(&cause));
                    }
                }
            }
            Resolved::User(Arc::new(Current { user, proof: Proof::Session(session) }))
        }
        Err(cause) => {
            tell(Event::new(Event::UNREADABLE).tag(ticket.tag()).cause(&cause));
            Resolved::Anonymous(Reason::SessionInvalid)
        }
    }
}

/// Why a stored user is not one of today's; the text holds none of its data.
pub fn read_user<U: User>(version: u32, json: &str) -> Result<U, String> {
    if version != U::VERSION {
        return Err(format!("a user of version {version}, not {}", U::VERSION));
    }
    // serde's own message may quote the value.
    serde_json::from_str(json).map_err(|error| {
        format!(
            "a user that does not read as {} at column {}",
            std::any::type_name::<U>(),
            error.column()
        )
    })
}
