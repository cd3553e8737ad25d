//! tests/interop/foreign.rs: the other libraries, each a process that answers one line of JSON with one.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::keys::Key;

/// No answer takes longer, that of a machine with too much to do included.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Library {
    PyJwt,
    Jwcrypto,
    Jose,
}

/// A running library.
pub struct Foreign {
    pub library: Library,
    child: Child,
    questions: ChildStdin,
    answers: Receiver<String>,
}

/// What a library must hold a token against.
#[derive(Clone)]
pub struct Expected<'e> {
    pub algorithm: &'e str,
    pub issuer: &'e str,
    pub audience: &'e str,
    /// Whether `aud` may be an array.
    pub several: bool,
    /// `{"url": ..}` of a key set, or `{"jwk": ..}` of a shared secret.
    pub source: Value,
}

/// A token that a library took.
#[derive(Debug)]
pub struct Taken {
    pub header: Value,
    pub claims: Value,
}

impl Library {
    pub const ALL: [Library; 3] = [Library::PyJwt, Library::Jwcrypto, Library::Jose];

    pub fn name(self) -> &'static str {
        match self {
            Library::PyJwt => "PyJWT",
            Library::Jwcrypto => "jwcrypto",
            Library::Jose => "jose",
        }
    }

    /// What it says of a signature, an audience and an issuer that are not right.
    pub fn refusals(self, of_key_set: bool) -> [&'static str; 3] {
        match self {
            // It tries the keys of a set, and none fits.
            Library::Jwcrypto if of_key_set => {
                ["JWTMissingKey", "JWTInvalidClaimValue", "JWTInvalidClaimValue"]
            }
            Library::PyJwt => {
                ["InvalidSignatureError", "InvalidAudienceError", "InvalidIssuerError"]
            }
            Library::Jwcrypto => {
                ["InvalidJWSSignature", "JWTInvalidClaimValue", "JWTInvalidClaimValue"]
            }
            Library::Jose => [
                "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
                "ERR_JWT_CLAIM_VALIDATION_FAILED",
                "ERR_JWT_CLAIM_VALIDATION_FAILED",
            ],
        }
    }

    fn command(self) -> Command {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign");
        let python = || {
            let mut python = Command::new(installed("python/bin/python"));
            python.args(["-X", "utf8", "-B"]);
            python
        };
        match self {
            Library::PyJwt => {
                let mut command = python();
                command.arg(scripts.join("with_pyjwt.py"));
                command
            }
            Library::Jwcrypto => {
                let mut command = python();
                command.arg(scripts.join("with_jwcrypto.py"));
                command
            }
            Library::Jose => {
                let mut command = Command::new(installed("node"));
                command.arg(scripts.join("with_jose.mjs")).arg(installed("."));
                command
            }
        }
    }
}

/// A part of what `scripts/foreign` installs.
fn installed(part: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let home = root.join("target/interop");
    assert!(
        home.join("installed").exists() && home.join(part).exists(),
        "{} is missing: the other libraries are not installed; run scripts/foreign",
        home.join(part).display()
    );
    home.join(part)
}

impl Foreign {
    pub fn start(library: Library) -> Self {
        let mut command = library.command();
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (send, answers) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| send.send(line))
        });
        Foreign { library, questions: child.stdin.take().unwrap(), child, answers }
    }

    pub fn all() -> [Self; 3] {
        Library::ALL.map(Foreign::start)
    }

    /// The text of a new private key, in a form that the library knows.
    pub fn make(&mut self, algorithm: &str, kid: &str, form: &str) -> String {
        let question = json!({"op": "make", "algorithm": algorithm, "kid": kid, "form": form});
        text(&self.ask(&question), "text")
    }

    /// The public part as PEM.
    pub fn public_pem(&mut self, key: &Key) -> String {
        text(&self.ask(&json!({"op": "public", "key": key.shared()})), "text")
    }

    pub fn sign(&mut self, key: &Value, header: &Value, claims: &Value) -> String {
        let question = json!({"op": "sign", "key": key, "header": header, "claims": claims});
        text(&self.ask(&question), "token")
    }

    /// The token's parts, or the name of the refusal.
    pub fn verify(&mut self, token: &str, expected: &Expected<'_>) -> Result<Taken, String> {
        let mut answer = self.ask(&json!({
            "op": "verify", "token": token, "algorithm": expected.algorithm,
            "issuer": expected.issuer, "audience": expected.audience,
            "several": expected.several, "source": expected.source,
        }));
        match answer.get("refused") {
            Some(refused) => Err(refused.as_str().unwrap().to_owned()),
            None => Ok(Taken { header: answer["header"].take(), claims: answer["claims"].take() }),
        }
    }

    fn ask(&mut self, question: &Value) -> Value {
        let line = format!("{question}\n");
        let sent = self.questions.write_all(line.as_bytes());
        let answer = sent.ok().and_then(|()| self.answers.recv_timeout(PATIENCE).ok());
        let name = self.library.name();
        let answer = answer.unwrap_or_else(|| panic!("{name} has ended, or hangs at {question}"));
        let answer: Value = serde_json::from_str(&answer).unwrap();
        if let Some(failed) = answer.get("failed") {
            panic!("{name} failed at {question}:\n{}", failed.as_str().unwrap());
        }
        answer
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap_or_else(|| panic!("no {member}: {answer}")).to_owned()
}
