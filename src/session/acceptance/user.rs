//! src/session/acceptance/user.rs: the user that all sessions of one share.

use super::*;

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
