//! src/config/keys.rs: unknown keys are refused, with the nearest known name.

use figment::value::{Dict, Value};
use figment::{Figment, Provider};

use super::doctor::Finding;

const TOP: &[&str] = &[
    "store",
    "login_path",
    "confirm_path",
    "origins",
    "behind_tls_proxy",
    "allow",
    "session",
    "cookie",
    "memory",
    "throttle",
    "jwt",
    "password",
];
const TABLES: &[(&str, &[&str])] = &[
    (
        "session",
        &["idle", "absolute", "remember", "max_per_user", "evict", "reload", "clear_site_data"],
    ),
    ("cookie", &["secure", "prefix", "same_site", "domain", "partitioned"]),
    ("memory", &["max_sessions"]),
    (
        "throttle",
        &[
            "account_burst",
            "account_refill",
            "address_burst",
            "address_refill",
            "trusted_proxies",
            "proxy_field",
            "max_entries",
        ],
    ),
    ("jwt", &["keys", "jwks", "issuer", "audience", "access_ttl", "leeway", "transport"]),
    (
        "password",
        &[
            "memory_kib",
            "iterations",
            "parallelism",
            "max_memory_kib",
            "max_iterations",
            "max_parallelism",
            "at_once",
            "queue",
            "longest_wait",
            "pepper",
        ],
    ),
];
/// Tables that a feature of the same name reads, and whether it is on.
const FEATURES: &[(&str, bool)] =
    &[("jwt", cfg!(feature = "jwt")), ("password", cfg!(feature = "password"))];

/// The last part of every key that has a value.
#[cfg(test)]
pub fn all() -> impl Iterator<Item = &'static str> {
    let tables: Vec<_> = TABLES.iter().map(|(name, _)| *name).collect();
    let top = TOP.iter().filter(move |name| !tables.contains(*name));
    top.chain(TABLES.iter().flat_map(|(_, keys)| *keys)).copied()
}

/// Looks at every key under `identity`, those of all named fairings included.
pub fn check(figment: &Figment) -> Result<(), Finding> {
    refuse_flat_variables(figment)?;
    let Ok(identity) = figment.find_value("identity") else {
        return Ok(());
    };
    let Some(identity) = identity.into_dict() else {
        return Err(Finding::refuse("RI009", "identity must be a table".into()));
    };
    table(figment, "identity", &identity, true)
}

fn table(figment: &Figment, path: &str, dict: &Dict, outer: bool) -> Result<(), Finding> {
    for (key, value) in dict {
        let path = format!("{path}.{key}");
        if outer && key == "named" {
            for (name, value) in dict_of(&path, value)? {
                let path = format!("{path}.{name}");
                table(figment, &path, dict_of(&path, value)?, false)?;
            }
        } else if FEATURES.contains(&(&**key, false)) {
            let text = format!("`{path}` needs the feature `{key}` of rocket_identity");
            return Err(Finding::refuse("RI009", text));
        } else if !outer && key == "password" {
            let text = format!(
                "`{path}`: passwords are hashed alike for all fairings; write it in \
                 [default.identity.password]"
            );
            return Err(Finding::refuse("RI009", text));
        } else if let Some((_, known)) = TABLES.iter().find(|(name, _)| name == key) {
            for (inner, value) in dict_of(&path, value)? {
                if !known.contains(&&**inner) {
                    return Err(unknown(figment, &format!("{path}.{inner}"), inner, known, value));
                }
            }
        } else if !TOP.contains(&&**key) {
            return Err(unknown(figment, &path, key, TOP, value));
        }
    }
    Ok(())
}

fn dict_of<'a>(path: &str, value: &'a Value) -> Result<&'a Dict, Finding> {
    value.as_dict().ok_or_else(|| Finding::refuse("RI009", format!("`{path}` must be a table")))
}

/// The named tables that no fairing reads, each with the nearest name that one has.
pub fn unread_names(figment: &Figment, names: &[&str]) -> Vec<Finding> {
    let named = figment.find_value("identity.named").ok().and_then(Value::into_dict);
    let tables = named.into_iter().flat_map(|dict| dict.into_keys());
    let unread = tables.filter(|table| !names.contains(&&**table));
    let text = |table: String| {
        let hint = nearest(&table, names).unwrap_or_default();
        format!("no fairing is named {table:?}: [identity.named.{table}] is read by nothing{hint}")
    };
    unread.map(|table| Finding::warn("RI024", text(table))).collect()
}

fn nearest(key: &str, known: &[&str]) -> Option<String> {
    let likeness = |name: &&str| strsim::jaro_winkler(key, name);
    let best = known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    Some(format!("; did you mean `{best}`?"))
}

