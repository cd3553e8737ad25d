//! src/config.rs: the keys of `[default.identity]`, their defaults, and how they are read.

pub mod doctor;
#[cfg(feature = "jwt")]
pub mod jwt;
pub mod keys;
#[cfg(feature = "password")]
pub mod password;
#[cfg(feature = "redis")]
pub mod redis;
pub mod site;
mod span;
pub mod throttle;

use std::time::Duration;

use figment::Figment;
use serde::Deserialize;

use self::doctor::Finding;
#[cfg(feature = "jwt")]
use self::jwt::Jwt;
#[cfg(feature = "password")]
use self::password::Hashing;
use self::site::Site;
use self::throttle::Throttle;

/// `[default.identity]`, or `[default.identity.named.<name>]` laid over it.
#[derive(Clone, Default, PartialEq, Debug, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `redis` where `[default.databases.identity]` exists, else `memory`.
    pub store: Option<StoreKind>,
    /// Where a browser that is not logged in is led to, as a path of this site.
    pub login_path: Option<String>,
    /// Where a browser is led to whose user must prove again who they are.
    pub confirm_path: Option<String>,
    /// Other sites, as `https://host[:port]`, whose pages may send unsafe requests.
    pub origins: Vec<Site>,
    /// Something in front of this process speaks TLS with the browser.
    pub behind_tls_proxy: bool,
    /// Codes of launch checks that may be overridden and are.
    pub allow: Vec<String>,
    pub session: Lifetimes,
    pub cookie: Flags,
    pub memory: Memory,
    pub throttle: Throttle,
    #[cfg(feature = "jwt")]
    pub jwt: Jwt,
    #[cfg(feature = "password")]
    pub password: Hashing,
}

/// `[default.identity.session]`: how long a session lives (OWASP ASVS 5.0 7.3.1 and 7.3.2).
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(default)]
pub struct Lifetimes {
    #[serde(deserialize_with = "span::read")]
    pub idle: Duration,
    #[serde(deserialize_with = "span::read")]
    pub absolute: Duration,
    #[serde(deserialize_with = "span::read")]
    pub remember: Duration,
    pub max_per_user: usize,
    /// How old the application's own reading of a user may be before its `reload` hook is asked.
    #[serde(deserialize_with = "span::read_optional")]
    pub reload: Option<Duration>,
    /// A logout tells the browser to drop what this site cached and stored.
    pub clear_site_data: bool,
    pub evict: Evict,
}

/// Who yields where a user has `max_per_user` sessions already.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evict {
    /// The oldest session ends.
    #[default]
    Oldest,
    /// The new login is refused.
    Refuse,
}

/// `[default.identity.cookie]`: the flags of every cookie that is set.
#[derive(Clone, Default, PartialEq, Debug, Deserialize)]
#[serde(default)]
pub struct Flags {
    /// True unless the profile is `debug` and browsers speak no TLS with Rocket or a proxy.
    pub secure: Option<bool>,
    /// `__Host-` where `secure` holds, else none.
    pub prefix: Option<Prefix>,
    pub same_site: SameSite,
    pub domain: Option<String>,
    pub partitioned: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    Memory,
    Redis,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum Prefix {
    #[serde(rename = "__Host-")]
    Host,
    #[serde(rename = "__Secure-")]
    Secure,
}

#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Deserialize)]
pub enum SameSite {
    Strict,
    #[default]
    Lax,
    None,
}

/// `[default.identity.memory]`: the store that needs no server.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// A login beyond it is refused with 503; a living session is never evicted for another's.
    pub max_sessions: usize,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Lifetimes {
            idle: Duration::from_secs(30 * 60),
            absolute: Duration::from_secs(24 * 60 * 60),
            remember: Duration::from_secs(30 * 24 * 60 * 60),
            max_per_user: 50,
            reload: None,
            clear_site_data: false,
            evict: Evict::Oldest,
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Memory { max_sessions: 100_000 }
    }
}

impl Settings {
    /// Reads and checks the settings of the fairing `name` (empty for the unnamed).
    pub fn read(figment: &Figment, name: &str) -> Result<Self, Finding> {
        keys::check(figment)?;
        let mut focused = figment.focus("identity");
        if !name.is_empty() {
            focused = focused.merge(figment.focus(&format!("identity.named.{name}")));
        }
        let settings: Settings = focused.extract().map_err(|mut error| {
            error.path.insert(0, "identity".into());
            Finding::refuse("RI009", error.to_string())
        })?;
        settings.check().map_err(|text| Finding::refuse("RI009", text))?;
        Ok(settings)
    }

