//! examples/session/accounts.rs: who may log in. Your own user table comes here.

use rocket::fairing::AdHoc;
use rocket_identity::{User, UserId};
use serde::{Deserialize, Serialize};

use super::passwords::{Hash, Password, Passwords, Unanswered};

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
pub struct Accounts {
    rows: Vec<(Account, Hash)>,
    passwords: Passwords,
}

impl Accounts {
    /// Makes the table at launch; where that fails, nothing launches.
    pub fn fairing() -> AdHoc {
        AdHoc::try_on_ignite("Accounts", |rocket| async {
            match Accounts::create().await {
                Ok(accounts) => Ok(rocket.manage(accounts)),
                Err(error) => {
                    tracing::error!("the demo accounts could not be made: {error:?}");
                    Err(rocket)
                }
            }
        })
    }

    async fn create() -> Result<Self, Unanswered> {
        let passwords = Passwords::new().await?;
        let mut rows = Vec::new();
        for (id, name, password) in DEMO {
            let hash = passwords.hash(Password::new(password.into())).await?;
            let name = name.to_owned();
            rows.push((Account { id, name }, hash));
        }
        Ok(Accounts { rows, passwords })
    }

    /// The account of this name and password. An unknown name costs what a wrong password does.
    pub async fn authenticate(
        &self,
        username: &str,
        password: Password,
    ) -> Result<Option<Account>, Unanswered> {
        let row = self.rows.iter().find(|(row, _)| row.name == username);
        let hash = row.map(|(_, hash)| hash);
        let verified = self.passwords.verify(password, hash).await?;
        Ok(row.filter(|_| verified).map(|(account, _)| account.clone()))
    }
}
