//! src/session/acceptance/begin.rs: what a login keeps, ends, and is refused for.

use super::*;

pub async fn a_refused_login_ends_nothing(bench: Bench) {
    let (service, other) = (bench.service(), bench.begin(2).await);
    let under_way = bench.login(1, std::slice::from_ref(&other));
    bench.clock.advance(5 * SECOND);
    service.end_all(&tag(1)).await.unwrap();
    assert!(service.begin(under_way).await.is_err());
    assert!(live(&service, &other).await.is_some());
}

/// Checklist row 3: the new id differs, the old one is dead at once.
pub async fn a_login_ends_the_session_that_it_presents_and_keeps_nothing_of_it(bench: Bench) {
    let (service, old) = (bench.service(), bench.begin(1).await);
    let (before, _) = live(&service, &old).await.unwrap();
    let (new, after) = service.begin(bench.login(1, std::slice::from_ref(&old))).await.unwrap();
    assert_ne!(old.reveal(), new.reveal());
    assert_ne!(before.handle(), after.handle());
    assert!(live(&service, &old).await.is_none());
    assert!(live(&service, &new).await.is_some());
}

/// Checklist row 3, fixation F4.
pub async fn a_login_as_another_user_ends_the_first_ones_session(bench: Bench) {
    let (service, ada) = (bench.service(), bench.begin(1).await);
    let elsewhere = bench.begin(1).await;
    let (grace, _) = service.begin(bench.login(2, std::slice::from_ref(&ada))).await.unwrap();
    assert!(live(&service, &ada).await.is_none());
    assert_eq!(&*live(&service, &grace).await.unwrap().1.json, "{\"id\":2}");
    assert!(live(&service, &elsewhere).await.is_some(), "another device of the first user");
}

/// Fixation F9: either both are done, or neither.
pub async fn a_login_that_cannot_end_the_presented_session_begins_none(bench: Bench) {
    let spy = Arc::new(Spy::over(bench.store.clone()));
    let service = Service::new(spy.clone(), bench.clock.clone(), Lifetimes::default());
    let ada = bench.begin(1).await;
    spy.fail_next_end.store(true, Ordering::SeqCst);
    let failure = service.begin(bench.login(2, std::slice::from_ref(&ada))).await.unwrap_err();
    assert_eq!(failure.reason, Reason::StoreUnavailable);
    assert_eq!(spy.ends.load(Ordering::SeqCst), 1, "the new session was not taken back");
    assert!(live(&service, &ada).await.is_some());
}

/// Checklist row 4, fixation F2.
pub async fn a_presented_ticket_that_nobody_issued_is_never_adopted(bench: Bench) {
    let service = bench.service();
    let offered = [Ticket::random(tag(1)).unwrap(), Ticket::random(tag(9)).unwrap()];
    let (ticket, _) = service.begin(bench.login(1, &offered)).await.unwrap();
    for offered in &offered {
        assert_ne!(offered.digest(), ticket.digest());
        assert!(live(&service, offered).await.is_none());
    }
}

/// Fixation F6.
pub async fn two_logins_at_once_are_two_sessions(bench: Bench) {
    let service = bench.service();
    let both = (service.begin(bench.login(1, &[])), service.begin(bench.login(1, &[])));
    let (one, two) = tokio::join!(both.0, both.1);
    let ((one, _), (two, _)) = (one.unwrap(), two.unwrap());
    assert_ne!(one.digest(), two.digest());
    service.end(&one).await.unwrap();
    assert!(live(&service, &two).await.is_some());
}

/// Checklist row 15.
pub async fn the_oldest_session_gives_way_over_the_bound_and_the_dead_do_not_count(bench: Bench) {
    let service = bench.service_with(|l| l.max_per_user = 2);
    let mut tickets = Vec::new();
    for _ in 0..3 {
        bench.clock.advance(SECOND);
        tickets.push(service.begin(bench.login(1, &[])).await.unwrap().0);
    }
    assert!(live(&service, &tickets[0]).await.is_none());
    assert!(live(&service, &tickets[1]).await.is_some());
    service.end(&tickets[1]).await.unwrap();
    tickets.push(service.begin(bench.login(1, &[])).await.unwrap().0);
    assert!(live(&service, &tickets[2]).await.is_some(), "an ended session took a place");
    let remembered = Login { remembered: true, ..bench.login(2, &[]) };
    let (first, _) = service.begin(remembered).await.unwrap();
    service.begin(bench.login(2, &[])).await.unwrap();
    bench.clock.advance(60 * 60 * SECOND);
    service.begin(bench.login(2, &[])).await.unwrap();
    assert!(live(&service, &first).await.is_some(), "an expired session took a place");
}

/// A timed-out write may still happen, and then be sent again.
pub async fn every_write_bears_a_repeat(bench: Bench) {
    let (service, ticket) = (bench.service(), bench.begin(1).await);
    let (session, user) = live(&service, &ticket).await.unwrap();
    let new = NewSession {
        id: Ticket::random(tag(1)).unwrap().digest(),
        record: Record { handle: Handle::random().unwrap(), ..(*session.record).clone() },
        expires: bench.clock.now().after(SECOND),
        user: (*user).clone(),
        since: bench.clock.now(),
        own_revocation: None,
        replaces: Vec::new(),
        max_per_user: 2,
        evict: Evict::Oldest,
        idle: SECOND,
    };
    for _ in 0..3 {
        let begun = bench.store.begin(&tag(1), new.clone()).await.unwrap();
        assert_eq!(begun, Begun::Kept);
    }
    assert!(live(&service, &ticket).await.is_some(), "a repeat evicted another session");
    bench.store.end(&tag(1), &new.id).await.unwrap();
    assert!(bench.store.find(&tag(1), &new.id).await.unwrap().is_none(), "a repeat left a twin");
}

pub async fn at_the_bound_a_login_is_refused_where_none_gives_way(bench: Bench) {
    let service = bench.service_with(|l| (l.max_per_user, l.evict) = (2, Evict::Refuse));
    let (one, two) = (bench.begin(1).await, bench.begin(1).await);
    let slow = bench.login(1, &[]);
    let failure = service.begin(slow).await.unwrap_err();
    assert_eq!(failure.reason, Reason::TooManySessions);
    assert!(live(&service, &one).await.is_some() && live(&service, &two).await.is_some());
    assert_eq!(service.list(&tag(1)).await.unwrap().len(), 2);
    // What a login replaces does not count, and neither do the ended and the dead.
    let presented = std::slice::from_ref(&one);
    let (three, _) = service.begin(bench.login(1, presented)).await.unwrap();
    assert!(live(&service, &one).await.is_none());
    service.end(&three).await.unwrap();
    service.begin(bench.login(1, &[])).await.unwrap();
    assert!(service.begin(bench.login(1, &[])).await.is_err());
    bench.clock.advance(60 * 60 * SECOND);
    service.begin(bench.login(1, &[])).await.unwrap();
    service.begin(bench.login(2, &[])).await.unwrap();
}

pub async fn a_refused_login_over_the_bound_ends_not_even_what_it_presents(bench: Bench) {
    let service = bench.service_with(|l| (l.max_per_user, l.evict) = (1, Evict::Refuse));
    let (one, other) = (bench.begin(1).await, bench.begin(2).await);
    let presented = [other.clone(), Ticket::random(tag(1)).unwrap()];
    assert!(service.begin(bench.login(1, &presented)).await.is_err());
    assert!(live(&service, &one).await.is_some() && live(&service, &other).await.is_some());
}
