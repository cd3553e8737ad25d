//! src/session/acceptance_notice.rs: what every store must do for whoever waits for the end of a
//! session.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::task::JoinHandle;
use tokio::time;

use super::acceptance::{Bench, live, tag};
use super::data::{Expect, Kept, SetDatum};
use super::spy::Spy;
use super::{Login, Service, Session};
use crate::config::Lifetimes;
use crate::ticket::Ticket;

macro_rules! run_all {
    ($bench:path) => {
        $crate::session::acceptance_notice::run_all! { $bench:
            whatever_ends_or_rewrites_something_of_a_user_wakes_who_watches_that_user,
            a_stream_ends_within_a_second_of_whatever_ends_its_session,
            what_ends_another_session_ends_no_stream,
            a_session_that_has_ended_already_has_ended,
            a_stream_ends_when_the_time_of_its_session_is_over_and_not_before,
            a_step_up_ends_no_stream_and_the_logout_after_it_does,
            values_follow_the_session_through_a_step_up,
            an_outage_ends_no_stream_before_the_sessions_longest_time
        }
    };
    ($bench:path: $($name:ident),*) => {$(
        #[tokio::test]
        async fn $name() {
            $crate::session::acceptance_notice::$name($bench().await).await;
        }
    )*};
}
pub(crate) use run_all;

const SECOND: Duration = Duration::from_secs(1);

/// A stream that is open.
struct Stream(JoinHandle<()>);

impl Stream {
    async fn of(session: &Session) -> Self {
        let stream = Stream(tokio::spawn(session.ended()));
        // It has looked once, and waits.
        time::sleep(Duration::from_millis(50)).await;
        stream
    }

    async fn ends(self, why: &str) {
        assert!(time::timeout(SECOND, self.0).await.is_ok(), "{why} left a stream open");
    }

    async fn stays(&self, why: &str) {
        time::sleep(Duration::from_millis(600)).await;
        assert!(!self.0.is_finished(), "{why} ended a stream");
    }
}

async fn session(bench: &Bench, ticket: &Ticket) -> Session {
    live(&bench.service(), ticket).await.unwrap().0
}

