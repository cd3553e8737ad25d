//! src/web/cookie.rs: the one file that reads a cookie, builds one and clears one.

use std::time::Duration;

use rocket::Request;
use rocket::http::Cookie;
use rocket::time;

use crate::config::doctor::Surroundings;
use crate::config::{Flags, Prefix, SameSite};
use crate::ticket::Ticket;

/// A credential's cookie: its name and flags, the same at login and at logout (RFC 6265bis).
#[derive(Debug)]
pub struct CredentialCookie {
    name: String,
    secure: bool,
    same_site: SameSite,
    domain: Option<String>,
    partitioned: bool,
}

/// What a request showed under the session cookie's name.
#[derive(Debug, Default)]
pub struct Presented {
    /// How often the name came, well-formed or not.
    count: usize,
    /// The well-formed values, a few at most.
    tickets: Vec<Ticket>,
}

/// More tickets than this in one request are nobody's mistake.
const MOST: usize = 4;

impl CredentialCookie {
    /// `fairing` is the fairing's name, empty for the unnamed; `kind` is `session`, `access` or
    /// `device`.
    pub fn new(flags: &Flags, fairing: &str, kind: &str, around: &Surroundings) -> Self {
        let prefix = match flags.effective_prefix(around) {
            Some(Prefix::Host) => "__Host-",
            Some(Prefix::Secure) => "__Secure-",
            None => "",
        };
        let dash = if fairing.is_empty() { "" } else { "-" };
        CredentialCookie {
            name: format!("{prefix}{fairing}{dash}{kind}"),
            secure: flags.is_secure(around),
            same_site: flags.same_site,
            domain: flags.domain.clone(),
            partitioned: flags.partitioned,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Gives `each` every value that the request has under this name, in order.
    ///
    /// The raw `Cookie` fields are read. Rocket's jar percent-decodes names and trims Unicode white
    /// space, so a sibling domain's `%5F%5FHost-session` would pass there for `__Host-session`.
    pub fn read(&self, request: &Request<'_>, mut each: impl FnMut(&str)) {
        let mut fields = request.headers().get("Cookie").peekable();
        if fields.peek().is_none() {
            // No field at all: this is Rocket's local client, whose cookies are in the jar only.
            // On the wire the jar is filled from the fields, so nothing is opened by it.
            if let Some(cookie) = request.cookies().get(&self.name) {
                each(cookie.value());
            }
        }
        for field in fields {
            self.read_field(field, &mut each);
        }
    }

    /// One `Cookie` field (RFC 6265 section 4.2.1): an HTTP/2 client sends one for each cookie.
    fn read_field(&self, field: &str, each: &mut impl FnMut(&str)) {
        for pair in field.split(';') {
            let pair = pair.trim_matches([' ', '\t']);
            if let Some(value) = pair.strip_prefix(&*self.name).and_then(|v| v.strip_prefix('=')) {
                each(value);
            }
        }
    }

    /// The `Set-Cookie` that hands the credential to the browser. `max_age` where it shall outlive
    /// the browser: set once, at login, and never moved.
    pub fn set(&self, credential: &str, max_age: Option<Duration>) -> String {
        let mut cookie = self.bare(credential.to_owned());
        if let Some(span) = max_age {
            let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
            cookie.set_max_age(time::Duration::seconds(seconds));
        }
        cookie.to_string()
    }

    /// Whether that `Set-Cookie` is of this name.
    pub fn is_set_by(&self, header: &str) -> bool {
        header.strip_prefix(&*self.name).is_some_and(|rest| rest.starts_with('='))
    }

    /// The `Set-Cookie` that deletes it: with every attribute, or browsers ignore it. `Expires`
    /// too, since Rocket's tracked client knows only that.
    pub fn clear(&self) -> String {
        let mut cookie = self.bare(String::new());
        cookie.set_max_age(time::Duration::ZERO);
        cookie.set_expires(time::OffsetDateTime::UNIX_EPOCH);
        cookie.to_string()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the door that the others must use")]
    fn bare(&self, value: String) -> Cookie<'_> {
        let same_site = match self.same_site {
            SameSite::Strict => rocket::http::SameSite::Strict,
            SameSite::Lax => rocket::http::SameSite::Lax,
            SameSite::None => rocket::http::SameSite::None,
        };
        let mut cookie = Cookie::new(&*self.name, value);
        cookie.set_path("/");
        cookie.set_http_only(true);
        cookie.set_secure(self.secure);
        cookie.set_same_site(same_site);
        cookie.set_partitioned(self.partitioned);
        if let Some(domain) = &self.domain {
            cookie.set_domain(&**domain);
        }
        cookie
    }
}

impl Presented {
    pub fn read(cookie: &CredentialCookie, request: &Request<'_>) -> Self {
        let mut presented = Presented::default();
        cookie.read(request, |value| presented.add(value));
        presented
    }

    fn add(&mut self, value: &str) {
        self.count += 1;
        if self.tickets.len() < MOST {
            self.tickets.extend(Ticket::parse(value));
        }
    }

    /// The name came at least once.
    pub fn any(&self) -> bool {
        self.count > 0
    }

    /// The one ticket; a second cookie of the name, whatever its value, means that there is none.
    pub fn ticket(&self) -> Option<&Ticket> {
        match (self.count, &*self.tickets) {
            (1, [ticket]) => Some(ticket),
            _ => None,
        }
    }

    /// All of them, for a logout or a new login to end.
    pub fn tickets(&self) -> &[Ticket] {
        &self.tickets
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    use super::*;
    use crate::ticket::Tag;
    use crate::user::UserId;

    fn cookie(change: impl FnOnce(&mut Flags), release: bool) -> CredentialCookie {
        let around = Surroundings {
            release,
            tls: false,
            address: Ipv4Addr::LOCALHOST.into(),
            debug_log: false,
            stopped_clock: false,
            sessions: true,
            remote: None,
        };
        let mut flags = Flags::default();
        change(&mut flags);
        CredentialCookie::new(&flags, "", "session", &around)
    }

    fn ticket() -> Ticket {
        Ticket::random(Tag::of("", &UserId::from(1))).unwrap()
    }

    fn read(fields: &[&str]) -> Presented {
        let cookie = cookie(|_| {}, true);
        let mut presented = Presented::default();
        fields
            .iter()
            .for_each(|field| cookie.read_field(field, &mut |value: &str| presented.add(value)));
        presented
    }

    /// Checklist rows 5, 6, 21.
    #[test]
    fn in_release_the_cookie_has_every_flag_a_host_prefix_and_no_max_age() {
        let ticket = ticket();
        let text = cookie(|_| {}, true).set(&ticket.reveal(), None);
        let value = ticket.reveal();
        let flags = "HttpOnly; SameSite=Lax; Secure; Path=/";
        assert_eq!(text, format!("__Host-session={}; {flags}", *value));
    }

    #[test]
    fn in_debug_on_plain_http_the_name_has_no_prefix_and_the_cookie_no_secure_flag() {
        let ticket = ticket();
        let text = cookie(|_| {}, false).set(&ticket.reveal(), None);
        assert_eq!(text, format!("session={}; HttpOnly; SameSite=Lax; Path=/", *ticket.reveal()));
    }

    #[test]
    fn the_clearing_cookie_has_the_attributes_of_the_one_it_clears() {
        let change = |f: &mut Flags| {
            f.prefix = Some(Prefix::Secure);
            f.domain = Some("app.test".into());
            f.partitioned = true;
            f.same_site = SameSite::None;
        };
        let cookie = cookie(change, true);
        let ticket = ticket();
        let set = cookie.set(&ticket.reveal(), None).replace(&**ticket.reveal(), "");
        let gone = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
        let clear = cookie.clear();
        for attribute in set.split("; ").chain(gone.split("; ")) {
            assert!(clear.split("; ").any(|other| other == attribute), "{attribute}: {clear}");
        }
        assert_eq!(clear.split("; ").count(), set.split("; ").count() + 2);
    }

    /// Checklist row 20.
    #[test]
    fn the_longest_cookie_stays_far_below_what_browsers_keep() {
        let change = |f: &mut Flags| {
            f.prefix = Some(Prefix::Secure);
            f.domain = Some("d".repeat(253));
            f.partitioned = true;
        };
        let text = cookie(change, true).set(&ticket().reveal(), Some(Duration::from_secs(1)));
        assert!(text.len() < 600, "{}", text.len());
    }

    /// Checklist row 7, the parser's part: the name is matched byte for byte.
    #[test]
    fn a_name_that_only_looks_like_ours_is_another_cookie() {
        let value = ticket().reveal();
        for name in [
            "%5F%5FHost-session",
            "__%48ost-session",
            "__host-session",
            "__Host-Session",
            "\u{2000}__Host-session",
            "\u{a0}__Host-session",
            "\u{85}__Host-session",
            "\u{3000}__Host-session",
            "\u{2028}__Host-session",
            "\u{b}__Host-session",
            "\u{c}__Host-session",
            "x__Host-session",
            "__Host-session2",
            "__Host-session ",
            "session",
            "__Secure-session",
            "__Host-admin-session",
            "a=__Host-session",
        ] {
            let field = format!("{name}={}", *value);
            assert!(!read(&[&field]).any(), "{name:?}");
            let both = read(&[&format!("{field}; __Host-session={}", *value)]);
            assert!(both.ticket().is_some(), "{name:?} hides the real one");
        }
    }

    #[test]
    fn a_second_cookie_of_our_name_anywhere_means_none() {
        let (a, b) = (format!("__Host-session={}", *ticket().reveal()), "__Host-session=x");
        for fields in [vec![&*a, b], vec![b, &a], vec![&a, &a]] {
            assert!(read(&fields).ticket().is_none(), "{fields:?}");
            assert!(read(&[&fields.join("; ")]).ticket().is_none(), "{fields:?}");
            assert!(read(&[&fields.join(";\t ")]).ticket().is_none(), "{fields:?}");
        }
        assert!(read(&["theme=dark", &a, "lang=en; x=y"]).ticket().is_some());
        assert_eq!(read(&[&a, &a]).tickets().len(), 2);
    }

    /// The "Bad input" of a session: nothing that is thrown at the parser panics or passes.
    #[test]
    fn a_million_random_cookie_fields_hold_no_ticket_but_the_ones_put_there() {
        let good = ticket().reveal().to_string();
        let part = prop_oneof![
            Just("__Host-session".to_owned()),
            Just("=".to_owned()),
            Just(";".to_owned()),
            Just("; ".to_owned()),
            Just(good.clone()),
            Just(good[..65].to_owned()),
            Just(good.replace('.', "=")),
            "[ -~]{0,12}",
            "\\PC{0,6}",
        ];
        let case = prop::collection::vec(part, 16);
        let config = Config { cases: 4_000, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new(config);
        let fields = std::cell::Cell::new(0u32);
        runner
            .run(&case, |parts| {
                // Every choice of two parts, with two more behind them, is a field of its own.
                for choice in 0..256 {
                    fields.set(fields.get() + 1);
                    let (i, j) = (choice / 16, choice % 16);
                    let field = [i, j, (i + j) % 16, (i * j) % 16].map(|n| &*parts[n]).concat();
                    let expected: Vec<_> = field
                        .split(';')
                        .map(|pair| pair.trim_matches([' ', '\t']))
                        .filter_map(|pair| pair.split_once('='))
                        .filter(|(name, _)| *name == "__Host-session")
                        .map(|(_, value)| value)
                        .collect();
                    let presented = read(&[&field]);
                    prop_assert_eq!(presented.any(), !expected.is_empty());
                    let one = matches!(*expected, [value] if Ticket::parse(value).is_some());
                    prop_assert_eq!(presented.ticket().is_some(), one, "{:?}", field);
                }
                Ok(())
            })
            .unwrap();
        assert!(fields.get() > 1_000_000, "only {} fields were tried", fields.get());
    }
}
