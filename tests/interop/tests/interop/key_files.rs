//! tests/interop/key_files.rs: key files that other programs wrote load here, and sign.

use serde_json::json;

use crate::claims::Draft;
use crate::foreign::{Foreign, Library};
use crate::keys::{Keys, Maker, empty, write};
use crate::ours::{check, expected};
use crate::server::{Server, part};

/// Every key of `maker` signs, and a library that did not make it takes the token by what we publish.
fn keys_sign(maker: Maker, reader: Library) {
    let keys = Keys::made();
    let mut reader = Foreign::start(reader);
    for key in keys.of(maker) {
        let server = Server::signing_with(keys, key, &["api"]);
        let token = server.token();
        let header = json!({"alg": key.algorithm, "typ": "at+jwt", "kid": server.kid});
        assert_eq!(part(&token, 0), header, "{} does not sign", key.kid);
        let good = expected(&server, key, "api");
        let taken = reader.verify(&token, &good);
        assert!(taken.is_ok(), "{}: {taken:?}: {token}", key.kid);
        check(&mut reader, &token, &good, 100);
        assert_eq!(server.me(&token).me().user.id, "7", "{}", key.kid);
    }
}

#[test]
fn jwks_of_jwcrypto_sign() {
    keys_sign(Maker::Jwcrypto, Library::Jose);
}

#[test]
fn jwks_of_jose_sign() {
    keys_sign(Maker::Jose, Library::PyJwt);
}

#[test]
fn jwks_of_webcrypto_sign() {
    keys_sign(Maker::WebCrypto, Library::Jwcrypto);
}

#[test]
fn pems_of_openssl_sign() {
    keys_sign(Maker::OpenSsl, Library::Jwcrypto);
    keys_sign(Maker::OlderOpenSsl, Library::PyJwt);
}

#[test]
fn pems_of_cryptography_sign() {
    keys_sign(Maker::Cryptography, Library::Jose);
    keys_sign(Maker::OlderCryptography, Library::Jose);
}

/// A process that only verifies has no private key.
#[test]
fn public_pems_verify_what_their_private_keys_sign() {
    let keys = Keys::made();
    let mut signers = Foreign::all();
    let directory = empty();
    for key in keys.all().filter(|key| key.maker.writes_pem()) {
        let pem = signers[usize::from(key.maker > Maker::OlderCryptography)].public_pem(key);
        write(&directory, &key.file(), &pem);
    }
    let server = Server::start(directory.path(), &["api"]);
    for key in keys.all().filter(|key| key.maker.writes_pem()) {
        for signer in &mut signers {
            let token = Draft::good(key).sign(signer);
            let answer = server.me(&token);
            assert_eq!(answer.status, 200, "{:?} {}: {answer:?}", signer.library, key.kid);
        }
    }
    let answer = server.send("POST /login/7", "");
    assert!(answer.status >= 500, "nothing here can sign: {answer:?}");
}
