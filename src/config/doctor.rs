//! src/config/doctor.rs: the checks at launch. Each has a code, a fix in its text, and a section in
//! docs/launch-checks.md; insecure configuration does not launch in release.

use std::fmt;
use std::net::IpAddr;

#[cfg(feature = "password")]
use super::password::{Cost, Hashing};
use super::{Flags, Prefix, SameSite, Settings};

/// What a check found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    pub code: &'static str,
    pub severity: Severity,
    pub text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// The launch goes on.
    Warn,
    /// The launch stops.
    Refuse,
}

/// What the checks must know besides the settings.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Any profile but the one named exactly `debug`.
    pub release: bool,
    /// Browsers speak TLS: with Rocket itself, or with a proxy in front of it.
    pub tls: bool,
    pub address: IpAddr,
    /// Rocket's `log_level` is `debug`, at which it prints `Cookie` and `Authorization`.
    pub debug_log: bool,
    /// The fairing runs on a clock that a test moves.
    pub stopped_clock: bool,
    /// The fairing keeps sessions, and does not go by tokens.
    pub sessions: bool,
    /// Where sessions are kept; `None` is this process's memory.
    pub remote: Option<Remote>,
}

/// A store on the other side of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remote {
    /// On this machine: a loopback address or a unix socket.
    pub local: bool,
    pub encrypted: bool,
    pub password: bool,
}

/// Refusals that `allow = [..]` turns into warnings.
const OVERRIDABLE: &[&str] = &["RI007", "RI018", "RI019"];

impl Finding {
    pub fn refuse(code: &'static str, text: String) -> Self {
        Finding { code, severity: Severity::Refuse, text }
    }

    pub fn warn(code: &'static str, text: String) -> Self {
        Finding { code, severity: Severity::Warn, text }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "[{}] {} (docs/launch-checks.md#{})",
            self.code,
            self.text,
            self.code.to_lowercase()
        )
    }
}

impl Flags {
    /// Whether cookies carry `Secure`.
    pub fn is_secure(&self, around: &Surroundings) -> bool {
        self.secure.unwrap_or(around.release || around.tls)
    }

    /// The name's prefix: `__Host-` wherever the cookie is `Secure`.
    pub fn effective_prefix(&self, around: &Surroundings) -> Option<Prefix> {
        self.prefix.or(self.is_secure(around).then_some(Prefix::Host))
    }
}

/// Everything that is wrong with `settings` in these `surroundings`.
pub fn examine(settings: &Settings, around: &Surroundings) -> Vec<Finding> {
    let mut findings = cookies(&settings.cookie, around);
    findings.extend(process(settings, around));
    #[cfg(feature = "password")]
    findings.extend(passwords(&settings.password, around));
    findings.extend(around.remote.filter(|_| around.release).into_iter().flat_map(store));
    for finding in &mut findings {
        if settings.allow.iter().any(|code| code == finding.code) {
            finding.severity = Severity::Warn;
        }
    }
    for code in &settings.allow {
        if !OVERRIDABLE.contains(&&**code) {
            let text = format!(
                "identity.allow names {code:?}, which cannot be overridden; remove it (what can: \
                 {OVERRIDABLE:?})"
            );
            findings.push(Finding::refuse("RI009", text));
        }
    }
    findings
}

/// Flags that browsers reject together, or that give the cookie away.
fn cookies(flags: &Flags, around: &Surroundings) -> Vec<Finding> {
    let secure = flags.is_secure(around);
    let prefix = flags.effective_prefix(around);
    let mut findings = Vec::new();
    let mut refuse = |code, text: &str| findings.push(Finding::refuse(code, text.into()));
    if around.release && !secure {
        refuse(
            "RI001",
            "identity.cookie.secure = false in release: anyone on the network path could read \
             the session's cookie; remove the key, or run with ROCKET_PROFILE=debug on localhost",
        );
    }
    if prefix == Some(Prefix::Host) && flags.domain.is_some() {
        refuse(
            "RI002",
            "identity.cookie.domain is set on a `__Host-` cookie, which browsers reject; remove \
             `domain`, or accept that every subdomain can set this cookie and write \
             prefix = \"__Secure-\"",
        );
    }
    if flags.same_site == SameSite::None && !secure {
        refuse(
            "RI003",
            "identity.cookie.same_site = \"None\" without Secure, which browsers reject; set \
             secure = true and serve over TLS, or use \"Lax\"",
        );
    }
    if prefix.is_some() && !secure {
        refuse(
            "RI004",
            "identity.cookie.prefix is set on a cookie without Secure, which browsers reject; \
             remove `prefix`, or set secure = true and serve over TLS",
        );
    }
    if flags.partitioned && !secure {
        refuse(
            "RI005",
            "identity.cookie.partitioned = true without Secure, which browsers reject; set \
             secure = true and serve over TLS",
        );
    }
    if prefix == Some(Prefix::Secure) {
        let text = "identity.cookie.prefix = \"__Secure-\": a sibling subdomain can set this \
                    cookie in a victim's browser; prefer \"__Host-\" and no domain";
        findings.push(Finding::warn("RI013", text.into()));
    }
    findings
}

