//! tests/flood/server.rs: the example in a process of its own, which is this test's program started
//! again, and clients that send what they are told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rocket::fairing::AdHoc;
use rocket::{Build, Rocket};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// No answer takes longer.
const LIMIT: Duration = Duration::from_secs(120);

/// Tells this program that it is the server.
const SERVE: &str = "FLOOD_SERVE";

pub struct Server {
    child: Child,
    pub port: u16,
}

/// Launches `rocket` where [`Server::start`] asked for it.
pub fn serve(rocket: impl FnOnce() -> Rocket<Build>) {
    if std::env::var_os(SERVE).is_none() {
        return;
    }
    let tell = AdHoc::on_liftoff("tell the test", |rocket| {
        println!("\nport={}", rocket.config().port);
        Box::pin(async {})
    });
    rocket::execute(rocket().attach(tell).launch()).unwrap();
}

impl Server {
    /// With these settings at `[default.identity]`, and no other of Rocket's.
    pub fn start(identity: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ROCKET_")) {
            command.env_remove(name);
        }
        command
            .args(["--exact", "serves_where_a_test_started_it", "--nocapture"])
            .envs([
                (SERVE, "1"),
                ("ROCKET_PROFILE", "debug"),
                ("ROCKET_ADDRESS", "127.0.0.1"),
                ("ROCKET_PORT", "0"),
                ("ROCKET_LOG_LEVEL", "off"),
                ("ROCKET_IDENTITY", identity),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        let port = loop {
            line.clear();
            assert!(said.read_line(&mut line).unwrap() > 0, "the server did not launch");
            if let Some((_, port)) = line.trim().split_once("port=") {
                break port.parse().unwrap();
            }
        };
        // Read on, so that it never waits for us.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Server { child, port }
    }

    pub fn connect(&self) -> Connection {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Connection(stream)
    }

    pub fn resident_kib(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that was resident since it started.
    pub fn peak_kib(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What of an answer is looked at.
pub struct Answer {
    pub status: u16,
    /// `name=value` of the session's cookie.
    pub session: Option<String>,
}

/// Kept open from one request to the next; closed when it is dropped.
pub struct Connection(TcpStream);

impl Connection {
    pub fn write(&mut self, request: &[u8]) {
        self.0.write_all(request).unwrap();
    }

    pub fn read_answer(&mut self) -> Answer {
        let mut read = Vec::new();
        let mut part = [0; 16_384];
        loop {
            let count = self.0.read(&mut part).expect("an answer, and not a hang");
            assert!(count > 0, "closed without an answer");
            read.extend(&part[..count]);
            if let Some(answer) = whole(&read) {
                return answer;
            }
        }
    }
}

/// As [`Connection`], many on one thread.
pub struct Client(tokio::net::TcpStream);

impl Client {
    pub async fn connect(port: u16) -> Self {
        Client(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap())
    }

    pub async fn ask(&mut self, request: &[u8]) -> u16 {
        self.0.write_all(request).await.unwrap();
        let mut read = Vec::with_capacity(8_192);
        loop {
            let count = self.0.read_buf(&mut read).await.unwrap();
            assert!(count > 0, "closed without an answer");
            if let Some(answer) = whole(&read) {
                return answer.status;
            }
        }
    }
}

/// The answer, when all of it is there.
fn whole(read: &[u8]) -> Option<Answer> {
    let end = read.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&read[..end]).unwrap();
    let fields = || head.lines().skip(1).filter_map(|line| line.split_once(": "));
    let field = |name: &str| fields().find(|(field, _)| field.eq_ignore_ascii_case(name));
    let length: usize = field("content-length").map_or(0, |(_, length)| length.parse().unwrap());
    let session = fields()
        .filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie"))
        .map(|(_, set)| set.split(';').next().unwrap().to_owned())
        .find(|pair| !pair.split('=').next().unwrap().ends_with("device"));
    (read.len() >= end + 4 + length)
        .then(|| Answer { status: head[9..12].parse().unwrap(), session })
}
