//! src/session/acceptance/rotate.rs: step-up. A new ticket for the same session, and nobody logged out.

use super::*;

async fn step_up(service: &Service, ticket: &Ticket) -> (Ticket, Session) {
    service.rotate(ticket).await.unwrap().expect("it lives")
}

pub async fn a_step_up_gives_the_session_a_new_ticket_and_changes_nothing_else(bench: Bench) {
    let (service, old, other) = (bench.service(), bench.begin(1).await, bench.begin(1).await);
    bench.clock.advance(200 * SECOND);
    let (before, _) = live(&service, &old).await.unwrap();
    bench.clock.advance(10 * SECOND);
    let now = bench.clock.now();
    let (new, said) = step_up(&service, &old).await;
    assert_ne!(new.reveal(), old.reveal());
    assert_eq!(new.tag(), old.tag());
    let (after, user) = live(&service, &new).await.unwrap();
    let expected = Record { authenticated_at: now, ..(*before.record).clone() };
    assert_eq!((&*after.record, &*said.record), (&expected, &expected));
    assert_eq!((after.last_seen, said.last_seen), (before.last_seen, before.last_seen));
    assert_eq!((after.expires, said.expires), (before.expires, before.expires));
    assert_eq!(&*user.json, "{\"id\":1}");
    let listed = service.list(&tag(1)).await.unwrap();
    let handles: Vec<_> = listed.iter().map(Session::handle).collect();
    assert_eq!(handles[0], before.handle(), "it keeps its place");
    assert_eq!(handles.len(), 2);
    // It is used on as any session is.
    bench.clock.advance(200 * SECOND);
    let (used, _) = live(&service, &new).await.unwrap();
    assert_eq!(used.last_seen(), SystemTime::from(bench.clock.now()));
    assert!(live(&service, &other).await.is_some());
}

pub async fn the_old_ticket_opens_for_five_seconds_at_its_old_authentication(bench: Bench) {
    let (service, old) = (bench.service(), bench.begin(1).await);
    let (before, _) = live(&service, &old).await.unwrap();
    bench.clock.advance(SECOND);
    let (new, _) = step_up(&service, &old).await;
    bench.clock.advance(Duration::from_millis(4_999));
    let (session, _) = live(&service, &old).await.unwrap();
    assert!(session.proved_at().is_none());
    assert_eq!(session.authenticated_at(), before.authenticated_at());
    assert_eq!(session.handle(), before.handle());
    assert!(live(&service, &new).await.unwrap().0.proved_at().is_some());
    bench.clock.advance(Duration::from_millis(1));
    assert!(live(&service, &old).await.is_none());
    assert!(live(&service, &new).await.is_some());
}

pub async fn a_superseded_session_is_neither_touched_nor_listed_nor_counted_nor_rotated(
    bench: Bench,
) {
    let service = bench.service_with(|l| l.max_per_user = 2);
    let (old, other) = (bench.begin(1).await, bench.begin(1).await);
    bench.clock.advance(SECOND);
    let (new, _) = step_up(&service, &old).await;
    assert_eq!(service.list(&tag(1)).await.unwrap().len(), 2);
    assert!(service.rotate(&old).await.unwrap().is_none());
    let later = bench.clock.now().after(2 * SECOND);
    bench.store.touch(&tag(1), &old.digest(), later, later.after(SECOND * 3600)).await.unwrap();
    assert!(live(&service, &old).await.unwrap().0.last_seen < later);
    // Two sessions of two: the superseded record is no third.
    service.begin(bench.login(1, std::slice::from_ref(&other))).await.unwrap();
    assert!(live(&service, &new).await.is_some());
    bench.clock.advance(5 * SECOND);
    assert!(live(&service, &old).await.is_none(), "touched back to life");
}

pub async fn a_logout_with_either_ticket_of_a_step_up_ends_both(bench: Bench) {
    let service = bench.service();
    for with_old in [true, false] {
        let (old, other) = (bench.begin(1).await, bench.begin(1).await);
        let (new, _) = step_up(&service, &old).await;
        assert!(service.end(if with_old { &old } else { &new }).await.unwrap());
        assert!(live(&service, &old).await.is_none() && live(&service, &new).await.is_none());
        assert!(live(&service, &other).await.is_some());
        assert!(!service.end(&old).await.unwrap() && !service.end(&new).await.unwrap());
    }
    let old = bench.begin(1).await;
    let (new, session) = step_up(&service, &old).await;
    assert!(service.end_by_handle(&tag(1), &session.handle()).await.unwrap());
    assert!(live(&service, &old).await.is_none() && live(&service, &new).await.is_none());
}

pub async fn a_login_that_presents_the_old_ticket_ends_the_successor(bench: Bench) {
    let (service, old) = (bench.service(), bench.begin(1).await);
    let (new, _) = step_up(&service, &old).await;
    let (newest, _) = service.begin(bench.login(1, std::slice::from_ref(&old))).await.unwrap();
    assert!(live(&service, &old).await.is_none() && live(&service, &new).await.is_none());
    assert!(live(&service, &newest).await.is_some());
    // As another user too.
    let (last, _) = step_up(&service, &newest).await;
    service.begin(bench.login(2, std::slice::from_ref(&newest))).await.unwrap();
    assert!(live(&service, &newest).await.is_none() && live(&service, &last).await.is_none());
}

