//! tests/jwt.rs: access tokens over a socket: where they are taken from, what is answered to a bad one,
//! and what a login hands out. What makes a token bad is tested beside the codec. Rows are those of the
//! project's security checklist.
#![cfg(all(feature = "testing", feature = "jwt"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::disallowed_methods, reason = "tokens have real times")]

mod support;

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rocket::figment::Figment;
use rocket::serde::json::Json;
use rocket::{Build, Rocket, delete, get, post, routes};
use rocket_identity::jwt::Tokens;
use rocket_identity::{Auth, Error, Identity, JwtUser, MaybeUser, User, UserId, catchers};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use support::{Answer, Server, figment};

const SECRET: &[u8; 32] = b"a secret of thirty-two bytes ...";
const ISSUER: &str = "https://issuer.test";

#[derive(Clone, Serialize, Deserialize)]
struct Account {
    id: u64,
    name: String,
}

impl User for Account {
    fn id(&self) -> UserId {
        self.id.into()
    }
}

#[get("/me")]
fn me(user: JwtUser<Account>) -> String {
    format!("{} {}", user.id, user.name)
}

#[get("/maybe")]
fn maybe(user: MaybeUser<Account>) -> String {
    user.user().map_or("nobody".into(), |user| user.id.to_string())
}

#[post("/act")]
fn act(user: JwtUser<Account>) -> String {
    user.id.to_string()
}

#[delete("/notes")]
fn delete(user: JwtUser<Account>) -> Result<&'static str, Error> {
    user.require_scope("notes:write")?;
    Ok("deleted")
}

#[post("/login/<id>?<name>")]
async fn login(
    auth: Auth<'_, Account>,
    id: u64,
    name: Option<String>,
) -> Result<Json<Option<Tokens>>, Error> {
    let name = name.unwrap_or("Ada".into());
    let login = auth.login(Account { id, name }).await?;
    Ok(Json(login.tokens().cloned()))
}

#[post("/logout")]
async fn logout(auth: Auth<'_, Account>) -> Result<(), Error> {
    auth.logout().await
}

#[post("/logout-everywhere")]
async fn logout_everywhere(auth: Auth<'_, Account>) -> Result<(), Error> {
    auth.logout_everywhere().await
}

fn set() -> String {
    let secret = URL_SAFE_NO_PAD.encode(SECRET);
    json!({"keys": [{"kty": "oct", "kid": "one", "alg": "HS256", "k": secret}]}).to_string()
}

fn settings(transport: &str) -> Figment {
    figment("release")
        .merge(("identity.jwt.jwks", set()))
        .merge(("identity.jwt.issuer", ISSUER))
        .merge(("identity.jwt.audience", ["api"]))
        .merge(("identity.jwt.transport", transport))
}

fn app(figment: Figment) -> Rocket<Build> {
    let routes = routes![me, maybe, act, delete, login, logout, logout_everywhere];
    rocket::custom(figment)
        .attach(Identity::<Account>::jwt())
        .register("/", catchers())
        .mount("/", routes)
        .mount("/", Identity::<Account>::jwt_routes())
}

async fn server(transport: &str) -> Server {
    Server::start(app(settings(transport))).await
}

/// Good claims, to be made bad.
fn claims() -> Value {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = now.as_secs();
    json!({
        "iss": ISSUER, "aud": "api", "sub": "7", "iat": now, "exp": now + 300, "jti": "j",
        "user": {"id": 7, "name": "Ada"},
    })
}

