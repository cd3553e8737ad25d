//! tests/bench/src/bin/driver.rs: measures each line of the table. It starts the server under callgrind,
//! asks it N and 3N times over one kept connection, and divides the difference by 2N, so that start-up,
//! login and end cancel.
//!
//! Callgrind counts instructions, which a busy machine does not change; it is no measure of time, and
//! it has no SHA extensions: a digest is counted as plain code.
#![allow(
    clippy::disallowed_methods,
    reason = "a stopwatch for the progress lines, not the crate's time"
)]

use std::collections::HashMap;
use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, iter, thread};

use Cookie::{Broken, Login, Shaped};

/// One line of the table. A new guard is a route in `server.rs` and a row here.
#[derive(Clone, Copy)]
struct Line {
    name: &'static str,
    /// What `server.rs` mounts at `/`.
    route: &'static str,
    method: &'static str,
    cookie: Option<Cookie>,
    headers: &'static str,
    /// Status and, where it matters, body: a request that is refused by accident is cheap.
    expect: (u16, Option<&'static str>),
    /// The line that does the same work without what is measured.
    above: Option<&'static str>,
    /// Instructions above that line that are allowed, and those that are hoped for.
    target: Option<(u64, u64)>,
    /// Whether `--quick` has it too.
    quick: bool,
}

/// All of one length, so that reading the field costs the same.
#[derive(Clone, Copy)]
enum Cookie {
    /// The ticket of a login just made.
    Login,
    /// A ticket's shape, never issued.
    Shaped,
    /// A ticket's length, and a character that no ticket has.
    Broken,
}

const OK: (u16, Option<&str>) = (200, Some("ok"));
const BEARER: &str = "Authorization: Bearer 0123456789abcdefghijklmnopqrstuvwxyz\r\n";
const SAME_ORIGIN: &str = "Sec-Fetch-Site: same-origin\r\nContent-Length: 0\r\n";

const BARE: Line = Line {
    name: "bare",
    route: "bare",
    method: "GET",
    cookie: None,
    headers: "",
    expect: OK,
    above: None,
    target: None,
    quick: false,
};
const ATTACHED: Line = Line { route: "attached", ..BARE };

#[rustfmt::skip]
const LINES: &[Line] = &[
    BARE,
    Line { name: "bare with a Cookie header", cookie: Some(Shaped), above: Some("bare"), quick: true, ..BARE },
    Line { name: "bare with an Authorization header", headers: BEARER, above: Some("bare"), ..BARE },
    Line { name: "bare POST, same-origin, with a Cookie header", method: "POST", cookie: Some(Shaped), headers: SAME_ORIGIN, above: Some("bare"), ..BARE },

    Line { name: "bare, fairing attached", above: Some("bare"), ..ATTACHED },
    Line { name: "bare with a Cookie header, fairing attached", cookie: Some(Login), above: Some("bare with a Cookie header"), quick: true, ..ATTACHED },
    Line { name: "bare with an Authorization header, fairing attached", headers: BEARER, above: Some("bare with an Authorization header"), ..ATTACHED },

    Line { name: "SessionUser on memory", route: "session_user", cookie: Some(Login), above: Some("bare with a Cookie header"), target: Some((20_000, 17_000)), quick: true, ..BARE },
    Line { name: "SessionUser on Redis", route: "session_user_redis", cookie: Some(Login), above: Some("bare with a Cookie header"), target: Some((40_000, 35_000)), quick: true, ..BARE },
    Line { name: "SessionUser on Redis, beside memory", route: "session_user_redis", cookie: Some(Login), above: Some("SessionUser on memory"), target: Some((22_000, 17_500)), ..BARE },
    Line { name: "SessionUser, malformed cookie", route: "session_user", cookie: Some(Broken), expect: (401, None), above: Some("bare with a Cookie header"), ..BARE },
    Line { name: "MaybeUser, anonymous", route: "maybe_user", expect: (200, Some("no")), above: Some("bare"), ..BARE },
    Line { name: "MaybeUser, logged in", route: "maybe_user", cookie: Some(Login), above: Some("bare with a Cookie header"), ..BARE },
    Line { name: "Auth (POST, same origin)", route: "auth", method: "POST", cookie: Some(Login), headers: SAME_ORIGIN, above: Some("bare POST, same-origin, with a Cookie header"), ..BARE },
];

const USAGE: &str = "usage: scripts/bench [--quick] [--profile LINE]";
const REQUESTS: u64 = 300;
const QUICK_REQUESTS: u64 = 100;
const WARM_UP: u64 = 20;
/// Before each request, so that the server always waits for it: one that is there already saves the
/// server a round of its event loop, now and then.
const PAUSE: Duration = Duration::from_millis(2);
const SPREAD_ALLOWED: f64 = 1.0;
const COOKIE_NAME: &str = "__Host-session";

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Outcome<bool> {
    // Held until the end; the server under callgrind finds it by its environment.
    let redis = Redis::start()?;
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => table(LINES, REQUESTS, &redis),
        ["--quick"] => {
            let lines: Vec<Line> = LINES.iter().filter(|line| line.quick).copied().collect();
            table(&lines, QUICK_REQUESTS, &redis)
        }
        ["--profile", name] => match LINES.iter().find(|line| line.name == name) {
            Some(line) => profile(line, &redis),
            None => {
                let names: Vec<_> = LINES.iter().map(|line| line.name).collect();
                Err(format!("no line \"{name}\"; there are:\n  {}", names.join("\n  ")).into())
            }
        },
        _ => Err(USAGE.into()),
    }
}

