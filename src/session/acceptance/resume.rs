//! src/session/acceptance/resume.rs: what a ticket opens, how long, and what use does to it.

use super::*;

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
    let service = Service::new(spy.clone(), bench.clock.clone(), Lifetimes::default());
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