/// The process around the settings.
fn process(settings: &Settings, around: &Surroundings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let exposed = !around.address.is_loopback() && !around.tls;
    if around.release && around.sessions && around.remote.is_none() {
        let text = "sessions live in this process's memory: they end when it does, and a second \
                    process does not know them";
        findings.push(Finding::warn("RI006", text.into()));
    }
    if around.release && around.debug_log {
        let text = "log_level = \"debug\" in release: at that level Rocket prints every cookie, \
                    `Authorization` field and password typed; use \"normal\", or set identity.allow = [\"RI007\"]";
        findings.push(Finding::refuse("RI007", text.into()));
    }
    if around.release && exposed {
        let text = format!(
            "plain HTTP on {} in release: passwords and cookies would cross the network in clear; \
             set up TLS ([default.tls]), or set identity.behind_tls_proxy = true where a proxy \
             does it, or address = \"127.0.0.1\"",
            around.address
        );
        findings.push(Finding::refuse("RI008", text));
    }
    if around.release && around.stopped_clock {
        let text = "a testing::Clock is managed in release: sessions do not expire by themselves; \
                    manage it in tests only";
        findings.push(Finding::warn("RI014", text.into()));
    }
    if !around.release && exposed && !settings.cookie.is_secure(around) {
        let text = format!(
            "profile debug on {}: cookies carry no Secure flag and cross the network in clear; \
             this profile is for localhost",
            around.address
        );
        findings.push(Finding::warn("RI015", text));
    }
    findings
}

/// What a stolen table of hashes would cost to guess.
#[cfg(feature = "password")]
fn passwords(settings: &Hashing, around: &Surroundings) -> Option<Finding> {
    let text = || {
        let Cost { memory_kib, iterations, parallelism } = settings.cost();
        format!(
            "identity.password asks for m={memory_kib} KiB, t={iterations}, p={parallelism}, which \
             is weaker than OWASP's least: remove the keys, or use one of m=47104 t=1, m=19456 t=2, \
             m=12288 t=3, m=9216 t=4, m=7168 t=5"
        )
    };
    settings.is_weak().then(|| match around.release {
        true => Finding::refuse("RI036", text()),
        false => Finding::warn("RI036", text()),
    })
}