    /// What the types cannot say of a value.
    fn check(&self) -> Result<(), String> {
        let second = Duration::from_secs(1);
        // Browsers keep no cookie longer than this (RFC 6265bis 5.5).
        let limit = Duration::from_secs(400 * 24 * 60 * 60);
        let session = &self.session;
        for (key, span) in
            [("idle", session.idle), ("absolute", session.absolute), ("remember", session.remember)]
        {
            if span < second || span > limit {
                return Err(format!(
                    "identity.session.{key} is {span:?}: it must be from one second to 400 days, \
                     such as \"30m\""
                ));
            }
        }
        if !(1..=1000).contains(&session.max_per_user) {
            return Err("identity.session.max_per_user must be from 1 to 1000".into());
        }
        if self.memory.max_sessions == 0 {
            return Err("identity.memory.max_sessions must be at least 1".into());
        }
        for (key, path) in [("login_path", &self.login_path), ("confirm_path", &self.confirm_path)]
        {
            if let Some(path) = path
                && !(path.starts_with('/') && !path.starts_with("//") && is_plain(path))
            {
                return Err(format!(
                    "identity.{key} is {path:?}: it must be a path of this site, such as \"/login\""
                ));
            }
        }
        if session.reload.is_some_and(|span| span < second || span > limit) {
            return Err("identity.session.reload must be from one second to 400 days, such as \
                        \"5m\""
                .into());
        }
        if let Some(domain) = &self.cookie.domain
            && (domain.is_empty() || domain.contains([';', ',']) || !is_plain(domain))
        {
            return Err(format!("identity.cookie.domain is {domain:?}: it must be a host name"));
        }
        self.throttle.check()?;
        #[cfg(feature = "jwt")]
        self.jwt.check()?;
        #[cfg(feature = "password")]
        self.password.check()?;
        Ok(())
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
}

#[cfg(test)]
mod tests {
    use figment::providers::Serialized;
    use serde_json::{Value, json};

    use super::*;

    fn read(identity: Value, name: &str) -> Result<Settings, Finding> {
        let figment = Figment::from(Serialized::default("identity", identity));
        Settings::read(&figment, name)
    }

    #[test]
    fn nothing_configured_is_the_defaults() {
        assert_eq!(Settings::read(&Figment::new(), "").unwrap(), Settings::default());
        assert_eq!(Settings::read(&Figment::new(), "admin").unwrap(), Settings::default());
    }

    #[test]
    fn a_named_table_lies_over_the_common_one() {
        let identity = json!({
            "session": { "idle": "5m", "max_per_user": 3 },
            "named": { "admin": { "session": { "idle": 60 } } },
        });
        let admin = read(identity.clone(), "admin").unwrap();
        assert_eq!(admin.session.idle, Duration::from_secs(60));
        assert_eq!(admin.session.max_per_user, 3);
        assert_eq!(read(identity, "").unwrap().session.idle, Duration::from_secs(300));
    }

    #[test]
    fn a_named_table_lies_over_the_common_one_whatever_else_is_configured() {
        let figment = Figment::new()
            .merge(("identity.named.admin.session.idle", "5m"))
            .select("release")
            .merge(("databases.identity.url", "redis://h"));
        for figment in [figment.clone(), Figment::from(&figment)] {
            let admin = Settings::read(&figment, "admin").unwrap();
            assert_eq!(admin.session.idle, Duration::from_secs(300));
        }
    }

    #[test]
    fn a_wrong_value_is_refused_by_the_name_of_its_key() {
        for (identity, named) in [
            (json!({ "session": { "idle": "soon" } }), "idle"),
            (json!({ "session": { "idle": 0 } }), "idle"),
            (json!({ "session": { "remember": "401d" } }), "remember"),
            (json!({ "session": { "max_per_user": 0 } }), "max_per_user"),
            (json!({ "session": { "evict": "newest" } }), "evict"),
            (json!({ "memory": { "max_sessions": 0 } }), "max_sessions"),
            (json!({ "cookie": { "same_site": "lax" } }), "same_site"),
            (json!({ "cookie": { "prefix": "" } }), "prefix"),
            (json!({ "cookie": { "domain": "a.test; Secure" } }), "domain"),
            (json!({ "origins": ["https://a.test/path"] }), "origins"),
            (json!({ "login_path": "//evil.test" }), "login_path"),
            (json!({ "confirm_path": "confirm" }), "confirm_path"),
            (json!({ "session": { "reload": "0s" } }), "reload"),
            (json!({ "throttle": { "account_burst": 0 } }), "account_burst"),
            (json!({ "throttle": { "account_burst": 101 } }), "account_burst"),
            (json!({ "throttle": { "address_burst": 10_001 } }), "address_burst"),
            (json!({ "throttle": { "account_refill": 0 } }), "account_refill"),
            (json!({ "throttle": { "address_refill": "25h" } }), "address_refill"),
            (json!({ "throttle": { "address_refill": "1d", "address_burst": 367 } }), "a year"),
            (json!({ "throttle": { "max_entries": 999 } }), "max_entries"),
            (json!({ "throttle": { "trusted_proxies": ["proxy"] } }), "trusted_proxies"),
            (json!({ "throttle": { "trusted_proxies": ["10.0.0.1", "::/0"] } }), "::/0"),
        ] {
            let finding = read(identity.clone(), "").expect_err(&identity.to_string());
            assert_eq!(finding.code, "RI009");
            assert!(finding.text.contains(named), "{}", finding.text);
        }
    }

