//! src/session/acceptance.rs: what every store must do for the session slice. A backend runs it by
//! `acceptance::run_all!(bench)`, where `bench` is an async function that makes a `Bench`.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::spy::Spy;
use super::*;
use crate::clock::Clock;
use crate::config::Lifetimes;
use crate::error::Reason;
use crate::ticket::{Tag, Ticket};
use crate::user::UserId;

/// An empty store, and the clock that it and the service go by.
pub struct Bench {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    /// What must live as long as the store does.
    #[expect(dead_code, reason = "held until the test is over")]
    pub keep: Option<Arc<dyn std::any::Any + Send + Sync>>,
}

macro_rules! run_all {
    ($bench:path) => {
        $crate::session::acceptance::run_all! { $bench:
            a_session_is_found_by_its_ticket_with_its_user_and_record,
            an_unknown_ticket_and_a_foreign_tag_find_nothing,
            what_a_store_holds_opens_nothing,
            the_same_id_of_another_kind_of_user_is_another_user,
            silence_ends_a_session_at_its_idle_time_and_use_at_its_absolute_one,
            a_remembered_session_has_no_idle_limit_and_ends_when_promised,
            a_touch_is_written_after_a_tenth_of_the_idle_time_and_never_on_each_read,
            of_two_touches_that_cross_the_later_one_stands,
            a_refused_login_ends_nothing,
            an_ended_session_stays_ended_whatever_was_in_flight,
            ending_one_session_leaves_the_others,
            a_login_ends_the_session_that_it_presents_and_keeps_nothing_of_it,
            a_login_as_another_user_ends_the_first_ones_session,
            a_login_that_cannot_end_the_presented_session_begins_none,
            a_presented_ticket_that_nobody_issued_is_never_adopted,
            two_logins_at_once_are_two_sessions,
            the_oldest_session_gives_way_over_the_bound_and_the_dead_do_not_count,
            ending_all_ends_all_and_refuses_the_logins_under_way,
            ending_all_refuses_no_login_that_begins_later_nor_its_own_request,
            the_user_is_kept_once_and_an_older_reading_does_not_undo_a_newer_one,
            a_rewritten_user_is_everywhere_at_once_and_no_older_reading_undoes_it,
            every_write_bears_a_repeat
        }
    };
    ($bench:path: $($name:ident),*) => {$(
        #[tokio::test]
        async fn $name() {
            $crate::session::acceptance::$name($bench().await).await;
        }
    )*};
}
pub(crate) use run_all;

const SECOND: Duration = Duration::from_secs(1);

impl Bench {
    fn service(&self) -> Sessions {
        self.service_with(|_| {})
    }

    fn service_with(&self, change: impl FnOnce(&mut Lifetimes)) -> Sessions {
        let mut lifetimes = Lifetimes::default();
        change(&mut lifetimes);
        Sessions::new(self.store.clone(), self.clock.clone(), lifetimes)
    }

    fn user(&self, json: &str) -> StoredUser {
        StoredUser { version: 1, json: json.into(), as_of: self.clock.now() }
    }

    fn login<'a>(&self, id: u32, presented: &'a [Ticket]) -> Login<'a> {
        Login {
            tag: tag(id),
            user: self.user(&format!("{{\"id\":{id}}}")),
            remembered: false,
            user_agent: Some("agent"),
            address: Some([192, 0, 2, 1].into()),
            presented,
            own_revocation: None,
        }
    }

    async fn begin(&self, id: u32) -> Ticket {
        // So that no two sessions of a test began in one millisecond.
        self.clock.advance(Duration::from_millis(1));
        self.service().begin(self.login(id, &[])).await.unwrap().0
    }
}

fn tag(id: u32) -> Tag {
    Tag::of("", &UserId::from(id))
}

async fn live(service: &Sessions, ticket: &Ticket) -> Option<(Session, Arc<StoredUser>)> {
    match service.resume(ticket).await.unwrap() {
        Resumed::Live { session, user, untouched } => {
            assert!(untouched.is_none());
            Some((session, user))
        }
        Resumed::Gone => None,
    }
}

