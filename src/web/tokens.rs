//! src/web/tokens.rs: access tokens: made at login, taken from a request, taken for a user.

mod open;

use std::sync::Arc;
use std::time::Duration;

use super::cookie::CredentialCookie;
use super::core::Core;
use super::credentials::{Bearer, TokenCookie};
use super::visit::{Current, Proof, Resolved, Visit};
use crate::clock::Time;
use crate::config::jwt::Transport;
use crate::error::{Failure, Reason};
use crate::event::Event;
use crate::jwt::codec::{self, Flaw, MintError, NewClaims, Policy};
use crate::jwt::keyset::Keys;
use crate::jwt::source::Watch;
use crate::jwt::{Claims, Tokens};
use crate::user::User;

/// Browsers drop a cookie whose name and value are longer (RFC 6265bis section 5.6).
const MAX_COOKIE: usize = 4096;

/// A token holds all of it, and keys say which are ours.
pub struct TokenMode {
    pub keys: Arc<Keys>,
    pub policy: Policy,
    pub ttl: Duration,
    pub transport: Transport,
    pub cookie: CredentialCookie,
    /// Reads the keys again for as long as the fairing lives.
    _watch: Option<Watch>,
}

impl TokenMode {
    /// A token for `user`, and what a guard will read from it.
    pub fn issue<U: User>(&self, user: &U, now: Time) -> Result<(Tokens, Arc<Claims>), Failure> {
        let json = super::auth::written(user)?;
        let id = user.id();
        let keys = self.keys.current();
        let signer = keys.signer(now).ok_or(Reason::NoSigningKey)?;
        let token = codec::mint(
            signer,
            &NewClaims {
                issuer: &self.policy.issuer,
                audience: &self.policy.audience,
                subject: id.as_str(),
                issued_at: now,
                ttl: self.ttl,
                scope: None,
                user: &json,
                user_version: U::VERSION,
            },
        )
        .map_err(failed)?;
        let cookie = self.cookie.name().len() + token.len();
        if self.transport.takes_cookie() && cookie > MAX_COOKIE {
            let text = format!(
                "cookie {} would have {cookie} bytes, and browsers keep {MAX_COOKIE}: keep the \
                 user small",
                self.cookie.name()
            );
            return Err(Failure { reason: Reason::TokenTooLarge, source: Some(text.into()) });
        }
        // One that no guard would take would log nobody in.
        let read = codec::verify(&token, &keys, &self.policy, now);
        let claims = read.map_err(|flaw| unusable(format!("our own token: {}", flaw.code())))?;
        if U::from_claims(&claims).is_none_or(|read| read.id() != id) {
            let name = std::any::type_name::<U>();
            return Err(unusable(format!("User::from_claims of {name} does not read it back")));
        }
        let tokens = Tokens::new(token, self.ttl);
        Ok((tokens, Arc::new(claims)))
    }

    /// From a request's token to its user. The bearer decides where there is one; a cookie beside
    /// it is no second credential.
    pub fn resolve<U: User>(
        &self,
        core: &Core,
        visit: &Visit<U>,
        (bearer, cookie): (&Bearer, &TokenCookie),
    ) -> Resolved<U> {
        let refused = |reason: Reason, cause: Option<&str>| {
            let mut event = Event::new(Event::REFUSED).reason(reason.code()).address(visit.peer);
            if let Some(cause) = cause {
                event = event.cause(&cause);
            }
            core.events.emit(event);
            reason
        };
        match bearer {
            Bearer::Ambiguous => {
                return Resolved::Refused(refused(Reason::InvalidRequest, None));
            }
            Bearer::Token(token) => {
                return match self.take::<U>(token, core.clock.now()) {
                    Ok((user, claims)) => found(user, Proof::Bearer(claims)),
                    Err((reason, cause)) => Resolved::Refused(refused(reason, Some(cause))),
                };
            }
            Bearer::Absent => {}
        }
        match cookie {
            TokenCookie::Absent => Resolved::Anonymous(Reason::Unauthenticated),
            TokenCookie::Ambiguous => {
                let cause = Some("two cookies of one name");
                Resolved::Anonymous(refused(Reason::InvalidToken, cause))
            }
            // Before any signature work: a foreign page must not spend our time.
            TokenCookie::Token(_) if visit.cross_origin => {
                Resolved::Refused(refused(Reason::CrossOrigin, None))
            }
            TokenCookie::Token(token) => match self.take::<U>(token, core.clock.now()) {
                Ok((user, claims)) => found(user, Proof::TokenCookie(claims)),
                Err((reason, cause)) => Resolved::Anonymous(refused(reason, Some(cause))),
            },
        }
    }

    /// The user of a good token, or what is wrong with it: for the client, and for the event.
    fn take<U: User>(
        &self,
        token: &str,
        now: Time,
    ) -> Result<(U, Arc<Claims>), (Reason, &'static str)> {
        let keys = self.keys.current();
        let verified = codec::verify(token, &keys, &self.policy, now);
        let claims = verified.map_err(|flaw: Flaw| match flaw.is_expired() {
            true => (Reason::ExpiredToken, flaw.code()),
            false => (Reason::InvalidToken, flaw.code()),
        })?;
        match U::from_claims(&claims) {
            Some(user) => Ok((user, Arc::new(claims))),
            None => Err((Reason::InvalidToken, "user")),
        }
    }
}

fn found<U>(user: U, proof: Proof) -> Resolved<U> {
    Resolved::User(Arc::new(Current { user, proof }))
}

fn failed(error: MintError) -> Failure {
    let reason = match error {
        MintError::CannotSign => Reason::NoSigningKey,
        MintError::NoEntropy(_) => Reason::NoEntropy,
        MintError::Subject => Reason::InvalidUserId,
        MintError::Audience | MintError::User => Reason::UserNotStorable,
        MintError::TooLong => Reason::TokenTooLarge,
    };
    Failure { reason, source: Some(error.into()) }
}

fn unusable(text: String) -> Failure {
    Failure { reason: Reason::UserNotStorable, source: Some(text.into()) }
}
