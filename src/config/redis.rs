//! src/config/redis.rs: `[default.databases.identity]`: the keys of rocket_db_pools, and ours.

use std::path::PathBuf;
use std::time::Duration;

use figment::Figment;
use serde::Deserialize;

use super::doctor::Finding;
use super::span;

/// Where Redis is and how long it may take.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Database {
    /// `redis://[user:password@]host[:port][/db]` or `redis+unix:///path`; never printed.
    pub url: Url,
    #[serde(default = "one_second", deserialize_with = "span::read")]
    pub connect_timeout: Duration,
    #[serde(default = "a_quarter", deserialize_with = "span::read")]
    pub command_timeout: Duration,
    /// A PEM file with the CA of `rediss://`; the system's CAs without it.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// How many replicas must have a logout before it is acknowledged.
    #[serde(default)]
    pub durability: Option<Durability>,
    /// Connections of the application's own pool; sessions share one.
    #[serde(default = "sixteen")]
    pub max_connections: usize,
    /// Every key of ours starts with it: two applications on one Redis need two, or a ticket of one
    /// would be a session of the other.
    #[serde(default = "prefix")]
    pub prefix: String,
}

/// `WAIT`: a write that too few replicas have in time is an error, not a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Durability {
    pub wait: u32,
    #[serde(default = "three_tenths", deserialize_with = "span::read")]
    pub timeout: Duration,
}

/// A URL with a password in it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Url(pub String);

const TABLE: &str = "databases.identity";
const OURS: &[&str] =
    &["url", "connect_timeout", "command_timeout", "ca", "durability", "max_connections", "prefix"];
/// Keys of rocket_db_pools that have no meaning here.
const THEIRS: &[&str] = &["min_connections", "idle_timeout", "extensions"];

impl Database {
    /// The table, where it is there; and a warning for each key in it that nothing reads.
    pub fn read(figment: &Figment) -> Result<Option<(Self, Vec<Finding>)>, Finding> {
        let Ok(table) = figment.find_value(TABLE) else { return Ok(None) };
        let keys = table.as_dict().into_iter().flat_map(|dict| dict.keys());
        let unknown = keys.filter(|key| !OURS.contains(&&***key) && !THEIRS.contains(&&***key));
        let warnings = unknown
            .map(|key| Finding::warn("RI016", format!("`{TABLE}.{key}` is read by nothing")))
            .collect();
        let database: Database = figment.focus(TABLE).extract().map_err(|mut error| {
            error.path.insert(0, TABLE.into());
            Finding::refuse("RI009", error.to_string())
        })?;
        database.check().map_err(|text| Finding::refuse("RI009", format!("{TABLE}.{text}")))?;
        Ok(Some((database, warnings)))
    }

    /// What the types cannot say of a value.
    fn check(&self) -> Result<(), String> {
        let waits = self.durability.map(|durability| ("durability.timeout", durability.timeout));
        let spans =
            [("connect_timeout", self.connect_timeout), ("command_timeout", self.command_timeout)];
        for (key, span) in spans.into_iter().chain(waits) {
            if span < Duration::from_millis(10) || span > Duration::from_secs(10) {
                return Err(format!(
                    "{key} is {span:?}: it must be from 10 ms to 10 s, such as \"250ms\""
                ));
            }
        }
        if self.durability.is_some_and(|durability| durability.wait == 0) {
            return Err("durability.wait must be at least 1; leave `durability` out to wait for \
                        no replica"
                .into());
        }
        if self.max_connections == 0 {
            return Err("max_connections must be at least 1".into());
        }
        if self.prefix.is_empty() || !self.prefix.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(format!(
                "prefix is {:?}: it must be printable ASCII, such as \"ri:\"",
                self.prefix
            ));
        }
        Ok(())
    }
}

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Url(..)")
    }
}

fn one_second() -> Duration {
    Duration::from_secs(1)
}

fn a_quarter() -> Duration {
    Duration::from_millis(250)
}

fn three_tenths() -> Duration {
    Duration::from_millis(300)
}

fn sixteen() -> usize {
    16
}

fn prefix() -> String {
    "ri:".into()
}

#[cfg(test)]
mod tests {
    use figment::providers::{Format, Toml};

    use super::*;

    fn read(toml: &str) -> Result<Option<(Database, Vec<Finding>)>, Finding> {
        Database::read(&Figment::from(Toml::string(toml)))
    }

    #[test]
    fn without_the_table_there_is_no_database() {
        assert!(read("identity.login_path = '/login'").unwrap().is_none());
    }

    #[test]
    fn the_committed_file_shows_every_key_with_its_default() {
        let text = include_str!("../../Rocket.toml").lines();
        let table = text.skip_while(|line| !line.ends_with("[default.databases.identity]"));
        let lines = table.skip(1).take_while(|line| !line.starts_with('['));
        let keys: Vec<_> = lines.filter_map(|line| line.strip_prefix("# ")).collect();
        let toml = format!("[databases.identity]\n{}", keys.join("\n"));
        let (mut shown, warnings) = read(&toml).unwrap().unwrap();
        // These two have no default; the file shows a value.
        assert_eq!(shown.ca.take(), Some("ca.pem".into()));
        let timeout = Duration::from_millis(300);
        assert_eq!(shown.durability.take(), Some(Durability { wait: 1, timeout }));
        let url = "[databases.identity]\nurl = 'redis://127.0.0.1:6379'";
        assert_eq!(shown, read(url).unwrap().unwrap().0);
        assert!(warnings.is_empty());
        assert!(OURS.iter().all(|key| toml.contains(&format!("{key} = "))));
    }

    #[test]
    fn the_keys_of_rocket_db_pools_are_accepted_and_unknown_ones_warned_of() {
        let toml = "[databases.identity]\nurl = 'x'\nmin_connections = 1\nmax_connections = 9\n\
                    connect_timeout = 3\nidle_timeout = 60\nextensions = []\ntimeout = 1";
        let (database, warnings) = read(toml).unwrap().unwrap();
        assert_eq!(database.connect_timeout, Duration::from_secs(3));
        assert_eq!(database.max_connections, 9);
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].text.contains("`databases.identity.timeout`"), "{warnings:?}");
    }

    #[test]
    fn a_value_that_would_never_work_is_refused_by_the_name_of_its_key() {
        for (line, named) in [
            ("connect_timeout = 0", "connect_timeout"),
            ("command_timeout = '1ms'", "command_timeout"),
            ("command_timeout = '11s'", "command_timeout"),
            ("durability = { wait = 1, timeout = 0 }", "durability.timeout"),
            ("durability = { wait = 0 }", "durability.wait"),
            ("max_connections = 0", "max_connections"),
            ("prefix = ''", "prefix"),
            ("prefix = 'a b'", "prefix"),
        ] {
            let refused = read(&format!("[databases.identity]\nurl = 'x'\n{line}")).unwrap_err();
            assert!(refused.text.contains(&format!("databases.identity.{named}")), "{refused:?}");
        }
    }

    #[test]
    fn a_missing_url_and_a_wrong_span_are_refused_and_the_url_is_never_printed() {
        assert!(read("[databases.identity]").unwrap_err().text.contains("url"));
        let wrong = read("[databases.identity]\nurl = 'x'\ncommand_timeout = 'soon'");
        assert!(wrong.unwrap_err().text.contains("command_timeout"));
        let (database, _) =
            read("[databases.identity]\nurl = 'redis://:secret@h'").unwrap().unwrap();
        assert!(!format!("{database:?}").contains("secret"));
    }
}
