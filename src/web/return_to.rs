//! src/web/return_to.rs: where to go after a login: a path of this site and nothing else.

use std::fmt;

use rocket::http::uri::Origin;

/// A path of this site, with a query perhaps: the only thing that `?next=` may be.
///
/// Refused are other sites in every spelling (`//evil`, `/\evil`, `/%2F/evil`, a scheme, a user),
/// dot segments, fragments, white space, control characters, anything that is not ASCII, and more
/// than 2,000 bytes (CWE-601).
///
/// ```
/// use rocket_identity::redirect::ReturnTo;
///
/// assert_eq!(ReturnTo::parse("/cart?item=7").unwrap().as_str(), "/cart?item=7");
/// assert!(ReturnTo::parse("//evil.example").is_none());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// The text as a path of this site, or nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let path = text.split('?').next().unwrap_or_default();
        let plain = |b: u8| b.is_ascii_graphic() && !b"\\#\"<>`{}|^".contains(&b);
        if text.len() > 2_000 || !text.bytes().all(plain) || !is_local(path) {
            return None;
        }
        // Twice, since a proxy in front may decode once.
        let decoded = decode(path)?;
        let again = decode(&decoded)?;
        (is_local(&decoded) && is_local(&again)).then_some(())?;
        Origin::parse(text).ok().map(|_| ReturnTo(text.to_owned()))
    }

    /// The path and query, for a `Location`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same, by value.
    pub fn into_string(self) -> String {
        self.0
    }
}

impl fmt::Display for ReturnTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Starts at this site's root and never leaves it, nor names a host on the way.
fn is_local(path: &str) -> bool {
    path.starts_with('/')
        && !path.contains("//")
        && !path.contains(|c: char| c == '\\' || c.is_control() || c.is_whitespace())
        && !path.split('/').any(|segment| segment == "." || segment == "..")
}

fn decode(path: &str) -> Option<String> {
    rocket::http::RawStr::new(path).percent_decode().ok().map(|path| path.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_this_site_is_kept_as_it_is() {
        for good in ["/", "/me", "/a/b?c=d&e=//f", "/caf%C3%A9", "/a%20b?x=%2F%2F", "/@a", "/a:b"] {
            let kept = ReturnTo::parse(good);
            // A space in a decoded path is the one thing refused for caution alone.
            assert_eq!(kept.is_some(), !good.contains("%20b"), "{good}");
        }
    }

    #[test]
    fn nothing_that_could_lead_elsewhere_passes() {
        for bad in [
            "",
            "me",
            "//evil.test",
            "///evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "/%2F/evil.test",
            "/%2Fevil.test",
            "/%2f%2fevil.test",
            "/%5Cevil.test",
            "/%255Cevil.test",
            "/%252Fevil.test",
            "https://evil.test",
            "https:evil.test",
            "javascript:alert(1)",
            "//user@evil.test",
            "user@evil.test",
            "/\tevil",
            "/a\tb",
            "\t//evil.test",
            " /me",
            "/me ",
            "/me\r\nX: y",
            "/%0d%0aX:y",
            "/%09/evil.test",
            "/a#b",
            "/..//evil.test",
            "/.//evil.test",
            "/a/../b",
            "/%2e%2e/b",
            "/é",
            "/\u{2028}",
            "/a\0",
            "/%00",
            "/a//b",
            "/%ff",
        ] {
            assert_eq!(ReturnTo::parse(bad), None, "{bad:?}");
        }
        assert_eq!(ReturnTo::parse(&format!("/{}", "a".repeat(2_000))), None);
    }
}
