//! tests/support/app.rs: the smallest application that has it all, for tests of what is below it.

use rocket::figment::Figment;
use rocket::{Build, Rocket, get, post, routes};
use rocket_identity::{Auth, Error, Identity, MaybeUser, SessionUser, catchers};

use super::{Account, Answer, Server};

#[get("/me")]
fn me(user: SessionUser<Account>) -> String {
    user.id.to_string()
}

#[get("/maybe")]
fn maybe(user: MaybeUser<Account>) -> String {
    user.user().map_or("nobody".into(), |user| user.id.to_string())
}

#[post("/login/<id>")]
async fn login(auth: Auth<'_, Account>, id: u64) -> Result<(), Error> {
    auth.login(Account { id }).await.map(drop)
}

#[post("/logout")]
async fn logout(auth: Auth<'_, Account>) -> Result<(), Error> {
    auth.logout().await
}

#[post("/logout-everywhere")]
async fn logout_everywhere(auth: Auth<'_, Account>) -> Result<(), Error> {
    auth.logout_everywhere().await
}

pub fn app(figment: Figment) -> Rocket<Build> {
    rocket::custom(figment)
        .attach(Identity::<Account>::sessions())
        .register("/", catchers())
        .mount("/", routes![me, maybe, login, logout, logout_everywhere])
}

impl Server {
    /// Logs in at the application above; the cookie as a browser sends it.
    pub async fn log_in(&self, id: u64) -> String {
        let answer = self.send(&format!("POST /login/{id}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.cookie().to_owned()
    }

    pub async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send(&format!("GET {path}\nCookie: {cookie}")).await
    }

    pub async fn post(&self, path: &str, cookie: &str) -> Answer {
        self.send(&format!("POST {path}\nCookie: {cookie}")).await
    }
}
