//! src/session/acceptance/pending.rs: a login that waits for a second factor.

use super::*;

async fn wait(service: &Service, login: Login<'_>) -> Ticket {
    service.begin_pending(login, "totp", "note").await.unwrap().0
}

async fn confirm(service: &Service, ticket: &Ticket) -> Option<Ticket> {
    service.confirm_pending(ticket, &[], None).await.unwrap().map(|(ticket, ..)| ticket)
}

pub async fn a_login_that_waits_opens_nothing_and_ends_nothing(bench: Bench) {
    let service = bench.service_with(|l| l.max_per_user = 1);
    let session = bench.begin(1).await;
    bench.clock.advance(SECOND);
    let login = Login {
        user: bench.user("\"other\""),
        remembered: true,
        ..bench.login(1, std::slice::from_ref(&session))
    };
    let (ticket, said) = service.begin_pending(login, "totp", "a note").await.unwrap();
    assert!(live(&service, &ticket).await.is_none());
    assert!(service.rotate(&ticket).await.unwrap().is_none());
    let (_, user) = live(&service, &session).await.expect("evicted or replaced");
    assert_eq!(&*user.json, "{\"id\":1}", "it wrote the user");
    assert_eq!(service.list(&tag(1)).await.unwrap().len(), 1);
    let found = service.find_pending(&ticket).await.unwrap().unwrap();
    assert_eq!(found, said);
    assert_eq!((&*found.step, &*found.note, &*found.user.json), ("totp", "a note", "\"other\""));
    assert_eq!((found.remembered, found.user_agent.as_deref()), (true, Some("agent")));
    assert_eq!(found.address, Some([192, 0, 2, 1].into()));
    assert!(service.find_pending(&session).await.unwrap().is_none());
    assert!(service.find_pending(&Ticket::random(tag(2)).unwrap()).await.unwrap().is_none());
}

pub async fn a_login_that_waited_becomes_a_session_once(bench: Bench) {
    let service = bench.service();
    let login = Login { remembered: true, ..bench.login(1, &[]) };
    let ticket = wait(&service, login).await;
    bench.clock.advance(SECOND);
    let (new, begun) = service.confirm_pending(&ticket, &[], None).await.unwrap().unwrap();
    assert_ne!(new.reveal(), ticket.reveal());
    let (session, stored) = live(&service, &new).await.unwrap();
    assert_eq!(session.record, begun.record);
    assert!(session.remembered());
    assert_eq!(session.created(), SystemTime::from(bench.clock.now()));
    assert_eq!(session.user_agent(), Some("agent"));
    assert_eq!(&*stored.json, "{\"id\":1}");
    assert!(confirm(&service, &ticket).await.is_none(), "it worked twice");
    assert!(service.find_pending(&ticket).await.unwrap().is_none());
    assert!(live(&service, &ticket).await.is_none());
    assert_eq!(service.list(&tag(1)).await.unwrap().len(), 1);
}

pub async fn a_login_waits_for_ten_minutes(bench: Bench) {
    let service = bench.service();
    let (ticket, late) =
        (wait(&service, bench.login(1, &[])).await, wait(&service, bench.login(1, &[])).await);
    bench.clock.advance(Duration::from_millis(599_999));
    assert!(confirm(&service, &ticket).await.is_some());
    bench.clock.advance(Duration::from_millis(1));
    assert!(service.find_pending(&late).await.unwrap().is_none());
    assert!(confirm(&service, &late).await.is_none());
}

pub async fn of_six_logins_that_wait_the_oldest_gives_way(bench: Bench) {
    let service = bench.service();
    let mut tickets = Vec::new();
    for _ in 0..6 {
        bench.clock.advance(SECOND);
        tickets.push(wait(&service, bench.login(1, &[])).await);
    }
    assert!(service.find_pending(&tickets[0]).await.unwrap().is_none());
    for ticket in &tickets[1..] {
        assert!(service.find_pending(ticket).await.unwrap().is_some());
    }
    wait(&service, bench.login(2, &[])).await;
    assert!(service.find_pending(&tickets[1]).await.unwrap().is_some(), "another user's");
    assert!(service.end(&tickets[3]).await.unwrap());
    wait(&service, bench.login(1, &[])).await;
    assert!(service.find_pending(&tickets[1]).await.unwrap().is_some(), "an ended one's place");
}

pub async fn ending_all_or_the_others_ends_the_logins_that_wait(bench: Bench) {
    let (service, own) = (bench.service(), bench.begin(1).await);
    let keep = live(&service, &own).await.unwrap().0.handle();
    let waits = wait(&service, bench.login(1, &[])).await;
    service.end_others(&tag(1), &keep).await.unwrap();
    assert!(service.find_pending(&waits).await.unwrap().is_none());
    assert!(confirm(&service, &waits).await.is_none());
    bench.clock.advance(2 * SECOND);
    let waits = wait(&service, bench.login(1, &[])).await;
    service.end_all(&tag(1)).await.unwrap();
    assert!(confirm(&service, &waits).await.is_none());
    assert!(live(&service, &own).await.is_none());
}

