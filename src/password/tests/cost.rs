//! src/password/tests/cost.rs: every answer costs the same work, and the work no memory of its own.

use std::sync::atomic::Ordering;

use super::*;

/// Checklist row 80, ASVS 5.0 6.3.8.
#[tokio::test]
async fn each_answer_is_one_run_with_the_parameters_of_today() {
    let passwords = passwords();
    let stored = passwords.hash("correct horse").await.unwrap();
    let hostile = theirs::MORE_ROUNDS.replace("m=12288", "m=4194304");
    let over = "a".repeat(1_025);
    let unusable = ["", "plain", theirs::ARGON2I, &hostile, "$argon2id$", "$pepper$9$argon2id$"];
    let mut cases = vec![
        ("right", "correct horse", Some(&*stored)),
        ("wrong", "x", Some(&stored)),
        ("empty", "", Some(&stored)),
        ("over-long", &over, Some(&stored)),
        ("unknown", "x", None),
        ("unknown and empty", "", None),
        ("unknown and over-long", &over, None),
    ];
    cases.extend(unusable.map(|stored| ("unusable", "x", Some(stored))));
    cases.extend(unusable.map(|stored| ("unusable and over-long", &*over, Some(stored))));
    for (what, typed, stored) in cases {
        let before = passwords.runs().len();
        match stored {
            Some(stored) => {
                let verdict = passwords.verify(typed, stored).await.unwrap();
                assert_eq!(verdict.is_right(), what == "right");
            }
            None => passwords.verify_unknown(typed).await.unwrap(),
        }
        assert_eq!(passwords.runs()[before..], [TODAY], "{what}");
    }
}

#[tokio::test]
async fn a_hash_of_other_parameters_costs_its_own_run_and_a_right_one_that_of_the_new_hash_too() {
    let passwords = passwords();
    let other = Passwords::new(&Hashing { iterations: 3, ..cheap() }, Hooks::new());
    let stored = other.hash("x").await.unwrap();
    let its = Cost { iterations: 3, ..TODAY };
    assert!(!passwords.verify("y", &stored).await.unwrap().is_right());
    assert_eq!(passwords.runs(), [its]);
    assert!(!passwords.verify(&"y".repeat(1_025), &stored).await.unwrap().is_right());
    assert_eq!(passwords.runs()[1..], [its]);
    assert!(passwords.verify("x", &stored).await.unwrap().is_right());
    assert_eq!(passwords.runs()[2..], [its, TODAY]);
}

/// Checklist row 81: resident memory is m times the hashes that run at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_hashes_work_in_as_many_pieces_of_memory_as_run_at_once() {
    let settings = Hashing { at_once: Some(3), queue: 100, ..cheap() };
    let settings = Hashing { longest_wait: Duration::from_secs(60), ..settings };
    let passwords = Passwords::new(&settings, Hooks::new());
    let allocations = || passwords.desk.workshop().allocations.load(Ordering::Relaxed);
    assert_eq!(allocations(), 0, "nothing is taken before the first hash");
    let verify = || async { passwords.verify_unknown("x").await.unwrap() };
    futures_util::future::join_all((0..100).map(|_| verify())).await;
    assert!((1..=3).contains(&allocations()), "{} pieces", allocations());
}

#[tokio::test]
async fn memory_grows_for_a_larger_hash_and_is_used_again_for_smaller_ones() {
    let passwords = passwords();
    let larger = Passwords::new(&Hashing { memory_kib: 64, ..cheap() }, Hooks::new());
    let large = larger.hash("x").await.unwrap();
    for _ in 0..3 {
        passwords.verify_unknown("x").await.unwrap();
        assert!(!passwords.verify("y", &large).await.unwrap().is_right());
    }
    assert_eq!(passwords.desk.workshop().allocations.load(Ordering::Relaxed), 2);
}
