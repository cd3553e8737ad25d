//! src/jwt/key/jwk.rs: a JSON Web Key (RFC 7517, RFC 7518 section 6, RFC 8037), read so that `kty`,
//! `crv`, `alg`, `use` and `key_ops` agree and allow signatures, or not read at all.

use zeroize::Zeroizing;

use super::material::{self, Material, Rsa};
use super::node::{Members, Node};
use super::{KeyError, unreadable};
use crate::jwt::END_OF_TIME;
use crate::jwt::algorithm::{Algorithm, Family};
use crate::secret;

/// A JWK, read.
pub struct Read {
    pub kid: String,
    pub not_before: Option<u64>,
    pub expires: Option<u64>,
    pub material: Material,
}

/// The members of which each makes an RSA key a private one; `oth` has parts of a third prime.
const RSA_PRIVATE: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth"];

pub fn read(jwk: &Node, file: Option<&str>) -> Result<Read, KeyError> {
    let Some(members) = jwk.object() else {
        return unreadable("no JSON object; write the key as one (RFC 7517)");
    };
    if jwk.is_ambiguous() {
        return unreadable("a member comes twice, or there are over 64; keep the right ones");
    }
    let kid = kid(members, file)?;
    let not_before = moment(members, "nbf")?;
    let expires = moment(members, "exp")?;
    check_use(members)?;
    let Some(kty) = text(members, "kty")? else {
        return unreadable("the member `kty` is missing; was the whole key copied?");
    };
    let material = match kty {
        "oct" => oct(members),
        "RSA" => rsa(members),
        "EC" => ec(members),
        "OKP" => okp(members),
        _ => unreadable("`kty` is none of oct, RSA, EC, OKP; make a key of one of these"),
    }?;
    Ok(Read { kid, not_before, expires, material })
}

/// The name from the file and the member must be the same where both are there.
fn kid(members: &Members, file: Option<&str>) -> Result<String, KeyError> {
    match (text(members, "kid")?, file) {
        (Some(own), Some(file)) if own != file => unreadable(
            "the member `kid` is not the file's name; rename the file to `<kid>.jwk`, or remove \
             the member",
        ),
        (Some(kid), _) | (None, Some(kid)) => Ok(kid.to_owned()),
        (None, None) => unreadable("the member `kid` is missing; give each key of a set a name"),
    }
}

fn moment(members: &Members, name: &str) -> Result<Option<u64>, KeyError> {
    match members.find(name) {
        None => Ok(None),
        Some(Node::Integer(seconds)) if *seconds <= END_OF_TIME => Ok(Some(*seconds)),
        Some(_) => unreadable(&format!(
            "`{name}` is no moment; write whole seconds since 1970 as a plain number"
        )),
    }
}

fn text<'k>(members: &'k Members, name: &str) -> Result<Option<&'k str>, KeyError> {
    match members.find(name) {
        None => Ok(None),
        Some(value) => match value.text() {
            Some(text) => Ok(Some(text)),
            None => unreadable(&format!("`{name}` is not a string; write it as one")),
        },
    }
}

/// Signatures and nothing else (RFC 7517 sections 4.2 and 4.3).
fn check_use(members: &Members) -> Result<(), KeyError> {
    if !matches!(text(members, "use")?, None | Some("sig")) {
        return unreadable("`use` is not \"sig\"; a key for encryption does not sign tokens");
    }
    let Some(operations) = operations(members)? else { return Ok(()) };
    let foreign = operations.iter().any(|name| !["sign", "verify"].contains(name));
    let repeated = operations.len() > 1 && operations[0] == operations[1];
    if operations.is_empty() || operations.len() > 2 || foreign || repeated {
        return unreadable(
            "`key_ops` is not a list of \"sign\" and \"verify\" alone; correct it, or remove it",
        );
    }
    Ok(())
}

fn operations(members: &Members) -> Result<Option<Vec<&str>>, KeyError> {
    let Some(value) = members.find("key_ops") else { return Ok(None) };
    let names: Option<Vec<_>> = value.list().and_then(|list| list.iter().map(Node::text).collect());
    match names {
        Some(names) => Ok(Some(names)),
        None => unreadable("`key_ops` is not a list of strings; correct it, or remove it"),
    }
}

/// Whether `key_ops`, where it is there, allows `name`.
fn allows(members: &Members, name: &str) -> Result<bool, KeyError> {
    Ok(operations(members)?.is_none_or(|names| names.contains(&name)))
}

