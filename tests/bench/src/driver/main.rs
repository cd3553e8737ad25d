//! tests/bench/src/driver/main.rs: measures each line of the table. It starts the server under callgrind,
//! asks it N and 3N times over one kept connection, and divides the difference by 2N, so that start-up,
//! login and end cancel.
//!
//! Callgrind counts instructions, which a busy machine does not change; it is no measure of time, and
//! it has no SHA extensions: a digest is counted as plain code.
#![allow(
    clippy::disallowed_methods,
    reason = "a stopwatch for the progress lines, not the crate's time"
)]

mod callgrind;
mod lines;
mod server;

use std::collections::HashMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use callgrind::{total, within};
use lines::Cookie::{Broken, Login, Shaped};
use lines::Token::{InCookie, InHeader};
use lines::{BESIDES, LINES, Line, Token};
use server::{Answer, Redis, Server, free_port, shaped};

const USAGE: &str = "usage: scripts/bench [--quick | --only WORD | --profile LINE]";
const REQUESTS: u64 = 300;
const QUICK_REQUESTS: u64 = 100;
const WARM_UP: u64 = 20;
/// Before each request, so that the server always waits for it: one that is there already saves the
/// server a round of its event loop, now and then.
const PAUSE: Duration = Duration::from_millis(2);
const SPREAD_ALLOWED: f64 = 1.0;
const COOKIE_NAME: &str = "__Host-session";
const TOKEN_COOKIE_NAME: &str = "__Host-access";

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

/// What all lines share.
struct Stage {
    /// Held until the end; the server under callgrind finds it by its environment.
    redis: Redis,
    /// By algorithm.
    tokens: HashMap<&'static str, String>,
}

fn run() -> Outcome<bool> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => table(LINES, REQUESTS),
        ["--quick"] => {
            let lines: Vec<Line> = LINES.iter().filter(|line| line.quick).copied().collect();
            table(&lines, QUICK_REQUESTS)
        }
        ["--only", word] => {
            let lines: Vec<Line> =
                LINES.iter().filter(|line| line.name.contains(word)).copied().collect();
            table(&lines, REQUESTS)
        }
        ["--profile", name] => match LINES.iter().find(|line| line.name == name) {
            Some(line) => profile(line),
            None => {
                let names: Vec<_> = LINES.iter().map(|line| line.name).collect();
                Err(format!("no line \"{name}\"; there are:\n  {}", names.join("\n  ")).into())
            }
        },
        _ => Err(USAGE.into()),
    }
}

impl Stage {
    fn for_lines(lines: &[Line]) -> Outcome<Self> {
        let mut stage = Stage { redis: Redis::start()?, tokens: HashMap::new() };
        let with_bases =
            lines.iter().flat_map(|line| [line.token, line.base().and_then(|base| base.token)]);
        for token in with_bases.flatten() {
            let algorithm = token.algorithm();
            if !stage.tokens.contains_key(algorithm) {
                stage.tokens.insert(algorithm, made(algorithm)?);
            }
        }
        Ok(stage)
    }

    fn token(&self, token: Token) -> &str {
        self.tokens.get(token.algorithm()).map_or("", String::as_str)
    }

    /// Everything but the method and the ticket of a login.
    fn headers(&self, line: &Line) -> String {
        let token = line.token.map(|token| match token {
            InHeader(_) => format!("Authorization: Bearer {}\r\n", self.token(token)),
            InCookie(_) => format!("Cookie: {TOKEN_COOKIE_NAME}={}\r\n", self.token(token)),
        });
        format!("{}{}", token.unwrap_or_default(), line.headers)
    }

    /// A line with a token stands above one that presents as long a token in the same way.
    fn check_length(&self, line: &Line) -> Outcome<()> {
        match line.base().filter(|base| base.token.is_some()) {
            Some(base) if self.headers(base).len() != self.headers(line).len() => {
                Err(format!("{} sends a token of another length than {}", line.name, base.name)
                    .into())
            }
            _ => Ok(()),
        }
    }
}

/// A token of the server's making.
fn made(algorithm: &str) -> Outcome<String> {
    let output = Command::new(beside_me("bench-server")?)
        .args(["token", algorithm])
        .env("ROCKET_CONFIG", "/dev/null")
        .output()?;
    match output.status.success() {
        // Warnings of the launch may stand in front.
        true => Ok(String::from_utf8(output.stdout)?.lines().last().unwrap_or_default().to_owned()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(format!("no {algorithm} token: {said}").into())
        }
    }
}

