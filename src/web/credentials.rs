//! src/web/credentials.rs: what a request presents, by shape alone: nothing here is believed yet.

#[cfg(feature = "jwt")]
use std::borrow::Cow;

use rocket::Request;

use super::cookie::Presented;
use super::core::{Core, Mode};

/// What a request presents to one fairing.
pub enum Credentials {
    /// Session cookies.
    Tickets(Presented),
    /// An access token, in a header field or a cookie.
    #[cfg(feature = "jwt")]
    Tokens { bearer: Bearer, cookie: TokenCookie },
}

/// What stands in `Authorization`, where bearer tokens are taken.
#[cfg(feature = "jwt")]
#[derive(Debug, PartialEq, Eq)]
pub enum Bearer {
    /// No such field, or one of another scheme.
    Absent,
    /// Two fields, or one that does not hold one token.
    Ambiguous,
    Token(Box<str>),
}

/// What stands in the cookie, where cookies are taken.
#[cfg(feature = "jwt")]
#[derive(Debug, PartialEq, Eq)]
pub enum TokenCookie {
    Absent,
    /// A second cookie of the name, whatever its value, means that there is none.
    Ambiguous,
    Token(Box<str>),
}

impl Credentials {
    pub fn read(core: &Core, request: &Request<'_>) -> Self {
        match &core.mode {
            Mode::Sessions(mode) => Credentials::Tickets(Presented::read(&mode.cookie, request)),
            #[cfg(feature = "jwt")]
            Mode::Tokens(mode) => Credentials::Tokens {
                bearer: match mode.transport.takes_bearer() {
                    true => Bearer::read(authorization(request)),
                    false => Bearer::Absent,
                },
                cookie: match mode.transport.takes_cookie() {
                    true => {
                        let mut cookie = TokenCookie::Absent;
                        mode.cookie.read(request, |value| cookie.add(value));
                        cookie
                    }
                    false => TokenCookie::Absent,
                },
            },
        }
    }

    /// Whether a cookie of ours came, good or bad.
    pub fn any_cookie(&self) -> bool {
        match self {
            Credentials::Tickets(presented) => presented.any(),
            #[cfg(feature = "jwt")]
            Credentials::Tokens { cookie, .. } => *cookie != TokenCookie::Absent,
        }
    }

    /// Whether a bearer token came, good or bad.
    pub fn any_bearer(&self) -> bool {
        match self {
            Credentials::Tickets(_) => false,
            #[cfg(feature = "jwt")]
            Credentials::Tokens { bearer, .. } => *bearer != Bearer::Absent,
        }
    }
}

/// Compared one by one: Rocket's map would hash the name, which costs more than the few there are.
#[cfg(feature = "jwt")]
fn authorization<'r>(request: &'r Request<'_>) -> impl Iterator<Item = Cow<'r, str>> {
    let fields = request.headers().iter();
    fields.filter(|field| field.name() == "Authorization").map(|field| field.value)
}

#[cfg(feature = "jwt")]
impl Bearer {
    /// RFC 6750 section 2.1, RFC 9110 section 11.4: one field, one token, the scheme in any case.
    fn read<'f>(mut fields: impl Iterator<Item = Cow<'f, str>>) -> Self {
        let Some(field) = fields.next() else { return Bearer::Absent };
        if fields.next().is_some() {
            return Bearer::Ambiguous;
        }
        let (scheme, rest) = field.split_once([' ', '\t']).unwrap_or((&field, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            // A list of credentials is not one, wherever in it the token stands.
            let is_bearer = |one: &str| {
                let scheme = one.trim_start_matches([' ', '\t']).split([' ', '\t']).next();
                scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer"))
            };
            return match field.split(',').any(is_bearer) {
                true => Bearer::Ambiguous,
                false => Bearer::Absent,
            };
        }
        let token = rest.trim_matches(' ');
        // All bytes, with no way out at the first: so it is done sixteen at a time.
        let several = |any, byte| any | matches!(byte, b' ' | b',' | b'\t');
        if token.is_empty() || token.bytes().fold(false, several) {
            return Bearer::Ambiguous;
        }
        Bearer::Token(token.into())
    }
}

#[cfg(feature = "jwt")]
impl TokenCookie {
    fn add(&mut self, value: &str) {
        *self = match self {
            TokenCookie::Absent => TokenCookie::Token(value.into()),
            _ => TokenCookie::Ambiguous,
        };
    }
}

#[cfg(all(test, feature = "jwt"))]
mod tests {
    use super::*;

    /// Checklist row 87.
    #[test]
    fn a_bearer_token_comes_in_one_field_alone_and_its_scheme_in_any_case() {
        let read =
            |fields: &[&'static str]| Bearer::read(fields.iter().copied().map(Cow::Borrowed));
        let token = Bearer::Token("a.b.c".into());
        for field in
            ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c", "Bearer   a.b.c", "bEaReR a.b.c "]
        {
            assert_eq!(read(&[field]), token, "{field:?}");
        }
        for field in
            ["Bearer", "Bearer ", "bearer a b", "Bearer a, Bearer b", "Bearer a,b", "Bearer a\tb"]
        {
            assert_eq!(read(&[field]), Bearer::Ambiguous, "{field:?}");
        }
        for field in
            ["Basic YTpi", "Bearertoken a", "Digest username=\"a\", realm=\"b\"", "", "a.b.c"]
        {
            assert_eq!(read(&[field]), Bearer::Absent, "{field:?}");
        }
        assert_eq!(read(&[]), Bearer::Absent);
        for fields in [["Bearer a.b.c", "Bearer a.b.c"], ["Basic YTpi", "Bearer a.b.c"]] {
            assert_eq!(read(&fields), Bearer::Ambiguous, "{fields:?}");
        }
    }

    #[test]
    fn a_second_cookie_of_the_name_means_none() {
        let mut cookie = TokenCookie::Absent;
        cookie.add("a");
        assert_eq!(cookie, TokenCookie::Token("a".into()));
        cookie.add("a");
        assert_eq!(cookie, TokenCookie::Ambiguous);
        cookie.add("b");
        assert_eq!(cookie, TokenCookie::Ambiguous);
    }
}