/// A private key must be allowed to sign, a public one to verify.
fn check_operation(members: &Members, private: bool) -> Result<(), KeyError> {
    match (private, allows(members, if private { "sign" } else { "verify" })?) {
        (_, true) => Ok(()),
        (true, false) => unreadable("`key_ops` of a private key lacks \"sign\"; add it"),
        (false, false) => unreadable("`key_ops` of a public key lacks \"verify\"; add it"),
    }
}

/// The algorithm that `alg` names, which must be one of `family`.
fn algorithm(members: &Members, family: Family) -> Result<Option<Algorithm>, KeyError> {
    let Some(name) = text(members, "alg")? else { return Ok(None) };
    match Algorithm::parse(name) {
        Some(algorithm) if algorithm.family() == family => Ok(Some(algorithm)),
        Some(_) => unreadable("`alg` is for another type of key than `kty` says; correct one"),
        None => unreadable("`alg` is no signature algorithm that we know; see the documentation"),
    }
}

/// The bytes of a member, from their one canonical form.
fn bytes(members: &Members, name: &str) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let Some(text) = text(members, name)? else {
        return unreadable(&format!("the member `{name}` is missing; was the whole key copied?"));
    };
    match secret::decode_all(text.as_bytes()) {
        Some(bytes) => Ok(Zeroizing::new(bytes)),
        None => unreadable(&format!(
            "`{name}` is not base64url without padding (RFC 7515 section 2); export the key again"
        )),
    }
}

fn oct(members: &Members) -> Result<Material, KeyError> {
    let Some(algorithm) = algorithm(members, Family::Hmac)? else {
        return unreadable("`alg` is missing; a secret needs \"HS256\", \"HS384\" or \"HS512\"");
    };
    // A secret that may only verify is of use where another process signs.
    let can_sign = allows(members, "sign")?;
    material::hmac(algorithm, &bytes(members, "k")?, can_sign)
}

fn rsa(members: &Members) -> Result<Material, KeyError> {
    let algorithm = algorithm(members, Family::Rsa)?.unwrap_or(Algorithm::RS256);
    let (n, e) = (bytes(members, "n")?, bytes(members, "e")?);
    let private = RSA_PRIVATE.iter().any(|name| members.has(name));
    check_operation(members, private)?;
    if !private {
        return material::rsa_public(algorithm, &n, &e);
    }
    if members.has("oth") {
        return unreadable("`oth`: an RSA key with more than two primes; make one with two");
    }
    let [d, p, q] = [bytes(members, "d")?, bytes(members, "p")?, bytes(members, "q")?];
    let [dp, dq, qi] = [bytes(members, "dp")?, bytes(members, "dq")?, bytes(members, "qi")?];
    material::rsa_private(
        algorithm,
        &Rsa { n: &n, e: &e, d: &d, p: &p, q: &q, dp: &dp, dq: &dq, qi: &qi },
    )
}

fn ec(members: &Members) -> Result<Material, KeyError> {
    let algorithm = match (text(members, "crv")?, algorithm(members, Family::Ec)?) {
        (Some("P-256"), None | Some(Algorithm::ES256)) => Algorithm::ES256,
        (Some("P-384"), None | Some(Algorithm::ES384)) => Algorithm::ES384,
        (Some("P-256" | "P-384"), Some(_)) => {
            return unreadable("`alg` is not the one of `crv`: ES256 is P-256, ES384 is P-384");
        }
        _ => return unreadable("`crv` is neither P-256 nor P-384; make a key on one of these"),
    };
    let (x, y) = (bytes(members, "x")?, bytes(members, "y")?);
    let private = members.has("d");
    check_operation(members, private)?;
    match private {
        true => material::ec_private(algorithm, &bytes(members, "d")?, &x, &y),
        false => material::ec_public(algorithm, &x, &y),
    }
}

fn okp(members: &Members) -> Result<Material, KeyError> {
    if text(members, "crv")? != Some("Ed25519") {
        return unreadable("`crv` is not Ed25519, the one curve of this type that we know");
    }
    algorithm(members, Family::Okp)?;
    let x = bytes(members, "x")?;
    let private = members.has("d");
    check_operation(members, private)?;
    match private {
        true => material::ed25519_private(&bytes(members, "d")?, &x),
        false => material::ed25519_public(&x),
    }
}
