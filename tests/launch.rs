//! tests/launch.rs: what does not launch, and that it says why. The log is this process's, so that one
//! test has the file to itself.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use rocket::figment::providers::{Format, Toml};
use rocket::figment::{Figment, Profile};
use rocket_identity::Identity;
use support::{Account, Captured, figment};

async fn launches(figment: Figment) -> bool {
    let rocket = rocket::custom(figment).attach(Identity::<Account>::sessions());
    // Rocket's error panics when nobody looked at it.
    rocket.ignite().await.map_err(|error| format!("{:?}", error.kind())).is_ok()
}

#[rocket::async_test]
async fn what_is_insecure_does_not_launch_in_release_and_says_its_code_and_fix() {
    let captured = Captured::install();
    let mut said = 0;
    let mut new_lines = || {
        let lines = captured.of("rocket_identity");
        let new = lines[said..].join("\n");
        said = lines.len();
        new
    };
    // (profile, settings, launches, what is said)
    let cases = [
        ("release", "", true, "RI006"),
        ("production", "", true, "RI006"),
        ("debug", "", true, ""),
        ("release", "identity.cookie.secure = false", false, "RI001"),
        // Only the profile named exactly `debug` is lax.
        ("staging", "identity.cookie.secure = false", false, "RI001"),
        ("debug", "identity.cookie.secure = false", true, ""),
        ("release", "identity.cookie.domain = 'app.test'", false, "RI002"),
        ("debug", "identity.cookie.same_site = 'None'", false, "RI003"),
        ("debug", "identity.cookie.prefix = '__Host-'", false, "RI004"),
        ("debug", "identity.cookie.partitioned = true", false, "RI005"),
        ("release", "log_level = 'debug'", false, "RI007"),
        ("release", "log_level = 'debug'\nidentity.allow = ['RI007']", true, "RI007"),
        ("release", "address = '0.0.0.0'", false, "behind_tls_proxy = true"),
        ("release", "address = '0.0.0.0'\nidentity.behind_tls_proxy = true", true, "RI006"),
        ("debug", "address = '0.0.0.0'", true, "RI015"),
        ("debug", "identity.session.idel = '5m'", false, "did you mean `idle`?"),
        ("debug", "identity.session.idle = 'soon'", false, "identity.session.idle"),
        ("debug", "identity = 7", false, "RI009"),
        ("debug", "identity_provider = 'https://idp.test'", true, ""),
        ("DEBUG", "identity.cookie.secure = false", false, "RI001"),
        ("debug", "address = '0.0.0.0'\nidentity.behind_tls_proxy = true", true, ""),
        ("release", "identity.allow = ['RI001']", false, "RI009"),
    ];
    #[cfg(feature = "redis")]
    let redis = [
        ("debug", "identity.store = 'redis'", false, "RI017"),
        ("debug", "databases.identity.connect_timeout = 1", false, "url"),
        ("debug", "databases.identity.url = 'http://h'", false, "RI009"),
        // Nothing listens there: the launch goes on, and says so.
        ("release", "databases.identity.url = 'redis://127.0.0.1:1'", true, "RI023"),
        ("debug", "databases.identity = { url = 'redis://127.0.0.1:1', bogus = 1 }", true, "RI016"),
        ("debug", "identity.store = 'memory'\ndatabases.identity.url = 'redis://h'", true, ""),
        ("release", "databases.identity.url = 'redis://redis.internal'", false, "RI018"),
        ("release", "databases.identity.url = 'redis://:word@redis.internal'", false, "RI019"),
    ];
    #[cfg(not(feature = "redis"))]
    let redis = [("debug", "identity.store = 'redis'", false, "RI017")];
    for (profile, settings, expected, text) in cases.into_iter().chain(redis) {
        let settings_over_all = Toml::string(settings).profile(Profile::Global);
        let figment = figment(profile).merge(settings_over_all);
        new_lines();
        assert_eq!(launches(figment).await, expected, "{profile}: {settings}");
        let lines = new_lines();
        assert!(lines.contains(text), "{profile}: {settings}: {lines}");
        assert!(!text.is_empty() || !lines.contains("RI0"), "{profile}: {settings}: {lines}");
    }
}
