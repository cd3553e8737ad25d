//! tests/browser/programs.rs: the programs that a test starts, each on a free loopback port. They end
//! with the test, also when it fails.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// No program takes longer to start.
const START: Duration = Duration::from_secs(30);

/// A running program, and what it says.
pub struct Program {
    child: Child,
    lines: Receiver<String>,
}

impl Program {
    pub fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (send, lines) = channel();
        listen(child.stdout.take().unwrap(), send.clone());
        listen(child.stderr.take().unwrap(), send);
        Program { child, lines }
    }

    /// The first line that contains `text`.
    pub fn says(&self, text: &str) -> String {
        let end = Instant::now() + START;
        let mut said = String::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => writeln!(said, "{line}").unwrap(),
                Err(why) => panic!("{text:?} was not said ({why}), but:\n{said}"),
            }
        }
    }

    /// Waits until something accepts connections at `port`; `false` when the program ended before.
    fn listens(&mut self, port: u16) -> bool {
        let end = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < end, "nothing listens at {port}");
            std::thread::sleep(Duration::from_millis(5));
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
        }
        self.child.try_wait().unwrap().is_none()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads until the program closes its end, so that it never waits for us.
fn listen(from: impl Read + Send + 'static, to: Sender<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            let _ = to.send(line);
        }
    });
}

/// A program that must be told its port. Another one may take it first: then with the next port.
fn on_free_port(start: impl Fn(u16) -> Program) -> (Program, u16) {
    for _ in 0..5 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let mut program = start(port);
        if program.listens(port) {
            return (program, port);
        }
    }
    panic!("no port stayed free");
}

/// What `scripts/certificate` makes.
pub struct Certificate {
    folder: TempDir,
}

impl Certificate {
    /// One for all tests that run now.
    pub fn made() -> Arc<Self> {
        static MADE: OnceLock<std::sync::Mutex<Weak<Certificate>>> = OnceLock::new();
        let mut made = MADE.get_or_init(Default::default).lock().unwrap();
        made.upgrade().unwrap_or_else(|| {
            let fresh = Arc::new(Certificate::make());
            *made = Arc::downgrade(&fresh);
            fresh
        })
    }

    pub fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = root().join("scripts/certificate");
        let made = Command::new(script).arg(folder.path()).stdin(Stdio::null()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        Certificate { folder }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, file: &str) -> String {
        self.folder.path().join(file).to_str().unwrap().to_owned()
    }
}

/// `examples/session`, the program that `cargo run --example session` builds.
pub struct Example {
    _program: Program,
    pub port: u16,
    _certificate: Option<Arc<Certificate>>,
}

impl Example {
    /// In `profile`, with these environment variables and no other of Rocket's.
    pub fn start(profile: &str, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_session"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ROCKET_")) {
            command.env_remove(name);
        }
        command.envs([
            ("ROCKET_PROFILE", profile),
            ("ROCKET_ADDRESS", "127.0.0.1"),
            ("ROCKET_PORT", "0"),
            ("ROCKET_WORKERS", "2"),
            ("ROCKET_CLI_COLORS", "false"),
        ]);
        let program = Program::start(command.envs(settings.iter().copied()));
        let launched = program.says("Rocket has launched from");
        let port = launched.rsplit(':').next().and_then(|port| port.trim().parse().ok());
        let port = port.unwrap_or_else(|| panic!("no port: {launched}"));
        Example { _program: program, port, _certificate: None }
    }

    /// In a release profile, with Rocket's own TLS.
    pub fn with_tls() -> Self {
        let certificate = Certificate::made();
        let (certs, key) = (certificate.path("localhost.pem"), certificate.path("localhost.key"));
        let tls = format!("{{certs={certs:?},key={key:?}}}");
        let example = Example::start("release", &[("ROCKET_TLS", &tls)]);
        Example { _certificate: Some(certificate), ..example }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }
}

/// nginx as a TLS proxy before an example that speaks plain HTTP.
pub struct Nginx {
    _program: Program,
    pub port: u16,
    folder: TempDir,
    certificate: Arc<Certificate>,
}

