//! tests/throttle_processes/process.rs: a server as a process of its own. It is this same program, told by
//! its environment what to be.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rocket::fairing::AdHoc;
use rocket::figment::providers::Env;
use rocket::http::Status;
use rocket::{State, get, post, routes};
use rocket_identity::auth::Accounts;
use rocket_identity::password::{Hooks, Passwords};
use rocket_identity::{Auth, Error, Identity, catchers};

use crate::flood;
use crate::support::{Account, figment};

/// Set for a process that is to serve.
const SERVES: &str = "THROTTLE_SERVES";

/// How a process tells at which port it listens.
const LISTENS: &str = "listens at ";

/// How long a check takes: long enough for all others to come meanwhile.
const CHECK: Duration = Duration::from_millis(20);

/// A server that ends when the test drops it, or ends itself.
pub struct Process {
    child: Child,
    pub port: u16,
    /// Held: after a minute the test in there prints that it still runs, and must not die of that.
    _output: BufReader<ChildStdout>,
}

/// Keys of the tables that say how long a process waits.
pub struct Patience {
    pub password: &'static str,
    pub database: &'static str,
}

impl Process {
    /// `throttle` holds keys of its table; without `redis` the buckets are in its own memory.
    pub fn start(throttle: &str, patience: &Patience, redis: Option<&str>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ROCKET_")) {
            command.env_remove(name);
        }
        let trusted = r#"trusted_proxies=["127.0.0.0/8"]"#;
        let Patience { password, database } = patience;
        let identity = format!("{{throttle={{{trusted},{throttle}}},password={{{password}}}}}");
        command.env(SERVES, "1").env("ROCKET_IDENTITY", identity);
        if let Some(url) = redis {
            let databases = format!("{{identity={{url={url:?},{database}}}}}");
            command.env("ROCKET_DATABASES", databases);
        }
        command.args(["--exact", "process::serves", "--ignored", "--nocapture"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let port = output.by_ref().lines().map_while(Result::ok).find_map(|line| {
            line.split_once(LISTENS).and_then(|(_, port)| port.trim().parse().ok())
        });
        Process { child, port: port.expect("it tells its port"), _output: output }
    }

    /// How many passwords this process has checked.
    pub async fn checked(&self) -> u32 {
        flood::get(self.port, "/checked").await.parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "the server that the other tests start"]
fn serves() {
    if std::env::var_os(SERVES).is_none() {
        return;
    }
    // The pipe closes with whoever holds its other end, however that ends.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let checks = Arc::new(AtomicU32::new(0));
    let counter = checks.clone();
    // A stored text of a kind of our own, so that each check goes through this closure, and where it
    // runs is where a hash would.
    let hooks = Hooks::new().foreign(move |typed, stored| {
        counter.fetch_add(1, Ordering::SeqCst);
        std::thread::sleep(CHECK);
        stored.strip_prefix("is ").map(|right| right == typed)
    });
    let tell = AdHoc::on_liftoff("tell the test", |rocket| {
        println!("{LISTENS}{}", rocket.config().port);
        Box::pin(async {})
    });
    let figment = figment("release").merge(("log_level", "off")).merge(Env::prefixed("ROCKET_"));
    let rocket = rocket::custom(figment)
        .attach(Identity::<Account>::sessions().passwords(hooks))
        .attach(tell)
        .register("/", catchers())
        .mount("/", routes![login, checked])
        .manage(checks);
    rocket::execute(async { rocket.launch().await.map(drop) }).unwrap();
}

/// Whoever is asked for exists, and has the same password.
struct Everybody;

impl Accounts<Account> for Everybody {
    type Error = Error;

    async fn find(&self, _: &str) -> Result<Option<(Account, String)>, Error> {
        Ok(Some((Account { id: 1 }, "is right".into())))
    }

    /// The next check is to be counted too.
    async fn replace_hash(&self, _: &Account, _: &str, _: &str) {}
}

#[post("/login/<name>/<password>")]
async fn login(
    auth: Auth<'_, Account>,
    passwords: &State<Passwords>,
    name: &str,
    password: &str,
) -> Result<Status, Error> {
    match auth.authenticate(&Everybody, passwords, name, password).await? {
        Some(login) => login.await.map(|_| Status::Ok),
        None => Ok(Status::Unauthorized),
    }
}

#[get("/checked")]
fn checked(checks: &State<Arc<AtomicU32>>) -> String {
    checks.load(Ordering::SeqCst).to_string()
}