/// As another issuer's program with our secret would make it.
fn sign(claims: &Value) -> String {
    let mut header = Header::new(Algorithm::HS256);
    header.typ = Some("at+jwt".into());
    header.kid = Some("one".into());
    encode(&header, claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

/// In an order that no build of serde_json decides.
fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

async fn get(server: &Server, path: &str, fields: &str) -> Answer {
    server.send(&format!("GET {path}\n{fields}")).await
}

async fn token_of(server: &Server) -> String {
    let answer = server.send("POST /login/7").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let tokens: Value = serde_json::from_str(&answer.body).unwrap();
    tokens["access_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_login_hands_out_a_token_that_a_guard_takes_and_that_holds_all_registered_claims() {
    let server = server("bearer").await;
    let answer = server.send("POST /login/7").await;
    let tokens: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(names(&tokens), ["access_token", "expires_in", "token_type"]);
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(600)));
    assert_eq!(answer.all("cache-control"), ["no-store"]);
    assert!(answer.sets_no_cookie());
    let token = tokens["access_token"].as_str().unwrap();
    let part = |n: usize| -> Value {
        let part = token.split('.').nth(n).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    assert_eq!(part(0), json!({"alg": "HS256", "typ": "at+jwt", "kid": "one"}));
    let claims = part(1);
    for (name, value) in [("iss", ISSUER), ("aud", "api"), ("sub", "7")] {
        assert_eq!(claims[name], value);
    }
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 600);
    assert_eq!(claims["jti"].as_str().unwrap().len(), 22);
    assert_eq!(claims["user"], json!({"id": 7, "name": "Ada"}));
    let me = get(&server, "/me", &bearer(token)).await;
    assert_eq!((me.status, &*me.body), (200, "7 Ada"));
    assert_eq!(me.all("cache-control"), ["no-store"]);
    assert_eq!(get(&server, "/maybe", &bearer(token)).await.body, "7");
    // Ten minutes and five seconds of leeway.
    server.clock.advance(Duration::from_secs(604));
    assert_eq!(get(&server, "/me", &bearer(token)).await.status, 200);
    server.clock.advance(Duration::from_secs(2));
    assert_eq!(get(&server, "/me", &bearer(token)).await.status, 401);
}

/// Row 89, RFC 6750 section 3.
#[tokio::test]
async fn each_refusal_has_its_challenge() {
    let server = server("bearer").await;
    let realm = format!("Bearer realm=\"{ISSUER}\"");
    let good = sign(&claims());
    let mut expired = claims();
    expired["exp"] = json!(expired["iat"].as_u64().unwrap() - 60);
    expired["iat"] = json!(expired["iat"].as_u64().unwrap() - 120);
    let invalid = format!("{realm}, error=\"invalid_token\", error_description=");
    for (fields, status, challenge) in [
        (String::new(), 401, realm.clone()),
        ("Authorization: Basic YTpi".into(), 401, realm.clone()),
        (bearer("x.y.z"), 401, format!("{invalid}\"The access token is not valid\"")),
        (bearer(&sign(&expired)), 401, format!("{invalid}\"The access token has expired\"")),
        (
            format!("{}\n{}", bearer(&good), bearer(&good)),
            400,
            format!("{realm}, error=\"invalid_request\""),
        ),
    ] {
        let answer = get(&server, "/me", &fields).await;
        assert_eq!(answer.status, status, "{fields}");
        assert_eq!(answer.all("www-authenticate"), [challenge], "{fields}");
        assert_eq!(answer.all("cache-control"), ["no-store"]);
    }
    let answer = server.send(&format!("DELETE /notes\n{}", bearer(&good))).await;
    assert_eq!((answer.status, &*answer.code()), (403, "insufficient_scope"));
    let challenge = format!("{realm}, error=\"insufficient_scope\", scope=\"notes:write\"");
    assert_eq!(answer.all("www-authenticate"), [challenge]);
    let mut allowed = claims();
    allowed["scope"] = json!("notes:read notes:write");
    let answer = server.send(&format!("DELETE /notes\n{}", bearer(&sign(&allowed)))).await;
    assert_eq!(answer.body, "deleted");
}

/// Row 51: a client learns nothing of why but whether it has expired.
#[tokio::test]
async fn the_body_is_the_same_for_every_bad_token() {
    let server = server("bearer").await;
    let mut expired = claims();
    expired["exp"] = json!(1_000_000_300);
    expired["iat"] = json!(1_000_000_000);
    let change = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        sign(&claims)
    };
    let good = sign(&claims());
    let (head, tail) = good.split_at(good.len() - 4);
    let other = if tail.starts_with('A') { "B" } else { "A" };
    let forged = format!("{head}{other}{}", &tail[1..]);
    let mut bodies = Vec::new();
    for token in [
        sign(&expired),
        change("iss", json!("https://evil.test")),
        change("aud", json!(["other"])),
        change("sub", json!(7)),
        change("user", json!("nobody that reads")),
        change("exp", json!("soon")),
        forged,
        "x".repeat(8_193),
        "a.b.c".into(),
    ] {
        let answer = get(&server, "/me", &bearer(&token)).await;
        assert_eq!((answer.status, &*answer.code()), (401, "invalid_token"), "{token}");
        // A public page does not take a bad bearer for nobody.
        let maybe = get(&server, "/maybe", &bearer(&token)).await;
        assert_eq!((maybe.status, &*maybe.code()), (401, "invalid_token"));
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(get(&server, "/me", &bearer(&good)).await.status, 200);
    assert_eq!(get(&server, "/maybe", "").await.body, "nobody");
}

/// Rows 87 and 88.
#[tokio::test]
async fn a_token_comes_from_its_field_alone() {
    let server = server("bearer").await;
    let good = sign(&claims());
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let field = format!("Authorization: {scheme} {good}");
        assert_eq!(get(&server, "/me", &field).await.status, 200, "{scheme}");
    }
    for field in [
        format!("Authorization: Bearer {good}, Bearer {good}"),
        format!("Authorization: Bearer {good} {good}"),
        "Authorization: Bearer".into(),
        format!("{}\nAuthorization: Basic YTpi", bearer(&good)),
        format!("Authorization: Basic YTpi, Bearer {good}"),
    ] {
        let answer = get(&server, "/me", &field).await;
        assert_eq!((answer.status, &*answer.code()), (400, "invalid_request"), "{field}");
    }
    for (path, fields) in [
        (format!("/me?access_token={good}"), String::new()),
        ("/me".into(), format!("X-Access-Token: {good}")),
        ("/me".into(), format!("Cookie: __Host-access={good}")),
        ("/me".into(), format!("Cookie: access={good}")),
        ("/me".into(), format!("Authorization: Token {good}")),
    ] {
        let answer = get(&server, &path, &fields).await;
        assert_eq!((answer.status, &*answer.code()), (401, "unauthenticated"), "{path} {fields}");
    }
    let form = format!("access_token={good}");
    let head = "POST /act\nContent-Type: application/x-www-form-urlencoded";
    assert_eq!(server.send_bytes(head, form.as_bytes()).await.status, 401);
}