impl Nginx {
    /// `fields` are the `proxy_set_header` lines and the like of the one location.
    /// The example is started when the port is known, and its port handed back.
    pub fn start(fields: &str, example: impl Fn(u16) -> u16) -> Self {
        let certificate = Certificate::made();
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().to_str().unwrap();
        let (pem, key) = (certificate.path("localhost.pem"), certificate.path("localhost.key"));
        let (program, port) = on_free_port(|port| {
            let upstream = example(port);
            let configuration = format!(
                "daemon off; master_process off; pid {at}/pid; error_log stderr;
                events {{}}
                http {{
                    log_format seen '$server_protocol $request_method $uri $status $http_cookie';
                    access_log {at}/access seen;
                    client_body_temp_path {at}/1; proxy_temp_path {at}/2; fastcgi_temp_path {at}/3;
                    uwsgi_temp_path {at}/4; scgi_temp_path {at}/5;
                    server {{
                        listen 127.0.0.1:{port} ssl http2;
                        ssl_certificate {pem}; ssl_certificate_key {key};
                        location / {{ proxy_pass http://127.0.0.1:{upstream}; {fields} }}
                    }}
                }}"
            );
            std::fs::write(folder.path().join("nginx.conf"), configuration).unwrap();
            let path = format!("/usr/sbin:{}", std::env::var("PATH").unwrap_or_default());
            let mut nginx = Command::new("nginx");
            let nginx = nginx.env("PATH", path).args(["-e", "stderr", "-p", at]);
            Program::start(nginx.args(["-c", &format!("{at}/nginx.conf")]))
        });
        Nginx { _program: program, port, folder, certificate }
    }

    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// One request from a loopback address of the client's own, with these fields and this form.
    pub fn send_from(&self, address: &str, path: &str, fields: &[&str], form: &str) -> Answer {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--include", "--interface", address]);
        curl.arg("--resolve").arg(format!("localhost:{}:127.0.0.1", self.port));
        curl.arg("--cacert").arg(self.certificate.path("ca.pem")).arg("--data").arg(form);
        for field in fields {
            curl.args(["--header", field]);
        }
        let output = curl.arg(self.url(path)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Answer::of(String::from_utf8(output.stdout).unwrap())
    }

    /// One line for each request: protocol, method, path, status, cookies.
    pub fn requests(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.folder.path().join("access")).unwrap();
        log.lines().map(str::to_owned).collect()
    }
}

/// A Redis of this test's own.
pub struct Redis {
    _program: Program,
    pub port: u16,
    _folder: TempDir,
}

impl Redis {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (program, port) = on_free_port(|port| {
            let mut redis = Command::new("redis-server");
            redis.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
            Program::start(redis.arg("--dir").arg(folder.path()))
        });
        Redis { _program: program, port, _folder: folder }
    }

    /// `ROCKET_DATABASES`, as the README has it.
    pub fn databases(&self) -> String {
        format!(r#"{{identity={{url="redis://127.0.0.1:{}"}}}}"#, self.port)
    }
}

/// An answer in plain HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Answer {
    fn of(text: String) -> Self {
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no HTTP answer: {text:?}"));
        Answer { status, text }
    }

    /// `name=value` of the one cookie that was set beside that of a known device.
    pub fn cookie(&self) -> &str {
        let set = self.text.lines().filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("set-cookie").then_some(value)
        });
        let mut set = set.filter(|cookie| !cookie.starts_with("__Host-device="));
        let cookie = set.next().unwrap_or_else(|| panic!("no cookie: {self:?}"));
        assert!(set.next().is_none(), "two cookies: {self:?}");
        cookie.split(';').next().unwrap()
    }
}

/// One exchange in HTTP/1.1 with what listens at `port`. `head` is the request line and the fields.
pub fn send(port: u16, head: &str, body: &str) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let (line, fields) = head.split_once('\n').unwrap_or((head, ""));
    let mut raw = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n");
    for field in fields.lines().filter(|field| !field.is_empty()) {
        write!(raw, "{field}\r\n").unwrap();
    }
    write!(raw, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    stream.write_all(raw.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    Answer::of(text)
}

/// The folder of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}
