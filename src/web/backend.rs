//! src/web/backend.rs: which store a fairing's sessions and throttle are kept in, chosen from its
//! settings.

use std::sync::Arc;

use figment::Figment;

use crate::clock::Clock;
use crate::config::doctor::{Finding, Remote};
#[cfg(feature = "redis")]
use crate::config::redis::Database;
use crate::config::{Settings, StoreKind};
use crate::memory::{Memory, Throttles};
#[cfg(feature = "redis")]
use crate::redis::{Link, install_tls_provider, remote};
use crate::session::Store;
use crate::throttle::{self, Limiter};

/// A store that is chosen and not yet opened.
pub enum Backend {
    Memory,
    #[cfg(feature = "redis")]
    Redis(Database, Remote),
}

/// An open store, as each slice needs it.
pub struct Opened {
    pub sessions: Arc<dyn Store>,
    pub throttle: Arc<dyn throttle::Store>,
    /// The limiter of this process.
    pub in_process: Arc<dyn Limiter>,
    pub findings: Vec<Finding>,
}

impl Backend {
    /// `redis` where its table exists, else `memory`, unless `identity.store` says which.
    ///
    /// Each fairing has keys of its own: in one store a customer's ticket, presented as an admin's,
    /// would find the customer, and be read as an admin.
    #[cfg(feature = "redis")]
    pub fn choose(
        settings: &Settings,
        figment: &Figment,
        fairing: &str,
    ) -> Result<(Self, Vec<Finding>), Finding> {
        if settings.store == Some(StoreKind::Memory) {
            return Ok((Backend::Memory, Vec::new()));
        }
        match (Database::read(figment)?, settings.store) {
            (Some((mut database, warnings)), _) => {
                if !fairing.is_empty() {
                    database.prefix.push_str(fairing);
                    database.prefix.push(':');
                }
                let remote = remote(&database).map_err(|error| {
                    let hint = match cfg!(feature = "redis-tls") {
                        true => "",
                        false => " (rediss:// needs the feature `redis-tls` of rocket_identity)",
                    };
                    let text = format!("databases.identity.url is no Redis URL: {error}{hint}");
                    Finding::refuse("RI009", text)
                })?;
                Ok((Backend::Redis(database, remote), warnings))
            }
            (None, Some(StoreKind::Redis)) => {
                Err(missing("there is no table [default.databases.identity] with a url"))
            }
            (None, _) => Ok((Backend::Memory, Vec::new())),
        }
    }

    #[cfg(not(feature = "redis"))]
    pub fn choose(
        settings: &Settings,
        figment: &Figment,
        _: &str,
    ) -> Result<(Self, Vec<Finding>), Finding> {
        let table = figment.find_value("databases.identity").is_ok();
        match settings.store {
            Some(StoreKind::Memory) => Ok((Backend::Memory, Vec::new())),
            None if !table => Ok((Backend::Memory, Vec::new())),
            None => Err(Finding::refuse(
                "RI017",
                "there is a table [default.databases.identity], but the crate was built without \
                 its feature `redis`; turn it on, or write identity.store = \"memory\""
                    .into(),
            )),
            Some(StoreKind::Redis) => {
                Err(missing("the crate was built without its feature `redis`"))
            }
        }
    }

    pub fn remote(&self) -> Option<Remote> {
        match self {
            Backend::Memory => None,
            #[cfg(feature = "redis")]
            Backend::Redis(_, remote) => Some(*remote),
        }
    }

    /// Opens it. A Redis that is away is a warning; one that lacks a right is a refusal.
    pub async fn open(self, settings: &Settings, clock: &Clock) -> Result<Opened, Finding> {
        // Counts what the store cannot, too.
        let in_process = Arc::new(Throttles::new(settings.throttle.max_entries));
        match self {
            Backend::Memory => {
                let memory = Memory::new(settings.memory.max_sessions, clock.clone());
                Ok(Opened {
                    sessions: Arc::new(memory),
                    throttle: in_process.clone(),
                    in_process,
                    findings: Vec::new(),
                })
            }
            #[cfg(feature = "redis")]
            Backend::Redis(database, _) => {
                install_tls_provider();
                let opened = Link::open(database).await;
                let (link, findings) = opened.map_err(|error| {
                    Finding::refuse("RI009", format!("databases.identity: {error}"))
                })?;
                let link = Arc::new(link);
                Ok(Opened { sessions: link.clone(), throttle: link, in_process, findings })
            }
        }
    }
}

fn missing(what: &str) -> Finding {
    Finding::refuse("RI017", format!("identity.store = \"redis\", but {what}"))
}