    #[cfg(feature = "password")]
    #[test]
    fn a_wrong_value_for_passwords_is_refused_by_the_name_of_its_key() {
        for (identity, named) in [
            (json!({ "password": { "memory_kib": 7 } }), "memory_kib"),
            (json!({ "password": { "memory_kib": 8, "parallelism": 2 } }), "memory_kib"),
            (json!({ "password": { "memory_kib": "19 MiB" } }), "memory_kib"),
            (json!({ "password": { "iterations": 0 } }), "iterations"),
            (json!({ "password": { "parallelism": 65 } }), "parallelism"),
            (json!({ "password": { "max_memory_kib": 4_194_304 } }), "max_memory_kib"),
            (json!({ "password": { "max_iterations": 0 } }), "max_iterations"),
            (json!({ "password": { "max_parallelism": 0 } }), "max_parallelism"),
            (json!({ "password": { "at_once": 0 } }), "at_once"),
            (json!({ "password": { "queue": 100_001 } }), "queue"),
            (json!({ "password": { "longest_wait": "61s" } }), "longest_wait"),
        ] {
            let finding = read(identity.clone(), "").expect_err(&identity.to_string());
            assert_eq!(finding.code, "RI009");
            assert!(finding.text.contains(named), "{}", finding.text);
        }
    }

    #[cfg(feature = "jwt")]
    #[test]
    fn a_wrong_value_for_tokens_is_refused_by_the_name_of_its_key_and_never_repeated() {
        for (identity, named) in [
            (json!({ "jwt": { "access_ttl": "25h" } }), "access_ttl"),
            (json!({ "jwt": { "access_ttl": 0 } }), "access_ttl"),
            (json!({ "jwt": { "leeway": "61s" } }), "leeway"),
            (json!({ "jwt": { "issuer": "a\"b" } }), "issuer"),
            (json!({ "jwt": { "audience": [""] } }), "audience"),
            (json!({ "jwt": { "transport": "header" } }), "transport"),
            (json!({ "jwt": { "keys": "keys", "jwks": "{}" } }), "jwks"),
            (json!({ "jwt": { "keys": "{\"keys\":[]}" } }), "write a key set as `jwks`"),
        ] {
            let finding = read(identity.clone(), "").expect_err(&identity.to_string());
            assert_eq!(finding.code, "RI009");
            assert!(finding.text.contains(named), "{}", finding.text);
        }
    }

    /// `Rocket.toml` with every `# key = value` made a line of its own.
    #[cfg(feature = "jwt")]
    fn committed() -> String {
        let uncomment = |line: &'static str| match line.strip_prefix("# ") {
            Some(rest) if rest.contains(" = ") || rest.starts_with('[') => rest,
            _ => line,
        };
        include_str!("../Rocket.toml").lines().map(uncomment).collect::<Vec<_>>().join("\n")
    }

    // Without the feature its keys are refused.
    #[cfg(feature = "jwt")]
    #[test]
    fn the_committed_file_shows_every_key_with_its_default() {
        use figment::providers::{Format, Toml};
        let figment = Figment::from(Toml::string(&committed()).nested());
        let read = Settings::read(&figment, "").unwrap();
        // These have no default but what the surroundings say; the file shows a value.
        let cookie = Flags {
            secure: Some(true),
            prefix: Some(Prefix::Host),
            domain: Some("example.com".into()),
            ..Flags::default()
        };
        let login_path = Some("/login".into());
        let confirm_path = Some("/confirm".into());
        let session = Lifetimes { reload: Some(Duration::from_secs(300)), ..Lifetimes::default() };
        let store = Some(StoreKind::Memory);
        let jwt = Jwt {
            keys: Some("keys".into()),
            issuer: Some("https://example.com".into()),
            audience: vec!["https://example.com".into()],
            ..Jwt::default()
        };
        let password =
            Hashing { max_memory_kib: Some(77_824), at_once: Some(1), ..Hashing::default() };
        let throttle = Throttle {
            proxy_field: Some(throttle::ProxyField::XForwardedFor),
            ..Throttle::default()
        };
        let shown = Settings {
            store,
            login_path,
            confirm_path,
            session,
            cookie,
            jwt,
            password,
            throttle,
            ..Settings::default()
        };
        assert_eq!(read, shown);
        let named = Settings::read(&figment, "admin").unwrap();
        assert_eq!(named.session.idle, Duration::from_secs(300));
        for key in keys::all() {
            assert!(committed().contains(&format!("{key} = ")), "Rocket.toml does not show {key}");
        }
    }
}