/// The way to the store, in release.
fn store(remote: Remote) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !remote.local && !remote.password {
        let text = "Redis on another host without a password: whoever reaches it can log in as \
                    anybody; give it one (redis://user:password@..), or set identity.allow = \
                    [\"RI018\"] where the network alone keeps others out";
        findings.push(Finding::refuse("RI018", text.into()));
    }
    if !remote.local && !remote.encrypted {
        let text = "Redis on another host without TLS: its password and your users' data cross the \
                    network in clear; use rediss:// (feature redis-tls), or set identity.allow = \
                    [\"RI019\"] where the network itself is encrypted";
        findings.push(Finding::refuse("RI019", text.into()));
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn release() -> Surroundings {
        Surroundings {
            release: true,
            tls: false,
            address: Ipv4Addr::LOCALHOST.into(),
            debug_log: false,
            stopped_clock: false,
            sessions: true,
            remote: None,
        }
    }

    fn debug() -> Surroundings {
        Surroundings { release: false, ..release() }
    }

    /// The codes found, a refusal's with a `!` behind it.
    fn codes(settings: &Settings, around: &Surroundings) -> Vec<String> {
        let mark = |f: Finding| {
            format!("{}{}", f.code, if f.severity == Severity::Refuse { "!" } else { "" })
        };
        examine(settings, around).into_iter().map(mark).collect()
    }

    fn flags(change: impl FnOnce(&mut Flags)) -> Settings {
        let mut settings = Settings::default();
        change(&mut settings.cookie);
        settings
    }

    #[test]
    fn the_defaults_launch_with_no_finding_but_the_memory_store_in_release() {
        assert!(codes(&Settings::default(), &debug()).is_empty());
        assert_eq!(codes(&Settings::default(), &release()), ["RI006"]);
        let tokens = Surroundings { sessions: false, ..release() };
        assert!(codes(&Settings::default(), &tokens).is_empty());
    }

    #[test]
    fn an_insecure_cookie_does_not_launch_in_release() {
        let settings = flags(|f| f.secure = Some(false));
        assert_eq!(codes(&settings, &release()), ["RI001!", "RI006"]);
        assert!(codes(&settings, &debug()).is_empty());
    }

    /// Checklist row 6: a prefix that browsers would reject with its flags does not launch.
    #[test]
    fn combinations_that_browsers_reject_do_not_launch() {
        let domain = |f: &mut Flags| f.domain = Some("app.test".into());
        assert_eq!(codes(&flags(domain), &release()), ["RI002!", "RI006"]);
        assert!(codes(&flags(domain), &debug()).is_empty());
        assert_eq!(codes(&flags(|f| f.same_site = SameSite::None), &debug()), ["RI003!"]);
        assert_eq!(codes(&flags(|f| f.prefix = Some(Prefix::Host)), &debug()), ["RI004!"]);
        assert_eq!(codes(&flags(|f| f.partitioned = true), &debug()), ["RI005!"]);
        let tls = Surroundings { tls: true, ..debug() };
        for change in [(|f| f.same_site = SameSite::None) as fn(&mut Flags), |f| {
            f.partitioned = true;
        }] {
            assert!(codes(&flags(change), &tls).is_empty());
        }
    }

    #[test]
    fn a_secure_prefix_with_a_domain_launches_with_a_warning() {
        let settings = flags(|f| {
            f.domain = Some("app.test".into());
            f.prefix = Some(Prefix::Secure);
        });
        assert_eq!(codes(&settings, &release()), ["RI013", "RI006"]);
    }

    #[test]
    fn a_debug_log_in_release_needs_an_override() {
        let around = Surroundings { debug_log: true, ..release() };
        let mut settings = Settings::default();
        assert_eq!(codes(&settings, &around), ["RI006", "RI007!"]);
        settings.allow = vec!["RI007".into()];
        assert_eq!(codes(&settings, &around), ["RI006", "RI007"]);
        settings.allow = vec!["RI001".into()];
        assert_eq!(codes(&settings, &release()), ["RI006", "RI009!"]);
    }

    #[test]
    fn plain_http_on_the_network_needs_tls_or_a_proxy_in_release() {
        let network = Surroundings { address: Ipv4Addr::UNSPECIFIED.into(), ..release() };
        let settings = Settings::default();
        assert_eq!(codes(&settings, &network), ["RI006", "RI008!"]);
        assert_eq!(codes(&settings, &Surroundings { tls: true, ..network.clone() }), ["RI006"]);
        assert_eq!(
            codes(&settings, &Surroundings { release: false, ..network.clone() }),
            ["RI015"]
        );
    }

    #[test]
    fn a_redis_on_another_host_needs_a_password_and_tls_in_release() {
        let remote = Remote { local: false, encrypted: false, password: false };
        let found = |remote, settings: &Settings| {
            codes(settings, &Surroundings { remote: Some(remote), ..release() })
        };
        let mut settings = Settings::default();
        assert_eq!(found(remote, &settings), ["RI018!", "RI019!"]);
        assert_eq!(found(Remote { password: true, ..remote }, &settings), ["RI019!"]);
        assert!(found(Remote { local: true, ..remote }, &settings).is_empty());
        assert!(found(Remote { password: true, encrypted: true, ..remote }, &settings).is_empty());
        let lax = Surroundings { remote: Some(remote), ..debug() };
        assert!(codes(&settings, &lax).is_empty());
        settings.allow = vec!["RI018".into(), "RI019".into()];
        assert_eq!(found(remote, &settings), ["RI018", "RI019"]);
    }

    /// Checklist row 75.
    #[cfg(feature = "password")]
    #[test]
    fn weak_password_hashes_do_not_launch_in_release() {
        let mut settings = Settings::default();
        for (memory_kib, iterations, weak) in
            [(19_456, 2, false), (19_456, 1, true), (7_168, 5, false), (7_168, 4, true)]
        {
            settings.password = Hashing { memory_kib, iterations, ..Hashing::default() };
            let found = codes(&settings, &release());
            assert_eq!(found, if weak { vec!["RI006", "RI036!"] } else { vec!["RI006"] });
            let found = codes(&settings, &debug());
            assert_eq!(found, if weak { vec!["RI036"] } else { vec![] });
        }
    }

    #[test]
    fn a_stopped_clock_in_release_is_warned_of() {
        let around = Surroundings { stopped_clock: true, ..release() };
        assert_eq!(codes(&Settings::default(), &around), ["RI006", "RI014"]);
    }

    #[test]
    fn every_code_has_its_section_in_the_docs_and_no_section_is_left_over() {
        let docs = include_str!("../../docs/launch-checks.md");
        let sections: Vec<_> = docs.lines().filter_map(|line| line.strip_prefix("## RI")).collect();
        let numbers: Vec<_> = (1..=37).map(|n| format!("{n:03}")).collect();
        assert_eq!(sections, numbers);
    }
}
