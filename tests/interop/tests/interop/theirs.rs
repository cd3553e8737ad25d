//! tests/interop/theirs.rs: the other libraries' tokens, read by us.

use serde_json::Value;

use crate::claims::Draft;
use crate::foreign::{Foreign, Library};
use crate::keys::{ALGORITHMS, Keys, Maker};
use crate::server::{Me, Server};

fn we_read_tokens_of(library: Library) {
    let keys = Keys::made();
    let server = Server::signing_with(keys, keys.get(Maker::Jwcrypto, "EdDSA"), &["api"]);
    let mut signer = Foreign::start(library);
    let mut writer = Foreign::start(Library::Jwcrypto);
    for algorithm in ALGORITHMS {
        let key = keys.get(Maker::Jose, algorithm);
        let good = Draft::good(key);
        let token = good.sign(&mut signer);
        let answer = server.me(&token);
        assert_eq!(answer.status, 200, "{algorithm}: {answer:?}: {token}");
        let Me { user, subject, audience, scopes } = answer.me();
        assert_eq!((&*user.id, &*user.name, user.more), ("7", "Ada", Value::Null));
        assert_eq!((&*subject, &audience[..], scopes.len()), ("7", &["api".to_owned()][..], 0));
        let mut bad = good.spoilt(key, keys, &mut signer);
        if !key.is_symmetric() {
            let pem = writer.public_pem(key);
            for (name, pem) in [("a PEM", &*pem), ("a trimmed PEM", pem.trim_end())] {
                let name = format!("HS256 with the public key as {name}");
                bad.push((name, good.confused(pem).sign(&mut signer)));
            }
        }
        assert!(bad.len() >= 25, "{}", bad.len());
        for (name, token) in bad {
            let answer = server.me(&token);
            assert!(answer.is_refusal(), "{algorithm}, {name}: {answer:?}: {token}");
        }
    }
}

#[test]
fn we_read_tokens_of_pyjwt_and_no_spoilt_one() {
    we_read_tokens_of(Library::PyJwt);
}

#[test]
fn we_read_tokens_of_jwcrypto_and_no_spoilt_one() {
    we_read_tokens_of(Library::Jwcrypto);
}

#[test]
fn we_read_tokens_of_jose_and_no_spoilt_one() {
    we_read_tokens_of(Library::Jose);
}

/// Row 64: RFC 9864 gives EdDSA with this curve the name Ed25519; we read both and write the older.
#[test]
fn a_token_that_calls_eddsa_ed25519_is_read() {
    let keys = Keys::made();
    let key = keys.get(Maker::Jwcrypto, "EdDSA");
    let server = Server::signing_with(keys, key, &["api"]);
    for library in [Library::Jwcrypto, Library::Jose] {
        let mut draft = Draft::good(key);
        for (name, taken) in [("Ed25519", true), ("EdDSA", true)] {
            draft.header["alg"] = name.into();
            draft.key["jwk"]["alg"] = name.into();
            let token = draft.sign(&mut Foreign::start(library));
            assert_eq!(server.me(&token).status == 200, taken, "{library:?} {name}: {token}");
        }
    }
}