pub async fn ending_the_others_keeps_both_tickets_of_a_step_up_or_neither(bench: Bench) {
    let (service, old, two) = (bench.service(), bench.begin(1).await, bench.begin(1).await);
    let (new, session) = step_up(&service, &old).await;
    assert_eq!(service.end_others(&tag(1), &session.handle()).await.unwrap().1, 1);
    assert!(live(&service, &old).await.is_some() && live(&service, &new).await.is_some());
    assert!(live(&service, &two).await.is_none());
    bench.clock.advance(2 * SECOND);
    let own = bench.begin(1).await;
    let (newest, _) = step_up(&service, &new).await;
    let keep = live(&service, &own).await.unwrap().0.handle();
    assert_eq!(service.end_others(&tag(1), &keep).await.unwrap().1, 1);
    for ticket in [&old, &new, &newest] {
        assert!(live(&service, ticket).await.is_none());
    }
    assert!(live(&service, &own).await.is_some());
}

pub async fn the_oldest_ticket_of_two_step_ups_ends_the_living_one(bench: Bench) {
    let (service, oldest) = (bench.service(), bench.begin(1).await);
    let (old, _) = step_up(&service, &oldest).await;
    bench.clock.advance(SECOND);
    let (new, _) = step_up(&service, &old).await;
    for ticket in [&oldest, &old, &new] {
        assert!(live(&service, ticket).await.is_some());
    }
    assert_eq!(service.list(&tag(1)).await.unwrap().len(), 1);
    assert!(service.end(&oldest).await.unwrap());
    for ticket in [&oldest, &old, &new] {
        assert!(live(&service, ticket).await.is_none());
    }
}

pub async fn what_has_ended_or_died_is_not_stepped_up(bench: Bench) {
    let (service, ended, dead) = (bench.service(), bench.begin(1).await, bench.begin(1).await);
    assert!(service.rotate(&Ticket::random(tag(1)).unwrap()).await.unwrap().is_none());
    assert!(service.rotate(&Ticket::random(tag(9)).unwrap()).await.unwrap().is_none());
    service.end(&ended).await.unwrap();
    assert!(service.rotate(&ended).await.unwrap().is_none());
    bench.clock.advance(30 * 60 * SECOND);
    assert!(service.rotate(&dead).await.unwrap().is_none());
    let absolute = bench.service_with(|l| l.absolute = 3 * SECOND);
    let (short, _) = absolute.begin(bench.login(1, &[])).await.unwrap();
    bench.clock.advance(2 * SECOND);
    let (new, _) = step_up(&absolute, &short).await;
    bench.clock.advance(SECOND);
    assert!(live(&absolute, &short).await.is_none(), "past the end of its session");
    assert!(live(&absolute, &new).await.is_none(), "a step-up prolongs nothing");
    assert!(absolute.rotate(&new).await.unwrap().is_none());
}

pub async fn a_step_up_that_is_sent_twice_is_done_once(bench: Bench) {
    let (service, old) = (bench.service(), bench.begin(1).await);
    let new = Ticket::random(tag(1)).unwrap();
    let now = bench.clock.now();
    let idle = Lifetimes::default().idle;
    let rotation = Rotation { id: new.digest(), authenticated_at: now, now, idle };
    let first = bench.store.rotate(&tag(1), &old.digest(), rotation.clone()).await.unwrap();
    assert!(matches!(first, Rotated::Done(..)));
    let again = bench.store.rotate(&tag(1), &old.digest(), rotation.clone()).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(service.list(&tag(1)).await.unwrap().len(), 1);
    service.end(&new).await.unwrap();
    let late = bench.store.rotate(&tag(1), &old.digest(), rotation).await.unwrap();
    assert_eq!(late, Rotated::Gone, "a repeat revived it");
    assert!(live(&service, &new).await.is_none());
}

pub async fn a_superseded_record_that_ran_out_takes_nothing_with_it(bench: Bench) {
    let (service, old) = (bench.service(), bench.begin(1).await);
    let (new, session) = step_up(&service, &old).await;
    bench.clock.advance(6 * SECOND);
    let other = bench.begin(1).await;
    assert_eq!(service.list(&tag(1)).await.unwrap().len(), 2);
    assert!(live(&service, &old).await.is_none());
    assert_eq!(live(&service, &new).await.unwrap().0.record, session.record);
    let (newest, _) = step_up(&service, &new).await;
    bench.clock.advance(6 * SECOND);
    assert_eq!(service.list(&tag(1)).await.unwrap().len(), 2);
    assert!(live(&service, &newest).await.is_some() && live(&service, &other).await.is_some());
}

pub async fn a_remembered_session_is_remembered_after_a_step_up(bench: Bench) {
    let service = bench.service();
    let login = Login { remembered: true, ..bench.login(1, &[]) };
    let (old, before) = service.begin(login).await.unwrap();
    let (new, after) = step_up(&service, &old).await;
    assert!(after.remembered());
    bench.clock.advance(24 * 60 * 60 * SECOND);
    let (found, _) = live(&service, &new).await.unwrap();
    assert_eq!((found.remembered(), found.expires()), (true, before.expires()));
}