pub async fn a_session_is_found_by_its_ticket_with_its_user_and_record(bench: Bench) {
    let service = bench.service();
    let (ticket, begun) = service.begin(bench.login(1, &[])).await.unwrap();
    let (found, user) = live(&service, &ticket).await.unwrap();
    assert_eq!((&*user.json, user.version), ("{\"id\":1}", 1));
    assert_eq!(found.record, begun.record);
    assert_eq!(found.user_agent(), Some("agent"));
    assert_eq!(found.address(), Some([192, 0, 2, 1].into()));
    assert_eq!(found.created(), SystemTime::from(bench.clock.now()));
    assert_eq!(found.expires(), SystemTime::from(bench.clock.now().after(30 * 60 * SECOND)));
}

pub async fn an_unknown_ticket_and_a_foreign_tag_find_nothing(bench: Bench) {
    let (service, ticket) = (bench.service(), bench.begin(1).await);
    bench.begin(2).await;
    assert!(live(&service, &Ticket::random(tag(1)).unwrap()).await.is_none());
    assert!(live(&service, &Ticket::random(tag(3)).unwrap()).await.is_none());
    let text = ticket.reveal();
    let foreign = Ticket::random(tag(2)).unwrap().reveal();
    let crossed = Ticket::parse(&format!("{}{}", &text[..43], &foreign[43..])).unwrap();
    assert!(live(&service, &crossed).await.is_none());
    assert!(live(&service, &ticket).await.is_some());
}

/// Checklist row 2: a store sees the digest alone, and whoever presents that is nobody.
pub async fn what_a_store_holds_opens_nothing(bench: Bench) {
    let (service, ticket) = (bench.service(), bench.begin(1).await);
    let held = crate::secret::encode(ticket.digest().as_bytes());
    assert!(!ticket.reveal().contains(&held));
    let stolen = Ticket::parse(&format!("{held}{}", &ticket.reveal()[43..])).unwrap();
    assert!(live(&service, &stolen).await.is_none());
}

pub async fn the_same_id_of_another_kind_of_user_is_another_user(bench: Bench) {
    let service = bench.service();
    let ticket = bench.begin(1).await;
    let admin = Tag::of("admin", &UserId::from(1));
    let login = Login { tag: admin, ..bench.login(1, &[]) };
    let (other, _) = service.begin(login).await.unwrap();
    service.end_all(&admin).await.unwrap();
    assert!(live(&service, &other).await.is_none());
    assert!(live(&service, &ticket).await.is_some());
}

/// Checklist row 9, in the issue's own figures: idle 2 s, absolute 5 s.
pub async fn silence_ends_a_session_at_its_idle_time_and_use_at_its_absolute_one(bench: Bench) {
    let service = bench.service_with(|l| (l.idle, l.absolute) = (2 * SECOND, 5 * SECOND));
    let (used, _) = service.begin(bench.login(1, &[])).await.unwrap();
    let (silent, _) = service.begin(bench.login(1, &[])).await.unwrap();
    bench.clock.advance(Duration::from_millis(1_999));
    assert!(live(&service, &used).await.is_some());
    bench.clock.advance(Duration::from_millis(1));
    assert!(live(&service, &silent).await.is_none(), "silent for 2 s");
    for _ in 0..2 {
        bench.clock.advance(SECOND);
        assert!(live(&service, &used).await.is_some());
    }
    bench.clock.advance(Duration::from_millis(999));
    assert!(live(&service, &used).await.is_some());
    bench.clock.advance(Duration::from_millis(1));
    assert!(live(&service, &used).await.is_none(), "5 s old");
}

pub async fn a_remembered_session_has_no_idle_limit_and_ends_when_promised(bench: Bench) {
    let service = bench.service();
    let login = Login { remembered: true, ..bench.login(1, &[]) };
    let (ticket, begun) = service.begin(login).await.unwrap();
    let day = 24 * 60 * 60 * SECOND;
    assert_eq!(begun.expires(), SystemTime::from(bench.clock.now().after(30 * day)));
    bench.clock.advance(29 * day);
    let (found, _) = live(&service, &ticket).await.unwrap();
    assert!(found.remembered());
    assert_eq!(found.expires(), begun.expires(), "use moves the end of no remembered session");
    bench.clock.advance(day - Duration::from_millis(1));
    assert!(live(&service, &ticket).await.is_some());
    bench.clock.advance(Duration::from_millis(1));
    assert!(live(&service, &ticket).await.is_none());
}