/// Measures and prints. `false` where a target is missed or a line does not repeat.
fn table(lines: &[Line], requests: u64, redis: &Redis) -> Outcome<bool> {
    let began = Instant::now();
    let mut measured: HashMap<&str, Measured> = HashMap::new();
    for (number, line) in lines.iter().enumerate() {
        eprint!("{:>2}/{} {} ...", number + 1, lines.len(), line.name);
        let line_began = Instant::now();
        let one =
            measure(line, requests, redis).map_err(|error| format!("{}: {error}", line.name))?;
        eprintln!(" {} in {} s", thousands(one.mean), line_began.elapsed().as_secs());
        measured.insert(line.name, one);
    }

    let width = lines.iter().map(|line| line.name.len()).max().unwrap_or(0);
    println!("\nInstructions per request ({requests} and {} requests, each twice)\n", 3 * requests);
    println!(
        "{:width$}  {:>9}  {:>7}  {:>8}  {:width$}  target",
        "line", "each", "spread", "above", "its baseline"
    );
    let mut good = true;
    for line in lines {
        let one = &measured[line.name];
        let base = line.above.and_then(|name| measured.get(name));
        let above = base.map(|base| one.mean as i64 - base.mean as i64);
        good &= one.spread <= SPREAD_ALLOWED;
        let verdict = match (line.target, above) {
            (Some((allowed, hoped)), Some(above)) => {
                good &= above <= allowed as i64;
                let verdict = match above {
                    above if above <= hoped as i64 => "stretch met",
                    above if above <= allowed as i64 => "met",
                    _ => "MISSED",
                };
                format!("{} (stretch {}): {verdict}", thousands(allowed), thousands(hoped))
            }
            _ => String::new(),
        };
        let unsteady = if one.spread > SPREAD_ALLOWED { "  DOES NOT REPEAT" } else { "" };
        println!(
            "{:width$}  {:>9}  {:>6.2}%  {:>8}  {:width$}  {verdict}{unsteady}",
            line.name,
            thousands(one.mean),
            one.spread,
            above.map(signed).unwrap_or_default(),
            base.and(line.above).unwrap_or_default(),
        );
    }
    println!(
        "\nscripts/bench: {} in {} s",
        if good { "all targets met, all lines repeat" } else { "FAILED" },
        began.elapsed().as_secs()
    );
    Ok(good)
}

struct Measured {
    mean: u64,
    /// Between the two measurements, in per cent of their mean.
    spread: f64,
}

fn measure(line: &Line, requests: u64, redis: &Redis) -> Outcome<Measured> {
    let mut per_request = [0.0; 2];
    for one in &mut per_request {
        let (few, many) = run_both(line, requests, redis)?;
        *one = (total(&many)? as f64 - total(&few)? as f64) / (2 * requests) as f64;
    }
    let [a, b] = per_request;
    let mean = (a + b) / 2.0;
    Ok(Measured { mean: mean.round() as u64, spread: (a - b).abs() / mean * 100.0 })
}

/// N and 3N at the same time, one on each core: counting is not timing.
fn run_both(line: &Line, requests: u64, redis: &Redis) -> Outcome<(PathBuf, PathBuf)> {
    thread::scope(|scope| {
        let few = scope.spawn(|| run_once(line, requests, redis));
        let many = run_once(line, 3 * requests, redis)?;
        Ok((few.join().map_err(|_| "the shorter run panicked")??, many))
    })
}

/// One life of the server, whose words are told where it fails. Callgrind's file is what comes back.
fn run_once(line: &Line, requests: u64, redis: &Redis) -> Outcome<PathBuf> {
    let out = beside_me(&format!("callgrind.{requests}.out"))?;
    let log = out.with_extension("log");
    asked(line, requests, &out, &log, redis).map_err(|error| {
        let said = fs::read_to_string(&log).unwrap_or_default();
        format!("{error}\n{said}")
    })?;
    Ok(out)
}

