//! tests/jwt_log.rs: no token, claim or key reaches a log record of ours, at any level. Rows 37, 63, 91
//! and 93 of the project's security checklist. The log is this process's, so that one test has the file
//! to itself.
#![cfg(all(feature = "testing", feature = "jwt"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rocket::{get, post, routes};
use rocket_identity::{Auth, Error, Identity, JwtUser, catchers};
use support::{Account, Captured, Server, figment};

#[post("/login")]
async fn login(auth: Auth<'_, Account>) -> Result<String, Error> {
    let login = auth.login(Account { id: 918_273_645 }).await?;
    Ok(format!("{login:?} {}", login.tokens().expect("a token").access_token()))
}

#[get("/me")]
fn me(user: JwtUser<Account>) -> String {
    user.id.to_string()
}

#[tokio::test]
async fn no_token_claim_or_key_reaches_a_record_of_ours_and_each_is_one_line() {
    let captured = Captured::install();
    let secret = URL_SAFE_NO_PAD.encode("a secret that nobody may ever see!");
    let set = format!(r#"{{"keys":[{{"kty":"oct","kid":"one","alg":"HS256","k":"{secret}"}}]}}"#);
    let figment = figment("debug")
        .merge(("identity.jwt.jwks", set))
        .merge(("identity.jwt.issuer", "https://issuer.test"))
        .merge(("identity.jwt.audience", ["api"]))
        .merge(("log_level", "off"));
    let rocket = rocket::custom(figment)
        .attach(Identity::<Account>::jwt())
        .register("/", catchers())
        .mount("/", routes![login, me]);
    log::set_max_level(log::LevelFilter::Trace);
    let server = Server::start(rocket).await;
    log::set_max_level(log::LevelFilter::Trace);
    let body = server.send("POST /login").await.body;
    let (debug, token) = body.rsplit_once(' ').unwrap();
    assert!(debug.contains("Tokens") && !debug.contains(&token[..20]), "{debug}");
    let header =
        URL_SAFE_NO_PAD.encode("{\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"../k\\r\\nid\"}");
    let (_, rest) = token.split_once('.').unwrap();
    let tokens = [
        token.to_owned(),
        format!("{token}A"),
        format!("{header}.{rest}"),
        format!("{}.{}", token, token),
        "x".repeat(9_000),
    ];
    for token in &tokens {
        server.send(&format!("GET /me\nAuthorization: Bearer {token}")).await;
    }
    let lines = captured.of("rocket_identity");
    assert!(lines.iter().any(|line| line.contains("identity.refused")), "{lines:?}");
    for why in ["malformed", "unknown_key", "too_long"] {
        assert!(lines.iter().any(|line| line.contains(why)), "{why}: {lines:?}");
    }
    let parts = tokens.iter().flat_map(|token| token.split('.')).filter(|part| part.len() > 20);
    let secrets: Vec<_> =
        parts.map(|part| &part[..20]).chain([&secret[..20], "918273645"]).collect();
    for line in &lines {
        assert!(!line.contains(['\n', '\r']), "{line:?}");
        for secret in &secrets {
            assert!(!line.contains(secret), "{secret} in {line}");
        }
    }
}
