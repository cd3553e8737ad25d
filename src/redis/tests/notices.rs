//! src/redis/tests/notices.rs: notices and values where there is more than one process, and where what
//! lies in Redis is not ours.

use deadpool_redis::redis::Cmd;
use tokio::time;

use super::*;
use crate::config::Lifetimes;
use crate::secret::Digest;
use crate::session::data::{Expect, Kept, SetDatum};
use crate::session::{Login, Service, Session, Store, StoredUser};
use crate::ticket::{Tag, Ticket};
use crate::user::UserId;

const SECOND: Duration = Duration::from_secs(1);

async fn process(server: &Server) -> (Arc<Link>, Service) {
    let (link, _) = Link::open(server.database()).await.unwrap();
    let link = Arc::new(link);
    let service = Service::new(link.clone(), Clock::system(), Lifetimes::default());
    (link, service)
}

async fn begin(service: &Service, user: u32) -> (Ticket, Session) {
    let login = Login {
        tag: tag(user),
        user: StoredUser { version: 1, json: "{}".into(), as_of: Clock::system().now() },
        remembered: false,
        user_agent: None,
        address: None,
        presented: &[],
        own_revocation: None,
    };
    service.begin(login).await.unwrap()
}

fn tag(user: u32) -> Tag {
    Tag::of("", &UserId::from(user))
}

async fn tell(server: &Server, command: &[&str]) {
    let client = Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut words = Cmd::new();
    for word in command {
        words.arg(*word);
    }
    words.query_async::<()>(&mut connection).await.unwrap();
}

async fn until_pushed(store: &dyn Store, pushed: bool) {
    let watch = store.watch(&tag(1));
    let wait = async {
        while watch.is_pushed() != pushed {
            time::sleep(Duration::from_millis(5)).await;
        }
    };
    time::timeout(5 * SECOND, wait).await.expect("whether notices arrive is known");
}

#[tokio::test]
async fn a_stream_of_one_process_ends_when_another_ends_its_session_and_after_each_cut() {
    let server = Server::start();
    let ((link, one), (_, two)) = (process(&server).await, process(&server).await);
    for cut in [false, true, true] {
        let (ticket, session) = begin(&one, 1).await;
        let stream = tokio::spawn(session.ended());
        until_pushed(&*link, true).await;
        if cut {
            tell(&server, &["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
        }
        while two.end(&ticket).await.is_err() {
            time::sleep(Duration::from_millis(10)).await;
        }
        time::timeout(2 * SECOND, stream).await.expect("it has ended").unwrap();
    }
    until_pushed(&*link, true).await;
}

#[tokio::test]
async fn where_the_stream_of_notices_is_not_ours_streams_end_by_asking_and_a_notice_mends_it() {
    let server = Server::start();
    let ((link, one), (_, two)) = (process(&server).await, process(&server).await);
    tell(&server, &["SET", "ri:notices", "x"]).await;
    let (ticket, session) = begin(&one, 1).await;
    let stream = tokio::spawn(session.ended());
    time::sleep(Duration::from_millis(100)).await;
    until_pushed(&*link, false).await;
    // What no notice tells of.
    let key = String::from_utf8(link.key(&tag(1))).unwrap();
    tell(&server, &["DEL", &key]).await;
    time::timeout(2 * SECOND, stream).await.expect("it was asked").unwrap();
    two.end(&ticket).await.unwrap();
    until_pushed(&*link, true).await;
}

#[tokio::test]
async fn values_that_are_not_ours_give_way_and_lock_nobody_out() {
    let server = Server::start();
    let (link, service) = process(&server).await;
    let (ticket, session) = begin(&service, 1).await;
    let key = String::from_utf8(link.key(&tag(1))).unwrap();
    let values = format!("{key}:{}", session.handle());
    let value = session.data::<u32>("n");
    for wrong in [
        &["SET", &*values, "x"][..],
        &["HSET", &values, "n", "x", "", "x"],
        &["HSET", &values, "n", "1", "m", "9999999999999999 1", "", "1 99999999999999999999"],
        &["HDEL", &values, ""],
    ] {
        tell(&server, wrong).await;
        if wrong[0] != "HDEL" {
            assert_eq!(value.get().await.unwrap_err().code(), "data_unreadable", "{wrong:?}");
        }
        value.set(&1).await.unwrap();
        assert_eq!(value.get().await.unwrap(), Some(1), "{wrong:?}");
    }
    tell(&server, &["HSET", &values, "n", "x"]).await;
    assert_eq!(value.take().await.unwrap_err().code(), "data_unreadable");
    assert_eq!(value.get().await.unwrap(), None, "it is gone all the same");
    // Neither is there a key that nothing ends.
    let client = Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let end: i64 = cmd("PTTL").arg(&values).query_async(&mut connection).await.unwrap();
    let day = 24 * 60 * 60 * 1_000;
    assert!((day - 60_000..=day).contains(&end), "{end}");
    // A record that cannot be read is no session.
    let record: &[u8] = b"s:";
    let field = [record, ticket.digest().as_bytes()].concat();
    let mut spoil = cmd("HSET");
    spoil.arg(&key).arg(field).arg("x");
    spoil.query_async::<()>(&mut connection).await.unwrap();
    assert_eq!(value.set(&2).await.unwrap_err().code(), "session_invalid");
    time::timeout(SECOND, session.ended()).await.expect("what cannot be read is no session");
    tell(&server, &["SET", &key, "x"]).await;
    let (handle, expect) = (session.handle(), Expect::Any);
    let set = SetDatum { handle: &handle, key: "n", json: "1", expect };
    let id: Digest = ticket.digest();
    assert!(!matches!(
        crate::session::data::DataStore::data_set(&*link, &tag(1), Some(&id), set).await,
        Ok(Kept::As(_))
    ));
    time::timeout(SECOND, session.ended()).await.expect("nor is a key of another type");
}
