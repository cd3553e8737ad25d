//! examples/jwt/main.rs: an API whose clients keep a bearer token: `cargo run --example jwt`.
//!
//! The accounts and their argon2id hashes are those of `examples/session`. No cookie is set, and no
//! store is asked.

// One table of accounts for both examples.
#[path = "../session/accounts.rs"]
mod accounts;
#[path = "../session/common.rs"]
mod common;
mod login_json;

use std::process::ExitCode;

use rocket::figment::providers::Serialized;
use rocket::http::{ContentType, Status};
use rocket::serde::json::{Json, Value, json};
use rocket::{Build, Config, Either, Request, Responder, Rocket, State};
use rocket::{catch, catchers, get, post, routes};
use rocket_identity::auth::{Accounts as _, Attempt};
use rocket_identity::jwt::Tokens;
use rocket_identity::password::{Hooks, PasswordError, Passwords};
use rocket_identity::{Auth, Error, Identity, JwtUser};

use accounts::{Account, Accounts, DEMO};
use login_json::LoginJson;

#[rocket::main]
async fn main() -> ExitCode {
    match rocket().launch().await {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            // Dropped as it is, it would panic.
            error.pretty_print();
            ExitCode::FAILURE
        }
    }
}

/// The whole application; the tests start the same one.
pub fn rocket() -> Rocket<Build> {
    // Defaults of this application: `Rocket.toml` and `ROCKET_IDENTITY` have the last word.
    let site = "http://127.0.0.1:8000";
    let jwt = json!({ "issuer": site, "audience": [site] });
    let passwords = Hooks::new().blocklist(common::is_common);
    rocket::custom(Config::figment().join(Serialized::default("identity.jwt", jwt)))
        .attach(Identity::<Account>::jwt().passwords(passwords))
        // Whoever has a second factor is not among them: a token would be had without it.
        .attach(Accounts::fairing(DEMO.into()))
        .register("/", rocket_identity::catchers())
        .register("/", catchers![other])
        .mount("/", Identity::<Account>::jwt_routes())
        .mount("/", routes![login, me, health])
}

/// Why there is no token.
#[derive(Responder)]
enum Refused {
    Status(Status),
    Identity(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Identity(error)
    }
}

#[post("/login", data = "<json>")]
async fn login(
    // Asked before the body is read, which refuses a foreign page's login unread.
    auth: Auth<'_, Account>,
    accounts: &State<Accounts>,
    passwords: &State<Passwords>,
    json: LoginJson,
) -> Result<Either<Json<Tokens>, Status>, Refused> {
    let LoginJson { username, password } = json;
    // What `Auth::authenticate` does in one step, taken apart. First the throttle, before anything
    // is looked at.
    let attempt = auth.attempt(&username).await?;
    let Some((account, hash)) = accounts.find(attempt.name()).await? else {
        // Unknown and wrong are alike, in time as well.
        return match passwords.verify_unknown(&password).await {
            Ok(()) => Err(Refused::Status(Status::Unauthorized)),
            Err(error) => not_looked_at(attempt, error).await,
        };
    };
    let verdict = match passwords.verify(&password, &hash).await {
        Ok(verdict) => verdict,
        Err(error) => return not_looked_at(attempt, error).await,
    };
    if let Some(new) = verdict.new_hash() {
        accounts.replace_hash(&account, &hash, new).await;
    }
    if !verdict.is_right() {
        return Err(Refused::Status(Status::Unauthorized));
    }
    let login = attempt.login(account).await?;
    // With `transport = "cookie"` the token is in the cookie alone.
    Ok(match login.tokens() {
        Some(tokens) => Either::Left(Json(tokens.clone())),
        None => Either::Right(Status::NoContent),
    })
}

/// Whoever was not looked at shall not have used up a guess.
async fn not_looked_at<T>(
    attempt: Attempt<'_, '_, Account>,
    error: PasswordError,
) -> Result<T, Refused> {
    if error.is_busy() {
        attempt.undo().await;
    }
    Err(Refused::Identity(error.into()))
}

#[get("/api/me")]
fn me(user: JwtUser<Account>) -> Value {
    json!({ "id": user.id, "name": user.name })
}

#[get("/health")]
fn health() -> &'static str {
    "ok\n"
}

/// What is not about the user, as the same kind of document.
#[catch(default)]
fn other(status: Status, _: &Request<'_>) -> (ContentType, String) {
    let title = status.reason_lossy();
    let problem = json!({
        "type": "about:blank",
        "title": title,
        "status": status.code,
        "code": title.to_lowercase().replace(' ', "_"),
    });
    (ContentType::new("application", "problem+json"), problem.to_string())
}
