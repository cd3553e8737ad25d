//! tests/bench/src/driver/lines.rs: the lines of the table, and which are held against each other.

use Cookie::{Broken, Login, Shaped};
use Token::{InCookie, InHeader};

/// One line of the table. A new guard is a route of the server and a row here.
#[derive(Clone, Copy)]
pub struct Line {
    pub name: &'static str,
    /// What the server mounts at `/`.
    pub route: &'static str,
    pub method: &'static str,
    pub cookie: Option<Cookie>,
    /// An access token and where it stands.
    pub token: Option<Token>,
    pub headers: &'static str,
    /// Status and, where it matters, body: a request that is refused by accident is cheap.
    pub expect: (u16, Option<&'static str>),
    /// The line that does the same work without what is measured.
    pub above: Option<&'static str>,
    /// Instructions above that line that are allowed, and those that are hoped for.
    pub target: Option<(u64, u64)>,
    /// The function that does what is measured and no more: its instructions, with all it calls, are
    /// counted too.
    pub within: Option<&'static str>,
    /// Whether `--quick` has it too.
    pub quick: bool,
}

/// All of one length, so that reading the field costs the same.
#[derive(Clone, Copy)]
pub enum Cookie {
    /// The ticket of a login just made.
    Login,
    /// A ticket's shape, never issued.
    Shaped,
    /// A ticket's length, and a character that no ticket has.
    Broken,
}

/// A token by the key of this algorithm; one for all lines of the algorithm. A route without a guard
/// passes it over.
#[derive(Clone, Copy)]
pub enum Token {
    InHeader(&'static str),
    InCookie(&'static str),
}

impl Line {
    pub fn base(&self) -> Option<&'static Line> {
        LINES.iter().find(|base| Some(base.name) == self.above)
    }
}

impl Token {
    pub fn algorithm(self) -> &'static str {
        match self {
            InHeader(algorithm) | InCookie(algorithm) => algorithm,
        }
    }
}

/// What two lines take within their functions, in the same run.
pub struct Beside {
    pub line: &'static str,
    pub other: &'static str,
    /// In per cent of the other's.
    pub at_most: Option<f64>,
}

const OK: (u16, Option<&str>) = (200, Some("ok"));
const BEARER: &str = "Authorization: Bearer 0123456789abcdefghijklmnopqrstuvwxyz\r\n";
const SAME_ORIGIN: &str = "Sec-Fetch-Site: same-origin\r\nContent-Length: 0\r\n";

const BARE: Line = Line {
    name: "bare",
    route: "bare",
    method: "GET",
    cookie: None,
    token: None,
    headers: "",
    expect: OK,
    above: None,
    target: None,
    within: None,
    quick: false,
};
const ATTACHED: Line = Line { route: "attached", ..BARE };

/// What a guard for tokens does once it has one.
const TAKE: &str = "TokenMode::take";
const DECODED: &str = "tokens::decoded";
const RAW: &str = "tokens::raw_check";

const OVER_HTTP: Option<(u64, u64)> = Some((30_000, 26_000));

#[rustfmt::skip]
pub const LINES: &[Line] = &[
    BARE,
    Line { name: "bare with a Cookie header", cookie: Some(Shaped), above: Some("bare"), quick: true, ..BARE },
    Line { name: "bare with an Authorization header", headers: BEARER, above: Some("bare"), ..BARE },
    Line { name: "bare POST, same-origin, with a Cookie header", method: "POST", cookie: Some(Shaped), headers: SAME_ORIGIN, above: Some("bare"), ..BARE },

    Line { name: "bare, fairing attached", above: Some("bare"), ..ATTACHED },
    Line { name: "bare with a Cookie header, fairing attached", cookie: Some(Login), above: Some("bare with a Cookie header"), quick: true, ..ATTACHED },
    Line { name: "bare with an Authorization header, fairing attached", headers: BEARER, above: Some("bare with an Authorization header"), ..ATTACHED },

    Line { name: "SessionUser on memory", route: "session_user", cookie: Some(Login), above: Some("bare with a Cookie header"), target: Some((20_000, 17_000)), quick: true, ..BARE },
    Line { name: "SessionUser on Redis", route: "session_user_redis", cookie: Some(Login), above: Some("bare with a Cookie header"), target: Some((40_000, 35_000)), quick: true, ..BARE },
    Line { name: "SessionUser on Redis, beside memory", route: "session_user_redis", cookie: Some(Login), above: Some("SessionUser on memory"), target: Some((22_000, 17_500)), ..BARE },
    Line { name: "SessionUser, malformed cookie", route: "session_user", cookie: Some(Broken), expect: (401, None), above: Some("bare with a Cookie header"), ..BARE },
    Line { name: "MaybeUser, anonymous", route: "maybe_user", expect: (200, Some("no")), above: Some("bare"), ..BARE },
    Line { name: "MaybeUser, logged in", route: "maybe_user", cookie: Some(Login), above: Some("bare with a Cookie header"), ..BARE },
    Line { name: "Auth (POST, same origin)", route: "auth", method: "POST", cookie: Some(Login), headers: SAME_ORIGIN, above: Some("bare POST, same-origin, with a Cookie header"), ..BARE },

    // The same header on a route that passes it over. Tokens of one length share it: ES256, HS512 and EdDSA; RS256 and PS256.
    Line { name: "bare with an HS256 token", token: Some(InHeader("HS256")), above: Some("bare"), quick: true, ..BARE },
    Line { name: "bare with an HS384 token", token: Some(InHeader("HS384")), above: Some("bare"), ..BARE },
    Line { name: "bare with an ES256 token", token: Some(InHeader("ES256")), above: Some("bare"), ..BARE },
    Line { name: "bare with an ES384 token", token: Some(InHeader("ES384")), above: Some("bare"), ..BARE },
    Line { name: "bare with an RS256 token", token: Some(InHeader("RS256")), above: Some("bare"), ..BARE },
    Line { name: "bare with an HS256 token in a cookie", token: Some(InCookie("HS256")), above: Some("bare"), ..BARE },

    Line { name: "JwtUser, HS256", route: "jwt_user/bearer/HS256", token: Some(InHeader("HS256")), above: Some("bare with an HS256 token"), target: OVER_HTTP, within: Some(TAKE), quick: true, ..BARE },
    Line { name: "JwtUser, HS384", route: "jwt_user/bearer/HS384", token: Some(InHeader("HS384")), above: Some("bare with an HS384 token"), within: Some(TAKE), ..BARE },
    Line { name: "JwtUser, HS512", route: "jwt_user/bearer/HS512", token: Some(InHeader("HS512")), above: Some("bare with an ES256 token"), within: Some(TAKE), ..BARE },
    Line { name: "JwtUser, RS256", route: "jwt_user/bearer/RS256", token: Some(InHeader("RS256")), above: Some("bare with an RS256 token"), within: Some(TAKE), ..BARE },
    Line { name: "JwtUser, PS256", route: "jwt_user/bearer/PS256", token: Some(InHeader("PS256")), above: Some("bare with an RS256 token"), within: Some(TAKE), ..BARE },
    Line { name: "JwtUser, ES256", route: "jwt_user/bearer/ES256", token: Some(InHeader("ES256")), above: Some("bare with an ES256 token"), within: Some(TAKE), ..BARE },
    Line { name: "JwtUser, ES384", route: "jwt_user/bearer/ES384", token: Some(InHeader("ES384")), above: Some("bare with an ES384 token"), within: Some(TAKE), ..BARE },
    Line { name: "JwtUser, EdDSA", route: "jwt_user/bearer/EdDSA", token: Some(InHeader("EdDSA")), above: Some("bare with an ES256 token"), within: Some(TAKE), ..BARE },
    Line { name: "JwtUser, HS256, by cookie", route: "jwt_user/cookie/HS256", token: Some(InCookie("HS256")), above: Some("bare with an HS256 token in a cookie"), within: Some(TAKE), ..BARE },

    Line { name: "by hand with decode, HS256", route: "decode/HS256", token: Some(InHeader("HS256")), above: Some("bare with an HS256 token"), within: Some(DECODED), quick: true, ..BARE },
    Line { name: "signature alone, HS256", route: "raw/HS256", token: Some(InHeader("HS256")), above: Some("bare with an HS256 token"), within: Some(RAW), ..BARE },
    Line { name: "signature alone, RS256", route: "raw/RS256", token: Some(InHeader("RS256")), above: Some("bare with an RS256 token"), within: Some(RAW), ..BARE },
    Line { name: "signature alone, PS256", route: "raw/PS256", token: Some(InHeader("PS256")), above: Some("bare with an RS256 token"), within: Some(RAW), ..BARE },
    Line { name: "signature alone, ES256", route: "raw/ES256", token: Some(InHeader("ES256")), above: Some("bare with an ES256 token"), within: Some(RAW), ..BARE },
    Line { name: "signature alone, ES384", route: "raw/ES384", token: Some(InHeader("ES384")), above: Some("bare with an ES384 token"), within: Some(RAW), ..BARE },
    Line { name: "signature alone, EdDSA", route: "raw/EdDSA", token: Some(InHeader("EdDSA")), above: Some("bare with an ES256 token"), within: Some(RAW), ..BARE },
];

/// The guard's own work against `jsonwebtoken`'s.
#[rustfmt::skip]
pub const BESIDES: &[Beside] = &[
    Beside { line: "JwtUser, HS256", other: "by hand with decode, HS256", at_most: Some(50.0) },
    Beside { line: "JwtUser, HS256", other: "signature alone, HS256", at_most: None },
    Beside { line: "JwtUser, RS256", other: "signature alone, RS256", at_most: Some(110.0) },
    Beside { line: "JwtUser, PS256", other: "signature alone, PS256", at_most: Some(105.0) },
    Beside { line: "JwtUser, ES256", other: "signature alone, ES256", at_most: Some(105.0) },
    Beside { line: "JwtUser, ES384", other: "signature alone, ES384", at_most: Some(105.0) },
    Beside { line: "JwtUser, EdDSA", other: "signature alone, EdDSA", at_most: Some(105.0) },
];
