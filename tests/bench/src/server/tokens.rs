//! tests/bench/src/server/tokens.rs: one key of each algorithm, a token by it, and what `JwtUser` is held
//! against: a guard by `jsonwebtoken::decode`, and the bare check of a signature.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rocket::figment::Figment;
use rocket::http::{Header, Status};
use rocket::local::asynchronous::Client;
use rocket::outcome::{IntoOutcome, try_outcome};
use rocket::request::{FromRequest, Outcome};
use rocket::{Build, Request, Rocket, State, get, post, routes};
use rocket_identity::{Auth, Identity, JwtUser, catchers};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Account, Failed, ada, bare_post};

const ISSUER: &str = "bench";
const AUDIENCE: &str = "api";

/// A private key of this algorithm; each is named `k`, so that tokens differ by `alg` and signature alone.
fn jwk(algorithm: &str) -> Result<Value, Failed> {
    let secret = |bytes: usize| json!({"kty": "oct", "k": URL_SAFE_NO_PAD.encode(vec![7; bytes])});
    let mut jwk = match algorithm {
        "HS256" => secret(32),
        "HS384" => secret(48),
        "HS512" => secret(64),
        "RS256" | "PS256" => serde_json::from_str(include_str!("../../../keys/rsa.jwk"))?,
        "ES256" => serde_json::from_str(include_str!("../../../keys/p256.jwk"))?,
        "ES384" => serde_json::from_str(include_str!("../../../keys/p384.jwk"))?,
        "EdDSA" => serde_json::from_str(include_str!("../../../keys/ed25519.jwk"))?,
        _ => return Err(format!("there is no key for {algorithm}").into()),
    };
    jwk["alg"] = algorithm.into();
    jwk["kid"] = "k".into();
    Ok(jwk)
}

fn settings(base: Figment, algorithm: &str, transport: &str) -> Result<Figment, Failed> {
    let set = json!({"keys": [jwk(algorithm)?]}).to_string();
    Ok(base
        .merge(("identity.jwt.jwks", set))
        .merge(("identity.jwt.issuer", ISSUER))
        .merge(("identity.jwt.audience", [AUDIENCE]))
        .merge(("identity.jwt.access_ttl", "12h"))
        .merge(("identity.jwt.transport", transport)))
}

/// The fairing, and one route with the guard.
pub fn guarded(
    rocket: Rocket<Build>,
    algorithm: &str,
    transport: &str,
) -> Result<Rocket<Build>, Failed> {
    let figment = settings(rocket.figment().clone(), algorithm, transport)?;
    Ok(rocket
        .configure(figment)
        .attach(Identity::<Account>::jwt())
        .register("/", catchers())
        .mount("/", routes![jwt_user, bare_post, login]))
}

/// A token as the guard takes it. The same one stands in all lines of its algorithm, so that they do the
/// same work: an ECDSA signature is another one each time.
pub async fn token(rocket: Rocket<Build>, algorithm: &str) -> Result<String, Failed> {
    let client = Client::untracked(guarded(rocket, algorithm, "bearer")?).await?;
    let same_origin = Header::new("Sec-Fetch-Site", "same-origin");
    let answer = client.post("/login").header(same_origin).dispatch().await;
    match (answer.status(), answer.into_string().await) {
        (Status::Ok, Some(token)) => Ok(token),
        (status, _) => Err(format!("the login for a token: {status}").into()),
    }
}

#[get("/")]
fn jwt_user(user: JwtUser<Account>) -> &'static str {
    if user.name.is_empty() { "no" } else { "ok" }
}

#[post("/login")]
async fn login(auth: Auth<'_, Account>) -> Result<String, rocket_identity::Error> {
    let login = auth.login(ada()).await?;
    Ok(login.tokens().map(|tokens| tokens.access_token().to_owned()).unwrap_or_default())
}

/// What an application without us has: the key parsed once, the checks that `decode` offers.
struct Theirs {
    algorithm: Algorithm,
    key: DecodingKey,
    validation: Validation,
}

/// No fairing, and one route by `jsonwebtoken`'s `decode`, or by its verifier alone.
pub fn theirs(rocket: Rocket<Build>, way: &str, algorithm: &str) -> Result<Rocket<Build>, Failed> {
    let key: Jwk = serde_json::from_value(jwk(algorithm)?)?;
    let algorithm = Algorithm::from_str(algorithm)?;
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.leeway = 5;
    DEFAULT_PROVIDER.install_default().map_err(|_| "a second provider of jsonwebtoken")?;
    let rocket = rocket.manage(Theirs { algorithm, key: DecodingKey::from_jwk(&key)?, validation });
    Ok(match way {
        "decode" => rocket.mount("/", routes![decode, bare_post]),
        _ => rocket.mount("/", routes![raw, bare_post]),
    })
}

#[get("/")]
fn decode(user: Decoded) -> &'static str {
    if user.0.name.is_empty() { "no" } else { "ok" }
}

#[get("/")]
fn raw(_good: Good) -> &'static str {
    "ok"
}

/// A guard as one writes it by hand, in a dozen lines.
struct Decoded(Account);

/// The user, and nothing else: every claim more would make `decode` slower.
#[derive(Deserialize)]
struct Claims {
    user: Account,
}

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Decoded {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let token = try_outcome!(bearer(request).or_error((Status::Unauthorized, ())));
        let theirs = try_outcome!(managed(request).await);
        let user = decoded(theirs, token).or_error((Status::Unauthorized, ()));
        user.map(Decoded)
    }
}

/// The driver counts within this function.
#[inline(never)]
fn decoded(theirs: &Theirs, token: &str) -> Option<Account> {
    let data = jsonwebtoken::decode::<Claims>(token, &theirs.key, &theirs.validation);
    data.ok().map(|data| data.claims.user)
}

/// The signature is good; nothing of the token is read.
struct Good;

#[rocket::async_trait]
impl<'r> FromRequest<'r> for Good {
    type Error = ();

    async fn from_request(request: &'r Request<'_>) -> Outcome<Self, ()> {
        let parts = bearer(request).and_then(|token| token.rsplit_once('.'));
        let (signed, signature) = try_outcome!(parts.or_error((Status::Unauthorized, ())));
        let signature = URL_SAFE_NO_PAD.decode(signature).ok();
        let signature = try_outcome!(signature.or_error((Status::Unauthorized, ())));
        let theirs = try_outcome!(managed(request).await);
        let good = raw_check(theirs, signed.as_bytes(), &signature).then_some(Good);
        good.or_error((Status::Unauthorized, ()))
    }
}

/// The driver counts within this function. A verifier a call, as `decode` does it.
#[inline(never)]
fn raw_check(theirs: &Theirs, message: &[u8], signature: &Vec<u8>) -> bool {
    (DEFAULT_PROVIDER.verifier_factory)(&theirs.algorithm, &theirs.key)
        .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
}

fn bearer<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    request.headers().get_one("Authorization")?.strip_prefix("Bearer ")
}

async fn managed<'r>(request: &'r Request<'_>) -> Outcome<&'r Theirs, ()> {
    request.guard::<&State<Theirs>>().await.map(State::inner)
}
