//! src/web/names.rs: what the fairings of one Rocket must not share: their names, and whose tokens they
//! take.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use figment::Figment;

use crate::config::doctor::Finding;
use crate::config::keys;
#[cfg(feature = "jwt")]
use crate::jwt::codec::Policy;

/// All fairings, as they are attached.
#[derive(Default)]
pub struct Names(Mutex<All>);

#[derive(Default)]
struct All {
    names: BTreeSet<Arc<str>>,
    /// Of those that go by tokens.
    #[cfg(feature = "jwt")]
    policies: Vec<(Arc<str>, Policy)>,
}

impl Names {
    /// Takes a name; false where another fairing has it, with which it would share a cookie.
    pub fn take(&self, name: &Arc<str>) -> bool {
        self.all().names.insert(name.clone())
    }

    /// Takes an issuer and audiences: with two that another fairing takes too, a customer's token
    /// would be an admin's.
    #[cfg(feature = "jwt")]
    pub fn claim(&self, name: &Arc<str>, policy: &Policy) -> Result<(), Finding> {
        let policies = &mut self.all().policies;
        let twin = policies.iter().find_map(|(other, theirs)| {
            let shared = policy.audience.iter().find(|name| theirs.audience.contains(name))?;
            (theirs.issuer == policy.issuer).then_some((other, shared))
        });
        if let Some((other, shared)) = twin {
            let table = match name.is_empty() {
                true => other,
                false => name,
            };
            let text = format!(
                "the fairings {other:?} and {name:?} take the same tokens: both have the audience \
                 {shared:?}, so a token of one kind of user would open the other's routes; set \
                 audience = [\"..\"] in [default.identity.named.{table}.jwt]"
            );
            return Err(Finding::refuse("RI035", text));
        }
        policies.push((name.clone(), policy.clone()));
        Ok(())
    }

    /// The first fairing of all looks for named tables that none reads.
    pub fn unread(&self, own: &Arc<str>, figment: &Figment) -> Vec<Finding> {
        let all = self.all();
        match all.names.first() == Some(own) {
            true => {
                keys::unread_names(figment, &all.names.iter().map(|n| &**n).collect::<Vec<_>>())
            }
            false => Vec::new(),
        }
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