/// Row 36: a key comes from our configuration, whatever the header points to or brings along.
#[tokio::test]
async fn nothing_that_a_header_points_to_is_fetched() {
    let server = server("bearer").await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let secret = URL_SAFE_NO_PAD.encode(SECRET);
    let own = json!({"kty": "oct", "kid": "one", "alg": "HS256", "k": secret});
    let mut header = json!({"alg": "HS256", "typ": "at+jwt", "kid": "one"});
    let signed = |header: &Value| {
        let [header, claims] =
            [header, &claims()].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = format!("{header}.{claims}");
        let key = EncodingKey::from_secret(SECRET);
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("{message}.{signature}")
    };
    assert_eq!(get(&server, "/me", &bearer(&signed(&header))).await.status, 200);
    for (name, value) in
        [("jku", json!(url)), ("x5u", json!(url)), ("jwk", own), ("x5c", json!([]))]
    {
        header[name] = value;
        let answer = get(&server, "/me", &bearer(&signed(&header))).await;
        assert_eq!((answer.status, &*answer.code()), (401, "invalid_token"), "{name}");
        header.as_object_mut().unwrap().remove(name);
    }
    let connected = tokio::time::timeout(Duration::from_millis(200), listener.accept()).await;
    assert!(connected.is_err(), "somebody came to fetch");
}

