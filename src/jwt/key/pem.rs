//! src/jwt/key/pem.rs: a key in a PEM file (RFC 7468). Exactly one: which of two would sign must not
//! be a matter of their order.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::der::{self, Kind};
use super::material::{self, Material};
use super::{KeyError, unreadable};
use crate::jwt::algorithm::Algorithm;

const OTHER: &str = "the key is none of RSA, P-256, P-384 and Ed25519; make one of these";
const DAMAGED: &str = "the key's encoding is damaged; export it again";

pub fn read(pem: &[u8]) -> Result<Material, KeyError> {
    let Ok(text) = std::str::from_utf8(pem) else {
        return unreadable("no PEM but binary data; a DER file becomes PEM with `openssl pkey`");
    };
    let block = only_key(blocks(text)?)?;
    match block.label {
        "PRIVATE KEY" => pkcs8(&block.der),
        "RSA PRIVATE KEY" => rsa_private(&block.der),
        "EC PRIVATE KEY" => sec1(&block.der),
        "PUBLIC KEY" => spki(&block.der),
        "RSA PUBLIC KEY" => rsa_public(&block.der),
        "ENCRYPTED PRIVATE KEY" => unreadable(ENCRYPTED),
        label if label.contains("CERTIFICATE") => unreadable(
            "a certificate, not a key; take its key out with `openssl x509 -pubkey -noout`",
        ),
        _ => unreadable(
            "the PEM block is no key that we read; write the key with `openssl pkey` (PKCS#8, or \
             with -pubout its public part)",
        ),
    }
}

const ENCRYPTED: &str = "the key is encrypted; write it without a passphrase (`openssl pkey`) and \
                         keep the file to its owner (chmod 600)";

struct Block<'t> {
    label: &'t str,
    der: Zeroizing<Vec<u8>>,
}

/// `openssl ecparam -genkey` writes the curve in front of the key, which says it again.
fn only_key(blocks: Vec<Block<'_>>) -> Result<Block<'_>, KeyError> {
    let mut keys = blocks.into_iter().filter(|block| block.label != "EC PARAMETERS");
    match (keys.next(), keys.next()) {
        (Some(key), None) => Ok(key),
        (None, _) => unreadable("no key between BEGIN and END lines; is this a PEM file?"),
        (Some(_), Some(_)) => unreadable(
            "more than one PEM block; keep one key in a file (a private key holds the public one)",
        ),
    }
}

fn blocks(text: &str) -> Result<Vec<Block<'_>>, KeyError> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        // Text between blocks is a comment (RFC 7468 section 5.2).
        let Some(label) = boundary(line, "BEGIN") else { continue };
        let mut body = Zeroizing::new(String::with_capacity(text.len()));
        loop {
            let Some(line) = lines.next() else {
                return unreadable("the PEM block has no END line; was the whole file copied?");
            };
            match boundary(line, "END") {
                Some(end) if end == label => break,
                Some(_) => return unreadable("the PEM block's END line names another type"),
                None if line.contains("ENCRYPTED") => return unreadable(ENCRYPTED),
                None => body.push_str(line.trim()),
            }
        }
        let Ok(der) = STANDARD.decode(body.as_bytes()) else { return unreadable(DAMAGED) };
        found.push(Block { label, der: Zeroizing::new(der) });
    }
    Ok(found)
}

fn boundary<'t>(line: &'t str, word: &str) -> Option<&'t str> {
    let line = line.trim().strip_prefix("-----")?.strip_suffix("-----")?;
    line.strip_prefix(word)?.strip_prefix(' ')
}

fn pkcs8(der: &[u8]) -> Result<Material, KeyError> {
    let Some((kind, inner)) = der::pkcs8(der) else { return unreadable(DAMAGED) };
    match kind {
        Kind::Rsa => rsa_private(inner),
        Kind::P256 | Kind::P384 => {
            let (algorithm, curve) = match kind {
                Kind::P256 => (Algorithm::ES256, &ECDSA_P256_SHA256_FIXED_SIGNING),
                _ => (Algorithm::ES384, &ECDSA_P384_SHA384_FIXED_SIGNING),
            };
            let pair = EcdsaKeyPair::from_pkcs8(curve, der);
            pair.map_or_else(|_| unreadable(DAMAGED), |pair| material::ec_pair(algorithm, pair))
        }
        Kind::Ed25519 => Ed25519KeyPair::from_pkcs8(der)
            .map_or_else(|_| unreadable(DAMAGED), material::ed25519_pair),
        Kind::Other => unreadable(OTHER),
    }
}

fn sec1(der: &[u8]) -> Result<Material, KeyError> {
    for (algorithm, curve) in [
        (Algorithm::ES256, &ECDSA_P256_SHA256_FIXED_SIGNING),
        (Algorithm::ES384, &ECDSA_P384_SHA384_FIXED_SIGNING),
    ] {
        if let Ok(pair) = EcdsaKeyPair::from_private_key_der(curve, der) {
            return material::ec_pair(algorithm, pair);
        }
    }
    unreadable(OTHER)
}

fn rsa_private(der: &[u8]) -> Result<Material, KeyError> {
    match der::rsa_private(der) {
        Some(key) => material::rsa_private(Algorithm::RS256, &key),
        None => unreadable(DAMAGED),
    }
}

fn spki(der: &[u8]) -> Result<Material, KeyError> {
    let Some((kind, key)) = der::spki(der) else { return unreadable(DAMAGED) };
    match kind {
        Kind::Rsa => rsa_public(key),
        Kind::P256 => material::ec_point(Algorithm::ES256, key),
        Kind::P384 => material::ec_point(Algorithm::ES384, key),
        Kind::Ed25519 => material::ed25519_public(key),
        Kind::Other => unreadable(OTHER),
    }
}

fn rsa_public(der: &[u8]) -> Result<Material, KeyError> {
    match der::rsa_public(der) {
        Some((n, e)) => material::rsa_public(Algorithm::RS256, n, e),
        None => unreadable(DAMAGED),
    }
}
