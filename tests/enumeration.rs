//! tests/enumeration.rs: the time of an answer does not tell who has an account. Row 80 of the project's
//! security checklist, OWASP ASVS 5.0 6.3.8.
//!
//! **Test.** Rounds of one login of each kind, in an order drawn anew for each round (seeded), over a
//! real socket, with the hash of production. For each pair of kinds two tests, neither of which asks
//! for a shape of the distribution: the sign test on the ratio of the two times of a round, and
//! Kolmogorov and Smirnov's on the two samples (what a round has in common makes that one say less, not
//! more). Both are two-sided, at one false alarm in 1,000 runs for all of a table's pairs together
//! (Bonferroni). Two kinds pass when neither test finds a difference *and* the sign test's confidence
//! interval of the ratio lies within twice what would have been found: that a machine was too busy to
//! find anything is no pass.
//!
//! **Power.** A shift of 5 % of the time is found in 95 of 100 runs at least. The test tries that itself: the
//! measured rounds are drawn anew with replacement around such a shift, and rounds go on, by 200,
//! until it is so. That looks at the noise alone, not at what is found. A machine on which it is not so
//! after 25 s, because others use it too, must still find 10, 20 or 50 %, and the table says which; else
//! the test fails. A hash that is missing, or one too many, is no matter of percents.
//!
//! **Planted.** In the same run, an application whose miss returns without the work, a login that is
//! refused before any, and half of the measured answers made early must be found.
#![cfg(all(feature = "testing", feature = "password"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "they measure time")]
#![allow(clippy::print_stdout, reason = "the table is what these tests are for")]

#[path = "../examples/session/main.rs"]
#[allow(dead_code, reason = "the example's `main` is not called here")]
mod app;
#[path = "enumeration/statistics.rs"]
mod statistics;
mod support;

use std::time::{Duration, Instant};

use rocket::http::Status;
use rocket::{Build, Rocket, State, post, routes};
use rocket_identity::auth::Accounts;
use rocket_identity::password::{MAX_BYTES, Passwords};
use rocket_identity::{Auth, Error, Identity, catchers};
use statistics::{Found, Random, Rounds};
use support::{Account, Server, figment};
use tokio::sync::Mutex;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

/// Longer than a password can be, and not so much that to read it takes a time of its own: how long a
/// guess is its sender knows.
const OVER_LONG: usize = MAX_BYTES + 1;

/// Rounds are looked at after so many, and end after so long.
const BATCH: usize = 200;
const LONGEST: Duration = Duration::from_secs(25);

/// Held by each test: they measure time.
static PROCESSOR: Mutex<()> = Mutex::const_new(());

/// What is sent: path and body.
type Login = (String, String);

