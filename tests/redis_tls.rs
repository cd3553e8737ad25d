//! tests/redis_tls.rs: Rocket's own TLS and `rediss://` in one process (rustls panics there with two
//! providers unless a default is installed), with a private CA; and the other ways to a Redis.
#![cfg(all(feature = "testing", feature = "redis-tls"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "faults take real time")]

mod support;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use deadpool_redis::redis::cmd;
use rocket::figment::Figment;
use rocket::{get, routes};
use rocket_db_pools::{Connection, Database};
use support::app::app;
use support::redis::Redis;
use support::{Answer, Server, figment};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

async fn process(figment: Figment) -> Server {
    Server::start(app(figment)).await
}

#[derive(Database)]
#[database("identity")]
struct Own(rocket_identity::redis::Pool);

#[get("/hits")]
async fn hits(mut own: Connection<Own>) -> Option<String> {
    let hits: u64 = cmd("INCR").arg("hits").query_async(&mut **own).await.ok()?;
    Some(hits.to_string())
}

/// A CA of the test's own and its certificate for localhost, in a folder that ends with the test.
struct Certificate(PathBuf);

impl Certificate {
    fn make(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("ri-tls-{name}-{}", std::process::id()));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/certificate");
        let made = Command::new(script).arg(&folder).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        Certificate(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// A Redis that speaks TLS on the port that comes back.
    fn redis(&self) -> (Redis, u16) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let redis = Redis::start(&[
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            &self.file("localhost.pem"),
            "--tls-key-file",
            &self.file("localhost.key"),
            "--tls-ca-cert-file",
            &self.file("ca.pem"),
            "--tls-auth-clients",
            "no",
        ]);
        (redis, port)
    }

    /// One HTTP/1.1 exchange over TLS, by a client that trusts this CA alone.
    async fn ask(&self, server: &Server, head: &str) -> Answer {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.file("ca.pem")).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(server.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let end = "Host: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(format!("{head}\r\n{end}").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        Answer::parse(&answer)
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn a_process_with_rockets_tls_and_rediss_starts_and_serves() {
    let certificate = Certificate::make("both");
    let (_redis, port) = certificate.redis();
    let settings = figment("release")
        .merge(("address", "0.0.0.0"))
        .merge(("tls.certs", certificate.file("localhost.pem")))
        .merge(("tls.key", certificate.file("localhost.key")))
        .merge(("databases.identity.url", format!("rediss://localhost:{port}")))
        .merge(("databases.identity.ca", certificate.file("ca.pem")));
    // RI008 is satisfied by Rocket's own TLS: this listens on the network.
    let server = process(settings).await;
    let login = certificate.ask(&server, "POST /login/7 HTTP/1.1").await;
    assert_eq!(login.status, 200, "{login:?}");
    assert!(login.cookie().starts_with("__Host-session="));
    let head = format!("GET /me HTTP/1.1\r\nCookie: {}", login.cookie());
    assert_eq!(certificate.ask(&server, &head).await.body, "7");
}

#[tokio::test]
async fn in_profile_debug_rockets_tls_makes_the_cookie_secure() {
    let certificate = Certificate::make("debug");
    let settings = figment("debug")
        .merge(("tls.certs", certificate.file("localhost.pem")))
        .merge(("tls.key", certificate.file("localhost.key")));
    let server = process(settings).await;
    let login = certificate.ask(&server, "POST /login/7 HTTP/1.1").await;
    assert!(login.all("set-cookie")[0].contains("; Secure"), "{login:?}");
    assert!(login.cookie().starts_with("__Host-session="));
}

#[tokio::test]
async fn a_redis_whose_certificate_another_ca_made_is_not_trusted() {
    let (certificate, other) = (Certificate::make("one"), Certificate::make("other"));
    let (_redis, port) = certificate.redis();
    let url = format!("rediss://localhost:{port}");
    for (ca, status) in [(&certificate, 200), (&other, 503)] {
        let settings = figment("release")
            .merge(("databases.identity.url", &url))
            .merge(("databases.identity.ca", ca.file("ca.pem")));
        let server = process(settings).await;
        assert_eq!(server.send("POST /login/7").await.status, status);
    }
    // The pool goes by the same CA.
    let settings = figment("release")
        .merge(("databases.identity.url", &url))
        .merge(("databases.identity.ca", certificate.file("ca.pem")));
    let rocket = app(settings).attach(Own::init()).mount("/", routes![hits]);
    assert_eq!(Server::start(rocket).await.send("GET /hits").await.body, "1");
}

#[tokio::test]
async fn a_unix_socket_and_an_acl_user_lead_to_the_same_sessions() {
    let socket = std::env::temp_dir().join(format!("ri-socket-{}", std::process::id()));
    let socket = socket.to_str().unwrap();
    let redis = Redis::start(&["--unixsocket", socket]);
    redis.tell("ACL SETUSER app on >word ~ri:* +@all");
    let by_socket = format!("redis+unix://{socket}");
    let by_user = format!("redis://app:word@127.0.0.1:{}", redis.port);
    let one = process(figment("release").merge(("databases.identity.url", by_socket))).await;
    let two = process(figment("release").merge(("databases.identity.url", by_user))).await;
    let cookie = one.send("POST /login/7").await.cookie().to_owned();
    assert_eq!(two.send(&format!("GET /me\nCookie: {cookie}")).await.body, "7");
}

#[tokio::test]
async fn a_ca_that_cannot_be_read_does_not_launch() {
    let settings = figment("debug")
        .merge(("databases.identity.url", "rediss://localhost:1"))
        .merge(("databases.identity.ca", "/nowhere/ca.pem"));
    // Rocket's error panics when nobody looked at it.
    let refused =
        app(settings).ignite().await.is_err_and(|e| !format!("{:?}", e.kind()).is_empty());
    assert!(refused);
}
