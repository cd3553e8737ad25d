//! tests/interop/claims.rs: a token that is good, and each way in which it is no longer.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::foreign::{Foreign, Library};
use crate::keys::{Key, Keys};
use crate::server::{ISSUER, flipped};

/// What a library is to sign, and with what.
#[derive(Clone, Debug)]
pub struct Draft {
    pub key: Value,
    pub header: Value,
    pub claims: Value,
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Draft {
    /// As another issuer's program would make a token for us.
    pub fn good(key: &Key) -> Self {
        let (now, kid) = (now(), &key.kid);
        Draft {
            key: key.shared(),
            header: json!({"alg": key.algorithm, "typ": "at+jwt", "kid": kid}),
            claims: json!({
                "iss": ISSUER, "aud": "api", "sub": "7", "iat": now, "exp": now + 300, "jti": "j",
                "user": {"id": "7", "name": "Ada"},
            }),
        }
    }

    pub fn sign(&self, signer: &mut Foreign) -> String {
        signer.sign(&self.key, &self.header, &self.claims)
    }

    /// The same token with one thing changed, signed as well as before; what each is called.
    pub fn spoilt(&self, key: &Key, keys: &Keys, signer: &mut Foreign) -> Vec<(String, String)> {
        let mut tokens = Vec::new();
        let signs_none = signer.library == Library::PyJwt;
        let mut add = |name: &str, change: &dyn Fn(&mut Draft)| {
            let mut draft = self.clone();
            change(&mut draft);
            tokens.push((name.to_owned(), draft.sign(signer)));
        };
        add("an unknown kid", &|draft| draft.header["kid"] = "unknown".into());
        add("no kid", &|draft| drop(members(&mut draft.header).remove("kid")));
        for other in keys.of(key.maker).filter(|other| other.algorithm != key.algorithm) {
            let name = format!("the kid of {}", other.kid);
            add(&name, &|draft| draft.header["kid"] = other.kid.as_str().into());
        }
        add("typ JWT", &|draft| draft.header["typ"] = "JWT".into());
        add("no typ", &|draft| drop(members(&mut draft.header).remove("typ")));
        add("an unknown crit", &|draft| {
            draft.header["crit"] = json!(["x"]);
            draft.header["x"] = 1.into();
        });
        for name in ["iss", "aud", "sub", "iat", "exp", "jti", "user"] {
            let of = format!("no {name}");
            add(&of, &|draft| drop(members(&mut draft.claims).remove(name)));
        }
        add("another aud", &|draft| draft.claims["aud"] = "other".into());
        add("several others", &|draft| draft.claims["aud"] = json!(["other", "apis"]));
        add("another iss", &|draft| draft.claims["iss"] = "https://other.test".into());
        add("expired", &|draft| draft.claims["exp"] = (now() - 60).into());
        add("not yet valid", &|draft| draft.claims["nbf"] = (now() + 60).into());
        for algorithm in siblings(key.algorithm) {
            let name = format!("signed with {algorithm}");
            add(&name, &|draft| {
                draft.header["alg"] = algorithm.into();
                if let Some(jwk) = draft.key.get_mut("jwk") {
                    for bound in ["alg", "key_ops"] {
                        members(jwk).remove(bound);
                    }
                }
            });
        }
        if signs_none {
            add("alg none", &|draft| draft.header["alg"] = "none".into());
        }
        tokens.push(("a flipped bit".into(), flipped(&self.sign(signer), 1)));
        tokens
    }

    /// The oldest trick: a public key as the secret of a MAC.
    pub fn confused(&self, public_pem: &str) -> Self {
        let mut draft = self.clone();
        draft.header["alg"] = "HS256".into();
        let secret = URL_SAFE_NO_PAD.encode(public_pem);
        draft.key = json!({"jwk": {"kty": "oct", "k": secret, "alg": "HS256"}});
        draft
    }
}

/// Algorithms that the same key could sign with.
fn siblings(algorithm: &str) -> Vec<&'static str> {
    let all: &[&str] = match &algorithm[..2] {
        "RS" | "PS" => &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
        // The secret must be long enough for the library.
        "HS" if algorithm == "HS512" => &["HS256", "HS384"],
        "HS" if algorithm == "HS384" => &["HS256"],
        _ => &[],
    };
    all.iter().filter(|name| **name != algorithm).copied().collect()
}

fn members(object: &mut Value) -> &mut serde_json::Map<String, Value> {
    object.as_object_mut().unwrap()
}
