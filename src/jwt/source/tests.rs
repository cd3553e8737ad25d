//! src/jwt/source/tests.rs: real directories, read at launch and while they change.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::watch::Line;
use super::*;
use crate::jwt::algorithm::Algorithm;

mod faults;
mod launch;
mod running;
mod signers;
mod twins;

/// A directory of its own for each test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let (count, process) = (COUNT.fetch_add(1, Ordering::Relaxed), std::process::id());
        let path = std::env::temp_dir().join(format!("rocket-identity-keys-{process}-{count}"));
        fs::create_dir(&path).unwrap();
        let folder = Folder(path);
        folder.chmod("", 0o700);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        write(&self.path(name), content);
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).unwrap();
    }

    fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    async fn open(&self, now: u64) -> Result<Opened, Vec<Finding>> {
        let clock = Clock::stopped_at(Time::from_millis(now * 1000));
        Source::Directory(self.0.clone()).open(clock).await
    }

    /// What a launch finds, whether it refuses or not.
    async fn findings(&self) -> Vec<Finding> {
        match self.open(1000).await {
            Ok(opened) => opened.findings,
            Err(findings) => findings,
        }
    }
}

/// A launch whose looks are taken by hand.
struct Run {
    watcher: Watcher,
    keys: Arc<Keys>,
    clock: Clock,
}

impl Folder {
    fn run(&self) -> Run {
        self.run_with(Reader::new(self.0.clone()))
    }

    /// Later looks are this reader's.
    fn run_with(&self, reader: Reader) -> Run {
        let clock = Clock::stopped_at(Time::from_millis(1_000_000));
        let look = files::look(&self.0).unwrap();
        let sifted = sift::sift(&look, Before::Launch, &self.0, clock.now());
        let keys = Arc::new(Keys::new(sifted.set));
        let watcher = Watcher::new(
            reader,
            keys.clone(),
            clock.clone(),
            look.digest,
            (sifted.held, sifted.found),
        );
        Run { watcher, keys, clock }
    }
}

impl Run {
    async fn look(&mut self) -> Vec<String> {
        let text = |line| match line {
            Line::Warn(finding) => {
                assert_eq!(finding.severity, Severity::Warn, "a running process is not stopped");
                format!("{} {}", finding.code, finding.text)
            }
            Line::Info(text) => text,
        };
        self.watcher.look().await.into_iter().map(text).collect()
    }

    /// Two looks: a change has counted.
    async fn settle(&mut self) -> Vec<String> {
        let mut lines = self.look().await;
        lines.extend(self.look().await);
        lines
    }

    fn kids(&self) -> Vec<String> {
        kids(&self.keys)
    }

    fn signer(&self) -> Option<String> {
        let set = self.keys.current();
        set.signer(self.clock.now()).map(|key| key.kid().to_owned())
    }

    fn not_before(&self, kid: &str) -> Option<u64> {
        let set = self.keys.current();
        set.iter().find(|key| key.kid() == kid).unwrap().not_before()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn private(kid: &str, not_before: Option<u64>) -> String {
    Key::generate(kid, Algorithm::EdDSA, not_before).unwrap().1.to_string()
}

fn secret_key(kid: &str) -> String {
    Key::generate(kid, Algorithm::HS256, None).unwrap().1.to_string()
}

fn public(kid: &str) -> String {
    let (key, _) = Key::generate(kid, Algorithm::ES256, None).unwrap();
    key.public_jwk().unwrap().to_string()
}

/// A secret of five bytes.
const WEAK: &str = r#"{"kty":"oct","alg":"HS256","k":"c2hvcnQ"}"#;

/// RFC 8410 section 10.1: a public Ed25519 key.
const PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
                   MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
                   -----END PUBLIC KEY-----\n";

/// The codes, a refusal's with a `!` behind it.
fn codes(findings: &[Finding]) -> Vec<String> {
    let mark = |severity| if severity == Severity::Refuse { "!" } else { "" };
    findings.iter().map(|found| format!("{}{}", found.code, mark(found.severity))).collect()
}

fn kids(keys: &Keys) -> Vec<String> {
    keys.current().iter().map(|key| key.kid().to_owned()).collect()
}
