//! src/password/tests/queue.rs: how many run and wait, and that every place comes back. Row 81.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::time::Instant;

use super::*;

/// Checklist row 81, ASVS 5.0 13.1.3.
#[tokio::test(start_paused = true)]
async fn one_more_than_may_wait_is_refused_at_once_and_nobody_before() {
    let passwords = waiting(Duration::from_secs(2), 64);
    let paused = passwords.gate.running().acquire().await.unwrap();
    let queue = join_all((0..64).map(|_| passwords.verify_unknown("x")));
    let one_more = async {
        let refused = passwords.verify_unknown("x").now_or_never().expect("at once");
        let also = passwords.hash("x").now_or_never().expect("at once");
        drop(paused);
        [refused.unwrap_err(), also.unwrap_err()]
    };
    let (answers, refused) = tokio::join!(queue, one_more);
    assert!(refused.iter().all(|error| error.is_busy() && error.code() == "busy"));
    assert!(answers.into_iter().all(|answer| answer.is_ok()));
    assert_eq!(passwords.gate.waiting().available_permits(), 64);
    assert_eq!(passwords.gate.running().available_permits(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_place_in_the_queue_is_held_for_the_longest_wait_and_no_longer() {
    let passwords = waiting(Duration::from_secs(2), 3);
    let paused = passwords.gate.running().acquire().await.unwrap();
    let begun = Instant::now();
    let answers = join_all((0..3).map(|_| passwords.verify_unknown("x"))).await;
    assert!(answers.into_iter().all(|answer| answer.unwrap_err().is_busy()));
    let waited = begun.elapsed();
    let longest = Duration::from_secs(2);
    assert!((longest..longest + Duration::from_millis(10)).contains(&waited), "{waited:?}");
    assert_eq!(passwords.gate.waiting().available_permits(), 3);
    drop(paused);
    assert!(passwords.verify_unknown("x").await.is_ok());
}

#[tokio::test]
async fn without_a_queue_whoever_cannot_run_is_refused() {
    let passwords = waiting(Duration::from_secs(2), 0);
    let paused = passwords.gate.running().acquire().await.unwrap();
    assert!(passwords.verify_unknown("x").await.unwrap_err().is_busy());
    drop(paused);
    assert!(passwords.verify_unknown("x").await.is_ok());
}

#[tokio::test]
async fn a_caller_that_goes_away_while_it_waits_leaves_its_place_at_once() {
    let passwords = waiting(Duration::from_secs(2), 1);
    let paused = passwords.gate.running().acquire().await.unwrap();
    let mut gone = Box::pin(passwords.verify_unknown("x"));
    assert!(gone.as_mut().now_or_never().is_none());
    assert_eq!(passwords.gate.waiting().available_permits(), 0);
    drop(gone);
    assert_eq!(passwords.gate.waiting().available_permits(), 1);
    drop(paused);
    assert!(passwords.runs().is_empty(), "nothing was computed for it");
}

/// A client hangs up while its hash runs: the processor is busy with it still, so its place is too.
#[tokio::test]
async fn the_place_of_a_hash_whose_caller_went_away_comes_back_when_the_hash_ends() {
    let (end, ended) = mpsc::channel::<()>();
    let ended = Arc::new(Mutex::new(ended));
    let hooks = Hooks::new().foreign(move |_, _| {
        ended.lock().unwrap().recv().unwrap();
        Some(false)
    });
    let settings = Hashing { queue: 0, ..cheap() };
    let passwords = Passwords::new(&settings, hooks);
    let mut gone = Box::pin(passwords.verify("x", "slow"));
    assert!(gone.as_mut().now_or_never().is_none());
    drop(gone);
    assert!(passwords.verify_unknown("x").await.unwrap_err().is_busy());
    end.send(()).unwrap();
    // It waits for the permit and takes no other: there is one.
    drop(passwords.gate.running().acquire().await.unwrap());
    assert!(passwords.verify_unknown("x").await.is_ok());
}
