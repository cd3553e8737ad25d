//! src/secret.rs: random bytes, their digests and their base64url form; never their print.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// `N` bytes that must not be seen: wiped when dropped, `Debug` prints none of them.
#[derive(Clone)]
pub struct Secret<const N: usize>(Zeroizing<[u8; N]>);

/// The operating system gave no randomness.
#[derive(Debug)]
pub struct NoEntropy(getrandom::Error);

/// SHA-256 of a secret: what a store may know of it (OWASP ASVS 5.0 6.5.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl<const N: usize> Secret<N> {
    /// Fresh from the operating system's generator (ASVS 5.0 11.5.1).
    pub fn random() -> Result<Self, NoEntropy> {
        random_bytes().map(|bytes| Secret(Zeroizing::new(bytes)))
    }

    /// From exactly the base64url characters that `N` bytes have; no padding, no stray bits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; N]);
        decode(text, &mut *bytes).then_some(Secret(bytes))
    }

    pub fn digest(&self) -> Digest {
        Digest::of(&*self.0)
    }

    /// In clear, for the one cookie that carries it.
    pub fn reveal(&self) -> Zeroizing<String> {
        Zeroizing::new(encode(&*self.0))
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Digest(Sha256::digest(bytes).into())
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

impl fmt::Display for NoEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the operating system gave no random bytes")
    }
}

impl std::error::Error for NoEntropy {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Random bytes that are no secret: handles, salts.
#[expect(clippy::disallowed_methods, reason = "this is the door that the others must use")]
pub fn random_bytes<const N: usize>() -> Result<[u8; N], NoEntropy> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(NoEntropy)?;
    Ok(bytes)
}

/// base64url without padding (RFC 4648 section 5).
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Fills `bytes` from their one canonical base64url form; false where `text` is anything else.
///
/// Four characters at a time and one question at the end: a token is decoded at every request, and this
/// takes half of what the general engine takes.
pub fn decode(text: &[u8], bytes: &mut [u8]) -> bool {
    // The length first: it refuses most of what is not ours before any work.
    if text.len() != (bytes.len() * 4).div_ceil(3) {
        return false;
    }
    let at = |place: usize, character: u8| PLACED[place][usize::from(character)];
    let (fours, rest) = text.as_chunks::<4>();
    let (threes, last) = bytes.as_chunks_mut::<3>();
    let mut seen = 0;
    for ([a, b, c, d], three) in fours.iter().zip(threes) {
        let all = at(0, *a) | at(1, *b) | at(2, *c) | at(3, *d);
        seen |= all;
        let [_, x, y, z] = all.to_be_bytes();
        *three = [x, y, z];
    }
    // What is left holds one or two bytes, and bits behind them that must be zero.
    let end = match rest {
        [a, b] => at(0, *a) | at(1, *b),
        [a, b, c] => at(0, *a) | at(1, *b) | at(2, *c),
        _ => 0,
    };
    seen |= end;
    let [_, x, y, z] = end.to_be_bytes();
    let stray = match last {
        [first] => {
            *first = x;
            y | z
        }
        [first, second] => {
            [*first, *second] = [x, y];
            z
        }
        _ => 0,
    };
    seen & NO_CHARACTER == 0 && stray == 0
}

/// The six bits of each character of base64url, shifted to where they stand for the first to the fourth
/// of four.
static PLACED: [[u32; 256]; 4] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut placed = [[NO_CHARACTER; 256]; 4];
    let mut value = 0;
    while value < 64 {
        let character = alphabet[value] as usize;
        placed[0][character] = (value as u32) << 18;
        placed[1][character] = (value as u32) << 12;
        placed[2][character] = (value as u32) << 6;
        placed[3][character] = value as u32;
        value += 1;
    }
    placed
};
/// Beyond the 24 bits of four characters.
const NO_CHARACTER: u32 = 1 << 31;

/// The bytes of a canonical base64url form of any length; `None` where `text` is anything else.
#[cfg(any(feature = "jwt", feature = "password"))]
pub fn decode_all(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = vec![0; text.len() / 4 * 3 + (text.len() % 4).saturating_sub(1)];
    decode(text, &mut bytes).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debug_of_a_secret_or_digest_prints_none_of_its_bytes() {
        let secret = Secret::<32>::random().unwrap();
        assert_eq!(format!("{secret:?} {:?}", secret.digest()), "Secret(..) Digest(..)");
    }

    /// Checklist row 1: no repeat in 10^6 ids, and each byte position uniform (chi-square).
    #[test]
    fn a_million_secrets_hold_no_repeat_and_no_biased_byte() {
        const N: u32 = 1_000_000;
        let mut counts = vec![[0u32; 256]; 32];
        let mut seen = std::collections::HashSet::with_capacity(N as usize);
        for _ in 0..N {
            let bytes: [u8; 32] = random_bytes().unwrap();
            for (position, byte) in bytes.iter().enumerate() {
                counts[position][*byte as usize] += 1;
            }
            assert!(seen.insert(bytes), "a secret came twice");
        }
        let expected = f64::from(N) / 256.0;
        for (position, counts) in counts.iter().enumerate() {
            let chi: f64 = counts.iter().map(|c| (f64::from(*c) - expected).powi(2)).sum();
            // 255 degrees of freedom: 400 is passed once in 10^8 positions of true randomness.
            assert!(chi / expected < 400.0, "byte {position}: chi-square {}", chi / expected);
        }
    }

    #[test]
    fn only_the_canonical_form_of_the_right_length_is_read() {
        let secret = Secret::<32>::parse("A".repeat(43).as_bytes());
        assert!(secret.is_some());
        for text in ["", &"A".repeat(42), &"A".repeat(44), &format!("{}=", "A".repeat(43))] {
            assert!(Secret::<32>::parse(text.as_bytes()).is_none(), "{text}");
        }
        // The last character carries two bits that must be zero.
        assert!(Secret::<32>::parse(format!("{}B", "A".repeat(42)).as_bytes()).is_none());
        assert!(Secret::<32>::parse(format!("{}+", "A".repeat(42)).as_bytes()).is_none());
    }

    /// Against the engine that other programs use, for all that an end can look like: every two bytes,
    /// and every byte in each place of three and of four characters.
    #[test]
    fn what_is_read_is_what_a_strict_engine_reads() {
        fn same(text: &[u8]) {
            let theirs = URL_SAFE_NO_PAD.decode(text).ok();
            let mut bytes = vec![0; text.len() / 4 * 3 + (text.len() % 4).saturating_sub(1)];
            let ours = decode(text, &mut bytes).then_some(bytes);
            assert_eq!(ours, theirs, "{text:?}");
        }
        for a in 0..=255 {
            same(&[a]);
            for b in 0..=255 {
                same(&[a, b]);
                for rest in [b"AA", b"_w", b"Qg", b"=="] {
                    same(&[a, b, rest[0]]);
                    same(&[rest[0], a, b]);
                    same(&[b, rest[1], a]);
                    same(&[a, b, rest[0], rest[1]]);
                    same(&[rest[0], rest[1], a, b]);
                    same(&[rest[0], a, rest[1], b, b'A', b'A', b'A', b'A']);
                }
            }
        }
        for length in 0..200u8 {
            same(encode(&vec![length; length.into()]).as_bytes());
        }
    }
}
