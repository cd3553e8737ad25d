//! src/password/tests/stored.rs: a stored hash is not trusted.

use proptest::prelude::*;

use super::*;
use crate::password::Unusable;

async fn unusable(passwords: &Passwords, stored: &str) -> Option<Unusable> {
    let verdict = passwords.verify("correct horse", stored).await.unwrap();
    assert!(!verdict.is_right() && verdict.new_hash().is_none(), "{stored}");
    verdict.unusable()
}

/// Checklist row 76.
#[tokio::test]
async fn what_is_no_hash_of_ours_is_wrong_and_says_why() {
    let passwords = production();
    let good = theirs::MORE_ROUNDS;
    let changed = |from: &str, to: &str| good.replacen(from, to, 1);
    let (head, hash) = good.rsplit_once('$').unwrap();
    for (stored, why) in [
        (String::new(), Unusable::UnknownKind),
        ("correct horse".into(), Unusable::UnknownKind),
        ("$2b$12$abcdefghijklmnopqrstuv".into(), Unusable::UnknownKind),
        (theirs::ARGON2I.into(), Unusable::UnknownKind),
        (theirs::ARGON2D.into(), Unusable::UnknownKind),
        (format!(" {good}"), Unusable::UnknownKind),
        (changed("v=19", "v=16"), Unusable::Version),
        (changed("$v=19", ""), Unusable::Version),
        (changed("$m=12288,t=3,p=1", ""), Unusable::Malformed),
        (changed("m=12288,", ""), Unusable::Malformed),
        (changed("m=12288,t=3,p=1", "t=3,m=12288,p=1"), Unusable::Malformed),
        (changed("m=12288", "m=012288"), Unusable::Malformed),
        (changed("m=12288", "m=-1"), Unusable::Malformed),
        (changed("m=12288", "m=99999999999"), Unusable::Malformed),
        (changed("p=1", "p=1,keyid=AAAA"), Unusable::Malformed),
        (changed("p=1", "p=1,data=AAAA"), Unusable::Malformed),
        (changed("p=1", "p=1,p=1"), Unusable::Malformed),
        (head.into(), Unusable::Malformed),
        (format!("{good}="), Unusable::Malformed),
        (format!("{good}$x"), Unusable::Malformed),
        (good[..good.len() - 2].into(), Unusable::Malformed),
        ("$pepper$".into(), Unusable::Malformed),
        (format!("$pepper${good}"), Unusable::Malformed),
        (format!("$pepper$1{}", theirs::ARGON2I), Unusable::Malformed),
        (format!("$pepper$1{good}"), Unusable::UnknownPepper),
        (changed("m=12288", "m=4194304"), Unusable::TooCostly),
        (changed("m=12288", "m=4294967295"), Unusable::TooCostly),
        (changed("t=3", "t=17"), Unusable::TooCostly),
        (changed("p=1", "p=9"), Unusable::TooCostly),
        (changed("m=12288", "m=1023"), Unusable::TooWeak),
        (changed("t=3", "t=0"), Unusable::TooWeak),
        (changed("p=1", "p=0"), Unusable::TooWeak),
        (changed("AAECAwQFBgcICQoLDA0ODw", "AAECAwQFBg"), Unusable::Malformed),
        (format!("{head}${}", &hash[..20]), Unusable::TooWeak),
    ] {
        let found = unusable(&passwords, &stored).await;
        assert_eq!(found, Some(why), "{stored:?}");
    }
    assert!(passwords.runs().iter().all(|run| *run == Hashing::default().cost()));
}

/// Checklist row 76: computed, this costs 4 GiB and 13 s.
#[tokio::test]
async fn a_hash_that_asks_for_four_gibibytes_is_refused_before_any_work() {
    let passwords = passwords();
    let stored = theirs::MORE_ROUNDS.replace("m=12288,t=3", "m=4194304,t=16");
    let begun = tokio::time::Instant::now();
    assert_eq!(unusable(&passwords, &stored).await, Some(Unusable::TooCostly));
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(50), "{took:?}");
    assert_eq!(passwords.runs(), [TODAY]);
}