fn unknown(figment: &Figment, path: &str, key: &str, known: &[&str], value: &Value) -> Finding {
    let place = figment.get_metadata(value.tag()).map(|metadata| match &metadata.source {
        Some(source) => format!(" in {} {source}", metadata.name),
        None => format!(" in {}", metadata.name),
    });
    let nearest = nearest(key, known).unwrap_or_default();
    let text = format!("unknown key `{path}`{}{nearest}", place.unwrap_or_default());
    Finding::refuse("RI009", text)
}

/// `ROCKET_IDENTITY_SESSION=..` becomes a key `identity_session` of its own, which nothing reads.
fn refuse_flat_variables(figment: &Figment) -> Result<(), Finding> {
    // An application's own `identity_provider` in a file is none of our business.
    let from_environment = |value: &Value| {
        let metadata = figment.get_metadata(value.tag());
        metadata.is_some_and(|metadata| metadata.name.contains("environment"))
    };
    let profiles = figment.data().unwrap_or_default();
    let mut all = profiles.values().flatten();
    let flat = all.find(|(key, value)| key.starts_with("identity_") && from_environment(value));
    let Some((key, _)) = flat else { return Ok(()) };
    let rest = &key["identity_".len()..];
    let text = format!(
        "`{key}` (ROCKET_{}) is read by nothing; write ROCKET_IDENTITY='{{{rest}=..}}'",
        key.to_uppercase(),
    );
    Err(Finding::refuse("RI010", text))
}

#[cfg(test)]
mod tests {
    use figment::providers::Serialized;
    use serde_json::{Value, json};

    use super::*;

    fn finding(key: &str, value: Value) -> Option<Finding> {
        check(&Figment::from(Serialized::default(key, value))).err()
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_known_name() {
        for (identity, text) in [
            (json!({ "sesion": {} }), "did you mean `session`?"),
            (json!({ "session": { "idel": "5m" } }), "`identity.session.idel`"),
            (json!({ "throttle": { "trusted_proxy": [] } }), "did you mean `trusted_proxies`?"),
            (json!({ "cookie": { "samesite": "Lax" } }), "did you mean `same_site`?"),
            (json!({ "named": { "admin": { "cooky": {} } } }), "`identity.named.admin.cooky`"),
            (json!({ "named": { "admin": { "password": {} } } }), "[default.identity.password]"),
            (json!({ "password": { "itterations": 2 } }), "did you mean `iterations`?"),
            (json!({ "named": { "admin": { "named": {} } } }), "`identity.named.admin.named`"),
        ] {
            let found = finding("identity", identity).unwrap();
            assert!(found.text.contains(text), "{}", found.text);
        }
        assert!(finding("identity", json!({ "named": { "admin": { "cookie": {} } } })).is_none());
    }

    /// What `ROCKET_IDENTITY_MODE` becomes, without touching this process's environment.
    struct Environment;

    impl Provider for Environment {
        fn metadata(&self) -> figment::Metadata {
            figment::Metadata::named("`ROCKET_` environment variable(s)")
        }

        fn data(&self) -> figment::Result<figment::value::Map<figment::Profile, Dict>> {
            Serialized::default("identity_mode", "jwt").data()
        }
    }

    #[test]
    fn a_variable_that_figment_flattens_is_refused_with_the_form_to_write() {
        let found = check(&Figment::from(Environment)).unwrap_err();
        assert_eq!(found.code, "RI010");
        assert!(found.text.contains("ROCKET_IDENTITY='{mode=..}'"), "{}", found.text);
    }

    #[test]
    fn a_key_of_the_applications_own_that_begins_alike_is_none_of_ours() {
        assert!(finding("identity_provider", json!("https://idp.test")).is_none());
    }

    #[test]
    fn what_must_be_a_table_is_one() {
        for identity in [
            json!(7),
            json!({ "named": 7 }),
            json!({ "named": { "a": 7 } }),
            json!({ "session": 7 }),
        ] {
            assert_eq!(finding("identity", identity).unwrap().code, "RI009");
        }
    }

    #[test]
    fn a_named_table_without_its_fairing_is_told() {
        let tables = json!({ "named": { "amdin": {}, "admin": {} } });
        let figment = Figment::from(Serialized::default("identity", tables));
        let found = unread_names(&figment, &["", "admin"]);
        assert_eq!(found.len(), 1);
        assert!(found[0].text.contains("did you mean `admin`?"), "{}", found[0].text);
        assert!(unread_names(&Figment::new(), &[""]).is_empty());
    }
}
