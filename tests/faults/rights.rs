//! tests/faults/rights.rs: the ACL rule of docs/redis.md is enough, and each right in it is needed.

use std::time::Duration;

use rocket::Rocket;

use crate::support::app::app;
use crate::support::redis::Redis;
use crate::support::{Captured, Server, figment};

/// The commands of the rule.
const RIGHTS: [&str; 13] = [
    "info",
    "time",
    "script|load",
    "evalsha",
    "hmget",
    "hget",
    "hset",
    "hdel",
    "hgetall",
    "pexpireat",
    "unlink",
    "xadd",
    "xread",
];

fn rule(without: Option<&str>) -> String {
    let rights = RIGHTS.iter().filter(|right| Some(**right) != without);
    let rights: Vec<_> = rights.map(|right| format!("+{right}")).collect();
    format!("~ri:* -@all {}", rights.join(" "))
}

fn rocket(redis: &Redis) -> Rocket<rocket::Build> {
    let url = format!("redis://app:word@127.0.0.1:{}", redis.port);
    app(figment("release").merge(("databases.identity.url", url)))
}

#[tokio::test]
async fn the_documented_acl_rule_is_enough_and_each_right_that_it_lacks_is_told_at_launch() {
    let _alone = crate::alone().await;
    let captured = Captured::install();
    log::set_max_level(log::LevelFilter::Warn);
    let page = include_str!("../../docs/redis.md");
    assert!(page.contains(&rule(None)), "docs/redis.md has another rule than {}", rule(None));
    let redis = Redis::start(&[]);
    let mut said = captured.of("rocket_identity").len();
    let mut new_lines = || {
        let lines = captured.of("rocket_identity");
        let new = lines[said..].to_vec();
        said = lines.len();
        let of_rights = |line: &String| {
            ["RI02", "permission", "can't run"].iter().any(|text| line.contains(text))
        };
        new.into_iter().filter(of_rights).collect::<Vec<_>>().join("\n")
    };
    redis.tell(&format!("ACL SETUSER app reset on >word {}", rule(None)));
    let server = Server::start(rocket(&redis)).await;
    assert_eq!(new_lines(), "", "the rule is enough at launch");
    let cookie = server.send("POST /login/1").await.cookie().to_owned();
    let of = |head: &str| format!("{head}\nCookie: {cookie}");
    server.clock.advance(Duration::from_secs(200));
    assert_eq!(server.send(&of("GET /me")).await.body, "1");
    let again = server.send(&of("POST /login/1")).await.cookie().to_owned();
    assert_eq!(server.send(&of("GET /me")).await.status, 401);
    assert_eq!(server.send(&format!("POST /logout\nCookie: {again}")).await.status, 200);
    let again = server.send("POST /login/1").await.cookie().to_owned();
    let everywhere = format!("POST /logout-everywhere\nCookie: {again}");
    assert_eq!(server.send(&everywhere).await.status, 200);
    // A login past what cannot be read, with the same rights.
    let key = redis.keys().into_iter().find(|key| !key.contains("probe")).unwrap();
    redis.tell(&format!("SET {key} x"));
    assert_eq!(server.send("POST /login/1").await.status, 200);
    assert_eq!(new_lines(), "", "the rule is enough for every act");
    drop(server);
    for right in RIGHTS {
        redis.tell(&format!("ACL SETUSER app reset on >word {}", rule(Some(right))));
        redis.tell("FLUSHALL");
        let launched = rocket(&redis).ignite().await.map_err(|error| format!("{:?}", error.kind()));
        let lines = new_lines();
        // Redis calls a subcommand by its command alone, in some of its texts.
        let name = right.split('|').next().unwrap_or(right);
        let named = lines.to_lowercase().contains(name);
        assert!(launched.is_err() && lines.contains("RI022") && named, "without {right}: {lines}");
    }
}