pub async fn whatever_ends_or_rewrites_something_of_a_user_wakes_who_watches_that_user(
    bench: Bench,
) {
    let service = bench.service_with(|lifetimes| lifetimes.max_per_user = 3);
    let first = bench.begin(1).await;
    let (mut own, mut other) = (bench.store.watch(&tag(1)), bench.store.watch(&tag(2)));
    // The first connection wakes once.
    let pushed = async {
        while !own.is_pushed() {
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    time::timeout(SECOND, pushed).await.expect("notices arrive");
    while own.changed().now_or_never().is_some() || other.changed().now_or_never().is_some() {}
    let mut told = async |what: &str| {
        let waited = time::timeout(SECOND, own.changed()).await;
        assert!(waited.is_ok(), "{what} was not told");
        // Another process may have told it a second time.
        time::sleep(Duration::from_millis(30)).await;
        while own.changed().now_or_never().is_some() {}
    };
    service.end(&first).await.unwrap();
    told("an end").await;
    let kept = bench.begin(1).await;
    service.begin(bench.login(1, std::slice::from_ref(&kept))).await.unwrap();
    told("a login that replaced another").await;
    for _ in 0..3 {
        bench.clock.advance(Duration::from_millis(1));
        service.begin(bench.login(1, &[])).await.unwrap();
    }
    told("an eviction").await;
    let sessions = service.list(&tag(1)).await.unwrap();
    service.end_by_handle(&tag(1), &sessions[0].handle()).await.unwrap();
    told("an end by handle").await;
    service.update_user(&tag(1), bench.user("{}")).await.unwrap();
    told("a rewritten user").await;
    service.end_others(&tag(1), &sessions[1].handle()).await.unwrap();
    told("the end of the others").await;
    service.end_all(&tag(1)).await.unwrap();
    told("the end of all").await;
    assert!(other.changed().now_or_never().is_none(), "nothing of the other happened");
}

pub async fn a_stream_ends_within_a_second_of_whatever_ends_its_session(bench: Bench) {
    let service = bench.service_with(|lifetimes| lifetimes.max_per_user = 1);
    let begin = async || {
        bench.clock.advance(2 * SECOND);
        let (ticket, session) = service.begin(bench.login(1, &[])).await.unwrap();
        (ticket, Stream::of(&session).await, session)
    };
    let (ticket, stream, _) = begin().await;
    service.end(&ticket).await.unwrap();
    stream.ends("a logout").await;
    let (ticket, stream, _) = begin().await;
    service.begin(bench.login(1, std::slice::from_ref(&ticket))).await.unwrap();
    stream.ends("a new login").await;
    let (_, stream, _) = begin().await;
    begin().await;
    stream.ends("an eviction").await;
    let (_, stream, session) = begin().await;
    service.end_by_handle(&tag(1), &session.handle()).await.unwrap();
    stream.ends("an end by handle").await;
    let (_, stream, _) = begin().await;
    service.end_all(&tag(1)).await.unwrap();
    stream.ends("a logout everywhere").await;
}

pub async fn what_ends_another_session_ends_no_stream(bench: Bench) {
    let service = bench.service();
    let (own, other, foreign) = (bench.begin(1).await, bench.begin(1).await, bench.begin(2).await);
    let own = session(&bench, &own).await;
    let stream = Stream::of(&own).await;
    service.end(&other).await.unwrap();
    service.end_all(foreign.tag()).await.unwrap();
    service.end_others(&tag(1), &own.handle()).await.unwrap();
    service.update_user(&tag(1), bench.user("{}")).await.unwrap();
    stream.stays("the end of others").await;
}

pub async fn a_session_that_has_ended_already_has_ended(bench: Bench) {
    let ticket = bench.begin(1).await;
    let session = session(&bench, &ticket).await;
    bench.service().end(&ticket).await.unwrap();
    time::timeout(SECOND, session.ended()).await.expect("it has ended");
}

pub async fn a_stream_ends_when_the_time_of_its_session_is_over_and_not_before(bench: Bench) {
    let ticket = bench.begin(1).await;
    let stream = Stream::of(&session(&bench, &ticket).await).await;
    // An open stream is no use of the session; a request is.
    bench.clock.advance(29 * 60 * SECOND);
    live(&bench.service(), &ticket).await.unwrap();
    bench.clock.advance(29 * 60 * SECOND);
    stream.stays("a time that was prolonged meanwhile").await;
    bench.clock.advance(60 * SECOND);
    stream.ends("silence").await;
    let remembered = Login { remembered: true, ..bench.login(2, &[]) };
    let (_, session) = bench.service().begin(remembered).await.unwrap();
    let stream = Stream::of(&session).await;
    bench.clock.advance(30 * 24 * 60 * 60 * SECOND);
    stream.ends("the longest time").await;
}

pub async fn a_step_up_ends_no_stream_and_the_logout_after_it_does(bench: Bench) {
    let (service, old) = (bench.service(), bench.begin(1).await);
    let stream = Stream::of(&session(&bench, &old).await).await;
    let (new, _) = service.rotate(&old).await.unwrap().unwrap();
    // What a parallel request opens with the old ticket.
    let second = Stream::of(&session(&bench, &old).await).await;
    bench.clock.advance(6 * SECOND);
    service.update_user(&tag(1), bench.user("{}")).await.unwrap();
    stream.stays("a step-up").await;
    second.stays("a superseded ticket").await;
    service.end(&new).await.unwrap();
    stream.ends("a logout").await;
    second.ends("a logout").await;
}

pub async fn values_follow_the_session_through_a_step_up(bench: Bench) {
    let (service, old) = (bench.service(), bench.begin(1).await);
    let before = session(&bench, &old).await;
    before.data::<u32>("n").set(&1).await.unwrap();
    let (new, after) = service.rotate(&old).await.unwrap().unwrap();
    assert_eq!(after.data::<u32>("n").get().await.unwrap(), Some(1));
    // A request under way has the old ticket, and writes the first value of its key.
    before.data::<u32>("n").set(&2).await.unwrap();
    before.data::<u32>("m").set(&3).await.unwrap();
    bench.clock.advance(6 * SECOND);
    service.list(&tag(1)).await.unwrap();
    assert_eq!(after.data::<u32>("n").get().await.unwrap(), Some(2));
    assert_eq!(after.data::<u32>("m").get().await.unwrap(), Some(3));
    // A stream that began before the step-up goes on writing: it is the same session.
    before.data::<u32>("n").set(&4).await.unwrap();
    assert_eq!(after.data::<u32>("n").get().await.unwrap(), Some(4));
    let listed = &service.list(&tag(1)).await.unwrap()[0];
    listed.data::<u32>("n").set(&5).await.unwrap();
    service.end(&new).await.unwrap();
    assert_eq!(after.data::<u32>("n").get().await.unwrap(), None);
    for session in [&before, &after, listed] {
        let (handle, set) = (session.handle(), Expect::Any);
        let set = SetDatum { handle: &handle, key: "n", json: "6", expect: set };
        let kept = bench.store.data_set(&tag(1), None, set).await.unwrap();
        assert_eq!(kept, Kept::SessionGone);
    }
}

pub async fn an_outage_ends_no_stream_before_the_sessions_longest_time(bench: Bench) {
    let spy = Arc::new(Spy::over(bench.store.clone()));
    let service = Service::new(spy.clone(), bench.clock.clone(), Lifetimes::default());
    let (ticket, session) = service.begin(bench.login(1, &[])).await.unwrap();
    let stream = Stream::of(&session).await;
    spy.away.store(true, Ordering::SeqCst);
    let looks = spy.looks.load(Ordering::SeqCst);
    // Told, and due, and nobody can say.
    service.end(&ticket).await.unwrap();
    bench.clock.advance(60 * 60 * SECOND);
    time::sleep(Duration::from_millis(1_500)).await;
    stream.stays("an outage").await;
    let asked = spy.looks.load(Ordering::SeqCst) - looks;
    assert!((1..=6).contains(&asked), "asked {asked} times in two seconds");
    bench.clock.advance(23 * 60 * 60 * SECOND);
    stream.ends("the longest time").await;
    let (ticket, session) = service.begin(bench.login(1, &[])).await.unwrap();
    let stream = Stream::of(&session).await;
    service.end(&ticket).await.unwrap();
    spy.away.store(false, Ordering::SeqCst);
    time::timeout(2 * SECOND, stream.0).await.expect("the store is back").unwrap();
}
