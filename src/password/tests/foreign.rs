//! src/password/tests/foreign.rs: the application's hooks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::*;
use crate::password::Unusable;

/// Knows texts of the form `old:<password>`, and remembers what it was asked.
#[derive(Clone, Default)]
struct Old(Arc<Mutex<Vec<String>>>);

impl Old {
    fn passwords(&self) -> Passwords {
        let asked = self.0.clone();
        let hooks = Hooks::new().foreign(move |typed, stored| {
            asked.lock().unwrap().push(stored.to_owned());
            stored.strip_prefix("old:").map(|right| right == typed)
        });
        Passwords::new(&cheap(), hooks)
    }
}

#[tokio::test]
async fn a_foreign_hash_that_is_right_brings_one_of_ours() {
    let passwords = Old::default().passwords();
    let right = passwords.verify("x", "old:x").await.unwrap();
    assert!(right.is_right());
    assert!(passwords.verify("x", right.new_hash().unwrap()).await.unwrap().is_right());
    let wrong = passwords.verify("y", "old:x").await.unwrap();
    assert!(!wrong.is_right() && wrong.new_hash().is_none() && wrong.unusable().is_none());
    let unknown = passwords.verify("x", "new:x").await.unwrap();
    assert_eq!(unknown.unusable(), Some(Unusable::UnknownKind));
}

#[tokio::test]
async fn the_hook_is_asked_about_nothing_that_is_ours_and_never_with_an_impossible_password() {
    let old = Old::default();
    let passwords = old.passwords();
    let ours = passwords.hash("x").await.unwrap();
    for stored in [&*ours, "$argon2id$", "$pepper$1$argon2id$"] {
        let _ = passwords.verify("x", stored).await.unwrap();
    }
    for typed in ["", &"a".repeat(1_025)] {
        let verdict = passwords.verify(typed, "old:").await.unwrap();
        assert!(!verdict.is_right() && verdict.unusable().is_none());
    }
    assert!(old.0.lock().unwrap().is_empty());
    let _ = passwords.verify("x", theirs::ARGON2I).await.unwrap();
    assert_eq!(*old.0.lock().unwrap(), [theirs::ARGON2I]);
}

/// Checklist row 79, ASVS 5.0 6.2.4.
#[tokio::test]
async fn a_password_on_the_blocklist_cannot_be_chosen_and_still_logs_in() {
    let stored = passwords().hash("123456").await.unwrap();
    let hooks = Hooks::new().blocklist(|chosen| chosen == "123456");
    let passwords = Passwords::new(&Hashing { iterations: 2, ..cheap() }, hooks);
    let refused = passwords.hash("123456").await.unwrap_err();
    assert!(refused.is_blocked() && refused.is_refused() && !refused.is_busy());
    assert_eq!(refused.code(), "password_blocked");
    assert!(passwords.runs().is_empty());
    assert!(passwords.hash("1234567").await.is_ok());
    // And its hash is made anew, or it would stay weak for ever.
    assert!(passwords.verify("123456", &stored).await.unwrap().new_hash().is_some());
}

#[tokio::test]
async fn hooks_run_off_the_async_threads_and_a_panic_in_one_costs_no_place() {
    let here = thread::current().id();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let elsewhere = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        assert_ne!(thread::current().id(), here);
    };
    let also = elsewhere.clone();
    let hooks = Hooks::new().foreign(move |_, _| {
        elsewhere();
        panic!("a foreign hash that its library cannot bear")
    });
    let hooks = hooks.blocklist(move |_| {
        also();
        false
    });
    let passwords = Passwords::new(&cheap(), hooks);
    for _ in 0..3 {
        let failed = passwords.verify("x", "$2b$").await.unwrap_err();
        assert!(failed.code() == "password_failed" && !failed.is_busy());
        assert!(passwords.hash("x").await.is_ok());
    }
    assert_eq!(calls.load(Ordering::Relaxed), 6);
}
