//! src/session/acceptance_data.rs: what every store must do with an application's values of a session.

use std::time::Duration;

use super::acceptance::{Bench, live, tag};
use super::data::{Datum, Expect, Kept, LONGEST_KEY, MOST_BYTES, SetDatum};
use super::{Handle, Service, Session};
use crate::ticket::Ticket;

macro_rules! run_all {
    ($bench:path) => {
        $crate::session::acceptance_data::run_all! { $bench:
            a_value_is_found_by_its_key_as_it_was_written,
            two_keys_lose_nothing_and_two_sessions_share_nothing,
            of_two_writes_that_expect_one_revision_the_second_is_a_conflict,
            a_revision_is_never_given_twice,
            of_many_that_take_one_gets_it,
            values_are_bounded_and_what_is_removed_makes_room,
            a_value_is_kept_only_where_the_session_lives,
            whatever_ends_a_session_drops_its_values,
            of_many_increments_at_once_none_is_lost,
            a_value_is_set_read_taken_and_removed_by_its_type,
            who_writes_what_another_has_written_meanwhile_knows_it,
            what_cannot_be_kept_or_read_says_why
        }
    };
    ($bench:path: $($name:ident),*) => {$(
        #[tokio::test]
        async fn $name() {
            $crate::session::acceptance_data::$name($bench().await).await;
        }
    )*};
}
pub(crate) use run_all;

impl Bench {
    async fn handle(&self, ticket: &Ticket) -> Handle {
        live(&self.service(), ticket).await.unwrap().0.handle()
    }

    async fn get(&self, handle: &Handle, key: &str) -> Option<Datum> {
        self.store.data_get(&tag(1), handle, key).await.unwrap()
    }

    async fn text(&self, handle: &Handle, key: &str) -> Option<String> {
        self.get(handle, key).await.map(|datum| datum.json.into())
    }

    async fn set(
        &self,
        (ticket, handle): (&Ticket, &Handle),
        key: &str,
        json: &str,
        expect: Expect,
    ) -> Kept {
        let set = SetDatum { handle, key, json, expect };
        self.store.data_set(ticket.tag(), Some(&ticket.digest()), set).await.unwrap()
    }

    async fn take(&self, handle: &Handle, key: &str) -> Option<Datum> {
        self.store.data_take(&tag(1), handle, key).await.unwrap()
    }
}

pub async fn a_value_is_found_by_its_key_as_it_was_written(bench: Bench) {
    let ticket = bench.begin(1).await;
    let handle = bench.handle(&ticket).await;
    assert_eq!(bench.get(&handle, "cart").await, None);
    let long = "k".repeat(LONGEST_KEY);
    for (key, json) in [("cart", "[1, 2]\n"), ("é {}:*\0 key", "\"é\""), (&long, ""), ("u", "1")]
    {
        assert!(matches!(bench.set((&ticket, &handle), key, json, Expect::Any).await, Kept::As(_)));
        assert_eq!(bench.text(&handle, key).await.as_deref(), Some(json));
    }
    assert!(live(&bench.service(), &ticket).await.is_some());
}

pub async fn two_keys_lose_nothing_and_two_sessions_share_nothing(bench: Bench) {
    let (one, two) = (bench.begin(1).await, bench.begin(1).await);
    let (first, second) = (bench.handle(&one).await, bench.handle(&two).await);
    bench.set((&one, &first), "a", "1", Expect::Any).await;
    bench.set((&one, &first), "b", "2", Expect::Any).await;
    bench.set((&two, &second), "a", "3", Expect::Any).await;
    bench.set((&one, &first), "a", "4", Expect::Any).await;
    assert_eq!(bench.text(&first, "a").await.as_deref(), Some("4"));
    assert_eq!(bench.text(&first, "b").await.as_deref(), Some("2"));
    assert_eq!(bench.text(&second, "a").await.as_deref(), Some("3"));
    // A session writes under its own handle alone.
    assert_eq!(bench.set((&one, &second), "a", "5", Expect::Any).await, Kept::SessionGone);
    assert_eq!(bench.text(&second, "a").await.as_deref(), Some("3"));
}

pub async fn of_two_writes_that_expect_one_revision_the_second_is_a_conflict(bench: Bench) {
    let ticket = bench.begin(1).await;
    let handle = bench.handle(&ticket).await;
    let at = (&ticket, &handle);
    let Kept::As(first) = bench.set(at, "k", "1", Expect::Absent).await else {
        panic!("nothing was there");
    };
    assert_eq!(bench.set(at, "k", "2", Expect::Absent).await, Kept::Conflict);
    let Kept::As(second) = bench.set(at, "k", "3", Expect::Revision(first)).await else {
        panic!("it was as expected");
    };
    assert_eq!(bench.set(at, "k", "4", Expect::Revision(first)).await, Kept::Conflict);
    assert_eq!(bench.set(at, "other", "5", Expect::Revision(second)).await, Kept::Conflict);
    let held = bench.get(&handle, "k").await.unwrap();
    assert_eq!(held, Datum { revision: second, json: "3".into() });
    bench.set(at, "k", "3", Expect::Any).await;
    assert_eq!(
        bench.set(at, "k", "6", Expect::Revision(second)).await,
        Kept::Conflict,
        "the same value, written again"
    );
}

