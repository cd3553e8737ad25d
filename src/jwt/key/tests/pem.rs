//! src/jwt/key/tests/pem.rs: PEM files as OpenSSL writes them.

use super::*;

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/keys/", $name, ".pem"))
    };
}

fn read(pem: &str) -> Result<Key, KeyError> {
    Key::from_pem(pem.as_bytes(), "k")
}

fn text(pem: &str) -> String {
    assert!(read(file!("p256")).is_ok());
    match read(pem) {
        Err(KeyError::Unreadable(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_private_key_in_every_form_signs_what_its_public_file_verifies() {
    for (private, public, algorithm) in [
        (file!("rsa"), file!("rsa-public"), Algorithm::RS256),
        (file!("rsa-pkcs1"), file!("rsa-public-pkcs1"), Algorithm::RS256),
        (file!("p256"), file!("p256-public"), Algorithm::ES256),
        (file!("p256-sec1"), file!("p256-public"), Algorithm::ES256),
        (file!("p384"), file!("p384-public"), Algorithm::ES384),
        (file!("p384-sec1"), file!("p384-public"), Algorithm::ES384),
        (file!("ed25519"), file!("ed25519-public"), Algorithm::EdDSA),
    ] {
        let (private, public) = (read(private).unwrap(), read(public).unwrap());
        assert_eq!((private.algorithm(), public.algorithm()), (algorithm, algorithm));
        assert!(private.can_sign() && !public.can_sign());
        assert!(public.verify(b"m", &private.sign(b"m").unwrap()), "{algorithm}");
        assert_eq!(private.public_jwk(), public.public_jwk());
        assert_eq!(private.kid(), "k");
        private.self_test().unwrap();
    }
    assert!(read(file!("p256-params")).unwrap().can_sign(), "with its curve in front");
}

#[test]
fn line_ends_comments_and_spaces_around_the_block_do_not_matter() {
    let good = file!("ed25519");
    for pem in [
        good.replace('\n', "\r\n"),
        good.trim_end().to_owned(),
        format!("Bag Attributes: none\n\n{good}\n\n"),
        good.replace('\n', " \n"),
    ] {
        assert!(read(&pem).is_ok(), "{pem:?}");
    }
}

/// Checklist row 54.
#[test]
fn an_rsa_key_of_1024_bits_is_weak_and_one_of_2048_is_warned_of() {
    assert!(is_weak(read(file!("rsa-1024"))));
    let warnings = read(file!("rsa")).unwrap().warnings();
    assert!(warnings[0].contains("2048 bits"), "{warnings:?}");
    assert!(read(file!("ed25519")).unwrap().warnings().is_empty());
}

#[test]
fn what_is_no_single_plain_key_is_refused_with_the_way_out() {
    assert!(text(file!("certificate")).contains("openssl x509 -pubkey"));
    assert!(text(file!("encrypted")).contains("passphrase"));
    assert!(text(file!("encrypted-pkcs1")).contains("passphrase"));
    assert!(text(&[file!("p256"), file!("ed25519")].concat()).contains("one key"));
    assert!(text(&[file!("p256"), file!("p256-public")].concat()).contains("one key"));
    assert!(text(file!("p256-compressed")).contains("uncompressed"));
    for other in [file!("p521"), file!("x25519"), file!("rsa-pss")] {
        assert!(text(other).contains("none of RSA, P-256"));
    }
    assert!(text("").contains("no key"));
    assert!(text("ssh-ed25519 AAAA").contains("no key"));
    assert!(matches!(Key::from_pem(&[0x30, 0x82, 0xff], "k"), Err(KeyError::Unreadable(_))));
    assert!(text(&" ".repeat(MAX_FILE + 1)).contains("longer"));
}

#[test]
fn a_damaged_file_is_refused_wherever_it_is_cut_or_changed() {
    for good in [file!("rsa"), file!("p256"), file!("p384-sec1"), file!("ed25519-public")] {
        assert!(read(good).is_ok());
        for cut in (0..good.trim_end().len()).step_by(7) {
            assert!(is_unreadable(read(&good[..cut])), "{cut}");
        }
        let lines: Vec<_> = good.lines().collect();
        let longer = good.replacen(lines[1], &format!("AAAA{}", lines[1]), 1);
        assert!(is_unreadable(read(&longer)));
        assert!(is_unreadable(read(&good.replace("END ", "END OTHER "))));
        assert!(is_unreadable(read(&good.replacen(lines[1], &format!("{}=", lines[1]), 1))));
    }
}

/// Whatever bytes a block holds, reading it ends in a key or in an error.
#[test]
fn a_block_with_any_bit_turned_ends_in_a_key_or_an_error_and_never_in_a_panic() {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    for good in [file!("p256"), file!("ed25519"), file!("ed25519-public"), file!("p256-public")] {
        let (label, body) = good.trim().trim_matches('-').split_once("-----\n").unwrap();
        let label = label.trim_start_matches("BEGIN ");
        let body: String = body.lines().take_while(|line| !line.starts_with('-')).collect();
        let der = STANDARD.decode(body).unwrap();
        let written = |der: &[u8]| {
            let body = STANDARD.encode(der);
            read(&format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n"))
        };
        assert!(written(&der).is_ok());
        for bit in 0..der.len() * 8 {
            let mut der = der.clone();
            der[bit / 8] ^= 1 << (bit % 8);
            if let Ok(key) = written(&der) {
                assert!(!key.verify(b"m", &[0; 64]));
            }
        }
        for length in 0..der.len() {
            assert!(written(&der[..length]).is_err(), "{length}");
        }
    }
}
