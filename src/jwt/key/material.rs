//! src/jwt/key/material.rs: what a key is made of, checked (RFC 7518, RFC 8725 section 3.5), in the
//! form that the libraries take. One gate, whether it came as JWK or as PEM.
//!
//! Public keys verify through jsonwebtoken's aws-lc provider, by its own static: the process-wide one
//! panics where another crate of the build turns on a second provider. A MAC key and the private
//! keys are held ready made: jsonwebtoken would set up the first for every token, and parse the
//! others for every signature, which costs RSA more than the signature.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::MAX_OUTPUT_LEN;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    ParsedPublicKey, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256,
    RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
};
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;

use super::{CannotSign, KeyError, unreadable, weak};
use crate::jwt::algorithm::Algorithm;
use crate::secret;

/// A key without its name.
pub struct Material {
    pub algorithm: Algorithm,
    pub verifier: Verifier,
    pub signer: Option<Signer>,
    /// Members of the public JWK; none of a symmetric key.
    pub public: Vec<(&'static str, String)>,
    pub modulus_bits: Option<usize>,
}

pub enum Verifier {
    Hmac(Arc<hmac::Key>),
    Public(jsonwebtoken::Algorithm, DecodingKey),
}

pub enum Signer {
    Hmac(Arc<hmac::Key>),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ec(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// An RSA private key's integers, big-endian (RFC 7518 section 6.3).
pub struct Rsa<'k> {
    pub n: &'k [u8],
    pub e: &'k [u8],
    pub d: &'k [u8],
    pub p: &'k [u8],
    pub q: &'k [u8],
    pub dp: &'k [u8],
    pub dq: &'k [u8],
    pub qi: &'k [u8],
}

impl Verifier {
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Verifier::Hmac(key) => {
                // As `hmac::verify`, which moves its state about on the way.
                let mut space = [0; MAX_OUTPUT_LEN];
                hmac::sign_to_buffer(key, message, &mut space)
                    .is_ok_and(|tag| verify_slices_are_equal(tag, signature).is_ok())
            }
            Verifier::Public(algorithm, key) => (DEFAULT_PROVIDER.verifier_factory)(algorithm, key)
                .is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok()),
        }
    }
}

