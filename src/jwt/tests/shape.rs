//! src/jwt/tests/shape.rs: the compact form and nothing beside it.

use super::*;

fn good() -> String {
    sign(&header(), &payload().to_string())
}

/// Checklist row 40. The last characters of a part may spell the same bytes in a second way; that
/// is refused too.
#[test]
fn any_byte_put_in_anywhere_is_refused() {
    let good = good();
    let (first, last) = (good.find('.').unwrap(), good.rfind('.').unwrap());
    for place in [0, first, first + 1, last, last + 1, good.len(), first / 2, last - 5] {
        for byte in 0..=255u8 {
            // From 128 on it is a character of two bytes: a field that is no UTF-8 is no `str`.
            let mut token = good.clone();
            token.insert(place, char::from(byte));
            let refused = check(&token);
            assert!(refused.is_err(), "{byte} at {place}");
            if !byte.is_ascii_alphanumeric() && !b"-_.".contains(&byte) {
                assert_eq!(refused.err(), Some(Flaw::Malformed), "{byte} at {place}");
            }
        }
    }
    assert_eq!(flaw(&good), None);
}

/// Checklist row 40.
#[test]
fn padding_and_stray_bits_are_refused_in_each_part() {
    // A payload of each length modulo three: 0, 1 and 2 stray characters.
    for spaces in ["", " ", "  "] {
        let token = sign(&header(), &format!("{}{spaces}", payload()));
        assert_eq!(flaw(&token), None);
        let parts: Vec<_> = token.split('.').collect();
        for changed in 0..3 {
            let part = parts[changed];
            let mut twins = vec![format!("{part}="), format!("{part}=="), format!("{part}A")];
            if !part.len().is_multiple_of(4) {
                // The last character's low bits carry nothing: the next one decodes the same.
                let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
                let place = alphabet.find(&part[part.len() - 1..]).unwrap();
                twins.push(format!(
                    "{}{}",
                    &part[..part.len() - 1],
                    &alphabet[place + 1..=place + 1]
                ));
                assert_eq!(crate::secret::decode_all(twins[3].as_bytes()), None);
            }
            for twin in twins {
                let mut parts = parts.clone();
                parts[changed] = &twin;
                assert!(flaw(&parts.join(".")).is_some(), "{changed} {twin}");
            }
        }
    }
}

/// Checklist rows 40 and 43: five parts would be an encrypted token.
#[test]
fn a_token_of_more_or_fewer_than_three_parts_is_malformed() {
    let good = good();
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (head, claims) = signed.split_once('.').unwrap();
    for token in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        head.to_owned(),
        signed.to_owned(),
        format!("{signed}."),
        format!(".{claims}.{signature}"),
        format!("{head}..{signature}"),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        format!("{head}.{claims}.{claims}.{claims}.{signature}"),
        format!("{head}....{signature}"),
        format!("Bearer {good}"),
        format!(r#"{{"payload":"{claims}","protected":"{head}","signature":"{signature}"}}"#),
    ] {
        assert_eq!(flaw(&token), Some(Flaw::Malformed), "{token}");
    }
}

/// Checklist row 41.
#[test]
fn a_token_over_the_limit_is_refused_before_anything_else_is_looked_at() {
    let padded = |bytes: usize| {
        let base = good().len();
        // Four characters of base64url are three of a claim; the rest is found by trying.
        let fill = (bytes - base) / 4 * 3 - 9;
        (fill..fill + 30)
            .map(|n| with_claim("x", Some("y".repeat(n).into())))
            .find(|token| token.len() >= bytes)
            .unwrap()
    };
    let longest = padded(8188);
    assert!(longest.len() <= 8192);
    assert_eq!(flaw(&longest), None);
    assert_eq!(flaw(&padded(8193)), Some(Flaw::TooLong));
    assert_eq!(flaw(&"A".repeat(8193)), Some(Flaw::TooLong));
    assert_eq!(flaw(&".".repeat(1 << 20)), Some(Flaw::TooLong));
    let small = Policy { max_bytes: 100, ..policy() };
    assert_eq!(verify(&good(), &KEYS, &small, now()).err(), Some(Flaw::TooLong));
    let large = Policy { max_bytes: usize::MAX, ..policy() };
    assert_eq!(verify(&"A".repeat(8193), &KEYS, &large, now()).err(), Some(Flaw::TooLong));
}

/// Checklist row 42: thousands of members cost no more than thousands of members.
#[test]
fn a_token_full_of_tiny_members_is_read_in_a_moment() {
    let members: Vec<_> = (0..900).map(|n| format!("\"{n:x}\":0")).collect();
    let many = with_header(&members[..600].join(","));
    assert!(many.len() > 6000);
    assert_eq!(flaw(&many), None);
    let doubled = with_header(&format!("{},\"0\":0", members[..600].join(",")));
    assert_eq!(flaw(&doubled), Some(Flaw::Header));
    let claims =
        payload().to_string().replacen('{', &format!("{{{},", members[..700].join(",")), 1);
    assert_eq!(flaw(&sign(&header(), &claims)), None);
    let claims = claims.replacen('{', "{\"f0\":1,", 1);
    assert_eq!(flaw(&sign(&header(), &claims)), Some(Flaw::Claims));
    let deep = format!("{{\"x\":{}", "[".repeat(5000));
    assert_eq!(flaw(&sign(&deep, "{}")), Some(Flaw::Header));
    assert_eq!(flaw(&sign(&header(), &deep)), Some(Flaw::Claims));
}