pub async fn a_revision_is_never_given_twice(bench: Bench) {
    let ticket = bench.begin(1).await;
    let handle = bench.handle(&ticket).await;
    let mut given = std::collections::HashSet::new();
    for n in 0..20 {
        let Kept::As(revision) = bench.set((&ticket, &handle), "k", "1", Expect::Any).await else {
            panic!("it is small");
        };
        assert!(given.insert(revision), "{revision} for the second time");
        if n % 3 == 0 {
            assert!(bench.store.data_remove(&tag(1), &handle, "k").await.unwrap());
            assert!(!bench.store.data_remove(&tag(1), &handle, "k").await.unwrap());
        }
    }
}

pub async fn of_many_that_take_one_gets_it(bench: Bench) {
    let ticket = bench.begin(1).await;
    let handle = bench.handle(&ticket).await;
    bench.set((&ticket, &handle), "flash", "\"saved\"", Expect::Any).await;
    let takes = (0..20).map(|_| bench.take(&handle, "flash"));
    let taken = futures_util::future::join_all(takes).await;
    let taken: Vec<_> = taken.into_iter().flatten().collect();
    assert_eq!(taken.len(), 1);
    assert_eq!(&*taken[0].json, "\"saved\"");
}

pub async fn values_are_bounded_and_what_is_removed_makes_room(bench: Bench) {
    let ticket = bench.begin(1).await;
    let handle = bench.handle(&ticket).await;
    let at = (&ticket, &handle);
    let most = "x".repeat(MOST_BYTES - 1);
    assert_eq!(bench.set(at, "k", &format!("{most}x"), Expect::Any).await, Kept::TooLarge);
    assert_eq!(bench.get(&handle, "k").await, None);
    assert!(matches!(bench.set(at, "k", &most, Expect::Any).await, Kept::As(_)));
    assert_eq!(bench.set(at, "l", "", Expect::Any).await, Kept::TooLarge);
    assert_eq!(bench.set(at, "k", &format!("{most}x"), Expect::Any).await, Kept::TooLarge);
    assert_eq!(bench.text(&handle, "k").await.as_deref(), Some(&*most), "as it was");
    assert!(matches!(bench.set(at, "k", &most[1..], Expect::Any).await, Kept::As(_)));
    assert!(matches!(bench.set(at, "l", "", Expect::Any).await, Kept::As(_)), "a byte is free");
    for _ in 0..3 {
        assert!(bench.take(&handle, "k").await.is_some());
        assert!(matches!(bench.set(at, "k", &most[1..], Expect::Any).await, Kept::As(_)));
    }
}

pub async fn a_value_is_kept_only_where_the_session_lives(bench: Bench) {
    let ticket = bench.begin(1).await;
    let handle = bench.handle(&ticket).await;
    let stranger = Ticket::random(tag(1)).unwrap();
    let nobody = Ticket::random(tag(2)).unwrap();
    for other in [&stranger, &nobody] {
        let kept = bench.set((other, &handle), "k", "1", Expect::Any).await;
        assert_eq!(kept, Kept::SessionGone);
    }
    assert_eq!(bench.get(&handle, "k").await, None);
    bench.set((&ticket, &handle), "k", "1", Expect::Any).await;
    bench.service().end(&ticket).await.unwrap();
    for expect in [Expect::Any, Expect::Absent, Expect::Revision(1)] {
        let kept = bench.set((&ticket, &handle), "k", "2", expect).await;
        assert_eq!(kept, Kept::SessionGone, "{expect:?}");
    }
    assert_eq!(bench.get(&handle, "k").await, None);
    assert_eq!(bench.take(&handle, "k").await, None);
}

