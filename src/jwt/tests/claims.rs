//! src/jwt/tests/claims.rs: claims that say the wrong thing, rightly signed.

use super::*;

fn at(token: &str, seconds: u64, leeway: u64) -> Option<Flaw> {
    let policy = Policy { leeway: Duration::from_secs(leeway), ..policy() };
    verify(token, &KEYS, &policy, Time::from_millis(seconds * 1000)).err()
}

/// The text of the claims with `"name":value` as it is written here: serde would tidy it up.
fn written(name: &str, value: &str) -> String {
    let mut claims = payload();
    claims.as_object_mut().unwrap().remove(name);
    sign(&header(), &claims.to_string().replacen('{', &format!("{{\"{name}\":{value},"), 1))
}

/// Checklist row 44.
#[test]
fn an_expiry_that_is_missing_or_no_sensible_integer_is_refused() {
    assert_eq!(flaw(&with_claim("exp", None)), Some(Flaw::Expiry));
    assert_eq!(flaw(&written("exp", &(NOW + 600).to_string())), None);
    for value in [
        &format!("\"{}\"", NOW + 600),
        "null",
        "true",
        "[1800000600]",
        "{\"$serde_json::private::Number\":\"1800000600\"}",
        "-1",
        "-0",
        "0",
        "1e19",
        "1.8000006e9",
        "1800000600.0",
        "1800000600.5",
        "253402300800",
        &u64::MAX.to_string(),
        "18446744073709551616",
        "9223372036854775807",
    ] {
        assert_eq!(flaw(&written("exp", value)), Some(Flaw::Expiry), "{value}");
    }
    for value in ["01800000600", "+1800000600", "0x6b49d200", "NaN", "Infinity", "1800000600e"] {
        assert_eq!(flaw(&written("exp", value)), Some(Flaw::Claims), "{value}");
    }
}

/// Checklist row 44: "on or after" is expired (RFC 7519 section 4.1.4).
#[test]
fn a_token_is_dead_at_its_expiry_and_the_leeway_moves_that_by_no_more_than_a_minute() {
    let token = sign(&header(), &payload().to_string());
    assert_eq!(at(&token, NOW + 599, 0), None);
    assert_eq!(at(&token, NOW + 600, 0), Some(Flaw::Expired));
    assert_eq!(at(&token, NOW + 604, 5), None);
    assert_eq!(at(&token, NOW + 605, 5), Some(Flaw::Expired));
    assert_eq!(at(&token, NOW + 659, 3600), None);
    assert_eq!(at(&token, NOW + 660, 3600), Some(Flaw::Expired));
    let last = Time::from_millis((NOW + 600) * 1000 - 1);
    assert!(verify(&token, &KEYS, &policy(), last).is_ok());
    assert!(Flaw::Expired.is_expired() && !Flaw::NotYetValid.is_expired());
}

/// Checklist row 44: a lifetime has an upper bound, and is one.
#[test]
fn a_token_that_lives_for_more_than_the_longest_time_is_refused() {
    let day = 24 * 60 * 60;
    assert_eq!(flaw(&with_claim("exp", Some((NOW - 10 + day).into()))), None);
    assert_eq!(flaw(&with_claim("exp", Some((NOW - 9 + day).into()))), Some(Flaw::Lifetime));
    assert_eq!(flaw(&with_claim("exp", Some(253_402_300_799u64.into()))), Some(Flaw::Lifetime));
    for exp in [NOW - 10, NOW - 11, 1] {
        assert_eq!(flaw(&with_claim("exp", Some(exp.into()))), Some(Flaw::Lifetime), "{exp}");
    }
}

/// Checklist row 45.
#[test]
fn a_token_from_the_future_is_refused_until_then() {
    for name in ["nbf", "iat"] {
        let token = with_claim(name, Some((NOW + 30).into()));
        assert_eq!(flaw(&token), Some(Flaw::NotYetValid), "{name}");
        assert_eq!(at(&token, NOW + 29, 0), Some(Flaw::NotYetValid), "{name}");
        assert_eq!(at(&token, NOW + 30, 0), None, "{name}");
        assert_eq!(at(&token, NOW, 29), Some(Flaw::NotYetValid), "{name}");
        assert_eq!(at(&token, NOW, 30), None, "{name}");
    }
    assert_eq!(flaw(&with_claim("nbf", Some(NOW.into()))), None);
    for value in ["null", "\"1\"", "1.5", "-1", "[]", "1e9", "253402300800"] {
        assert_eq!(flaw(&written("nbf", value)), Some(Flaw::NotBefore), "{value}");
        assert_eq!(flaw(&written("iat", value)), Some(Flaw::IssuedAt), "{value}");
    }
    assert_eq!(flaw(&with_claim("iat", None)), Some(Flaw::IssuedAt));
}

/// Checklist row 46.
#[test]
fn an_issuer_that_is_not_exactly_ours_is_refused() {
    for value in [
        json!("https://app.test/"),
        json!("https://APP.test"),
        json!(""),
        json!(null),
        json!(7),
        json!([ISSUER]),
        json!(["evil", ISSUER]),
        json!({ISSUER: 1}),
    ] {
        assert_eq!(flaw(&with_claim("iss", Some(value.clone()))), Some(Flaw::Issuer), "{value}");
    }
    assert_eq!(flaw(&with_claim("iss", None)), Some(Flaw::Issuer));
}

