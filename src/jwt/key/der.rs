//! src/jwt/key/der.rs: as much of DER (ITU-T X.690) as a key's outer structure needs. The libraries
//! read the keys; this says which kind one is, so that what is wrong with it has a name.

use super::material::Rsa;

pub const INTEGER: u8 = 0x02;
pub const BIT_STRING: u8 = 0x03;
pub const OCTET_STRING: u8 = 0x04;
pub const OBJECT: u8 = 0x06;
pub const SEQUENCE: u8 = 0x30;

/// What an AlgorithmIdentifier (RFC 5280 section 4.1.1.2) names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Rsa,
    P256,
    P384,
    Ed25519,
    Other,
}

/// Takes one element of this tag off the front.
pub fn take<'d>(input: &mut &'d [u8], tag: u8) -> Option<&'d [u8]> {
    let [own, first, rest @ ..] = *input else { return None };
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => match rest {
            [length @ 0x80..=0xff, rest @ ..] => (usize::from(*length), rest),
            _ => return None,
        },
        0x82 => match rest {
            [high @ 1..=0xff, low, rest @ ..] => {
                (usize::from(*high) << 8 | usize::from(*low), rest)
            }
            _ => return None,
        },
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length).filter(|_| *own == tag)?;
    *input = rest;
    Some(value)
}

/// The one element that `input` is.
pub fn whole(mut input: &[u8], tag: u8) -> Option<&[u8]> {
    take(&mut input, tag).filter(|_| input.is_empty())
}

/// What a PKCS#8 private key (RFC 5958) is of, and what it wraps.
pub fn pkcs8(der: &[u8]) -> Option<(Kind, &[u8])> {
    let mut fields = whole(der, SEQUENCE)?;
    take(&mut fields, INTEGER)?;
    let kind = kind(take(&mut fields, SEQUENCE)?)?;
    Some((kind, take(&mut fields, OCTET_STRING)?))
}

/// What a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) is of, and the key in it.
pub fn spki(der: &[u8]) -> Option<(Kind, &[u8])> {
    let mut fields = whole(der, SEQUENCE)?;
    let kind = kind(take(&mut fields, SEQUENCE)?)?;
    let bits = take(&mut fields, BIT_STRING).filter(|_| fields.is_empty())?;
    let key = bits.strip_prefix(&[0])?;
    Some((kind, key))
}

fn kind(mut fields: &[u8]) -> Option<Kind> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
    const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
    const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
    const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    let object = take(&mut fields, OBJECT)?;
    let curve = (object == EC).then(|| take(&mut fields, OBJECT)).flatten();
    Some(match (object, curve) {
        (RSA, _) => Kind::Rsa,
        (EC, Some(P256)) => Kind::P256,
        (EC, Some(P384)) => Kind::P384,
        (ED25519, _) => Kind::Ed25519,
        _ => Kind::Other,
    })
}

/// Modulus and exponent of an RSAPublicKey (RFC 8017 appendix A.1.1).
pub fn rsa_public(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = whole(der, SEQUENCE)?;
    let (n, e) = (unsigned(&mut fields)?, unsigned(&mut fields)?);
    fields.is_empty().then_some((n, e))
}

/// The integers of an RSAPrivateKey with two primes (RFC 8017 appendix A.1.2).
pub fn rsa_private(der: &[u8]) -> Option<Rsa<'_>> {
    let mut fields = whole(der, SEQUENCE)?;
    take(&mut fields, INTEGER).filter(|version| *version == [0])?;
    let [n, e, d, p] = numbers(&mut fields)?;
    let [q, dp, dq, qi] = numbers(&mut fields)?;
    fields.is_empty().then_some(Rsa { n, e, d, p, q, dp, dq, qi })
}

fn numbers<'d>(fields: &mut &'d [u8]) -> Option<[&'d [u8]; 4]> {
    Some([unsigned(fields)?, unsigned(fields)?, unsigned(fields)?, unsigned(fields)?])
}

/// A positive integer without the zero byte that keeps its sign.
fn unsigned<'d>(fields: &mut &'d [u8]) -> Option<&'d [u8]> {
    match take(fields, INTEGER)? {
        [0, number @ ..] if number.first().is_some_and(|first| *first >= 0x80) => Some(number),
        number @ [0x01..=0x7f, ..] => Some(number),
        _ => None,
    }
}