impl Signer {
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CannotSign> {
        let random = SystemRandom::new();
        match self {
            Signer::Hmac(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Signer::Rsa(pair, padding) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let signed = pair.sign(*padding, &random, message, &mut signature);
                signed.map(|()| signature).map_err(|_| CannotSign)
            }
            Signer::Ec(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| CannotSign)?;
                Ok(signature.as_ref().to_vec())
            }
            Signer::Ed25519(pair) => {
                let signature = pair.try_sign(message).map_err(|_| CannotSign)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

/// A secret at least as long as the hash (RFC 7518 section 3.2).
pub fn hmac(algorithm: Algorithm, secret: &[u8], can_sign: bool) -> Result<Material, KeyError> {
    let (hash, length) = match algorithm {
        Algorithm::HS256 => (hmac::HMAC_SHA256, 32),
        Algorithm::HS384 => (hmac::HMAC_SHA384, 48),
        Algorithm::HS512 => (hmac::HMAC_SHA512, 64),
        _ => return unreadable("a secret signs by HS256, HS384 or HS512 alone"),
    };
    if secret.len() < length {
        return weak(&format!(
            "the secret is {} bytes long and {algorithm} needs {length} or more (RFC 7518 section \
             3.2); make a new one from random bytes",
            secret.len()
        ));
    }
    let key = Arc::new(hmac::Key::new(hash, secret));
    let signer = can_sign.then(|| Signer::Hmac(key.clone()));
    let verifier = Verifier::Hmac(key);
    Ok(Material { algorithm, verifier, signer, public: Vec::new(), modulus_bits: None })
}

/// Modulus and exponent within what is neither weak nor a burden to verify.
pub fn rsa_public(algorithm: Algorithm, n: &[u8], e: &[u8]) -> Result<Material, KeyError> {
    let bits = bit_length(n).zip(bit_length(e)).map(|(n, _)| n);
    let Some(bits) = bits else {
        return unreadable("`n` or `e` of the RSA key starts with a zero byte or is empty");
    };
    if bits < 2048 {
        return weak(&format!("the RSA key has {bits} bits; make one with 3072"));
    }
    if bits > 8192 {
        return unreadable("the RSA key has more than 8192 bits; make one with 3072");
    }
    let exponent = e.iter().try_fold(0u64, |sum, byte| {
        sum.checked_mul(256).map(|sum| sum | u64::from(*byte)).filter(|sum| *sum < 1 << 33)
    });
    match exponent {
        None => return unreadable("`e` of the RSA key is over 33 bits; make a key with 65537"),
        Some(e) if e < 65537 || e % 2 == 0 => {
            return weak("`e` of the RSA key is even or under 65537; make a key with 65537");
        }
        Some(_) => {}
    }
    if n.last().is_none_or(|last| last % 2 == 0) {
        return weak("`n` of the RSA key is even, so it is no product of two large primes");
    }
    Ok(Material {
        algorithm,
        verifier: public(algorithm, DecodingKey::from_rsa_raw_components(n, e)),
        signer: None,
        public: members([("kty", "RSA"), ("n", &secret::encode(n)), ("e", &secret::encode(e))]),
        modulus_bits: Some(bits),
    })
}

/// The public part as above, and private parts that belong to it and to each other.
pub fn rsa_private(algorithm: Algorithm, key: &Rsa<'_>) -> Result<Material, KeyError> {
    let material = rsa_public(algorithm, key.n, key.e)?;
    let parts = aws_lc_rs::rsa::KeyPairComponents {
        public_key: RsaPublicKeyComponents { n: key.n, e: key.e },
        d: key.d,
        p: key.p,
        q: key.q,
        dP: key.dp,
        dQ: key.dq,
        qInv: key.qi,
    };
    let Ok(pair) = RsaKeyPair::from_components(&parts) else {
        return unreadable("the parts of the RSA key do not belong together; export it again");
    };
    let padding: &'static dyn RsaEncoding = match algorithm {
        Algorithm::RS256 => &RSA_PKCS1_SHA256,
        Algorithm::RS384 => &RSA_PKCS1_SHA384,
        Algorithm::RS512 => &RSA_PKCS1_SHA512,
        Algorithm::PS256 => &RSA_PSS_SHA256,
        Algorithm::PS384 => &RSA_PSS_SHA384,
        Algorithm::PS512 => &RSA_PSS_SHA512,
        _ => return unreadable("an RSA key signs by RS256 to RS512 or PS256 to PS512 alone"),
    };
    Ok(Material { signer: Some(Signer::Rsa(pair, padding)), ..material })
}

/// A point of the algorithm's curve, both coordinates at full length (RFC 7518 section 6.2.1.2).
pub fn ec_public(algorithm: Algorithm, x: &[u8], y: &[u8]) -> Result<Material, KeyError> {
    let (name, length, _) = curve(algorithm)?;
    if x.len() != length || y.len() != length {
        return unreadable(&format!(
            "`x` and `y` of a {name} key are {length} bytes long, zeros in front included"
        ));
    }
    let point = [&[4], x, y].concat();
    let parsed = match algorithm {
        Algorithm::ES256 => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point),
        _ => ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &point),
    };
    if parsed.is_err() {
        return unreadable(&format!("`x` and `y` are no point of {name}; export the key again"));
    }
    let (x, y) = (secret::encode(x), secret::encode(y));
    Ok(Material {
        algorithm,
        verifier: public(algorithm, DecodingKey::from_ec_der(&point)),
        signer: None,
        public: members([("kty", "EC"), ("crv", name), ("x", &x), ("y", &y)]),
        modulus_bits: None,
    })
}

pub fn ec_private(
    algorithm: Algorithm,
    d: &[u8],
    x: &[u8],
    y: &[u8],
) -> Result<Material, KeyError> {
    let (name, length, signing) = curve(algorithm)?;
    let material = ec_public(algorithm, x, y)?;
    if d.len() != length {
        return unreadable(&format!("`d` of a {name} key is {length} bytes long"));
    }
    let point = [&[4], x, y].concat();
    match EcdsaKeyPair::from_private_key_and_public_key(signing, d, &point) {
        Ok(pair) => Ok(Material { signer: Some(Signer::Ec(pair)), ..material }),
        Err(_) => unreadable("`d` does not belong to `x` and `y`; export the key again"),
    }
}

/// A key that the library read, as PEM has it.
pub fn ec_pair(algorithm: Algorithm, pair: EcdsaKeyPair) -> Result<Material, KeyError> {
    let material = ec_point(algorithm, pair.public_key().as_ref())?;
    Ok(Material { signer: Some(Signer::Ec(pair)), ..material })
}

/// An uncompressed point (SEC 1 section 2.3.3).
pub fn ec_point(algorithm: Algorithm, point: &[u8]) -> Result<Material, KeyError> {
    let (_, length, _) = curve(algorithm)?;
    match point.split_first() {
        Some((4, rest)) if rest.len() == 2 * length => {
            ec_public(algorithm, &rest[..length], &rest[length..])
        }
        _ => unreadable(
            "the EC key's point is not in uncompressed form; write it so with `openssl pkey -pubin \
             -ec_conv_form uncompressed`",
        ),
    }
}