pub async fn a_login_that_waits_is_refused_as_a_login_is(bench: Bench) {
    let service = bench.service();
    let (slow, own) = (bench.login(1, &[]), bench.login(1, &[]));
    bench.clock.advance(5 * SECOND);
    let moment = service.end_all(&tag(1)).await.unwrap();
    let failure = service.begin_pending(slow, "totp", "").await.unwrap_err();
    assert_eq!(failure.reason, Reason::RevokedMeanwhile);
    let own = Login { own_revocation: Some(moment), ..own };
    let (waits, _) = service.begin_pending(own, "totp", "").await.unwrap();
    assert!(confirm(&service, &waits).await.is_some(), "refused by its own request's revocation");
    bench.clock.advance(2 * SECOND);
    let waits = wait(&service, bench.login(1, &[])).await;
    assert!(confirm(&service, &waits).await.is_some());
}

pub async fn a_rewritten_user_is_not_undone_by_a_login_that_waited(bench: Bench) {
    let (service, session) = (bench.service(), bench.begin(1).await);
    let admin = Login { user: bench.user("\"admin\""), ..bench.login(1, &[]) };
    let waits = wait(&service, admin).await;
    bench.clock.advance(SECOND);
    assert!(service.update_user(&tag(1), bench.user("\"demoted\"")).await.unwrap());
    assert_eq!(&*service.find_pending(&waits).await.unwrap().unwrap().user.json, "\"admin\"");
    let new = confirm(&service, &waits).await.unwrap();
    for ticket in [&session, &new] {
        assert_eq!(&*live(&service, ticket).await.unwrap().1.json, "\"demoted\"");
    }
    // It is the user of no session, so it is nobody's to rewrite.
    wait(&service, bench.login(2, &[])).await;
    assert!(!service.update_user(&tag(2), bench.user("{}")).await.unwrap());
}

pub async fn a_confirmed_login_replaces_and_evicts_as_a_login_does(bench: Bench) {
    let service = bench.service_with(|l| l.max_per_user = 2);
    let (oldest, second, foreign) =
        (bench.begin(1).await, bench.begin(1).await, bench.begin(2).await);
    let waits = wait(&service, bench.login(1, &[])).await;
    let new = confirm(&service, &waits).await.unwrap();
    assert!(live(&service, &oldest).await.is_none() && live(&service, &second).await.is_some());
    let waits = wait(&service, bench.login(1, &[])).await;
    let presented = [new.clone(), foreign.clone()];
    let (newest, ..) = service.confirm_pending(&waits, &presented, None).await.unwrap().unwrap();
    assert!(live(&service, &new).await.is_none() && live(&service, &foreign).await.is_none());
    assert!(live(&service, &second).await.is_some() && live(&service, &newest).await.is_some());
}

pub async fn a_confirmation_refused_at_the_bound_may_be_tried_again(bench: Bench) {
    let service = bench.service_with(|l| (l.max_per_user, l.evict) = (1, Evict::Refuse));
    let session = bench.begin(1).await;
    let waits = wait(&service, bench.login(1, &[])).await;
    let failure = service.confirm_pending(&waits, &[], None).await.unwrap_err();
    assert_eq!(failure.reason, Reason::TooManySessions);
    assert!(live(&service, &session).await.is_some());
    service.end(&session).await.unwrap();
    assert!(confirm(&service, &waits).await.is_some());
}

pub async fn a_confirmation_that_is_sent_twice_begins_one_session(bench: Bench) {
    let service = bench.service();
    let waits = wait(&service, bench.login(1, &[])).await;
    let ticket = Ticket::random(tag(1)).unwrap();
    let (_, begun) = service.begin(bench.login(3, &[])).await.unwrap();
    let new = NewSession {
        id: ticket.digest(),
        record: Record { handle: Handle::random().unwrap(), ..(*begun.record).clone() },
        expires: begun.expires,
        user: bench.user("{}"),
        since: bench.clock.now(),
        own_revocation: None,
        replaces: Vec::new(),
        max_per_user: 2,
        evict: Evict::Oldest,
        idle: Lifetimes::default().idle,
    };
    for _ in 0..2 {
        let kept = bench.store.confirm_pending(&tag(1), &waits.digest(), new.clone()).await;
        assert_eq!(kept.unwrap(), Some(Begun::Kept));
    }
    assert_eq!(service.list(&tag(1)).await.unwrap().len(), 1);
    service.end(&ticket).await.unwrap();
    let late = bench.store.confirm_pending(&tag(1), &waits.digest(), new).await;
    assert_eq!(late.unwrap(), None, "a repeat revived it");
}

pub async fn a_logout_ends_a_login_that_waits(bench: Bench) {
    let (service, session) = (bench.service(), bench.begin(1).await);
    let waits = wait(&service, bench.login(1, &[])).await;
    assert!(service.end(&waits).await.unwrap());
    assert!(!service.end(&waits).await.unwrap());
    assert!(confirm(&service, &waits).await.is_none());
    assert!(live(&service, &session).await.is_some());
    let waits = wait(&service, bench.login(1, &[])).await;
    service.begin(bench.login(1, std::slice::from_ref(&waits))).await.unwrap();
    assert!(confirm(&service, &waits).await.is_none(), "a login that presents it");
}
