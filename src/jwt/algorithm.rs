//! src/jwt/algorithm.rs: the names of signature algorithms (RFC 7518 section 3.1, RFC 8037).

use std::fmt;

/// What a key signs or verifies with; one key has one (RFC 8725 section 3.1).
///
/// There is no `none`, so no token can ask for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    HS256,
    HS384,
    HS512,
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
    ES256,
    ES384,
    EdDSA,
}

/// What keys of an algorithm are made of (`kty`, and `crv` where the algorithm fixes it).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    Hmac,
    Rsa,
    Ec,
    Okp,
}

impl Algorithm {
    pub const ALL: [Algorithm; 12] = [
        Algorithm::HS256,
        Algorithm::HS384,
        Algorithm::HS512,
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::EdDSA,
    ];

    /// As it is written into headers and keys.
    pub fn name(self) -> &'static str {
        match self {
            Algorithm::HS256 => "HS256",
            Algorithm::HS384 => "HS384",
            Algorithm::HS512 => "HS512",
            Algorithm::RS256 => "RS256",
            Algorithm::RS384 => "RS384",
            Algorithm::RS512 => "RS512",
            Algorithm::PS256 => "PS256",
            Algorithm::PS384 => "PS384",
            Algorithm::PS512 => "PS512",
            Algorithm::ES256 => "ES256",
            Algorithm::ES384 => "ES384",
            Algorithm::EdDSA => "EdDSA",
        }
    }

    /// Names are case-sensitive. `Ed25519` is the name that RFC 9864 gives to what we call EdDSA;
    /// it is read, and not written for as long as others know only the older name.
    pub fn parse(name: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        known.or((name == "Ed25519").then_some(Algorithm::EdDSA))
    }

    pub fn family(self) -> Family {
        match self {
            Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512 => Family::Hmac,
            Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 => Family::Rsa,
            Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512 => Family::Rsa,
            Algorithm::ES256 | Algorithm::ES384 => Family::Ec,
            Algorithm::EdDSA => Family::Okp,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checklist rows 34 and 64.
    #[test]
    fn a_name_is_read_exactly_and_ed25519_is_the_only_second_name() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
            assert_eq!(Algorithm::parse(&algorithm.name().to_lowercase()), None);
            assert_eq!(Algorithm::parse(&format!("{algorithm} ")), None);
        }
        assert_eq!(Algorithm::parse("Ed25519"), Some(Algorithm::EdDSA));
        assert_eq!(Algorithm::EdDSA.name(), "EdDSA");
        for name in ["none", "None", "NONE", "nOnE", "", "ES512", "ES256K", "EDDSA", "Ed448"] {
            assert_eq!(Algorithm::parse(name), None, "{name}");
        }
    }
}
