//! examples/session/accounts.rs: who may log in. Your own user table comes here.

use std::sync::{Mutex, PoisonError};

use rocket::fairing::AdHoc;
use rocket_identity::password::{PasswordError, Passwords};
use rocket_identity::{Error, User, UserId, auth};
use serde::{Deserialize, Serialize};

/// Id, name and password of an account of the demonstration; the login page shows them.
pub type Demo = (u64, &'static str, &'static str);

/// Those who log in with a password alone.
pub const DEMO: [Demo; 2] =
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
    pub fn fairing(demo: Vec<Demo>) -> AdHoc {
        AdHoc::try_on_ignite("Accounts", |rocket| async {
            let Some(passwords) = rocket.state::<Passwords>() else {
                tracing::error!("attach Accounts after Identity");
                return Err(rocket);
            };
            match Accounts::create(demo, passwords).await {
                Ok(accounts) => Ok(rocket.manage(accounts)),
                Err(error) => {
                    tracing::error!("the demo accounts could not be made: {error:?}");
                    Err(rocket)
                }
            }
        })
    }

    async fn create(demo: Vec<Demo>, passwords: &Passwords) -> Result<Self, PasswordError> {
        let mut rows = Vec::new();
        for (id, name, password) in demo {
            let hash = passwords.hash(password).await?;
            let name = name.to_owned();
            rows.push(Row { account: Account { id, name }, hash });
        }
        Ok(Accounts(Mutex::new(rows)))
    }

    fn row(&self, username: &str) -> Option<(Account, String)> {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.iter().find(|row| row.account.name == username);
        row.map(|row| (row.account.clone(), row.hash.clone()))
    }
}

/// What a login asks of the table.
impl auth::Accounts<Account> for Accounts {
    type Error = Error;

    async fn find(&self, username: &str) -> Result<Option<(Account, String)>, Error> {
        Ok(self.row(username))
    }

    async fn replace_hash(&self, account: &Account, old: &str, new: &str) {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(row) =
            rows.iter_mut().find(|row| row.account.id == account.id && row.hash == old)
        {
            row.hash = new.to_owned();
        }
    }
}