#[tokio::test]
async fn a_token_in_a_cookie_has_every_flag_and_is_cleared_by_a_logout() {
    let server = server("cookie").await;
    let answer = server.send("POST /login/7").await;
    let set = &answer.all("set-cookie")[0];
    // A script must not find it in the body either.
    assert_eq!(answer.body, "null");
    let (pair, flags) = set.split_once("; ").unwrap();
    assert!(pair.starts_with("__Host-access=") && pair.matches('.').count() == 2);
    assert_eq!(flags, "HttpOnly; SameSite=Lax; Secure; Path=/");
    let cookie = format!("Cookie: {pair}");
    let me = get(&server, "/me", &cookie).await;
    assert_eq!((me.status, &*me.body), (200, "7 Ada"));
    assert!(me.all("vary").contains(&"Cookie") && me.all("cache-control") == ["no-store"]);
    // A bearer is not taken here, and a 401 does not ask for one.
    let token = pair.split_once('=').unwrap().1;
    let answer = get(&server, "/me", &bearer(token)).await;
    assert_eq!((answer.status, answer.all("www-authenticate").len()), (401, 0));
    let out = server.send(&format!("POST /logout\n{cookie}")).await;
    assert_eq!(out.status, 200);
    assert!(out.all("set-cookie")[0].starts_with("__Host-access=; "));
    assert!(
        out.all("set-cookie")[0].contains("Max-Age=0")
            && out.all("set-cookie")[0].contains("; Secure")
    );
    // Expired or bad, it is nobody's, and nothing is said of it.
    for bad in ["__Host-access=x.y.z".to_owned(), format!("{pair}; {pair}")] {
        let answer = get(&server, "/me", &format!("Cookie: {bad}")).await;
        assert_eq!((answer.status, &*answer.code()), (401, "invalid_token"));
        assert!(answer.sets_no_cookie());
        assert_eq!(get(&server, "/maybe", &format!("Cookie: {bad}")).await.body, "nobody");
    }
}

/// Row 30: the origin check is that of sessions.
#[tokio::test]
async fn a_cookie_token_acts_for_pages_of_this_site_alone() {
    let server = server("both").await;
    let token = token_of(&server).await;
    let cookie = format!("Cookie: __Host-access={token}");
    for (fields, status) in [
        ("Sec-Fetch-Site: same-origin", 200),
        ("Sec-Fetch-Site: none", 200),
        ("Sec-Fetch-Site: same-site", 403),
        ("Sec-Fetch-Site: cross-site", 403),
        ("Origin: https://evil.test", 403),
        ("Origin: null", 403),
        ("", 200),
    ] {
        for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json"] {
            let head = format!("POST /act\n{cookie}\n{fields}\nContent-Type: {kind}");
            let answer = server.send(&head).await;
            assert_eq!(answer.status, status, "{fields} {kind}");
        }
    }
    let upgrade = format!("{cookie}\nUpgrade: websocket\nSec-Fetch-Site: cross-site");
    assert_eq!(get(&server, "/me", &upgrade).await.status, 403);
    assert_eq!(
        get(&server, "/me", &format!("{cookie}\nSec-Fetch-Site: cross-site")).await.status,
        200
    );
}