pub async fn whatever_ends_a_session_drops_its_values(bench: Bench) {
    let service = bench.service_with(|lifetimes| lifetimes.max_per_user = 2);
    let begin = async |presented: &[Ticket]| {
        bench.clock.advance(Duration::from_millis(1));
        let ticket = service.begin(bench.login(1, presented)).await.unwrap().0;
        let handle = bench.handle(&ticket).await;
        bench.set((&ticket, &handle), "k", "1", Expect::Any).await;
        (ticket, handle)
    };
    let (ended, replaced) = (begin(&[]).await, begin(&[]).await);
    service.end(&ended.0).await.unwrap();
    assert_eq!(bench.get(&ended.1, "k").await, None, "a logout");
    assert!(bench.get(&replaced.1, "k").await.is_some(), "another session's");
    let oldest = begin(std::slice::from_ref(&replaced.0)).await;
    assert_eq!(bench.get(&replaced.1, "k").await, None, "a login that replaced it");
    let (second, third) = (begin(&[]).await, begin(&[]).await);
    assert_eq!(bench.get(&oldest.1, "k").await, None, "an eviction");
    service.end_all(&tag(1)).await.unwrap();
    for handle in [second.1, third.1] {
        assert_eq!(bench.get(&handle, "k").await, None, "a logout everywhere");
    }
    bench.clock.advance(Duration::from_secs(2));
    let idle = begin(&[]).await;
    bench.clock.advance(Duration::from_secs(60 * 60));
    begin(&[]).await;
    assert_eq!(bench.get(&idle.1, "k").await, None, "a dead one that a login trimmed");
}

/// Two tabs that read, change and write: whoever comes second knows it, and comes again.
pub async fn of_many_increments_at_once_none_is_lost(bench: Bench) {
    let ticket = bench.begin(1).await;
    let handle = bench.handle(&ticket).await;
    let increment = async || {
        loop {
            let held = bench.get(&handle, "n").await;
            let count = held.as_ref().map_or(0, |datum| datum.json.parse::<u32>().unwrap());
            let expect = held.map_or(Expect::Absent, |datum| Expect::Revision(datum.revision));
            let next = (count + 1).to_string();
            if let Kept::As(_) = bench.set((&ticket, &handle), "n", &next, expect).await {
                return;
            }
        }
    };
    futures_util::future::join_all((0..20).map(|_| increment())).await;
    assert_eq!(bench.text(&handle, "n").await.as_deref(), Some("20"));
}

/// A session of the fairing `shop`.
async fn named(bench: &Bench) -> (Service, Ticket, Session) {
    let service = bench.service().named("shop".into());
    let (ticket, session) = service.begin(bench.login(1, &[])).await.unwrap();
    (service, ticket, session)
}

pub async fn a_value_is_set_read_taken_and_removed_by_its_type(bench: Bench) {
    let (_, _, session) = named(&bench).await;
    let cart = session.data::<Vec<u64>>("cart");
    assert_eq!(cart.get().await.unwrap(), None);
    cart.set(&vec![1, 2]).await.unwrap();
    assert_eq!(cart.get().await.unwrap(), Some(vec![1, 2]));
    assert_eq!(cart.take().await.unwrap(), Some(vec![1, 2]));
    assert_eq!(cart.take().await.unwrap(), None);
    assert!(!cart.remove().await.unwrap());
    cart.set(&vec![]).await.unwrap();
    assert!(cart.remove().await.unwrap());
}

pub async fn who_writes_what_another_has_written_meanwhile_knows_it(bench: Bench) {
    let (_, _, session) = named(&bench).await;
    let (one, two) = (session.data::<u32>("n"), session.data::<u32>("n"));
    one.compare_and_set(None, &1).await.unwrap();
    let failure = two.compare_and_set(None, &1).await.unwrap_err();
    assert_eq!((failure.code(), failure.denied().fairing()), ("data_conflict", Some("shop")));
    let entry = one.entry().await.unwrap().unwrap();
    assert_eq!(entry.value(), &1);
    two.compare_and_set(Some(&entry), &2).await.unwrap();
    let failure = one.compare_and_set(Some(&entry), &3).await.unwrap_err();
    assert_eq!(failure.code(), "data_conflict");
    assert_eq!(one.get().await.unwrap(), Some(2));
}

pub async fn what_cannot_be_kept_or_read_says_why(bench: Bench) {
    let (service, ticket, session) = named(&bench).await;
    let long = "k".repeat(65);
    for key in ["", &long] {
        let value = session.data::<u32>(key);
        for failure in [
            value.get().await.map(drop),
            value.set(&1).await,
            value.take().await.map(drop),
            value.remove().await.map(drop),
        ] {
            assert_eq!(failure.unwrap_err().code(), "data_key");
        }
    }
    let text = session.data::<String>("text");
    let failure = text.set(&"x".repeat(16 * 1024)).await.unwrap_err();
    assert_eq!((failure.code(), failure.denied().reason().status()), ("data_too_large", 413));
    text.set(&"word".to_owned()).await.unwrap();
    assert_eq!(session.data::<u32>("text").get().await.unwrap_err().code(), "data_unreadable");
    let pairs = session.data::<std::collections::HashMap<Vec<u8>, u8>>("pairs");
    let failure = pairs.set(&[(vec![1], 1)].into()).await.unwrap_err();
    assert_eq!(failure.code(), "data_not_storable");
    service.end(&ticket).await.unwrap();
    assert_eq!(text.set(&String::new()).await.unwrap_err().code(), "session_invalid");
    assert_eq!(text.get().await.unwrap(), None);
}
