//! tests/example_jwt.rs: the API example's contract, over a real socket.
#![cfg(all(feature = "testing", feature = "jwt", feature = "password"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../examples/jwt/main.rs"]
#[allow(dead_code, reason = "the example's `main` is not called here")]
mod app;
mod support;

use std::time::Duration;

use rocket::figment::Provider;
use serde_json::{Value, json};
use support::{Answer, Captured, Server};

const ADA: &str = r#"{"username":"ada","password":"correct horse battery staple"}"#;
const JSON: &str = "Content-Type: application/json";

async fn server() -> Server {
    server_with("bearer").await
}

async fn server_with(transport: &str) -> Server {
    start(("identity.jwt.transport", transport)).await
}

/// With that many guesses for one address at once.
async fn server_with_burst(burst: u32) -> Server {
    start(("identity.throttle.address_burst", burst)).await
}

async fn start(setting: impl Provider) -> Server {
    Captured::install();
    let rocket = app::rocket();
    let figment = rocket.figment().clone().select("debug").merge(setting);
    let figment =
        figment.merge(("address", "127.0.0.1")).merge(("port", 0)).merge(("shutdown.ctrlc", false));
    Server::start(rocket.configure(figment)).await
}

async fn log_in(server: &Server, body: &str) -> Answer {
    server.send_bytes(&format!("POST /login\n{JSON}"), body.as_bytes()).await
}

fn parsed(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).expect("JSON")
}

/// A token would be had without the second factor.
#[tokio::test]
async fn who_is_asked_for_a_code_elsewhere_gets_no_token_for_a_password_alone() {
    let server = server().await;
    let hedy = r#"{"username":"hedy","password":"spread over 88 frequencies"}"#;
    assert_eq!(log_in(&server, hedy).await.status, 401);
}

#[tokio::test]
async fn a_login_gives_a_token_and_no_cookie_and_the_token_opens_the_api() {
    let server = server().await;
    for (body, id, name) in [
        (ADA.to_owned(), 1, "ada"),
        (
            json!({"username": "grace", "password": "tr0ub4dor & three", "extra": [1]}).to_string(),
            2,
            "grace",
        ),
    ] {
        let answer = log_in(&server, &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.sets_no_cookie());
        assert_eq!(answer.all("content-type"), ["application/json"]);
        let tokens = parsed(&answer);
        assert_eq!(tokens.as_object().unwrap().len(), 3);
        assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(600)));
        let bearer = format!("Authorization: Bearer {}", tokens["access_token"].as_str().unwrap());
        let me = server.send(&format!("GET /api/me\n{bearer}")).await;
        assert_eq!(parsed(&me), json!({"id": id, "name": name}));
        server.clock.advance(Duration::from_secs(606));
        let me = server.send(&format!("GET /api/me\n{bearer}")).await;
        assert_eq!((me.status, &*me.code()), (401, "invalid_token"));
    }
    assert_eq!(server.send("GET /api/me").await.status, 401);
}

#[tokio::test]
async fn wrong_and_unknown_are_refused_alike() {
    let server = server().await;
    let wrong = log_in(&server, r#"{"username":"ada","password":"x"}"#).await;
    let unknown = log_in(&server, r#"{"username":"nobody","password":"x"}"#).await;
    assert_eq!((wrong.status, &wrong.body), (401, &unknown.body));
    let fields = |answer: &Answer| {
        let fields = answer.fields.iter().filter(|(name, _)| name != "date");
        fields.cloned().collect::<Vec<_>>()
    };
    assert_eq!(fields(&wrong), fields(&unknown));
}

/// Row 81: who cannot be served soon is told so, with the code and when to come back.
#[tokio::test]
async fn a_flood_of_logins_is_503_with_a_code_and_retry_after() {
    let server = &server_with_burst(1_000).await;
    // One account would be out of guesses.
    let login = |n| async move {
        log_in(server, &format!(r#"{{"username":"nobody{n}","password":"x"}}"#)).await
    };
    let answers = rocket::futures::future::join_all((0..160).map(login)).await;
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!busy.is_empty());
    for answer in busy {
        assert_eq!(parsed(answer)["code"], "busy");
        assert_eq!(answer.all("retry-after"), ["1"]);
    }
    assert!(answers.iter().all(|answer| [401, 503].contains(&answer.status)));
}

#[tokio::test]
async fn what_is_no_login_gets_a_4xx_and_nothing_of_it_reaches_the_log() {
    let server = server().await;
    let captured = Captured::install();
    for (kind, body, status) in [
        ("application/json", "{", 400),
        ("application/json", "", 400),
        ("application/json", "[\"ada\",\"s3cret-word\"]", 422),
        ("application/json", r#"{"username":"ada"}"#, 422),
        ("application/json", r#"{"username":"ada","password":["s3cret-word"]}"#, 422),
        ("application/json", r#"{"username":"a","username":"b","password":"s3cret-word"}"#, 422),
        ("text/plain", ADA, 415),
        ("application/x-www-form-urlencoded", "username=ada&password=s3cret-word", 415),
    ] {
        let head = format!("POST /login\nContent-Type: {kind}");
        let answer = server.send_bytes(&head, body.as_bytes()).await;
        assert_eq!(answer.status, status, "{kind} {body}");
        assert_eq!(answer.all("content-type"), ["application/problem+json"], "{kind} {body}");
    }
    let large = format!(r#"{{"username":"ada","password":"{}"}}"#, "x".repeat(40_000));
    assert_eq!(log_in(&server, &large).await.status, 413);
    assert!(captured.of("").iter().all(|line| !line.contains("s3cret-word")));
}

#[tokio::test]
async fn the_key_set_and_health_are_there_for_everybody() {
    let server = server().await;
    let set = parsed(&server.send("GET /.well-known/jwks.json").await);
    assert_eq!(set["keys"][0]["crv"], "Ed25519");
    assert_eq!(server.send("GET /health").await.body, "ok\n");
}

/// The commands of docs/tokens.md, each block as it stands there but for the port.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_page_work_as_they_stand() {
    let page = include_str!("../docs/tokens.md");
    let (programs, browsers) = page.split_once("## Where a browser keeps a token").unwrap();
    let folder = std::env::temp_dir().join(format!("ri-tokens-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut count = 0;
    for (text, transport) in [(programs, "bearer"), (browsers, "cookie")] {
        let server = server_with(transport).await;
        for block in text.split("```sh\n").skip(1) {
            let block = block.split_once("```").unwrap().0;
            let block = block.replace("127.0.0.1:8000", &server.address.to_string());
            let mut shell = tokio::process::Command::new("bash");
            shell.args(["-euo", "pipefail", "-c", &block]).current_dir(&folder);
            let output = shell.output().await.unwrap();
            assert!(output.status.success(), "{block}\n{output:?}");
            count += 1;
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(count, 3, "blocks of commands");
}