fn asked(line: &Line, requests: u64, out: &Path, log: &Path, redis: &Redis) -> Outcome<()> {
    let port = free_port()?;
    let mut server = Server::start(out, log, port, line.route, redis)?;
    let mut connection = server.connect(port)?;

    let ticket = match line.cookie {
        Some(Login) => Some(connection.login()?),
        Some(Shaped) => Some(shaped('A')),
        Some(Broken) => Some(shaped('!')),
        None => None,
    };
    let cookie = ticket.map(|ticket| format!("Cookie: {COOKIE_NAME}={ticket}\r\n"));
    let request = format!(
        "{} / HTTP/1.1\r\nHost: localhost\r\n{}{}\r\n",
        line.method,
        cookie.unwrap_or_default(),
        line.headers
    );
    for _ in 0..WARM_UP + requests {
        thread::sleep(PAUSE);
        let answer = connection.ask(&request)?;
        let body = line.expect.1.unwrap_or(&answer.body);
        if (answer.status, answer.body.as_str()) != (line.expect.0, body) {
            let Answer { status, body, .. } = answer;
            return Err(format!("expected {:?}, got {status} {body:?}", line.expect).into());
        }
    }

    connection.ask("POST /stop HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")?;
    drop(connection);
    server.end()
}

/// 43 characters, a dot, 22 characters.
fn shaped(last: char) -> String {
    let random: String = iter::repeat_n('A', 42).collect();
    format!("{random}{last}.{}", &random[..22])
}

/// A Redis of our own for the lines that need one: its process and its port. Dropped, it is killed.
struct Redis(Child, u16);

impl Redis {
    fn start() -> Outcome<Redis> {
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
struct Server(Child);

impl Server {
    fn start(out: &Path, log: &Path, port: u16, route: &str, redis: &Redis) -> Outcome<Server> {
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

    fn connect(&mut self, port: u16) -> Outcome<Connection> {
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

    fn end(mut self) -> Outcome<()> {
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
struct Connection(BufReader<TcpStream>);

struct Answer {
    status: u16,
    body: String,
    cookie: Option<String>,
}

impl Connection {
    fn login(&mut self) -> Outcome<String> {
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

    fn ask(&mut self, request: &str) -> Outcome<Answer> {
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

/// Prints the functions that a request spends its instructions in: their cost in 3N requests less that
/// in N, over 2N.
fn profile(line: &Line, redis: &Redis) -> Outcome<bool> {
    let (few, many) = run_both(line, REQUESTS, redis)?;
    let (few, many) = (by_function(&few)?, by_function(&many)?);
    let mut costs: Vec<(i64, &str)> = many
        .iter()
        .map(|(name, cost)| (cost - few.get(name).unwrap_or(&0), name.as_str()))
        .map(|(cost, name)| (cost / (2 * REQUESTS as i64), name))
        .collect();
    costs.sort_by(|a, b| b.cmp(a));
    let all: i64 = costs.iter().map(|(cost, _)| cost).sum();
    println!("{}: {} a request, of which\n", line.name, signed(all));
    for (cost, name) in costs.iter().take(25) {
        println!("{:>8}  {:>4.1}%  {name}", signed(*cost), *cost as f64 * 100.0 / all as f64);
    }
    Ok(true)
}

/// Self cost by function, from `callgrind_annotate`: lines as `1,234 ( 0.1%)  file:function [object]`.
fn by_function(out: &Path) -> Outcome<HashMap<String, i64>> {
    let annotate = Command::new("callgrind_annotate").arg("--threshold=100").arg(out).output()?;
    let mut costs = HashMap::new();
    for line in String::from_utf8_lossy(&annotate.stdout).lines() {
        let Some((cost, rest)) = line.trim_start().split_once(' ') else {
            continue;
        };
        let Some((_, name)) = rest.split_once(")  ") else {
            continue;
        };
        let Ok(cost) = cost.replace(',', "").parse::<i64>() else {
            continue;
        };
        if name.starts_with("PROGRAM TOTALS") {
            continue;
        }
        let name = name.split(" [").next().unwrap_or(name);
        *costs.entry(name.trim_start_matches("???:").to_owned()).or_default() += cost;
    }
    Ok(costs)
}

/// The sum over all threads, from the line `summary: N` or `totals: N`.
fn total(out: &Path) -> Outcome<u64> {
    let text = fs::read_to_string(out)?;
    let sum = |label| text.lines().rev().find_map(|line| line.strip_prefix(label));
    let sum = sum("summary:").or_else(|| sum("totals:"));
    Ok(sum.ok_or("callgrind wrote no sum")?.trim().parse()?)
}

fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn beside_me(name: &str) -> Outcome<PathBuf> {
    Ok(env::current_exe()?.with_file_name(name))
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn signed(number: i64) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{}", thousands(number.unsigned_abs()))
}
