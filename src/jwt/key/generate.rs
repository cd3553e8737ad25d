//! src/jwt/key/generate.rs: new keys, as private JWKs.

use aws_lc_rs::encoding::{AsBigEndian, AsDer, Curve25519SeedBin, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RsaKeyPair,
};
use zeroize::Zeroizing;

use super::{Key, KeyError, check_kid, der};
use crate::jwt::algorithm::Algorithm;
use crate::secret;

impl Key {
    /// A new key and its private JWK: a secret as long as the hash, RSA with 3072 bits, or a key on
    /// the algorithm's curve.
    pub fn generate(
        kid: &str,
        algorithm: Algorithm,
        not_before: Option<u64>,
    ) -> Result<(Key, Zeroizing<String>), KeyError> {
        check_kid(kid)?;
        // Long enough for any key: growing would leave a copy behind.
        let mut jwk = Zeroizing::new(String::with_capacity(4096));
        jwk.push_str(&format!(r#"{{"kid":"{kid}","alg":"{algorithm}","use":"sig""#));
        if let Some(seconds) = not_before {
            jwk.push_str(&format!(r#","nbf":{seconds}"#));
        }
        members(algorithm, &mut jwk).ok_or_else(failed)?;
        jwk.push('}');
        Ok((Key::from_jwk(jwk.as_bytes(), Some(kid))?, jwk))
    }

    /// An Ed25519 key that ends with the process, for a launch in debug without keys.
    pub fn ephemeral(kid: &str) -> Result<Key, KeyError> {
        Key::generate(kid, Algorithm::EdDSA, None).map(|(key, _)| key)
    }
}

fn failed() -> KeyError {
    KeyError::Unreadable("no key could be made: the system's library or randomness failed".into())
}

fn members(algorithm: Algorithm, jwk: &mut String) -> Option<()> {
    match algorithm {
        Algorithm::HS256 => oct(jwk, &Zeroizing::new(secret::random_bytes::<32>().ok()?)[..]),
        Algorithm::HS384 => oct(jwk, &Zeroizing::new(secret::random_bytes::<48>().ok()?)[..]),
        Algorithm::HS512 => oct(jwk, &Zeroizing::new(secret::random_bytes::<64>().ok()?)[..]),
        Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 => rsa(jwk)?,
        Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512 => rsa(jwk)?,
        Algorithm::ES256 => {
            ec(jwk, "P-256", EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok()?)?;
        }
        Algorithm::ES384 => {
            ec(jwk, "P-384", EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).ok()?)?;
        }
        Algorithm::EdDSA => {
            let pair = Ed25519KeyPair::generate().ok()?;
            let seed: Curve25519SeedBin<'_> = pair.seed().ok()?.as_be_bytes().ok()?;
            jwk.push_str(r#","kty":"OKP","crv":"Ed25519""#);
            push(jwk, "x", pair.public_key().as_ref());
            push(jwk, "d", seed.as_ref());
        }
    }
    Some(())
}

fn oct(jwk: &mut String, secret: &[u8]) {
    jwk.push_str(r#","kty":"oct""#);
    push(jwk, "k", secret);
}

fn rsa(jwk: &mut String) -> Option<()> {
    let pair = RsaKeyPair::generate(KeySize::Rsa3072).ok()?;
    let document: Pkcs8V1Der<'_> = pair.as_der().ok()?;
    let (_, inner) = der::pkcs8(document.as_ref())?;
    let key = der::rsa_private(inner)?;
    jwk.push_str(r#","kty":"RSA""#);
    for (name, number) in [("n", key.n), ("e", key.e), ("d", key.d), ("p", key.p)] {
        push(jwk, name, number);
    }
    for (name, number) in [("q", key.q), ("dp", key.dp), ("dq", key.dq), ("qi", key.qi)] {
        push(jwk, name, number);
    }
    Some(())
}

fn ec(jwk: &mut String, curve: &str, pair: EcdsaKeyPair) -> Option<()> {
    let private: EcPrivateKeyBin<'_> = pair.private_key().as_be_bytes().ok()?;
    let (x, y) = pair.public_key().as_ref().get(1..)?.split_at(private.as_ref().len());
    jwk.push_str(&format!(r#","kty":"EC","crv":"{curve}""#));
    push(jwk, "x", x);
    push(jwk, "y", y);
    push(jwk, "d", private.as_ref());
    Some(())
}

fn push(jwk: &mut String, name: &str, bytes: &[u8]) {
    jwk.push_str(",\"");
    jwk.push_str(name);
    jwk.push_str("\":\"");
    jwk.push_str(&Zeroizing::new(secret::encode(bytes)));
    jwk.push('"');
}
