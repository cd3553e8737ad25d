//! src/jwt/json.rs: JSON read strictly: a second member of one name, at any depth and however it is
//! escaped, is an error (RFC 7515 section 4, RFC 8725 section 3.7).

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value of which only a string or an integer is looked at; the rest is checked and skipped.
#[cfg_attr(test, derive(PartialEq, Debug))]
pub enum Scalar<'de> {
    Text(Cow<'de, str>),
    /// A JSON integer without fraction and exponent, from 0 to `u64::MAX`.
    Integer(u64),
    Other,
}

/// The names seen in one object: the first few on the stack, so that a token costs no allocation,
/// the rest in a set, so that thousands of tiny members cost no quadratic time.
#[derive(Default)]
pub struct Names<'de> {
    few: [&'de str; 8],
    count: usize,
    many: Option<HashSet<Cow<'de, str>>>,
}

/// Reads a [`Scalar`].
pub struct AnyScalar;

/// Reads a member's name, borrowed where nothing in it is escaped.
pub struct Name;

/// Checks a value and forgets it.
pub struct Skip;

/// Whether `text` is one JSON value without a duplicate member.
pub fn is_strict(text: &str) -> bool {
    let mut reader = serde_json::Deserializer::from_str(text);
    Skip.deserialize(&mut reader).is_ok() && reader.end().is_ok()
}

impl<'de> Names<'de> {
    /// Takes `name` in, or says that it is a second one.
    pub fn insert<E: Error>(&mut self, name: Cow<'de, str>) -> Result<(), E> {
        let seen = self.few[..self.count].iter().any(|other| **other == *name)
            || self.many.as_ref().is_some_and(|many| many.contains(&name));
        if seen {
            return Err(E::custom("a second member of one name"));
        }
        match name {
            Cow::Borrowed(name) if self.count < self.few.len() => {
                self.few[self.count] = name;
                self.count += 1;
            }
            name => {
                self.many.get_or_insert_default().insert(name);
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

impl<'de> DeserializeSeed<'de> for AnyScalar {
    type Value = Scalar<'de>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

// With serde_json's `arbitrary_precision` (any crate of a build may turn it on) a number with a
// fraction or an exponent arrives as a map; it is `Other` either way.
impl<'de> Visitor<'de> for AnyScalar {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without a duplicate member")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Integer(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Self::Value, A::Error> {
        Skip.visit_seq(items).map(|()| Scalar::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        Skip.visit_map(members).map(|()| Scalar::Other)
    }
}

impl<'de> DeserializeSeed<'de> for Skip {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Skip {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON without a duplicate member")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Skip)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = Names::default();
        while let Some(name) = members.next_key_seed(Name)? {
            names.insert(name)?;
            members.next_value_seed(Skip)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checklist row 42.
    #[test]
    fn a_second_member_of_one_name_is_refused_at_any_depth_and_in_any_spelling() {
        let twelve: Vec<_> = (0..12).map(|n| format!(r#""n{n}":{n}"#)).collect();
        let twelve = twelve.join(",");
        for text in [
            r#"{"a":1,"a":1}"#.to_owned(),
            r#"{"a":1,"\u0061":2}"#.to_owned(),
            r#"{"\u0061":1,"a":2}"#.to_owned(),
            r#"{"\u0061":1,"\u0061":2}"#.to_owned(),
            r#"[{"x":[{"a":1,"b":2,"a":3}]}]"#.to_owned(),
            format!("{{{twelve},\"n0\":0}}"),
            format!("{{{twelve},\"n11\":0}}"),
            format!("{{{twelve},\"\\u006e9\":0}}"),
        ] {
            assert!(!is_strict(&text), "{text}");
        }
        for text in [
            r#"{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}],"A":1.5e3}"#.to_owned(),
            format!("{{{twelve},\"n12\":null}}"),
            "[-1, 0.25, true, \"\\u00e9\", {}]".to_owned(),
        ] {
            assert!(is_strict(&text), "{text}");
        }
        for text in ["", "{", "{}{}", "{} x", "{\"a\":1,}", "\u{feff}{}", "NaN", "'a'"] {
            assert!(!is_strict(text), "{text}");
        }
    }

    #[test]
    fn nesting_beyond_what_the_reader_follows_is_refused_without_exhausting_the_stack() {
        assert!(is_strict(&format!("{}{}", "[".repeat(100), "]".repeat(100))));
        assert!(!is_strict(&format!("{}{}", "[".repeat(4_000), "]".repeat(4_000))));
        assert!(!is_strict(&"{\"a\":".repeat(2_000)));
    }

    /// Checklist row 44: only an integer is an integer.
    #[test]
    fn only_an_integer_in_plain_digits_is_read_as_one() {
        fn read(text: &str) -> Scalar<'_> {
            AnyScalar.deserialize(&mut serde_json::Deserializer::from_str(text)).unwrap()
        }
        assert_eq!(read("17"), Scalar::Integer(17));
        assert_eq!(read(&u64::MAX.to_string()), Scalar::Integer(u64::MAX));
        let number = r#"{"$serde_json::private::Number":"17"}"#;
        for text in ["17.0", "17e0", "-17", "-0", "18446744073709551616", "1e19", "null", number] {
            assert_eq!(read(text), Scalar::Other, "{text}");
        }
    }
}