#[tokio::test]
async fn the_ceiling_is_a_setting() {
    // Django's parameters: 100 MiB, two rounds, eight lanes.
    let stored = theirs::MORE_ROUNDS.replace("m=12288,t=3,p=1", "m=256,t=2,p=8");
    let settings = |max_memory_kib| Hashing { max_memory_kib, ..cheap() };
    let under = Passwords::new(&settings(Some(256)), Hooks::new());
    let over = Passwords::new(&settings(None), Hooks::new());
    assert_eq!(unusable(&over, &stored).await, Some(Unusable::TooCostly));
    assert_eq!(unusable(&under, &stored).await, None);
}

#[tokio::test]
async fn a_right_password_with_other_parameters_than_todays_brings_a_new_hash() {
    let passwords = passwords();
    for change in [
        |settings: &mut Hashing| settings.memory_kib = 64,
        |settings: &mut Hashing| settings.iterations = 2,
        |settings: &mut Hashing| settings.parallelism = 2,
    ] {
        let mut settings = cheap();
        change(&mut settings);
        let other = Passwords::new(&settings, Hooks::new());
        let stored = other.hash("correct horse").await.unwrap();
        let right = passwords.verify("correct horse", &stored).await.unwrap();
        let new = right.new_hash().expect("a new hash");
        assert!(passwords.verify("correct horse", new).await.unwrap().new_hash().is_none());
        let wrong = passwords.verify("correct horsf", &stored).await.unwrap();
        assert!(!wrong.is_right() && wrong.new_hash().is_none() && wrong.unusable().is_none());
    }
}

/// Texts that are nearly hashes, and such as are nothing.
fn texts() -> impl Strategy<Value = String> {
    let number = prop_oneof![0_u64..64, any::<u64>()].prop_map(|n| n.to_string());
    let base64 = "[A-Za-z0-9+/=_-]{0,90}";
    let nearly = (
        "(\\$pepper\\$[0-9a-z$]{0,3})?\\$argon2(id|i|d)?\\$(v=(19|16|20))?",
        "\\$?(m|t|p|x)?=?",
        prop::collection::vec(number, 3),
        base64,
        base64,
    );
    let nearly = nearly.prop_map(|(head, odd, numbers, salt, hash)| {
        let params = format!("m={},t={},p={}", numbers[0], numbers[1], numbers[2]);
        format!("{head}{odd}${params}${salt}${hash}")
    });
    let shaped = (0_u32..256, 0_u32..4, 0_u32..12, "[A-Za-z0-9+/]{0,64}", "[A-Za-z0-9+/]{43}");
    let shaped = shaped.prop_map(|(m, t, p, salt, hash)| {
        format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${hash}")
    });
    prop_oneof![any::<String>(), nearly, shaped]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Checklist row 76.
    #[test]
    fn no_text_that_is_no_hash_of_the_password_opens_anything_or_panics(
        stored in texts(),
        typed in any::<String>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let passwords = passwords();
        let verdict = runtime.block_on(passwords.verify(&typed, &stored)).unwrap();
        prop_assert!(!verdict.is_right() && verdict.new_hash().is_none());
        // Never more than one, and never above the ceiling.
        prop_assert_eq!(passwords.runs().len(), 1);
        prop_assert!(passwords.runs()[0].memory_kib <= 128);
    }

    /// Any text within the cap is a password, to the last bit.
    #[test]
    fn a_hash_is_opened_by_its_password_and_not_by_its_neighbour(
        chosen in "\\PC{1,40}",
        at in any::<prop::sample::Index>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let passwords = passwords();
        let stored = runtime.block_on(passwords.hash(&chosen)).unwrap();
        prop_assert!(runtime.block_on(passwords.verify(&chosen, &stored)).unwrap().is_right());
        let mut other: Vec<_> = chosen.chars().collect();
        let place = at.index(other.len());
        other.remove(place);
        let other: String = other.into_iter().collect();
        prop_assert!(!runtime.block_on(passwords.verify(&other, &stored)).unwrap().is_right());
    }
}
