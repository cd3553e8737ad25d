//! src/config/keys.rs: unknown keys are refused, with the nearest known name.

use figment::Figment;
use figment::value::{Dict, Value};

use super::doctor::Finding;

const TOP: &[&str] =
    &["store", "login_path", "origins", "behind_tls_proxy", "allow", "session", "cookie", "memory"];
const TABLES: &[(&str, &[&str])] = &[
    ("session", &["idle", "absolute", "remember", "max_per_user"]),
    ("cookie", &["secure", "prefix", "same_site", "domain", "partitioned"]),
    ("memory", &["max_sessions"]),
];

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
            for (name, value) in value.as_dict().into_iter().flatten() {
                if let Some(dict) = value.as_dict() {
                    table(figment, &format!("{path}.{name}"), dict, false)?;
                }
            }
        } else if let Some((_, known)) = TABLES.iter().find(|(name, _)| name == key) {
            for (inner, value) in value.as_dict().into_iter().flatten() {
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

fn unknown(figment: &Figment, path: &str, key: &str, known: &[&str], value: &Value) -> Finding {
    let place = figment.get_metadata(value.tag()).map(|metadata| match &metadata.source {
        Some(source) => format!(" in {} {source}", metadata.name),
        None => format!(" in {}", metadata.name),
    });
    let nearest = known
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(key, a).total_cmp(&strsim::jaro_winkler(key, b)));
    let nearest = nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    let text = format!("unknown key `{path}`{}{nearest}", place.unwrap_or_default());
    Finding::refuse("RI009", text)
}

/// `ROCKET_IDENTITY_SESSION=..` becomes a key `identity_session` of its own, which nothing reads.
fn refuse_flat_variables(figment: &Figment) -> Result<(), Finding> {
    let all: Dict = figment.extract().unwrap_or_default();
    let Some(key) = all.keys().find(|key| key.starts_with("identity_")) else {
        return Ok(());
    };
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
            (json!({ "cookie": { "samesite": "Lax" } }), "did you mean `same_site`?"),
            (json!({ "named": { "admin": { "cooky": {} } } }), "`identity.named.admin.cooky`"),
            (json!({ "named": { "admin": { "named": {} } } }), "`identity.named.admin.named`"),
        ] {
            let found = finding("identity", identity).unwrap();
            assert!(found.text.contains(text), "{}", found.text);
        }
        assert!(finding("identity", json!({ "named": { "admin": { "cookie": {} } } })).is_none());
    }

    #[test]
    fn a_variable_that_figment_flattens_is_refused_with_the_form_to_write() {
        let found = finding("identity_mode", json!("jwt")).unwrap();
        assert_eq!(found.code, "RI010");
        assert!(found.text.contains("ROCKET_IDENTITY='{mode=..}'"), "{}", found.text);
    }
}
