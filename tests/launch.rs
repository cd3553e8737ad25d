//! tests/launch.rs: what does not launch, and that it says why. The log is this process's, so that one
//! test has the file to itself.
#![cfg(feature = "testing")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod support;

use rocket::figment::providers::{Format, Toml};
use rocket::figment::{Figment, Profile};
use rocket_identity::Identity;
use support::{Account, Captured, figment};

async fn launches(figment: Figment, fairing: Identity<Account>) -> bool {
    let rocket = rocket::custom(figment).attach(fairing);
    // Rocket's error panics when nobody looked at it.
    rocket.ignite().await.map_err(|error| format!("{:?}", error.kind())).is_ok()
}

type Fairing = fn() -> Identity<Account>;

const SECRET: &str = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IHNlY3I";

/// Row 53 of the project's security checklist, and what else keeps tokens from a launch.
#[cfg(feature = "jwt")]
fn tokens() -> Vec<(&'static str, &'static str, bool, &'static str)> {
    const NAMES: &str = "identity.jwt.issuer = 'https://a.test'\nidentity.jwt.audience = ['api']\n";
    let with = |keys: String| -> &'static str {
        Box::leak(format!("{NAMES}identity.jwt.jwks = '{{\"keys\":[{keys}]}}'").into_boxed_str())
    };
    let key =
        |kid: &str, k: &str| format!(r#"{{"kty":"oct","alg":"HS256","kid":"{kid}","k":"{k}"}}"#);
    let with_under_keys = |key: &str| -> &'static str {
        Box::leak(format!("identity.jwt.keys = '{{\"keys\":[{key}]}}'").into_boxed_str())
    };
    let (good, weak) = (key("one", SECRET), key("two", &SECRET[..40]));
    let broken = r#"{"kty":"AKP","kid":"three"}"#.to_owned();
    vec![
        ("debug", "", true, "RI027"),
        ("debug", "", true, "RI032"),
        ("release", NAMES, false, "RI027"),
        ("release", "identity.jwt.keys = 'keys'", false, "RI032"),
        ("release", with(good.clone()), true, ""),
        ("debug", with(weak.clone()), false, "RI028"),
        ("debug", with(format!("{good},{good}")), false, "RI028"),
        ("debug", with(format!("{good},{broken}")), true, "RI029"),
        ("debug", with(broken), false, "RI030"),
        ("debug", with(String::new()), false, "RI030"),
        ("debug", "identity.jwt.keys = '/nowhere/keys'", false, "RI030"),
        ("debug", "identity.jwt.jwks = 7", false, "RI009"),
        ("debug", with_under_keys(&key("one", SECRET)), false, "write a key set as `jwks`"),
        ("debug", "identity.jwt.keys = 'a'\nidentity.jwt.jwks = 'b'", false, "keep one of them"),
        ("debug", "identity.jwt.access_ttl = '2d'", false, "identity.jwt.access_ttl"),
        ("debug", "identity.jwt.acess_ttl = '5m'", false, "did you mean `access_ttl`?"),
    ]
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
    let sessions = cases.into_iter().chain(redis).map(|case| (Identity::sessions as Fairing, case));
    #[cfg(feature = "jwt")]
    let cases = sessions.chain(tokens().into_iter().map(|case| (Identity::jwt as Fairing, case)));
    #[cfg(not(feature = "jwt"))]
    let cases = sessions;
    for (fairing, (profile, settings, expected, text)) in cases {
        let settings_over_all = Toml::string(settings).profile(Profile::Global);
        let figment = figment(profile).merge(settings_over_all);
        new_lines();
        assert_eq!(launches(figment, fairing()).await, expected, "{profile}: {settings}");
        let lines = new_lines();
        assert!(lines.contains(text), "{profile}: {settings}: {lines}");
        assert!(!text.is_empty() || !lines.contains("RI0"), "{profile}: {settings}: {lines}");
        assert!(!lines.contains(SECRET), "{profile}: {settings}: {lines}");
    }
}
