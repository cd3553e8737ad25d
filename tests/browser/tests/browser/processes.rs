//! tests/browser/processes.rs: two processes of the example, and what they know of each other's logins.

use crate::programs::{Answer, Example, Redis, send};

fn log_in(example: &Example) -> Answer {
    let head = "POST /login\nContent-Type: application/x-www-form-urlencoded";
    let answer = send(example.port, head, "username=ada&password=correct+horse+battery+staple");
    assert_eq!(answer.status, 303, "{answer:?}");
    answer
}

fn me(example: &Example, cookie: &str) -> u16 {
    send(example.port, &format!("GET /me\nCookie: {cookie}"), "").status
}

fn on(redis: &Redis) -> Example {
    Example::start("release", &[("ROCKET_DATABASES", &redis.databases())])
}

#[test]
fn on_one_redis_a_login_at_one_process_is_a_login_at_the_other() {
    let redis = Redis::start();
    let (one, other) = (on(&redis), on(&redis));
    let login = log_in(&one);
    let cookie = login.cookie();
    assert!(cookie.starts_with("__Host-session="), "{cookie}");
    let answer = send(other.port, &format!("GET /me\nCookie: {cookie}"), "");
    assert!(answer.status == 200 && answer.text.contains(r#""name":"ada""#), "{answer:?}");

    let logout = send(one.port, &format!("POST /logout\nCookie: {cookie}"), "");
    assert_eq!(logout.status, 303);
    assert_eq!((me(&one, cookie), me(&other, cookie)), (401, 401));
}

#[test]
fn on_redis_a_login_outlives_the_process_that_made_it() {
    let redis = Redis::start();
    let one = on(&redis);
    let login = log_in(&one);
    drop(one); // kill -9
    assert_eq!(me(&on(&redis), login.cookie()), 200);
}

/// What Redis changes: without it the first test could not pass.
#[test]
fn in_memory_a_login_is_one_process_s_own() {
    let (one, other) = (Example::start("release", &[]), Example::start("release", &[]));
    let login = log_in(&one);
    assert_eq!((me(&one, login.cookie()), me(&other, login.cookie())), (200, 401));
}
