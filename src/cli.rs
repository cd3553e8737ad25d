//! src/cli.rs: the key tool `identity-keys`: its commands, and how it answers.
//!
//! It works on a key directory alone: no network, and no private key in what it prints unless asked
//! for by two flags.

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::{Parser, Subcommand};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::jwt::END_OF_TIME;
use crate::jwt::algorithm::Algorithm;

mod disk;
mod folder;
mod generate;
mod jwks;
mod list;
mod retire;
mod rotate;

/// Makes, rotates and retires the keys of rocket_identity.
///
/// Exit codes: 0 done; 1 not done, and the text says why and what to do; 2 the command line is wrong.
#[derive(Parser, Debug)]
#[command(name = "identity-keys", version)]
struct Line {
    #[command(subcommand)]
    command: Command,
    /// The key directory (`identity.jwt.keys`)
    #[arg(long, global = true, default_value = "keys", value_name = "DIR")]
    dir: PathBuf,
    /// Answers in JSON, for scripts; times in seconds since 1970
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand, Debug)]
enum Command {
    Generate(generate::Options),
    Rotate(rotate::Options),
    Retire(retire::Options),
    /// Shows each key: what it does now, from when and until when, and what is wrong with it
    List,
    Jwks(jwks::Options),
}

/// What a command says: to people, or to a script.
struct Said {
    /// It may hold private keys, where they were asked for.
    text: Zeroizing<String>,
    /// `None` where the text is JSON.
    json: Option<Value>,
    /// For people, on standard error: what deserves a look.
    notes: Vec<String>,
}

/// Why a command did not do what it was asked to.
#[derive(Debug)]
struct Refused {
    code: u8,
    text: String,
}

type Outcome = Result<Said, Refused>;

/// Reads the command line, does it, says what was done.
pub fn run() -> ExitCode {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let outcome = match line.command {
        Command::Generate(options) => generate::run(&line.dir, options),
        Command::Rotate(options) => rotate::run(&line.dir, &options),
        Command::Retire(options) => retire::run(&line.dir, &options),
        Command::List => list::run(&line.dir),
        Command::Jwks(options) => jwks::run(&line.dir, &options),
    };
    match outcome {
        Ok(said) => say(&said, line.json),
        Err(Refused { code, text }) => {
            let _ = writeln!(io::stderr(), "error: {text}");
            ExitCode::from(code)
        }
    }
}

/// A reader that has seen enough (`| head`) is no failure: what was to be done is done.
fn say(said: &Said, json: bool) -> ExitCode {
    let json = said.json.as_ref().filter(|_| json).map(Value::to_string);
    let text = json.as_deref().unwrap_or(&said.text).trim_end();
    let mut out = io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    for note in &said.notes {
        let _ = writeln!(io::stderr(), "note: {note}");
    }
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

impl Said {
    fn new(text: String, json: Value, notes: Vec<String>) -> Self {
        Said { text: Zeroizing::new(text), json: Some(json), notes }
    }
}

fn refused<T>(text: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { code: 1, text: text.into() })
}

/// A moment from the command line.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Now,
    At(u64),
}

fn moment(text: &str) -> Result<Moment, String> {
    let seconds = match text {
        "now" => return Ok(Moment::Now),
        text if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        text => humantime::parse_rfc3339(text).ok().and_then(|moment| {
            moment.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs())
        }),
    };
    let seconds = seconds.filter(|seconds| *seconds <= END_OF_TIME).map(Moment::At);
    seconds.ok_or_else(|| {
        "write `now`, seconds since 1970, or a time in UTC such as 2026-11-24T08:00:00Z".to_owned()
    })
}

fn span(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().map(Duration::from_secs);
    seconds
        .or_else(|_| humantime::parse_duration(text))
        .map_err(|_| "write a duration such as 10m, 25h or 7d, or whole seconds".to_owned())
}

fn algorithm(text: &str) -> Result<Algorithm, String> {
    let names = || Algorithm::ALL.map(Algorithm::name).join(", ");
    Algorithm::parse(text).ok_or_else(|| format!("it is one of {}", names()))
}
