//! tests/throttle_processes/flood.rs: very many requests at once, in the streams of few HTTP/2
//! connections.

use std::collections::BTreeMap;
use std::time::Instant;

use h2::client::SendRequest;
use rocket::futures::StreamExt;
use rocket::futures::stream;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Streams that one connection has at once.
const STREAMS: usize = 200;

/// One attempt to log in, as a proxy hands it on.
pub struct Try {
    path: String,
    from: String,
}

impl Try {
    pub fn wrong(name: &str, from: &str) -> Self {
        Try { path: format!("/login/{name}/wrong"), from: from.to_owned() }
    }

    pub fn right(name: &str, from: &str) -> Self {
        Try { path: format!("/login/{name}/right"), from: from.to_owned() }
    }
}

/// What came of it.
pub struct Flood {
    /// How often each status.
    pub answers: BTreeMap<u16, u32>,
    pub first_answer: Instant,
    pub last_sent: Instant,
}

/// Sends all of them, in turn to each port, `under_way` at once, and waits for every answer.
pub async fn send(ports: &[u16], under_way: usize, all: impl Iterator<Item = Try>) -> Flood {
    let mut connections = Vec::new();
    for n in 0..under_way.div_ceil(STREAMS) {
        connections.push((Connection::open(ports[n % ports.len()]).await, Vec::new()));
    }
    let count = connections.len();
    for (n, one) in all.enumerate() {
        connections[n % count].1.push(one);
    }
    let tasks = connections.into_iter().map(|(connection, tries)| {
        tokio::spawn(async move {
            let sent = stream::iter(tries).map(|one| connection.try_in(one));
            sent.buffer_unordered(STREAMS).collect::<Vec<_>>().await
        })
    });
    let mut answers = BTreeMap::new();
    let (mut first_answer, mut last_sent) = (None::<Instant>, None::<Instant>);
    for task in tasks.collect::<Vec<_>>() {
        for Exchange { status, sent, answered, .. } in task.await.unwrap() {
            *answers.entry(status).or_default() += 1;
            first_answer = Some(first_answer.map_or(answered, |first| first.min(answered)));
            last_sent = Some(last_sent.map_or(sent, |last| last.max(sent)));
        }
    }
    Flood { answers, first_answer: first_answer.unwrap(), last_sent: last_sent.unwrap() }
}

/// One alone, with the fields of its answer.
pub async fn one(port: u16, one: Try) -> (u16, BTreeMap<String, String>) {
    let Exchange { status, fields, .. } = Connection::open(port).await.try_in(one).await;
    (status, fields)
}

/// The body that is at this path.
pub async fn get(port: u16, path: &str) -> String {
    let request = http::Request::get(format!("http://127.0.0.1:{port}{path}"));
    let connection = Connection::open(port).await;
    String::from_utf8(connection.exchange(request.body(()).unwrap()).await.body).unwrap()
}

struct Connection {
    port: u16,
    client: SendRequest<&'static [u8]>,
    task: JoinHandle<Result<(), h2::Error>>,
}

struct Exchange {
    status: u16,
    fields: BTreeMap<String, String>,
    body: Vec<u8>,
    sent: Instant,
    answered: Instant,
}

impl Connection {
    async fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let (client, connection) = h2::client::Builder::new().handshake(stream).await.unwrap();
        Connection { port, client, task: tokio::spawn(connection) }
    }

    async fn try_in(&self, one: Try) -> Exchange {
        let request = http::Request::post(format!("http://127.0.0.1:{}{}", self.port, one.path))
            .header("x-forwarded-for", one.from);
        self.exchange(request.body(()).unwrap()).await
    }

    async fn exchange(&self, request: http::Request<()>) -> Exchange {
        let mut client = self.client.clone().ready().await.unwrap();
        let (answer, _) = client.send_request(request, true).unwrap();
        let sent = Instant::now();
        let mut answer = answer.await.unwrap();
        let answered = Instant::now();
        let mut body = Vec::new();
        while let Some(part) = answer.body_mut().data().await {
            let part = part.unwrap();
            answer.body_mut().flow_control().release_capacity(part.len()).unwrap();
            body.extend_from_slice(&part);
        }
        let fields = answer.headers().iter();
        let fields = fields.map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        Exchange {
            status: answer.status().as_u16(),
            fields: fields.collect(),
            body,
            sent,
            answered,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
