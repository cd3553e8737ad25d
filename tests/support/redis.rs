//! tests/support/redis.rs: a real redis-server of the test's own, and a proxy in front of it that counts
//! what a client sends, and cuts or swallows when it is told to.

#![allow(clippy::disallowed_methods, reason = "a real server takes real time")]

use std::net::TcpListener as StdListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use deadpool_redis::redis::{Client, Cmd, FromRedisValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server on a free loopback port, in a folder of its own; both end when the test drops it.
pub struct Redis {
    child: Mutex<Option<Child>>,
    pub port: u16,
    folder: PathBuf,
    arguments: Vec<String>,
    preload: Option<PathBuf>,
}

/// What a machine whose clock runs five seconds ahead tells its programs.
const AHEAD: &str = r"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
int gettimeofday(struct timeval *now, void *zone) {
    int done = syscall(SYS_gettimeofday, now, zone);
    now->tv_sec += 5;
    return done;
}
";

impl Redis {
    pub fn start(arguments: &[&str]) -> Self {
        Self::new(arguments, false)
    }

    /// One whose clock runs five seconds ahead of ours.
    pub fn start_ahead() -> Self {
        Self::new(&[], true)
    }

    fn new(arguments: &[&str], ahead: bool) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::SeqCst);
        let folder = std::env::temp_dir().join(format!("ri-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
        let preload = ahead.then(|| {
            let (source, library) = (folder.join("ahead.c"), folder.join("ahead.so"));
            std::fs::write(&source, AHEAD).unwrap();
            let mut cc = Command::new("cc");
            cc.args(["-shared", "-fPIC", "-o"]).args([&library, &source]);
            assert!(cc.status().unwrap().success());
            library
        });
        let mut redis = Redis { child: Mutex::new(None), port: 0, folder, arguments, preload };
        // The port may be taken between the look and the start: then the next one is tried.
        for _ in 0..20 {
            redis.port = StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if redis.try_start() {
                return redis;
            }
        }
        panic!("no redis-server would start");
    }

    /// Starts the process on the same port and folder, and waits until it answers.
    pub fn start_again(&self) {
        assert!(self.try_start(), "redis-server does not start on port {}", self.port);
    }

    /// False where it ended at once, as it does when its port is taken.
    fn try_start(&self) -> bool {
        let mut command = Command::new("redis-server");
        command.current_dir(&self.folder).stdout(Stdio::null());
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", ""]);
        command.envs(self.preload.iter().map(|library| ("LD_PRELOAD", library)));
        let mut child =
            command.args(&self.arguments).spawn().expect("./scripts/test installs redis-server");
        let own = format!("process_id:{}\r", child.id());
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            let info = self.try_ask::<String>(deadpool_redis::redis::cmd("INFO").arg("server"));
            // Another's server may answer where ours could not start.
            if info.is_some_and(|info| info.contains(&own)) {
                *self.child.lock().unwrap() = Some(child);
                return true;
            }
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < end, "redis-server does not answer");
            std::thread::yield_now();
        }
    }

    /// `kill -9`.
    pub fn kill(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// `SIGSTOP` and `SIGCONT`: the connection stays, and nothing answers.
    pub fn pause(&self) {
        self.signal("-STOP");
    }

    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let id = self.child.lock().unwrap().as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    pub fn ask<T: FromRedisValue>(&self, command: &mut Cmd) -> T {
        self.try_ask(command).expect("redis-server answers")
    }

    fn try_ask<T: FromRedisValue>(&self, command: &mut Cmd) -> Option<T> {
        let client = Client::open(self.url()).unwrap();
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(1)).ok()?;
        command.query(&mut connection).ok()
    }

    /// One command as words.
    pub fn tell(&self, words: &str) {
        let mut words = words.split(' ');
        let mut command = deadpool_redis::redis::cmd(words.next().unwrap());
        for word in words {
            command.arg(word);
        }
        let _: deadpool_redis::redis::Value = self.ask(&mut command);
    }

    pub fn keys(&self) -> Vec<String> {
        self.ask(deadpool_redis::redis::cmd("KEYS").arg("ri:*"))
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(child) = self.child.lock().unwrap().as_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Between a client and a server: counts the commands, and can be told to misbehave.
pub struct Proxy {
    pub port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    faults: Arc<Faults>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Faults {
    /// Nothing passes, and nobody is told.
    swallow: AtomicBool,
    /// The next reply is cut in its middle, and the connection closed.
    cut: AtomicBool,
    delay_ms: AtomicU64,
}

impl Proxy {
    pub async fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (seen, faults) = (Arc::default(), Arc::<Faults>::default());
        let (log, rules): (Arc<Mutex<Vec<String>>>, _) = (Arc::clone(&seen), faults.clone());
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                let (log, rules) = (log.clone(), rules.clone());
                tokio::spawn(async move {
                    let (mut from_client, mut to_client) = client.into_split();
                    let (mut from_server, mut to_server) = server.into_split();
                    let up = async {
                        let mut reader = Commands::default();
                        let mut bytes = vec![0; 64 * 1024];
                        while let Ok(n @ 1..) = from_client.read(&mut bytes).await {
                            log.lock().unwrap().extend(reader.read(&bytes[..n]));
                            if !rules.swallow.load(Ordering::SeqCst)
                                && to_server.write_all(&bytes[..n]).await.is_err()
                            {
                                break;
                            }
                        }
                    };
                    // A reply is late, and holds up none that comes behind it.
                    let (late, mut due) = tokio::sync::mpsc::unbounded_channel();
                    let down = async {
                        let mut bytes = vec![0; 64 * 1024];
                        while let Ok(n @ 1..) = from_server.read(&mut bytes).await {
                            let delay =
                                Duration::from_millis(rules.delay_ms.load(Ordering::SeqCst));
                            let _ = late.send((Instant::now() + delay, bytes[..n].to_vec()));
                        }
                        drop(late);
                        std::future::pending::<()>().await;
                    };
                    let deliver = async {
                        while let Some((at, bytes)) = due.recv().await {
                            tokio::time::sleep_until(at.into()).await;
                            if rules.cut.swap(false, Ordering::SeqCst) {
                                let _ = to_client.write_all(&bytes[..bytes.len() / 2]).await;
                                break;
                            }
                            if !rules.swallow.load(Ordering::SeqCst)
                                && to_client.write_all(&bytes).await.is_err()
                            {
                                break;
                            }
                        }
                    };
                    tokio::select! { () = up => {}, () = down => {}, () = deliver => {} }
                });
            }
        });
        Proxy { port: own, seen, faults, task }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// The names of the commands that the client sent since the last call, but for the `INFO` by
    /// which a link looks once a second, whatever is asked of it, whether it still leads to a master.
    pub fn take(&self) -> Vec<String> {
        let mut taken = std::mem::take(&mut *self.seen.lock().unwrap());
        taken.retain(|name| name != "INFO");
        taken
    }

    /// Each reply takes so long on its way.
    pub fn delay(&self, span: Duration) {
        self.faults.delay_ms.store(span.as_millis() as u64, Ordering::SeqCst);
    }

    pub fn swallow(&self, on: bool) {
        self.faults.swallow.store(on, Ordering::SeqCst);
    }

    pub fn cut_next_reply(&self) {
        self.faults.cut.store(true, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Reads the commands out of a stream of RESP arrays of bulk strings.
#[derive(Default)]
struct Commands(Vec<u8>);

impl Commands {
    fn read(&mut self, bytes: &[u8]) -> Vec<String> {
        self.0.extend_from_slice(bytes);
        let mut names = Vec::new();
        while let Some((name, length)) = Self::first(&self.0) {
            names.push(name);
            self.0.drain(..length);
        }
        names
    }

    /// The first whole command: its name, and how many bytes it takes.
    fn first(bytes: &[u8]) -> Option<(String, usize)> {
        let (parts, mut at) = Self::number(bytes, 0, b'*')?;
        let mut name = None;
        for _ in 0..parts {
            let (length, start) = Self::number(bytes, at, b'$')?;
            at = start + length + 2;
            let word = bytes.get(start..start + length)?;
            bytes.get(at - 1)?;
            name.get_or_insert_with(|| String::from_utf8_lossy(word).to_uppercase());
        }
        Some((name.unwrap_or_default(), at))
    }

    fn number(bytes: &[u8], at: usize, mark: u8) -> Option<(usize, usize)> {
        let rest = bytes.get(at..)?;
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        assert_eq!(rest[0], mark, "a client sends arrays of bulk strings");
        let digits = std::str::from_utf8(&rest[1..end]).unwrap();
        Some((digits.parse().unwrap(), at + end + 2))
    }
}
