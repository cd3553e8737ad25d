//! examples/session/confirm.rs: what needs a fresh proof of who asks, and the page that takes it.

use rocket::response::Redirect;
use rocket::{Route, State, get, post, routes, uri};
use rocket_identity::auth::{Accounts as _, Pending};
use rocket_identity::password::Passwords;
use rocket_identity::redirect::ReturnTo;
use rocket_identity::{Auth, Error, Fresh, SessionUser};

use super::accounts::{Account, Accounts};
use super::login_form::PasswordForm;
use super::pages::{self, Notice, Page};
use super::second_factor::{self, Factors};
use super::wants::{Refused, Wants};

pub fn routes() -> Vec<Route> {
    routes![settings, page, confirm]
}

/// A session that was left open shall not be enough to change how its user logs in.
#[get("/settings")]
fn settings(user: Fresh<SessionUser<Account>, 300>, factors: &State<Factors>) -> Page {
    pages::settings(&user, user.session(), factors.has(&user))
}

#[get("/confirm?<next>")]
fn page(user: SessionUser<Account>, next: Option<&str>) -> Page {
    pages::confirm(Some(&user), next.and_then(ReturnTo::parse).as_ref(), None)
}

#[post("/confirm", data = "<form>")]
async fn confirm(
    auth: Auth<'_, Account>,
    waits: Option<Pending<Account>>,
    accounts: &State<Accounts>,
    passwords: &State<Passwords>,
    wants: Wants,
    form: PasswordForm,
) -> Result<Redirect, Refused> {
    let PasswordForm { password, next } = form;
    let user = auth.user().await.map_err(Refused::Identity)?;
    // A password is no second factor: a login that waits for one goes on there.
    if user.is_none() && waits.is_some() {
        let next = next.as_ref().map(ReturnTo::as_str);
        return Ok(Redirect::to(uri!(second_factor::page(next))));
    }
    let page = |notice| pages::confirm(user.as_ref(), next.as_ref(), Some(notice));
    let confirm = auth.confirm().await.map_err(|error| Refused::of(error, wants, page))?;
    let right = is_right(accounts, passwords, confirm.user(), &password).await;
    if !right.map_err(|error| Refused::of(error, wants, page))? {
        return Err(Refused::page(page(Notice::WrongPassword)));
    }
    confirm.done().await.map_err(Refused::act(wants))?;
    Ok(Redirect::to(next.map_or("/".to_owned(), ReturnTo::into_string)))
}

/// Whether it is the password that the table has now.
async fn is_right(
    accounts: &Accounts,
    passwords: &Passwords,
    user: &Account,
    password: &str,
) -> Result<bool, Error> {
    let Some((account, stored)) = accounts.find(&user.name).await? else { return Ok(false) };
    let verdict = passwords.verify(password, &stored).await?;
    if let Some(new) = verdict.new_hash() {
        accounts.replace_hash(&account, &stored, new).await;
    }
    Ok(verdict.is_right())
}