pub async fn a_touch_is_written_after_a_tenth_of_the_idle_time_and_never_on_each_read(
    bench: Bench,
) {
    let spy = Arc::new(Spy::over(bench.store.clone()));
    let service = Sessions::new(spy.clone(), bench.clock.clone(), Lifetimes::default());
    let (ticket, _) = service.begin(bench.login(1, &[])).await.unwrap();
    bench.clock.advance(Duration::from_millis(179_999));
    for _ in 0..10 {
        live(&service, &ticket).await.unwrap();
    }
    assert_eq!(spy.touches.load(Ordering::SeqCst), 0);
    bench.clock.advance(Duration::from_millis(1));
    let now = bench.clock.now();
    for _ in 0..10 {
        let (session, _) = live(&service, &ticket).await.unwrap();
        assert_eq!(session.last_seen(), SystemTime::from(now));
        assert_eq!(session.expires(), SystemTime::from(now.after(30 * 60 * SECOND)));
    }
    assert_eq!(spy.touches.load(Ordering::SeqCst), 1);
}

pub async fn of_two_touches_that_cross_the_later_one_stands(bench: Bench) {
    let (service, ticket) = (bench.service(), bench.begin(1).await);
    let (id, idle) = (ticket.digest(), 30 * 60 * SECOND);
    bench.clock.advance(20 * SECOND);
    let later = bench.clock.now();
    let earlier = Time::from_millis(later.millis() - 10_000);
    for seen in [later, earlier] {
        bench.store.touch(ticket.tag(), &id, seen, seen.after(idle)).await.unwrap();
    }
    let (session, _) = live(&service, &ticket).await.unwrap();
    assert_eq!(session.last_seen(), SystemTime::from(later));
    assert_eq!(session.expires(), SystemTime::from(later.after(idle)));
}

pub async fn a_refused_login_ends_nothing(bench: Bench) {
    let (service, other) = (bench.service(), bench.begin(2).await);
    let under_way = bench.login(1, std::slice::from_ref(&other));
    bench.clock.advance(5 * SECOND);
    service.end_all(&tag(1)).await.unwrap();
    assert!(service.begin(under_way).await.is_err());
    assert!(live(&service, &other).await.is_some());
}

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
    let service = Sessions::new(spy.clone(), bench.clock.clone(), Lifetimes::default());
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

pub async fn the_user_is_kept_once_and_an_older_reading_does_not_undo_a_newer_one(bench: Bench) {
    let (service, first) = (bench.service(), bench.begin(1).await);
    let slow = Login { user: bench.user("\"admin\""), ..bench.login(1, &[]) };
    bench.clock.advance(SECOND);
    let demoted = Login { user: bench.user("\"demoted\""), ..bench.login(1, &[]) };
    let (second, _) = service.begin(demoted).await.unwrap();
    let (third, _) = service.begin(slow).await.unwrap();
    for ticket in [&first, &second, &third] {
        assert_eq!(&*live(&service, ticket).await.unwrap().1.json, "\"demoted\"");
    }
}

pub async fn a_rewritten_user_is_everywhere_at_once_and_no_older_reading_undoes_it(bench: Bench) {
    let (service, one, two) = (bench.service(), bench.begin(1).await, bench.begin(1).await);
    let slow = bench.user("\"slow\"");
    bench.clock.advance(SECOND);
    assert!(bench.store.update_user(&tag(1), bench.user("\"demoted\"")).await.unwrap());
    assert!(!bench.store.update_user(&tag(1), slow).await.unwrap());
    for ticket in [&one, &two] {
        assert_eq!(&*live(&service, ticket).await.unwrap().1.json, "\"demoted\"");
    }
    assert!(!bench.store.update_user(&tag(2), bench.user("{}")).await.unwrap(), "nobody's");
    service.end_all(&tag(1)).await.unwrap();
    assert!(!bench.store.update_user(&tag(1), bench.user("{}")).await.unwrap(), "nobody is left");
}

/// A timed-out write may still happen, and then be sent again.
pub async fn every_write_bears_a_repeat(bench: Bench) {
    let (service, ticket) = (bench.service(), bench.begin(1).await);
    let (session, user) = live(&service, &ticket).await.unwrap();
    let new = NewSession {
        id: Ticket::random(tag(1)).unwrap().digest(),
        record: (*session.record).clone(),
        expires: bench.clock.now().after(SECOND),
        user: (*user).clone(),
        since: bench.clock.now(),
        own_revocation: None,
        replaces: Vec::new(),
        max_per_user: 2,
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