/// Checklist row 47.
#[test]
fn a_token_for_somebody_else_is_refused() {
    for value in [json!(API), json!([API]), json!(["x", API]), json!("other")] {
        assert_eq!(flaw(&with_claim("aud", Some(value.clone()))), None, "{value}");
    }
    for value in [
        json!(null),
        json!(7),
        json!(1.5),
        json!(-1),
        json!(true),
        json!([]),
        json!([1]),
        json!([API, 1]),
        json!([API, null]),
        json!([[API]]),
        json!({API: API}),
        json!("https://API.test"),
        json!("https://api.test/"),
        json!(""),
        json!(["https://api.tes"]),
    ] {
        assert_eq!(flaw(&with_claim("aud", Some(value.clone()))), Some(Flaw::Audience), "{value}");
    }
    assert_eq!(flaw(&with_claim("aud", None)), Some(Flaw::Audience));
    let nobody = Policy { audience: Vec::new(), ..policy() };
    let token = sign(&header(), &payload().to_string());
    assert_eq!(verify(&token, &KEYS, &nobody, now()).err(), Some(Flaw::Audience));
}

/// Checklist row 48.
#[test]
fn a_subject_that_names_nobody_is_refused() {
    let longest = "x".repeat(255);
    assert_eq!(flaw(&with_claim("sub", Some(longest.clone().into()))), None);
    for value in [json!(""), json!(7), json!(null), json!(["7"]), json!({}), json!(longest + "x")] {
        assert_eq!(flaw(&with_claim("sub", Some(value.clone()))), Some(Flaw::Subject), "{value}");
    }
    assert_eq!(flaw(&with_claim("sub", None)), Some(Flaw::Subject));
}

/// Checklist row 50, the part that we keep: `jti` is what a revocation goes by.
#[test]
fn a_token_without_a_name_of_its_own_is_refused() {
    for value in [json!(""), json!(1), json!(null), json!(["a"]), json!("x".repeat(129))] {
        assert_eq!(flaw(&with_claim("jti", Some(value.clone()))), Some(Flaw::TokenId), "{value}");
    }
    assert_eq!(flaw(&with_claim("jti", None)), Some(Flaw::TokenId));
}

#[test]
fn a_scope_is_a_string_where_it_is_there() {
    assert_eq!(flaw(&with_claim("scope", None)), None);
    for value in [json!(["read"]), json!(1), json!(null), json!({})] {
        assert_eq!(flaw(&with_claim("scope", Some(value.clone()))), Some(Flaw::Scope), "{value}");
    }
}

/// Checklist row 42.
#[test]
fn claims_that_are_no_object_of_distinct_members_are_refused() {
    let good = payload().to_string();
    let with = |member: &str| good.replacen('{', &format!("{{{member},"), 1);
    for claims in [
        with("\"sub\":\"8\""),
        with("\"su\\u0062\":\"8\""),
        with("\"aud\":\"x\""),
        with("\"exp\":1"),
        with("\"iss\":\"x\""),
        with("\"role\":1,\"role\":2"),
        with("\"role\":1,\"\\u0072ole\":2"),
        with("\"x\":{\"y\":[{\"z\":1,\"z\":2}]}"),
        with("\"user\":{}"),
        format!("[{good}]"),
        "[]".into(),
        "null".into(),
        "\"x\"".into(),
        format!("{good}{good}"),
        format!("{good},"),
        format!("\u{feff}{good}"),
        "{}}".into(),
    ] {
        assert_eq!(flaw(&sign(&header(), &claims)), Some(Flaw::Claims), "{claims}");
    }
    assert_eq!(flaw(&sign(&header(), "{}")), Some(Flaw::Issuer));
    assert_eq!(flaw(&sign(&header(), &with("\"x\":{\"y\":[{\"z\":1},{\"z\":2}]}"))), None);
    let utf16: Vec<u8> = good.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for claims in [&utf16[..], b"{\"sub\":\"\xff\"}", b"\xc0\x80"] {
        let token = forge(Algorithm::HS256, header().as_bytes(), claims);
        assert_eq!(flaw(&token), Some(Flaw::Claims));
    }
}

/// Checklist row 51: a forged token's claims are not even read.
#[test]
fn nothing_of_the_claims_is_told_of_a_token_that_is_not_signed() {
    for claims in ["not json", "{}", &payload().to_string()] {
        let token = sign(&header(), claims);
        let forged = format!("{}AAAA", &token[..token.len() - 4]);
        assert_eq!(flaw(&forged), Some(Flaw::Signature), "{claims}");
    }
}

#[test]
fn each_flaw_has_a_code_of_its_own() {
    let all = [
        Flaw::TooLong,
        Flaw::Malformed,
        Flaw::Header,
        Flaw::Critical,
        Flaw::ForbiddenHeader,
        Flaw::Type,
        Flaw::UnknownKey,
        Flaw::Algorithm,
        Flaw::Signature,
        Flaw::Claims,
        Flaw::Issuer,
        Flaw::Audience,
        Flaw::Subject,
        Flaw::TokenId,
        Flaw::Scope,
        Flaw::Expiry,
        Flaw::IssuedAt,
        Flaw::NotBefore,
        Flaw::Lifetime,
        Flaw::Expired,
        Flaw::NotYetValid,
    ];
    let codes: std::collections::HashSet<_> = all.iter().map(|flaw| flaw.code()).collect();
    assert_eq!(codes.len(), all.len());
}
