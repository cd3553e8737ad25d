//! tests/passwords.rs: `Passwords` as an application has it: managed by the fairing, set up by
//! Rocket.toml, answering by itself.
#![cfg(feature = "password")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::sync::{Mutex, mpsc};

use rocket::figment::Figment;
use rocket::futures::FutureExt;
use rocket::http::Status;
use rocket::local::asynchronous::Client;
use rocket::{Build, Config, Rocket, State, post, routes};
use rocket_identity::password::{Hooks, PasswordError, Passwords};
use rocket_identity::{Error, Identity, User, UserId, catchers};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
struct Account;

#[derive(Clone, Serialize, Deserialize)]
struct Admin;

impl User for Account {
    fn id(&self) -> UserId {
        1.into()
    }
}

impl User for Admin {
    fn id(&self) -> UserId {
        1.into()
    }
}

#[post("/hash", data = "<chosen>")]
async fn hash(passwords: &State<Passwords>, chosen: String) -> Result<String, PasswordError> {
    passwords.hash(&chosen).await
}

#[post("/unknown", data = "<typed>")]
async fn unknown(passwords: &State<Passwords>, typed: String) -> Result<&'static str, Error> {
    passwords.verify_unknown(&typed).await?;
    Ok("wrong")
}

fn figment() -> Figment {
    Figment::from(Config::debug_default())
        .merge(("identity.password.memory_kib", 32))
        .merge(("identity.password.iterations", 1))
        .merge(("identity.password.at_once", 1))
        .merge(("identity.password.queue", 0))
}

fn app(figment: Figment) -> Rocket<Build> {
    app_with(figment, Hooks::new().blocklist(|chosen| chosen == "123456"))
}

fn app_with(figment: Figment, hooks: Hooks) -> Rocket<Build> {
    rocket::custom(figment)
        .attach(Identity::<Account>::sessions().passwords(hooks))
        .register("/", catchers())
        .mount("/", routes![hash, unknown])
}

#[tokio::test]
async fn a_handler_gets_passwords_with_the_settings_of_the_file_and_the_applications_hooks() {
    let client = Client::untracked(app(figment())).await.unwrap();
    let post = |path, body: &'static str| client.post(path).body(body).dispatch();
    let answer = post("/hash", "x").await.into_string().await.unwrap();
    assert!(answer.starts_with("$argon2id$v=19$m=32,t=1,p=1$"), "{answer}");
    assert_eq!(post("/hash", "123456").await.status(), Status::UnprocessableEntity);
    assert_eq!(post("/unknown", "x").await.into_string().await.unwrap(), "wrong");
}

/// Row 81 of the project's security checklist, where no guard of ours ran.
#[tokio::test]
async fn busy_is_503_with_its_code_and_says_when_to_come_back() {
    let (end, ended) = mpsc::channel::<()>();
    let ended = Mutex::new(ended);
    let hooks = Hooks::new().blocklist(move |_| ended.lock().unwrap().recv().is_err());
    let client = Client::untracked(app_with(figment(), hooks)).await.unwrap();
    // Begun and not looked at again: its place is taken until its work ends.
    let passwords = client.rocket().state::<Passwords>().unwrap();
    assert!(passwords.hash("x").now_or_never().is_none());
    for path in ["/hash", "/unknown"] {
        let answer = client.post(path).body("x").dispatch().await;
        assert_eq!(answer.status(), Status::ServiceUnavailable);
        assert_eq!(answer.headers().get("Retry-After").collect::<Vec<_>>(), ["1"]);
        let body = answer.into_string().await.unwrap();
        assert!(body.contains(r#""code":"busy""#), "{body}");
    }
    drop(end);
}

async fn launches(rocket: Rocket<Build>) -> bool {
    // Rocket's error panics when nobody looked at it.
    rocket.ignite().await.map_err(|error| format!("{:?}", error.kind())).is_ok()
}

#[tokio::test]
async fn hooks_on_a_fairing_that_is_not_the_first_do_not_launch() {
    let admin = || Identity::<Admin>::sessions().named("admin");
    assert!(launches(app(figment()).attach(admin())).await);
    assert!(!launches(app(figment()).attach(admin().passwords(Hooks::new()))).await);
}

/// Row 75, ASVS 5.0 11.4.2.
#[tokio::test]
async fn weak_hashes_do_not_launch_in_release() {
    let release = |figment: Figment| figment.select("release");
    assert!(!launches(app(release(figment()))).await);
    let strong = figment().merge(("identity.password.memory_kib", 19_456));
    let strong = strong.merge(("identity.password.iterations", 2));
    assert!(launches(app(release(strong))).await);
}
