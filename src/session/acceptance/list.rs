//! src/session/acceptance/list.rs: the sessions of a user, and ending those of other devices.

use super::*;

fn handles(sessions: &[Session]) -> Vec<Handle> {
    sessions.iter().map(Session::handle).collect()
}

pub async fn sessions_are_listed_in_the_order_of_their_logins_with_their_last_use(bench: Bench) {
    let service = bench.service();
    let mut begun = Vec::new();
    for n in 0..5 {
        bench.clock.advance(SECOND);
        let login = Login { remembered: n == 3, ..bench.login(1, &[]) };
        begun.push(service.begin(login).await.unwrap());
    }
    let order: Vec<_> = begun.iter().map(|(_, session)| session.handle()).collect();
    bench.clock.advance(200 * SECOND);
    let used = bench.clock.now();
    live(&service, &begun[1].0).await.unwrap();
    let listed = service.list(&tag(1)).await.unwrap();
    assert_eq!(handles(&listed), order);
    for (n, (listed, (_, begun))) in listed.iter().zip(&begun).enumerate() {
        assert_eq!(listed.record, begun.record);
        let seen = if n == 1 { used } else { begun.last_seen };
        assert_eq!((listed.last_seen, listed.remembered()), (seen, n == 3), "{n}");
    }
    assert_eq!(listed[1].expires(), SystemTime::from(used.after(30 * 60 * SECOND)));
}

pub async fn neither_the_ended_nor_the_dead_nor_anothers_are_listed(bench: Bench) {
    let service = bench.service();
    let remembered = Login { remembered: true, ..bench.login(1, &[]) };
    let (_, stays) = service.begin(remembered).await.unwrap();
    bench.begin(1).await;
    bench.begin(2).await;
    let ended = bench.begin(1).await;
    service.end(&ended).await.unwrap();
    assert_eq!(service.list(&tag(1)).await.unwrap().len(), 2);
    bench.clock.advance(30 * 60 * SECOND);
    for _ in 0..2 {
        assert_eq!(handles(&service.list(&tag(1)).await.unwrap()), [stays.handle()]);
    }
    assert!(service.list(&tag(2)).await.unwrap().is_empty());
    assert!(service.list(&tag(9)).await.unwrap().is_empty());
    assert!(!service.update_user(&tag(2), bench.user("{}")).await.unwrap(), "of the dead");
}

pub async fn a_session_ends_by_its_handle_and_no_other_does(bench: Bench) {
    let (service, one, two) = (bench.service(), bench.begin(1).await, bench.begin(1).await);
    let handle = live(&service, &one).await.unwrap().0.handle();
    assert!(!service.end_by_handle(&tag(2), &handle).await.unwrap(), "another's handle");
    assert!(live(&service, &one).await.is_some());
    assert!(service.end_by_handle(&tag(1), &handle).await.unwrap());
    assert!(live(&service, &one).await.is_none() && live(&service, &two).await.is_some());
    assert!(!service.end_by_handle(&tag(1), &handle).await.unwrap(), "ended twice");
    let last = live(&service, &two).await.unwrap().0.handle();
    assert!(service.end_by_handle(&tag(1), &last).await.unwrap());
    assert!(!service.update_user(&tag(1), bench.user("{}")).await.unwrap(), "nobody is left");
}

pub async fn ending_the_others_keeps_this_one_alone(bench: Bench) {
    let service = bench.service();
    bench.begin(1).await;
    // This one is dead when the others end, and was not ended by that.
    bench.clock.advance(30 * 60 * SECOND);
    let (one, own, three) = (bench.begin(1).await, bench.begin(1).await, bench.begin(1).await);
    let other = bench.begin(2).await;
    let keep = live(&service, &own).await.unwrap().0.handle();
    let (_, ended) = service.end_others(&tag(1), &keep).await.unwrap();
    assert_eq!(ended, 2);
    assert!(live(&service, &one).await.is_none() && live(&service, &three).await.is_none());
    let (session, user) = live(&service, &own).await.unwrap();
    assert_eq!((session.handle(), &*user.json), (keep, "{\"id\":1}"));
    assert!(live(&service, &other).await.is_some());
    let again = service.end_others(&tag(1), &keep).await.unwrap();
    assert_eq!(again.1, 0);
    assert!(service.end(&own).await.unwrap());
}

pub async fn ending_the_others_refuses_the_logins_under_way_and_not_its_own_request(bench: Bench) {
    let (service, own) = (bench.service(), bench.begin(1).await);
    let keep = live(&service, &own).await.unwrap().0.handle();
    let (slow, same) = (bench.login(1, &[]), bench.login(1, &[]));
    bench.clock.advance(5 * SECOND);
    let (moment, _) = service.end_others(&tag(1), &keep).await.unwrap();
    let failure = service.begin(slow).await.unwrap_err();
    assert_eq!(failure.reason, Reason::RevokedMeanwhile);
    let same = Login { own_revocation: Some(moment), ..same };
    service.begin(same).await.unwrap();
    bench.clock.advance(2 * SECOND);
    service.begin(bench.login(1, &[])).await.unwrap();
    assert!(live(&service, &own).await.is_some());
    // The kept session's key must remember the revocation beyond the session.
    service.end_others(&tag(1), &keep).await.unwrap();
    service.end(&own).await.unwrap();
    let still_under_way = StoredUser { as_of: Time::default(), ..bench.user("{}") };
    bench.clock.advance(599 * SECOND);
    let login = Login { user: still_under_way, ..bench.login(1, &[]) };
    assert_eq!(service.begin(login).await.unwrap_err().reason, Reason::RevokedMeanwhile);
}

pub async fn ending_the_others_of_a_session_that_has_ended_leaves_nobody(bench: Bench) {
    let (service, own, other) = (bench.service(), bench.begin(1).await, bench.begin(1).await);
    let keep = live(&service, &own).await.unwrap().0.handle();
    service.end(&own).await.unwrap();
    assert_eq!(service.end_others(&tag(1), &keep).await.unwrap().1, 1);
    assert!(live(&service, &own).await.is_none() && live(&service, &other).await.is_none());
    assert!(!service.update_user(&tag(1), bench.user("{}")).await.unwrap());
    assert_eq!(service.end_others(&tag(7), &keep).await.unwrap().1, 0);
}
