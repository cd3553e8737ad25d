//! tests/bench/src/driver/server.rs: the server under callgrind, a Redis for it, and the one connection.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::iter;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::{COOKIE_NAME, Outcome, beside_me};

/// 43 characters, a dot, 22 characters.
pub fn shaped(last: char) -> String {
    let random: String = iter::repeat_n('A', 42).collect();
    format!("{random}{last}.{}", &random[..22])
}

/// A Redis of our own for the lines that need one: its process and its port. Dropped, it is killed.
pub struct Redis(Child, u16);

impl Redis {
    pub fn start() -> Outcome<Redis> {
        let port = free_port()?;
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| format!("redis-server does not start: {error}"))?;
        let redis = Redis(child, port);
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if Instant::now() > deadline {
                return Err("redis-server does not listen after ten seconds".into());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(redis)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server under callgrind. Dropped early, it is killed.
pub struct Server(Child);

impl Server {
    pub fn start(out: &Path, log: &Path, port: u16, route: &str, redis: &Redis) -> Outcome<Server> {
        let child = Command::new("valgrind")
            .arg("--tool=callgrind")
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg("--quiet")
            .arg(beside_me("bench-server")?)
            .args([&port.to_string(), route])
            // The runtime takes its number of workers from here and from nowhere else.
            .env("ROCKET_WORKERS", "1")
            .env("ROCKET_CONFIG", "/dev/null")
            .env("BENCH_REDIS", format!("redis://127.0.0.1:{}", redis.1))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(log)?)
            .spawn()
            .map_err(|error| format!("valgrind does not start: {error}"))?;
        Ok(Server(child))
    }

    pub fn connect(&mut self, port: u16) -> Outcome<Connection> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(Duration::from_secs(60)))?;
                return Ok(Connection(BufReader::new(stream)));
            }
            if let Some(status) = self.0.try_wait()? {
                return Err(format!("the server ended before it listened: {status}").into());
            }
            if Instant::now() > deadline {
                return Err("the server does not listen after a minute".into());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn end(mut self) -> Outcome<()> {
        let status = self.0.wait()?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the server ended with {status}").into())
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// As much HTTP/1.1 as a kept connection to Rocket needs.
pub struct Connection(BufReader<TcpStream>);

pub struct Answer {
    pub status: u16,
    pub body: String,
    pub cookie: Option<String>,
}

impl Connection {
    pub fn login(&mut self) -> Outcome<String> {
        let request = "POST /login HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-origin\r\n\
                       Content-Length: 0\r\n\r\n";
        let answer = self.ask(request)?;
        let cookie = answer.cookie.ok_or_else(|| format!("no cookie, but {}", answer.status))?;
        let pair = cookie.split(';').next().unwrap_or_default();
        match pair.split_once('=') {
            Some((COOKIE_NAME, ticket)) => Ok(ticket.to_owned()),
            _ => Err(format!("the login's cookie is not {COOKIE_NAME}").into()),
        }
    }

    pub fn ask(&mut self, request: &str) -> Outcome<Answer> {
        self.0.get_mut().write_all(request.as_bytes())?;
        let status = self.line()?;
        let status = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or("an answer without a status")?;
        let (mut length, mut cookie) = (None, None);
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                None => break,
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = Some(value.parse()?);
                }
                Some((name, value)) if name.eq_ignore_ascii_case("set-cookie") => {
                    cookie = Some(value.to_owned());
                }
                Some(_) => {}
            }
        }
        let mut body = vec![0; length.ok_or("an answer without a length")?];
        self.0.read_exact(&mut body)?;
        Ok(Answer { status, body: String::from_utf8(body)?, cookie })
    }

    fn line(&mut self) -> Outcome<String> {
        let mut line = String::new();
        if self.0.read_line(&mut line)? == 0 {
            return Err("the server closed the connection".into());
        }
        Ok(line.trim_end().to_owned())
    }
}

pub fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