/// Row 28: what exempts a request is the bearer that authenticated it, not that there is one.
#[tokio::test]
async fn a_forged_bearer_beside_a_good_cookie_is_refused_and_opens_nothing() {
    let server = server("both").await;
    let token = token_of(&server).await;
    let cookie = format!("Cookie: __Host-access={token}");
    let cross = "Sec-Fetch-Site: cross-site";
    for path in ["/act", "/login/8", "/logout"] {
        let head = format!("POST {path}\n{cookie}\n{}\n{cross}", bearer("forged.sig.x"));
        let answer = server.send(&head).await;
        assert!(matches!(answer.status, 401 | 403), "{path}: {answer:?}");
        assert!(answer.sets_no_cookie(), "{path}");
    }
    // The bearer decides, also on a safe request, and never falls back to the cookie.
    let both = format!("{cookie}\n{}", bearer("forged.sig.x"));
    for path in ["/me", "/maybe"] {
        assert_eq!(get(&server, path, &both).await.status, 401, "{path}");
    }
    // A good one needs no origin of ours: no browser sends it by itself.
    let good = format!("POST /act\n{}\n{cross}\nOrigin: https://spa.test", bearer(&token));
    assert_eq!(server.send(&good).await.status, 200);
    // A sign-in from another site is refused without one.
    assert_eq!(server.send(&format!("POST /login/8\n{cross}")).await.status, 403);
    let mut other = claims();
    other["user"] = json!({"id": 9, "name": "Grace"});
    let both = format!("{cookie}\n{}", bearer(&sign(&other)));
    assert_eq!(get(&server, "/me", &both).await.body, "9 Grace");
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_not_said_to_be() {
    let server = server("bearer").await;
    let token = token_of(&server).await;
    for path in ["/logout", "/logout-everywhere"] {
        let answer = server.send(&format!("POST {path}\n{}", bearer(&token))).await;
        assert_eq!((answer.status, &*answer.code()), (501, "cannot_revoke"), "{path}");
    }
    assert_eq!(server.send("POST /logout").await.status, 200);
    assert_eq!(get(&server, "/me", &bearer(&token)).await.status, 200);
    // The cookie beside it can go, and does.
    let server = self::server("both").await;
    let token = token_of(&server).await;
    let both = format!("Cookie: __Host-access={token}\n{}", bearer(&token));
    let answer = server.send(&format!("POST /logout\n{both}")).await;
    assert_eq!(answer.status, 501);
    assert!(answer.all("set-cookie")[0].starts_with("__Host-access=; "));
}

#[tokio::test]
async fn a_token_that_is_too_large_fails_the_login_with_a_code() {
    let server = server("cookie").await;
    let answer = server.send(&format!("POST /login/7?name={}", "n".repeat(2_400))).await;
    assert_eq!(answer.status, 200);
    assert!(answer.all("set-cookie")[0].len() > 3_500);
    let answer = server.send(&format!("POST /login/7?name={}", "n".repeat(3_000))).await;
    assert_eq!((answer.status, &*answer.code()), (500, "token_too_large"));
    assert!(answer.sets_no_cookie());
    // A field holds more than a cookie.
    let server = self::server("bearer").await;
    let answer = server.send(&format!("POST /login/7?name={}", "n".repeat(3_000))).await;
    assert_eq!(answer.status, 200);
    let answer = server.send(&format!("POST /login/7?name={}", "n".repeat(6_000))).await;
    assert_eq!((answer.status, &*answer.code()), (500, "token_too_large"));
}

/// Row 58: public members only, and never a symmetric key.
#[tokio::test]
async fn the_key_set_is_published_with_public_members_alone() {
    let symmetric = server("bearer").await.send("GET /.well-known/jwks.json").await;
    assert_eq!((symmetric.status, &*symmetric.body), (200, "{\"keys\":[]}"));
    // Debug without keys: one that dies with the process.
    let server = Server::start(app(figment("debug"))).await;
    let answer = server.send("GET /.well-known/jwks.json").await;
    assert_eq!(answer.all("content-type"), ["application/jwk-set+json"]);
    assert_eq!(answer.all("cache-control"), ["public, max-age=300"]);
    let set: Value = serde_json::from_str(&answer.body).unwrap();
    let key = &set["keys"][0];
    assert_eq!(names(key), ["alg", "crv", "kid", "kty", "use", "x"]);
    let token = token_of(&server).await;
    assert_eq!(get(&server, "/me", &bearer(&token)).await.status, 200);
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header["kid"], key["kid"]);
}

#[derive(Clone, Serialize, Deserialize)]
struct Renamed {
    id: u64,
    name: String,
}

impl User for Renamed {
    const VERSION: u32 = 2;