/// Asks until the first `alike` kinds can be told from each other, if they can at all.
async fn measure<const KINDS: usize>(
    server: &Server,
    names: [&'static str; KINDS],
    alike: usize,
    login: impl Fn(usize, usize) -> (Login, u16),
) -> Rounds<KINDS> {
    let mut rounds = Rounds::new(names);
    let mut random = Random(80);
    // Memory is taken by the first hash.
    for kind in 0..KINDS {
        ask(server, login(kind, usize::MAX)).await;
    }
    let begun = Instant::now();
    loop {
        for _ in 0..BATCH {
            let mut seconds = [0.0; KINDS];
            for kind in random.order::<KINDS>() {
                seconds[kind] = ask(server, login(kind, rounds.len())).await.as_secs_f64();
            }
            rounds.push(seconds);
            // Every guess is forgotten, so that each is one that nothing came before.
            server.clock.advance(Duration::from_secs(24 * 60 * 60));
            if begun.elapsed() > LONGEST {
                break;
            }
        }
        if rounds.pairs(alike).iter().all(Found::is_sharp) || begun.elapsed() > LONGEST {
            print(&rounds, names, alike);
            return rounds;
        }
    }
}

async fn ask(server: &Server, ((path, body), status): (Login, u16)) -> Duration {
    let head = format!("POST {path}\n{FORM}");
    let begun = Instant::now();
    let answer = server.send_bytes(&head, body.as_bytes()).await;
    let took = begun.elapsed();
    assert_eq!(answer.status, status, "{path}: {answer:?}");
    took
}

fn print<const KINDS: usize>(rounds: &Rounds<KINDS>, names: [&str; KINDS], alike: usize) {
    println!("{} rounds", rounds.len());
    for (kind, name) in names.iter().enumerate() {
        println!("  {name:34} {:7.2} ms", rounds.median(kind) * 1e3);
    }
    for pair in rounds.pairs(alike) {
        let Found { what, ratio, distance, power } = &pair;
        let finds = pair.finds().map_or("nothing".into(), |shift| format!("{shift}"));
        println!(
            "  {what:40} ratio {:.3} to {:.3}, distance {:.2} (chance: {:.2}), finds {finds} {power:?}",
            ratio.0, ratio.1, distance.0, distance.1
        );
    }
}

/// The first `alike` kinds cannot be told from each other; had there been a leak, it would have shown.
fn assert_alike<const KINDS: usize>(rounds: &Rounds<KINDS>, alike: usize) {
    for found in rounds.pairs(alike) {
        assert!(!found.differs(), "told from each other: {found:?}");
        assert!(found.finds().is_some(), "this machine is too busy to tell: {found:?}");
        assert!(found.is_alike(), "not known to be alike: {found:?}");
    }
    for kind in 1..alike {
        let planted = rounds.pair_with_early(0, kind, 2);
        assert!(planted.differs(), "half of them early was not seen: {planted:?}");
    }
}

/// The last kind, which makes no hash, is seen from afar.
fn assert_early<const KINDS: usize>(rounds: &Rounds<KINDS>) {
    let early = rounds.pair(0, KINDS - 1);
    assert!(early.differs() && early.ratio.1 < 0.5, "not seen: {early:?}");
}

#[tokio::test]
async fn the_examples_time_does_not_tell_a_name_that_exists_from_one_that_does_not() {
    let _alone = PROCESSOR.lock().await;
    let rocket = app::rocket();
    let figment = rocket.figment().clone().select("debug");
    let figment = figment
        .merge(("address", "127.0.0.1"))
        .merge(("port", 0))
        .merge(("shutdown.ctrlc", false))
        .merge(("log_level", "off"));
    let server = Server::start(rocket.configure(figment)).await;
    let names = ["known", "unknown", "known, over-long", "unknown, over-long", "refused unread"];
    let long = "a".repeat(OVER_LONG);
    let rounds = measure(&server, names, 4, |kind, round| {
        let (form, status) = match kind {
            0 => ("username=ada&password=wrong".to_owned(), 401),
            1 => (format!("username=n{round}&password=wrong"), 401),
            2 => (format!("username=grace&password={long}"), 401),
            3 => (format!("username=m{round}&password={long}"), 401),
            _ => ("username=ada".to_owned(), 422),
        };
        (("/login".to_owned(), form), status)
    });
    let rounds = rounds.await;
    assert_early(&rounds);
    assert_alike(&rounds, 4);
}

/// Names begin with what their hash is.
struct Table {
    good: String,
}

/// What can stand in a table and be of no use, each for another reason.
const UNUSABLE: [&str; 5] = [
    "",
    "5f4dcc3b5aa765d61d8327deb882cf99",
    "$argon2id$v=19$m=4194304,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$+y+6R0FAkX0TFEk3Z5vlfO1drHxfQPqyaxrBC6Jetk8",
    "$argon2i$v=19$m=12288,t=3,p=1$AAECAwQFBgcICQoLDA0ODw$TJaKRLGtt0Up9d0SKGlVXclPWS3gSCVNzwXNkj4ZbCI",
    "$pepper$9$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$+y+6R0FAkX0TFEk3Z5vlfO1drHxfQPqyaxrBC6Jetk8",
];

impl Accounts<Account> for Table {
    type Error = Error;

    async fn find(&self, name: &str) -> Result<Option<(Account, String)>, Error> {
        let hash = match name.strip_prefix("unusable") {
            Some(n) => UNUSABLE[n.parse::<usize>().unwrap()].to_owned(),
            None if name.starts_with("known") => self.good.clone(),
            None => return Ok(None),
        };
        Ok(Some((Account { id: 1 }, hash)))
    }

    async fn replace_hash(&self, _: &Account, _: &str, _: &str) {}
}

#[post("/login/<name>", data = "<password>")]
async fn login(
    auth: Auth<'_, Account>,
    table: &State<Table>,
    passwords: &State<Passwords>,
    name: &str,
    password: &str,
) -> Result<Status, Error> {
    match auth.authenticate(&**table, passwords, name, password).await? {
        Some(login) => login.await.map(|_| Status::Ok),
        None => Ok(Status::Unauthorized),
    }
}

/// The same by hand, with the mistake that everybody makes once.
#[post("/early/<name>", data = "<password>")]
async fn early(
    auth: Auth<'_, Account>,
    table: &State<Table>,
    passwords: &State<Passwords>,
    name: &str,
    password: &str,
) -> Result<Status, Error> {
    let attempt = auth.attempt(name).await?;
    let Some((account, hash)) = table.find(name).await? else {
        return Ok(Status::Unauthorized);
    };
    if passwords.verify(password, &hash).await?.is_right() {
        attempt.login(account).await?;
        return Ok(Status::Ok);
    }
    Ok(Status::Unauthorized)
}

async fn own_application() -> Rocket<Build> {
    let figment = figment("debug").merge(("log_level", "off"));
    let first = rocket::custom(figment.clone()).attach(Identity::<Account>::sessions());
    let first = first.ignite().await.unwrap();
    let good = first.state::<Passwords>().unwrap().hash("right").await.unwrap();
    rocket::custom(figment)
        .attach(Identity::<Account>::sessions())
        .register("/", catchers())
        .mount("/", routes![login, early])
        .manage(Table { good })
}

#[tokio::test]
async fn a_stored_hash_that_is_of_no_use_takes_the_time_of_one_that_is_and_an_early_return_is_seen()
{
    let _alone = PROCESSOR.lock().await;
    let server = Server::start(own_application().await).await;
    let names =
        ["known", "unknown", "unusable", "unusable, over-long", "known, over-long", "early return"];
    let long = "a".repeat(OVER_LONG);
    let rounds = measure(&server, names, 5, |kind, round| {
        let unusable = round % UNUSABLE.len();
        let login = match kind {
            0 => (format!("/login/known{round}"), "wrong".to_owned()),
            1 => (format!("/login/nobody{round}"), "wrong".to_owned()),
            2 => (format!("/login/unusable{unusable}"), "wrong".to_owned()),
            3 => (format!("/login/unusable{unusable}"), long.clone()),
            4 => (format!("/login/knownlong{round}"), long.clone()),
            _ => (format!("/early/nobody{round}"), "wrong".to_owned()),
        };
        (login, 401)
    });
    let rounds = rounds.await;
    assert_early(&rounds);
    assert_alike(&rounds, 5);
}
