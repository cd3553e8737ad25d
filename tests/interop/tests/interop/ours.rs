//! tests/interop/ours.rs: our tokens, read by the other libraries with their strictest options.

use serde_json::json;

use crate::foreign::{Expected, Foreign, Library};
use crate::keys::{ALGORITHMS, Key, Keys, Maker};
use crate::server::{ISSUER, Server, flipped};

/// The key set that we publish, or the secret that is shared.
pub fn expected<'e>(server: &Server, signer: &'e Key, audience: &'e str) -> Expected<'e> {
    let source = match signer.is_symmetric() {
        true => signer.shared(),
        false => json!({"url": server.jwks_url()}),
    };
    let several = false;
    Expected { algorithm: signer.algorithm, issuer: ISSUER, audience, several, source }
}

/// The library takes `token`, and nothing of it that is not right.
pub fn check(reader: &mut Foreign, token: &str, good: &Expected<'_>, bit: usize) {
    let [signature, audience, issuer] = reader.library.refusals(good.source.get("url").is_some());
    let audience_of_others = Expected { audience: "other", ..good.clone() };
    let issuer_of_others = Expected { issuer: "https://other.test", ..good.clone() };
    for (refusal, token, expected) in [
        (signature, &*flipped(token, bit), good),
        (audience, token, &audience_of_others),
        (issuer, token, &issuer_of_others),
    ] {
        let answer = reader.verify(token, expected).map(|taken| taken.claims);
        assert_eq!(answer, Err(refusal.to_owned()), "{:?} {token}", reader.library);
    }
}

fn reads_our_tokens(library: Library) {
    let keys = Keys::made();
    let mut reader = Foreign::start(library);
    for algorithm in ALGORITHMS {
        let signer = keys.get(Maker::Jwcrypto, algorithm);
        let server = Server::signing_with(keys, signer, &["api"]);
        let token = server.token();
        let good = expected(&server, signer, "api");
        let taken = reader.verify(&token, &good);
        let taken = taken.unwrap_or_else(|why| panic!("{algorithm}: {why}: {token}"));
        assert_eq!(taken.header, json!({"alg": algorithm, "typ": "at+jwt", "kid": server.kid}));
        assert_eq!(taken.claims["user"], json!({"id": "7", "name": "Ada"}), "{algorithm}");
        assert_eq!(taken.claims["sub"], "7");
        check(&mut reader, &token, &good, 7);
    }
}

#[test]
fn pyjwt_reads_our_tokens_of_every_algorithm() {
    reads_our_tokens(Library::PyJwt);
}

#[test]
fn jwcrypto_reads_our_tokens_of_every_algorithm() {
    reads_our_tokens(Library::Jwcrypto);
}

#[test]
fn jose_reads_our_tokens_of_every_algorithm() {
    reads_our_tokens(Library::Jose);
}