    fn id(&self) -> UserId {
        self.id.into()
    }
}

#[get("/renamed")]
fn renamed(user: JwtUser<Renamed>) -> String {
    user.id.to_string()
}

#[post("/renamed")]
async fn renamed_login(auth: Auth<'_, Renamed>) -> Result<Json<Option<Tokens>>, Error> {
    let login = auth.login(Renamed { id: 7, name: "Ada".into() }).await?;
    Ok(Json(login.tokens().cloned()))
}

#[tokio::test]
async fn a_token_whose_user_has_another_version_is_refused() {
    let rocket = rocket::custom(settings("bearer"))
        .attach(Identity::<Renamed>::jwt())
        .register("/", catchers())
        .mount("/", routes![renamed, renamed_login]);
    let server = Server::start(rocket).await;
    let answer = server.send("POST /renamed").await;
    let tokens: Value = serde_json::from_str(&answer.body).unwrap();
    let own = tokens["access_token"].as_str().unwrap();
    assert_eq!(get(&server, "/renamed", &bearer(own)).await.body, "7");
    // Of the last release: no version, which is 1.
    assert_eq!(get(&server, "/renamed", &bearer(&sign(&claims()))).await.status, 401);
}

/// Two kinds of users have two audiences, or one's token would be the other's.
#[tokio::test]
async fn a_named_fairing_has_its_own_cookie_and_audience() {
    let figment = settings("both").merge(("identity.named.admin.jwt.audience", ["admin"]));
    let rocket = app(figment)
        .attach(Identity::<Renamed>::jwt().named("admin"))
        .mount("/", routes![renamed, renamed_login]);
    let server = Server::start(rocket).await;
    let answer = server.send("POST /renamed").await;
    assert!(answer.cookie().starts_with("__Host-admin-access="));
    let admin = answer.cookie().split_once('=').unwrap().1.to_owned();
    assert_eq!(get(&server, "/renamed", &bearer(&admin)).await.body, "7");
    assert_eq!(get(&server, "/me", &bearer(&admin)).await.status, 401);
    let customer = token_of(&server).await;
    assert_eq!(get(&server, "/renamed", &bearer(&customer)).await.status, 401);
    // With the audience in common it does not launch.
    let rocket = app(settings("both")).attach(Identity::<Renamed>::jwt().named("admin"));
    let error = rocket.ignite().await.expect_err("a customer would be an admin");
    assert!(format!("{:?}", error.kind()).contains("Identity"));
}

#[get("/both")]
fn both(_customer: MaybeUser<Account>, _admin: JwtUser<Renamed>) {}

/// The challenge is of the fairing that refused, and names its realm.
#[tokio::test]
async fn of_two_fairings_the_one_that_refused_writes_the_challenge() {
    let figment = settings("bearer")
        .merge(("identity.named.admin.jwt.audience", ["admin"]))
        .merge(("identity.named.admin.jwt.issuer", "https://admin.test"));
    let rocket =
        app(figment).attach(Identity::<Renamed>::jwt().named("admin")).mount("/", routes![both]);
    let server = Server::start(rocket).await;
    let answer = get(&server, "/both", "").await;
    assert_eq!(answer.all("www-authenticate"), ["Bearer realm=\"https://admin.test\""]);
}

#[get("/scope?<name>")]
fn scope(user: JwtUser<Account>, name: &str) -> Result<(), Error> {
    user.require_scope(name)
}

#[tokio::test]
async fn no_scope_that_a_handler_asks_for_breaks_the_challenge() {
    let server = Server::start(app(settings("bearer")).mount("/", routes![scope])).await;
    let token = token_of(&server).await;
    let answer = get(&server, "/scope?name=a%0d%0aX-Evil:%201%22%5c%C3%A9b", &bearer(&token)).await;
    assert_eq!(answer.status, 403);
    assert!(answer.all("www-authenticate")[0].ends_with("scope=\"aX-Evil: 1b\""), "{answer:?}");
    assert!(answer.all("x-evil").is_empty());
}
