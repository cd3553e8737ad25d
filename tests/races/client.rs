//! tests/races/client.rs: very many requests under way at once, in the streams of one HTTP/2 connection.

use std::net::SocketAddr;

use h2::client::SendRequest;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

pub struct Client {
    at: SocketAddr,
    sender: SendRequest<&'static [u8]>,
    task: JoinHandle<Result<(), h2::Error>>,
}

impl Client {
    pub async fn to(at: SocketAddr) -> Self {
        let stream = TcpStream::connect(at).await.unwrap();
        let (sender, connection) = h2::client::Builder::new().handshake(stream).await.unwrap();
        Client { at, sender, task: tokio::spawn(connection) }
    }

    pub async fn get(&self, path: &str, cookie: &str) -> u16 {
        self.send("GET", path, cookie).await.0
    }

    pub async fn post(&self, path: &str, cookie: &str) -> u16 {
        self.send("POST", path, cookie).await.0
    }

    /// The cookie of a new session.
    pub async fn log_in(&self, id: u64) -> String {
        let (status, cookie) = self.send("POST", &format!("/login/{id}"), "theme=dark").await;
        assert_eq!(status, 200);
        cookie.expect("a cookie")
    }

    async fn send(&self, method: &str, path: &str, cookie: &str) -> (u16, Option<String>) {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.at))
            .header("cookie", cookie);
        let mut sender = self.sender.clone().ready().await.unwrap();
        let (answer, _) = sender.send_request(request.body(()).unwrap(), true).unwrap();
        let mut answer = answer.await.unwrap();
        while let Some(part) = answer.body_mut().data().await {
            let length = part.unwrap().len();
            answer.body_mut().flow_control().release_capacity(length).unwrap();
        }
        let set = answer.headers().get("set-cookie").map(|set| set.to_str().unwrap());
        let pair = set.and_then(|set| set.split(';').next());
        (answer.status().as_u16(), pair.map(str::to_owned))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}
