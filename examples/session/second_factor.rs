//! examples/session/second_factor.rs: a login that asks for a code as well (TOTP, RFC 6238).

use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rocket::fairing::AdHoc;
use rocket::http::Status;
use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes};
use rocket_identity::auth::Pending;
use rocket_identity::redirect::ReturnTo;
use rocket_identity::{Auth, MaybeUser};
use totp_rs::{Builder, Secret, Totp};

use super::accounts::{Account, Demo};
use super::login_form::CodeForm;
use super::pages::{self, Notice, Page};
use super::wants::{Refused, Wants};

/// Who has a second factor.
pub const HEDY: Demo = (3, "hedy", "spread over 88 frequencies");

/// What her authenticator was given, in base32. Yours is made for each account and shown once.
pub const SECRET: &str = "FREQUENCYHOPPINGBYHEDYANDGEORGE2";

/// What the login waits for, as its session has it.
pub const STEP: &str = "totp";

pub fn routes() -> Vec<Route> {
    routes![page, no_page, check, nothing_to_check]
}

/// The table of second factors.
pub struct Factors(Mutex<Vec<Row>>);

struct Row {
    account: u64,
    totp: Totp,
    /// The last step whose code was used: it and those before are used up (RFC 6238, 5.2).
    last_step: u64,
}

impl Factors {
    /// Makes the table at launch.
    pub fn fairing() -> AdHoc {
        AdHoc::try_on_ignite("Factors", |rocket| async {
            let totp = Secret::try_from_base32(SECRET).ok().and_then(|secret| {
                // One step of 30 s early or late, for a clock that is not quite right.
                Builder::new().with_secret(secret).with_skew(1).build().ok()
            });
            match totp {
                Some(totp) => {
                    let hedy = Row { account: HEDY.0, totp, last_step: 0 };
                    Ok(rocket.manage(Factors(Mutex::new(vec![hedy]))))
                }
                None => {
                    tracing::error!("the demo secret is none");
                    Err(rocket)
                }
            }
        })
    }

    /// Whether a login of this account asks for a code.
    pub fn has(&self, account: &Account) -> bool {
        let rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        rows.iter().any(|row| row.account == account.id)
    }

    /// Takes a code, and each only once: to look and to remember are one act, as in
    /// `UPDATE .. SET last_step = step WHERE id = .. AND last_step < step`.
    fn take(&self, account: &Account, code: &str) -> bool {
        // Authenticators show it as "123 456".
        let code: String = code.split_whitespace().collect();
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(row) = rows.iter_mut().find(|row| row.account == account.id) else { return false };
        match row.totp.check(&code, seconds()) {
            Some(step) if step > row.last_step => {
                row.last_step = step;
                true
            }
            _ => false,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "an authenticator goes by the world's clock")]
fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[get("/second-factor?<next>")]
pub fn page(login: Pending<Account>, next: Option<&str>) -> Page {
    pages::second_factor(login.user(), next.and_then(ReturnTo::parse).as_ref(), None)
}

/// Nobody is asked for a code: they are in already, or begin at the beginning.
#[get("/second-factor", rank = 2)]
fn no_page(user: MaybeUser<Account>) -> Redirect {
    Redirect::to(if user.user().is_some() { "/" } else { "/login" })
}

#[post("/second-factor", data = "<form>")]
async fn check(
    auth: Auth<'_, Account>,
    // Without it, `confirm` would be about the session that the browser has, if any.
    login: Pending<Account>,
    factors: &State<Factors>,
    wants: Wants,
    form: CodeForm,
) -> Result<Redirect, Refused> {
    let CodeForm { code, next } = form;
    let page = |notice| pages::second_factor(login.user(), next.as_ref(), Some(notice));
    let confirm = auth.confirm_step(STEP).await.map_err(|error| Refused::of(error, wants, page))?;
    if !factors.take(confirm.user(), &code) {
        return Err(Refused::page(page(Notice::WrongCode)));
    }
    confirm.done().await.map_err(Refused::act(wants))?;
    Ok(Redirect::to(next.map_or("/".to_owned(), ReturnTo::into_string)))
}

/// The ten minutes are over, or another tab was faster.
#[post("/second-factor", rank = 2)]
async fn nothing_to_check(auth: Auth<'_, Account>, wants: Wants) -> Result<Redirect, Refused> {
    match auth.user().await.map_err(Refused::Identity)? {
        Some(_) => Ok(Redirect::to("/")),
        None if wants == Wants::Page => Err(Refused::page(pages::over())),
        None => Err(Refused::Status(Status::Unauthorized)),
    }
}
