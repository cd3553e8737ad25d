//! src/session/acceptance/end.rs: logout is final: of one session, and of all.

use super::*;

/// Checklist row 11.
pub async fn an_ended_session_stays_ended_whatever_was_in_flight(bench: Bench) {
    let (service, ticket) = (bench.service(), bench.begin(1).await);
    assert!(service.end(&ticket).await.unwrap());
    let later = bench.clock.now().after(SECOND);
    bench.store.touch(ticket.tag(), &ticket.digest(), later, later.after(SECOND)).await.unwrap();
    assert!(live(&service, &ticket).await.is_none());
    assert!(!service.end(&ticket).await.unwrap(), "ended twice");
    bench.begin(1).await;
    assert!(live(&service, &ticket).await.is_none(), "revived by a new login");
}

pub async fn ending_one_session_leaves_the_others(bench: Bench) {
    let service = bench.service();
    let (one, two, other) = (bench.begin(1).await, bench.begin(1).await, bench.begin(2).await);
    service.end(&one).await.unwrap();
    assert!(live(&service, &one).await.is_none());
    assert!(live(&service, &two).await.is_some() && live(&service, &other).await.is_some());
}

/// Checklist row 14.
pub async fn ending_all_ends_all_and_refuses_the_logins_under_way(bench: Bench) {
    let (service, one, two) = (bench.service(), bench.begin(1).await, bench.begin(1).await);
    let other = bench.begin(2).await;
    let under_way = bench.login(1, &[]);
    bench.clock.advance(5 * SECOND);
    service.end_all(&tag(1)).await.unwrap();
    for ticket in [&one, &two] {
        assert!(live(&service, ticket).await.is_none());
    }
    assert!(live(&service, &other).await.is_some());
    let failure = service.begin(under_way).await.unwrap_err();
    assert_eq!(failure.reason, Reason::RevokedMeanwhile);
    let still_under_way = StoredUser { as_of: Time::default(), ..bench.user("{}") };
    bench.clock.advance(599 * SECOND);
    let login = Login { user: still_under_way, ..bench.login(1, &[]) };
    assert_eq!(service.begin(login).await.unwrap_err().reason, Reason::RevokedMeanwhile);
}

pub async fn ending_all_refuses_no_login_that_begins_later_nor_its_own_request(bench: Bench) {
    let service = bench.service();
    bench.begin(1).await;
    let own = bench.login(1, &[]);
    let moment = service.end_all(&tag(1)).await.unwrap();
    let own = Login { own_revocation: Some(moment), ..own };
    let (ticket, _) = service.begin(own).await.unwrap();
    assert!(live(&service, &ticket).await.is_some());
    // A store with a clock of its own tolerates a second of skew.
    bench.clock.advance(2 * SECOND);
    let (ticket, _) = service.begin(bench.login(1, &[])).await.unwrap();
    assert!(live(&service, &ticket).await.is_some());
}
