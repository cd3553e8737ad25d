//! tests/faults/load.rs: a constant load from two processes, and a book of what each cookie must be.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rocket::futures::{StreamExt, stream};
use tokio::task::JoinHandle;

use crate::support::{Answer, Server};

/// How many sessions the load keeps, and how many ended ones it remembers.
const LIVE: usize = 300;
const REMEMBERED: usize = 300;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Guarded,
    Maybe,
    Anonymous,
    Login,
    Logout,
    /// A read with the cookie of a session whose logout was acknowledged.
    Ended,
}

pub const KINDS: [Kind; 5] =
    [Kind::Guarded, Kind::Maybe, Kind::Anonymous, Kind::Login, Kind::Logout];

/// One request: what it was, what it got, and when.
pub struct Sample {
    pub kind: Kind,
    pub server: usize,
    pub away: bool,
    pub began: Instant,
    pub ended: Instant,
}

pub struct Session {
    pub cookie: String,
    pub user: u64,
}

#[derive(Default)]
struct Book {
    live: Vec<Session>,
    /// Whose logout was not acknowledged: it may have happened or not.
    doubtful: Vec<Session>,
    ended: Vec<Session>,
    samples: Vec<Sample>,
    tally: Tally,
    violations: Vec<String>,
}

/// What was acknowledged, and what became of it.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    pub logins: u64,
    pub logouts: u64,
    pub lost: u64,
    pub revived: u64,
    /// Logouts without an answer that had happened all the same, and those that had not.
    pub done: u64,
    pub undone: u64,
}

pub struct Load {
    pub servers: [Server; 2],
    book: Mutex<Book>,
    users: AtomicU64,
    stop: AtomicBool,
    /// False while Redis may have lost what it acknowledged.
    pub held: AtomicBool,
    /// The machine gave this process no time for a while: no fault of Redis, and no figure to keep.
    pub stalled: AtomicBool,
}

/// What a read says of a cookie.
#[derive(PartialEq, Eq)]
pub enum Verdict {
    Mine,
    Nobody,
    Away,
}

impl Load {
    pub fn start(servers: [Server; 2], seed: u64) -> (Arc<Self>, Vec<JoinHandle<()>>) {
        let load = Arc::new(Load {
            servers,
            book: Mutex::default(),
            users: AtomicU64::new(2),
            stop: AtomicBool::new(false),
            held: AtomicBool::new(true),
            stalled: AtomicBool::new(false),
        });
        let workers = (0..8).map(|n| tokio::spawn(work(load.clone(), Random(seed ^ (n << 32)))));
        let mut tasks: Vec<_> = workers.collect();
        tasks.push(tokio::spawn(tick(load.clone())));
        (load, tasks)
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::SeqCst);
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn book<T>(&self, act: impl FnOnce(&mut Book) -> T) -> T {
        act(&mut self.book.lock().unwrap())
    }

    pub fn violated(&self, text: String) {
        self.book(|book| book.violations.push(text));
    }

    pub fn take_violations(&self) -> Vec<String> {
        self.book(|book| std::mem::take(&mut book.violations))
    }

    pub fn take_samples(&self) -> (Vec<Sample>, Tally) {
        self.book(|book| (std::mem::take(&mut book.samples), std::mem::take(&mut book.tally)))
    }

    pub fn live(&self) -> usize {
        self.book(|book| book.live.len())
    }

    pub fn take_live(&self, random: &mut Random) -> Option<Session> {
        self.book(|book| random.take(&mut book.live))
    }

    pub fn keep_live(&self, session: Session) {
        self.book(|book| book.live.push(session));
    }

    /// Sends one request, and judges what holds for every answer.
    pub async fn ask(&self, kind: Kind, server: usize, head: &str) -> Answer {
        let began = Instant::now();
        let answer = self.servers[server].send(head).await;
        let ended = Instant::now();
        let away = answer.status == 503;
        if !matches!(answer.status, 200 | 401 | 503) {
            self.violated(format!("{kind:?} was answered {answer:?}"));
        }
        if away && !(answer.sets_no_cookie() && answer.code() == "store_unavailable") {
            self.violated(format!("{kind:?} was away as {answer:?}"));
        }
        self.book(|book| book.samples.push(Sample { kind, server, away, began, ended }));
        answer
    }

    pub async fn read(&self, kind: Kind, server: usize, path: &str, session: &Session) -> Verdict {
        let head = format!("GET {path}\nCookie: {}", session.cookie);
        let answer = self.ask(kind, server, &head).await;
        match (answer.status, &*answer.body) {
            (503, _) => Verdict::Away,
            (200, "nobody") => Verdict::Nobody,
            (200, body) => {
                if body != session.user.to_string() {
                    self.violated(format!("{body} was served to the cookie of {}", session.user));
                }
                Verdict::Mine
            }
            _ => Verdict::Nobody,
        }
    }

    pub async fn log_in(&self, server: usize, user: u64) -> Option<Session> {
        let answer = self.ask(Kind::Login, server, &format!("POST /login/{user}")).await;
        (answer.status == 200).then(|| {
            self.book(|book| book.tally.logins += 1);
            Session { cookie: answer.cookie().to_owned(), user }
        })
    }

    async fn log_out(&self, server: usize, session: Session) {
        let head = format!("POST /logout\nCookie: {}", session.cookie);
        let status = self.ask(Kind::Logout, server, &head).await.status;
        self.book(|book| match status {
            200 => {
                book.tally.logouts += 1;
                if book.ended.len() >= REMEMBERED {
                    book.ended.remove(0);
                }
                book.ended.push(session);
            }
            _ => book.doubtful.push(session),
        });
    }

