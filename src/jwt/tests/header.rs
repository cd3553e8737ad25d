//! src/jwt/tests/header.rs: headers that ask for something, rightly signed.

use super::*;

/// Checklist row 34.
#[test]
fn none_in_any_spelling_is_refused_with_and_without_a_signature() {
    for name in ["none", "None", "NONE", "nOnE", "", "hs256", "HS256 ", "Hs256"] {
        let header = header().replace("\"HS256\",\"typ", &format!("\"{name}\",\"typ"));
        let token = sign(&header, &payload().to_string());
        assert_eq!(flaw(&token), Some(Flaw::Algorithm), "{name}");
        let (signed, _) = token.rsplit_once('.').unwrap();
        assert_eq!(flaw(signed), Some(Flaw::Malformed), "{name}");
        assert_eq!(flaw(&format!("{signed}.")), Some(Flaw::Malformed), "{name}");
        assert_eq!(flaw(&format!("{signed}.AA")), Some(Flaw::Algorithm), "{name}");
    }
}

/// Checklist row 36: a key in a token is a key of whoever made the token, also where we made it.
#[test]
fn a_key_in_the_header_is_refused_also_under_our_own_signature() {
    let (foreign, foreign_jwk) = Key::generate("HS256", Algorithm::HS256, None).unwrap();
    let public = key(Algorithm::ES256).public_jwk().unwrap();
    for member in [
        format!("\"jwk\":{}", *foreign_jwk),
        format!("\"jwk\":{public}"),
        r#""jku":"http://127.0.0.1:9/keys""#.to_owned(),
        r#""x5u":"http://127.0.0.1:9/chain""#.to_owned(),
        r#""x5c":["MIIB"]"#.to_owned(),
        r#""x5t":"AAAA""#.to_owned(),
        r#""x5t#S256":"AAAA""#.to_owned(),
    ] {
        assert_eq!(flaw(&with_header(&member)), Some(Flaw::ForbiddenHeader), "{member}");
        let header = header().replace('}', &format!(",{member}}}"));
        let (header, claims) = (header.as_bytes(), payload().to_string());
        let signed = format!("{}.{}", secret::encode(header), secret::encode(claims.as_bytes()));
        let signature = secret::encode(&foreign.sign(signed.as_bytes()).unwrap());
        assert_eq!(flaw(&format!("{signed}.{signature}")), Some(Flaw::ForbiddenHeader));
    }
}

/// Checklist row 37.
#[test]
fn a_kid_is_looked_up_exactly_and_leads_nowhere_else() {
    let long = "k".repeat(5000);
    let named = |kid: &str| header().replace("\"kid\":\"HS256\"", &format!("\"kid\":{kid}"));
    for kid in [
        &format!("\"{long}\""),
        "\"\"",
        "\"HS256\\u0000\"",
        "\"HS256\\r\\nforged line\"",
        "\"../../dev/null\"",
        "\"' OR 1=1 --\"",
        "\"hs256\"",
        "\"HS256 \"",
        "\"HS25\"",
    ] {
        let token = sign(&named(kid), &payload().to_string());
        assert_eq!(flaw(&token), Some(Flaw::UnknownKey), "{kid}");
    }
    for kid in ["null", "7", "[\"HS256\"]", "{\"HS256\":null}"] {
        let token = sign(&named(kid), &payload().to_string());
        assert_eq!(flaw(&token), Some(Flaw::Header), "{kid}");
    }
    let without = header().replace(",\"kid\":\"HS256\"", "");
    assert_eq!(flaw(&sign(&without, &payload().to_string())), Some(Flaw::Header));
    // Another key's name is not the key that signed.
    let other = sign(&named("\"HS384\""), &payload().to_string());
    assert_eq!(flaw(&other), Some(Flaw::Algorithm));
}

/// Checklist row 38.
#[test]
fn any_crit_is_refused_in_a_token_that_we_signed() {
    for crit in [r#"["x"]"#, "[]", r#"["b64"]"#, "null", r#""exp""#, r#"["alg","alg"]"#] {
        assert_eq!(flaw(&with_header(&format!("\"crit\":{crit}"))), Some(Flaw::Critical), "{crit}");
    }
}

/// Checklist row 39: RFC 7797 signs the payload as it is, and not its base64url form.
#[test]
fn an_unencoded_payload_is_refused_with_and_without_crit() {
    assert_eq!(flaw(&with_header("\"b64\":false")), Some(Flaw::ForbiddenHeader));
    assert_eq!(flaw(&with_header("\"b64\":true")), Some(Flaw::ForbiddenHeader));
    assert_eq!(flaw(&with_header(r#""b64":false,"crit":["b64"]"#)), Some(Flaw::Critical));
}

/// Checklist row 43.
#[test]
fn a_header_of_an_encrypted_or_packed_token_is_refused() {
    for member in [r#""enc":"A256GCM""#, r#""zip":"DEF""#, r#""cty":"JWT""#] {
        assert_eq!(flaw(&with_header(member)), Some(Flaw::ForbiddenHeader), "{member}");
    }
}

/// Checklist row 42.
#[test]
fn a_header_with_two_members_of_one_name_is_refused() {
    for member in [r#""alg":"HS256""#, r#""\u0061lg":"none""#, r#""kid":"HS256""#] {
        assert_eq!(flaw(&with_header(member)), Some(Flaw::Header), "{member}");
    }
    assert_eq!(flaw(&with_header(r#""x":{"y":1,"\u0079":2}"#)), Some(Flaw::Header));
    assert_eq!(flaw(&with_header(r#""x":{"y":1,"z":2}"#)), None);
    for header in ["[]", "null", "\"x\"", "7", "{\"alg\":{\"HS256\":null}}"] {
        assert_eq!(flaw(&sign(header, &payload().to_string())), Some(Flaw::Header), "{header}");
    }
    let token = forge(Algorithm::HS256, b"{\"alg\":\"\xff\"}", b"{}");
    assert_eq!(flaw(&token), Some(Flaw::Header));
}

/// Checklist row 49.
#[test]
fn a_token_of_another_type_is_refused() {
    for kind in ["JWT", "rt+jwt", "application/jwt", ""] {
        let header = header().replace("at+jwt", kind);
        assert_eq!(flaw(&sign(&header, &payload().to_string())), Some(Flaw::Type), "{kind}");
    }
    let without = header().replace(r#""typ":"at+jwt","#, "");
    assert_eq!(flaw(&sign(&without, &payload().to_string())), Some(Flaw::Type));
    let long = header().replace("at+jwt", "Application/AT+JWT");
    assert_eq!(flaw(&sign(&long, &payload().to_string())), None);
}

/// Checklist row 64.
#[test]
fn ed25519_is_read_as_the_name_that_eddsa_has_since_rfc_9864() {
    let named = |name| format!(r#"{{"alg":"{name}","typ":"at+jwt","kid":"EdDSA"}}"#);
    let token =
        |name| forge(Algorithm::EdDSA, named(name).as_bytes(), payload().to_string().as_bytes());
    assert_eq!(flaw(&token("EdDSA")), None);
    assert_eq!(flaw(&token("Ed25519")), None);
    assert_eq!(flaw(&token("Ed448")), Some(Flaw::Algorithm));
    let written = secret::decode_all(key(Algorithm::EdDSA).header().as_bytes()).unwrap();
    assert!(String::from_utf8(written).unwrap().contains(r#""alg":"EdDSA""#));
}
