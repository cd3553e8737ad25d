//! examples/session/accounts.rs: who may log in. Your own user table comes here.

use std::sync::{Mutex, PoisonError};

use rocket::fairing::AdHoc;
use rocket_identity::password::{PasswordError, Passwords};
use rocket_identity::{User, UserId};
use serde::{Deserialize, Serialize};

/// The accounts of the demonstration; the login page shows them.
pub const DEMO: [(u64, &str, &str); 2] =
    [(1, "ada", "correct horse battery staple"), (2, "grace", "tr0ub4dor & three")];

/// What a guard hands to a handler. The hash of the password is not in it: a session store has no
/// business with that.
#[derive(Clone, Serialize, Deserialize)]
pub struct Account {
    pub id: u64,
    pub name: String,
}

impl User for Account {
    fn id(&self) -> UserId {
        self.id.into()
    }
}

/// The table of accounts.
pub struct Accounts(Mutex<Vec<Row>>);

struct Row {
    account: Account,
    /// The text that `Passwords::hash` made: a column of its own in a real table.
    hash: String,
}

impl Accounts {
    /// Makes the table at launch; where that fails, nothing launches. Attach it after `Identity`,
    /// which provides `Passwords`.
    pub fn fairing() -> AdHoc {
        AdHoc::try_on_ignite("Accounts", |rocket| async {
            let Some(passwords) = rocket.state::<Passwords>() else {
                tracing::error!("attach Accounts after Identity");
                return Err(rocket);
            };
            match Accounts::create(passwords).await {
                Ok(accounts) => Ok(rocket.manage(accounts)),
                Err(error) => {
                    tracing::error!("the demo accounts could not be made: {error:?}");
                    Err(rocket)
                }
            }
        })
    }

    async fn create(passwords: &Passwords) -> Result<Self, PasswordError> {
        let mut rows = Vec::new();
        for (id, name, password) in DEMO {
            let hash = passwords.hash(password).await?;
            let name = name.to_owned();
            rows.push(Row { account: Account { id, name }, hash });
        }
        Ok(Accounts(Mutex::new(rows)))
    }

    /// The account of this name and password. An unknown name costs what a wrong password does.
    pub async fn authenticate(
        &self,
        passwords: &Passwords,
        username: &str,
        password: &str,
    ) -> Result<Option<Account>, PasswordError> {
        let Some((account, stored)) = self.find(username) else {
            passwords.verify_unknown(password).await?;
            return Ok(None);
        };
        let verdict = passwords.verify(password, &stored).await?;
        if let Some(new) = verdict.new_hash() {
            self.replace_hash(account.id, &stored, new);
        }
        Ok(verdict.is_right().then_some(account))
    }

    fn find(&self, username: &str) -> Option<(Account, String)> {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.iter().find(|row| row.account.name == username);
        row.map(|row| (row.account.clone(), row.hash.clone()))
    }

    /// `UPDATE .. SET hash = new WHERE id = .. AND hash = old`: a password that was changed
    /// meanwhile stays changed.
    fn replace_hash(&self, id: u64, old: &str, new: &str) {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) = rows.iter_mut().find(|row| row.account.id == id && row.hash == old) {
            row.hash = new.to_owned();
        }
    }
}

#[cfg(test)]
mod tests {
    use rocket::figment::Figment;
    use rocket_identity::Identity;

    use super::*;

    /// "correct horse", hashed by another library with other parameters than ours.
    const OLD: &str = "$argon2id$v=19$m=12288,t=3,p=1$AAECAwQFBgcICQoLDA0ODw$VGRg+tjFiHl5WcoOpxeJTLK38ChU3AJYDoLODYxjYQQ";

    #[rocket::async_test]
    async fn a_login_replaces_an_old_hash_and_no_one_that_changed_meanwhile() {
        let figment = Figment::from(rocket::Config::debug_default());
        let rocket = rocket::custom(figment)
            .attach(Identity::<Account>::sessions())
            .attach(Accounts::fairing())
            .ignite()
            .await
            .unwrap();
        let accounts = rocket.state::<Accounts>().unwrap();
        let passwords = rocket.state::<Passwords>().unwrap();
        let stored = || accounts.find("ada").unwrap().1;
        accounts.replace_hash(1, &stored(), OLD);
        let authenticate = |typed| accounts.authenticate(passwords, "ada", typed);
        assert!(authenticate("correct horsf").await.unwrap().is_none());
        assert_eq!(stored(), OLD);
        assert!(authenticate("correct horse").await.unwrap().is_some());
        let new = stored();
        assert!(new.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(authenticate("correct horse").await.unwrap().is_some());
        assert_eq!(stored(), new);
        accounts.replace_hash(1, OLD, "changed by nobody");
        assert_eq!(stored(), new);
    }
}
