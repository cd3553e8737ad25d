//! tests/streams/process.rs: the application as a process of its own. It is this same program, told by its
//! environment what to be.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdout, Command, Stdio};

use rocket::fairing::AdHoc;
use rocket::figment::providers::Env;

use super::app::app;
use super::support::figment;

/// Set for a process that is to serve.
const SERVES: &str = "SESSIONS_SERVE";

/// How a process tells at which port it listens.
const LISTENS: &str = "listens at ";

/// A server that ends when the test drops it, or ends itself.
pub struct Process {
    child: Child,
    /// Its harness says after a minute that it still runs, and dies where nobody could hear it.
    _output: BufReader<ChildStdout>,
    pub address: SocketAddr,
}

impl Process {
    /// `session` holds keys of its table.
    pub fn start(url: &str, session: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ROCKET_")) {
            command.env_remove(name);
        }
        // Nobody waits for Redis in vain here, however busy the machine is.
        let database = format!("{{identity={{url={url:?},command_timeout=\"10s\"}}}}");
        command.env(SERVES, "1").env("ROCKET_DATABASES", database);
        command.env("ROCKET_IDENTITY", format!("{{session={{{session}}}}}"));
        command.args(["--exact", "process::serves", "--ignored", "--nocapture"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let port = output.by_ref().lines().map_while(Result::ok).find_map(|line| {
            line.split_once(LISTENS).and_then(|(_, port)| port.trim().parse::<u16>().ok())
        });
        let port = port.expect("it tells its port");
        Process { child, _output: output, address: (Ipv4Addr::LOCALHOST, port).into() }
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
    let tell = AdHoc::on_liftoff("tell the test", |rocket| {
        println!("{LISTENS}{}", rocket.config().port);
        Box::pin(async {})
    });
    let figment = figment("release").merge(("log_level", "off")).merge(Env::prefixed("ROCKET_"));
    let rocket = app(figment).attach(tell);
    rocket::execute(async { rocket.launch().await.map(drop) }).unwrap();
}