/// 32 bytes that are a point's canonical form, and no point of small order: under one of those a
/// single signature passes for any message.
pub fn ed25519_public(x: &[u8]) -> Result<Material, KeyError> {
    let Ok(bytes) = <&[u8; 32]>::try_from(x) else {
        return unreadable("`x` of an Ed25519 key is 32 bytes long");
    };
    if is_small_order(bytes) {
        return weak("the Ed25519 key is a point of small order; make a new key");
    }
    if !is_below_prime(bytes) {
        return unreadable("`x` of the Ed25519 key is not in canonical form; make a new key");
    }
    let text = secret::encode(x);
    Ok(Material {
        algorithm: Algorithm::EdDSA,
        verifier: public(Algorithm::EdDSA, DecodingKey::from_ed_der(x)),
        signer: None,
        public: members([("kty", "OKP"), ("crv", "Ed25519"), ("x", &text)]),
        modulus_bits: None,
    })
}

pub fn ed25519_private(seed: &[u8], x: &[u8]) -> Result<Material, KeyError> {
    let material = ed25519_public(x)?;
    if seed.len() != 32 {
        return unreadable("`d` of an Ed25519 key is 32 bytes long");
    }
    match Ed25519KeyPair::from_seed_and_public_key(seed, x) {
        Ok(pair) => Ok(Material { signer: Some(Signer::Ed25519(pair)), ..material }),
        Err(_) => unreadable("`d` does not belong to `x`; export the key again"),
    }
}

/// A key that the library read, as PEM has it.
pub fn ed25519_pair(pair: Ed25519KeyPair) -> Result<Material, KeyError> {
    let material = ed25519_public(pair.public_key().as_ref())?;
    Ok(Material { signer: Some(Signer::Ed25519(pair)), ..material })
}

/// The name, the bytes of a coordinate, and the library's word for it.
fn curve(
    algorithm: Algorithm,
) -> Result<(&'static str, usize, &'static EcdsaSigningAlgorithm), KeyError> {
    match algorithm {
        Algorithm::ES256 => Ok(("P-256", 32, &ECDSA_P256_SHA256_FIXED_SIGNING)),
        Algorithm::ES384 => Ok(("P-384", 48, &ECDSA_P384_SHA384_FIXED_SIGNING)),
        _ => unreadable("an EC key signs by ES256 or ES384 alone"),
    }
}

fn public(algorithm: Algorithm, key: DecodingKey) -> Verifier {
    let theirs = match algorithm {
        Algorithm::HS256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::HS384 => jsonwebtoken::Algorithm::HS384,
        Algorithm::HS512 => jsonwebtoken::Algorithm::HS512,
        Algorithm::RS256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::RS384 => jsonwebtoken::Algorithm::RS384,
        Algorithm::RS512 => jsonwebtoken::Algorithm::RS512,
        Algorithm::PS256 => jsonwebtoken::Algorithm::PS256,
        Algorithm::PS384 => jsonwebtoken::Algorithm::PS384,
        Algorithm::PS512 => jsonwebtoken::Algorithm::PS512,
        Algorithm::ES256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::ES384 => jsonwebtoken::Algorithm::ES384,
        Algorithm::EdDSA => jsonwebtoken::Algorithm::EdDSA,
    };
    Verifier::Public(theirs, key)
}

fn members<const N: usize>(list: [(&'static str, &str); N]) -> Vec<(&'static str, String)> {
    list.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

/// Of a positive integer without leading zeros.
fn bit_length(number: &[u8]) -> Option<usize> {
    let first = number.first().filter(|first| **first != 0)?;
    Some(number.len() * 8 - first.leading_zeros() as usize)
}

/// Whether y is below 2^255 - 19; every number from there on has a second, smaller form.
fn is_below_prime(point: &[u8; 32]) -> bool {
    let high = point[31] & 0x7f == 0x7f && point[1..31].iter().all(|byte| *byte == 0xff);
    !(high && point[0] >= 0xed)
}

/// Whether the point's order divides 8: y is 0, 1, -1 or one of two more, whatever the sign bit
/// says, and 0 and 1 each have a second form above the prime.
fn is_small_order(point: &[u8; 32]) -> bool {
    const EIGHT: [[u8; 32]; 2] = [
        [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef,
            0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88,
            0x6d, 0x53, 0xfc, 0x05,
        ],
        [
            0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10,
            0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77,
            0x92, 0xac, 0x03, 0x7a,
        ],
    ];
    let mut y = *point;
    y[31] &= 0x7f;
    let rest = |first: u8, middle: u8, last: u8| {
        y[0] == first && y[1..31].iter().all(|byte| *byte == middle) && y[31] == last
    };
    let low = rest(0, 0, 0) || rest(1, 0, 0);
    let high = (0xec..=0xee).any(|first| rest(first, 0xff, 0x7f));
    low || high || EIGHT.contains(&y)
}
