//! tests/streams/stream.rs: a stream as a browser has it, of either kind.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time;

use super::app::OPEN;
use super::support::{Answer, request_bytes};

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Kind {
    Events,
    Socket,
}

pub const BOTH: [Kind; 2] = [Kind::Events, Kind::Socket];

/// One that is open, or was.
pub struct Stream {
    kind: Kind,
    connection: TcpStream,
    read: Vec<u8>,
}

impl Kind {
    /// What is sent to open one; `more` are fields.
    pub fn request(self, more: &str) -> String {
        match self {
            Kind::Events => format!("GET /events\n{more}"),
            Kind::Socket => format!(
                "GET /socket\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n\
                 Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n{more}"
            ),
        }
    }

    /// The answer where none is opened, or its head.
    pub async fn ask(self, at: SocketAddr, more: &str) -> Answer {
        let mut connection = TcpStream::connect(at).await.unwrap();
        let mut request = request_bytes(at, &self.request(more));
        request.extend_from_slice(b"\r\n");
        connection.write_all(&request).await.unwrap();
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            assert!(connection.read_buf(&mut head).await.unwrap() > 0, "closed");
        }
        Answer::parse(&head)
    }
}

impl Stream {
    pub async fn open(at: SocketAddr, kind: Kind, cookie: &str) -> Self {
        let mut connection = TcpStream::connect(at).await.unwrap();
        let mut request = request_bytes(at, &kind.request(&format!("Cookie: {cookie}")));
        request.extend_from_slice(b"\r\n");
        connection.write_all(&request).await.unwrap();
        let mut stream = Stream { kind, connection, read: Vec::new() };
        while !stream.read.windows(OPEN.len()).any(|said| said == OPEN.as_bytes()) {
            let count = stream.connection.read_buf(&mut stream.read).await.unwrap();
            assert!(count > 0, "no stream: {:?}", String::from_utf8_lossy(&stream.read));
        }
        stream.read.clear();
        stream
    }

    /// One of each kind.
    pub async fn open_both(at: SocketAddr, cookie: &str) -> [Self; 2] {
        let [events, socket] = BOTH;
        [Stream::open(at, events, cookie).await, Stream::open(at, socket, cookie).await]
    }

    /// Waits until the server closes it, and says how long that took; `None` where it is open after
    /// that time. What arrives meanwhile is kept.
    pub async fn closes_within(&mut self, limit: Duration) -> Option<Duration> {
        let start = Instant::now();
        let read = async {
            // An event stream is over with its last chunk; the connection may serve other requests.
            while !(self.kind == Kind::Events && self.read.ends_with(b"0\r\n\r\n")) {
                let Ok(1..) = self.connection.read_buf(&mut self.read).await else { break };
            }
            start.elapsed()
        };
        let took = time::timeout(limit, read).await.ok()?;
        match self.kind {
            Kind::Events => assert!(self.read.ends_with(b"0\r\n\r\n"), "{:?}", self.read),
            Kind::Socket => assert!(self.read.starts_with(&[0x88]), "{:?}", self.read),
        }
        Some(took)
    }
}