    /// Whoever is said to be logged out and is served has been revived.
    async fn read_ended(&self, server: usize, session: Session) {
        match self.read(Kind::Ended, server, "/me", &session).await {
            Verdict::Mine => {
                if self.held.load(Ordering::SeqCst) {
                    self.violated(format!("a logout of {} was undone", session.user));
                }
                self.book(|book| {
                    book.tally.revived += 1;
                    book.live.push(session);
                });
            }
            _ => self.book(|book| book.ended.push(session)),
        }
    }

    async fn read_live(&self, kind: Kind, server: usize, path: &str, session: Session) {
        match self.read(kind, server, path, &session).await {
            Verdict::Nobody => self.book(|book| book.tally.lost += 1),
            _ => self.keep_live(session),
        }
    }

    /// Looks at every session that the book knows, through the process that did not just serve it.
    pub async fn audit(&self) {
        let (live, ended, doubtful) = self.book(|book| {
            let take = std::mem::take::<Vec<Session>>;
            (take(&mut book.live), take(&mut book.ended), take(&mut book.doubtful))
        });
        let live = live.into_iter().enumerate();
        all(live.map(|(n, session)| self.read_live(Kind::Guarded, n % 2, "/me", session))).await;
        let ended = ended.into_iter().enumerate();
        all(ended.map(|(n, session)| self.read_ended(n % 2, session))).await;
        for (n, session) in doubtful.into_iter().enumerate() {
            if self.read(Kind::Guarded, n % 2, "/me", &session).await == Verdict::Mine {
                self.book(|book| book.tally.undone += 1);
                self.log_out(n % 2, session).await;
            } else {
                self.book(|book| book.tally.done += 1);
            }
        }
    }

    /// Until both processes log in and read again.
    pub async fn recovered(&self) -> Duration {
        let start = Instant::now();
        for server in [0, 1] {
            loop {
                let user = self.users.fetch_add(1, Ordering::SeqCst) / 2;
                if let Some(session) = self.log_in(server, user).await {
                    self.read_live(Kind::Guarded, server, "/me", session).await;
                    break;
                }
                if start.elapsed() > Duration::from_secs(20) {
                    self.violated(format!("process {server} never recovered"));
                    break;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
        start.elapsed()
    }
}

/// One client after another, each as a browser would be: a cookie goes only with what set it.
async fn work(load: Arc<Load>, mut random: Random) {
    while !load.stopped() {
        let server = random.below(2);
        let session = load.take_live(&mut random);
        match (random.below(100), session) {
            (0..20, Some(session)) if load.live() >= LIVE / 2 => {
                load.log_out(server, session).await;
            }
            (20..50, Some(session)) => load.read_live(Kind::Guarded, server, "/me", session).await,
            (50..70, Some(session)) => load.read_live(Kind::Maybe, server, "/maybe", session).await,
            (other, session) => {
                if let Some(session) = session {
                    load.keep_live(session);
                }
                match other {
                    ..20 => log_in(&load, server).await,
                    70..80 => stranger(&load, server, &mut random).await,
                    80..90 => {
                        if let Some(ended) = load.book(|book| random.take(&mut book.ended)) {
                            load.read_ended(server, ended).await;
                        }
                    }
                    _ if load.live() < LIVE => log_in(&load, server).await,
                    _ => {}
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(3 + random.below(6) as u64)).await;
    }
}

async fn log_in(load: &Load, server: usize) {
    // Two sessions a user.
    let user = load.users.fetch_add(1, Ordering::SeqCst) / 2;
    if let Some(session) = load.log_in(server, user).await {
        load.keep_live(session);
    }
}

/// Without a cookie nothing can go wrong, whatever happens to Redis.
async fn stranger(load: &Load, server: usize, random: &mut Random) {
    let (path, status) = [("/me", 401), ("/maybe", 200)][random.below(2)];
    let answer = load.ask(Kind::Anonymous, server, &format!("GET {path}")).await;
    if answer.status != status || (status == 200 && answer.body != "nobody") {
        load.violated(format!("{path} without a cookie: {answer:?}"));
    }
}

/// The processes' clocks follow the real one, so that a long run is no different from a short one.
async fn tick(load: Arc<Load>) {
    let (start, mut told) = (Instant::now(), Duration::ZERO);
    while !load.stopped() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let step = Duration::from_millis((start.elapsed() - told).as_millis() as u64);
        told += step;
        if step > Duration::from_millis(200) {
            load.stalled.store(true, Ordering::SeqCst);
        }
        load.servers.iter().for_each(|server| server.clock.advance(step));
    }
}

/// A few at a time.
async fn all(acts: impl Iterator<Item = impl Future<Output = ()>>) {
    stream::iter(acts).for_each_concurrent(8, |act| act).await;
}

/// Requests that were answered away and served, by kind.
pub fn by_kind(samples: &[Sample]) -> BTreeMap<Kind, (usize, usize)> {
    let mut counts = BTreeMap::<Kind, (usize, usize)>::new();
    for sample in samples {
        let (served, away) = counts.entry(sample.kind).or_default();
        *if sample.away { away } else { served } += 1;
    }
    counts
}

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn take<T>(&mut self, from: &mut Vec<T>) -> Option<T> {
        (!from.is_empty()).then(|| from.swap_remove(self.below(from.len())))
    }
}