/// Measures and prints. `false` where a target is missed or a line does not repeat.
fn table(lines: &[Line], requests: u64) -> Outcome<bool> {
    let began = Instant::now();
    let stage = Stage::for_lines(lines)?;
    let mut measured: HashMap<&str, Measured> = HashMap::new();
    for (number, line) in lines.iter().enumerate() {
        eprint!("{:>2}/{} {} ...", number + 1, lines.len(), line.name);
        let line_began = Instant::now();
        stage.check_length(line)?;
        let one =
            measure(line, requests, &stage).map_err(|error| format!("{}: {error}", line.name))?;
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
    good &= besides(&measured, width);
    println!(
        "\nscripts/bench: {} in {} s",
        if good { "all targets met, all lines repeat" } else { "FAILED" },
        began.elapsed().as_secs()
    );
    Ok(good)
}

/// The second table: what a guard does once it has the token, and what `jsonwebtoken` does with the same.
fn besides(measured: &HashMap<&str, Measured>, width: usize) -> bool {
    let own = |name| measured.get(name).and_then(|one| one.within);
    println!(
        "\nOf these, within the function that does the work\n\n{:width$}  {:>9}  {:width$}  {:>9}  {:>6}  target",
        "line", "own", "beside", "own", "ratio"
    );
    let mut good = true;
    for beside in BESIDES {
        let (Some(one), Some(other)) = (own(beside.line), own(beside.other)) else { continue };
        let ratio = one as f64 / other as f64 * 100.0;
        let verdict = beside.at_most.map(|at_most| {
            good &= ratio <= at_most;
            format!("{at_most}%: {}", if ratio <= at_most { "met" } else { "MISSED" })
        });
        println!(
            "{:width$}  {:>9}  {:width$}  {:>9}  {ratio:>5.1}%  {}",
            beside.line,
            thousands(one),
            beside.other,
            thousands(other),
            verdict.unwrap_or_default()
        );
    }
    good
}

struct Measured {
    mean: u64,
    /// Between the two measurements, in per cent of their mean.
    spread: f64,
    /// The mean within the line's function, where it names one.
    within: Option<u64>,
}

fn measure(line: &Line, requests: u64, stage: &Stage) -> Outcome<Measured> {
    let (mut per_request, mut inside) = ([0.0; 2], 0);
    for one in &mut per_request {
        let (few, many) = run_both(line, requests, stage)?;
        *one = (spent(&many)? as f64 - spent(&few)? as f64) / (2 * requests) as f64;
        if let Some(function) = line.within {
            inside += within(&many, function)?.saturating_sub(within(&few, function)?);
        }
    }
    let [a, b] = per_request;
    let mean = (a + b) / 2.0;
    Ok(Measured {
        mean: mean.round() as u64,
        spread: (a - b).abs() / mean * 100.0,
        within: line.within.map(|_| inside / (4 * requests)),
    })
}

/// Everything but the launch of our fairing: where that makes a key, the library gathers entropy from
/// jitter, which takes more work one time than another.
fn spent(out: &Path) -> Outcome<u64> {
    const LAUNCH: &str = "Identity<U> as rocket::fairing::Fairing>::on_ignite::{{closure}}";
    Ok(total(out)? - within(out, LAUNCH).unwrap_or(0))
}

/// N and 3N at the same time, one on each core: counting is not timing.
fn run_both(line: &Line, requests: u64, stage: &Stage) -> Outcome<(PathBuf, PathBuf)> {
    thread::scope(|scope| {
        let few = scope.spawn(|| run_once(line, requests, stage));
        let many = run_once(line, 3 * requests, stage)?;
        Ok((few.join().map_err(|_| "the shorter run panicked")??, many))
    })
}

/// One life of the server, whose words are told where it fails. Callgrind's file is what comes back.
fn run_once(line: &Line, requests: u64, stage: &Stage) -> Outcome<PathBuf> {
    let out = beside_me(&format!("callgrind.{requests}.out"))?;
    let log = out.with_extension("log");
    asked(line, requests, &out, &log, stage).map_err(|error| {
        let said = fs::read_to_string(&log).unwrap_or_default();
        format!("{error}\n{said}")
    })?;
    Ok(out)
}

fn asked(line: &Line, requests: u64, out: &Path, log: &Path, stage: &Stage) -> Outcome<()> {
    let port = free_port()?;
    let mut server = Server::start(out, log, port, line.route, &stage.redis)?;
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
        stage.headers(line)
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

/// Prints the functions that a request spends its instructions in: their cost in 3N requests less that
/// in N, over 2N.
fn profile(line: &Line) -> Outcome<bool> {
    let stage = Stage::for_lines(&[*line])?;
    let (few, many) = run_both(line, REQUESTS, &stage)?;
    callgrind::compare(line.name, &few, &many, 2 * REQUESTS as i64)?;
    Ok(true)
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
