//! JSON text in which every object has a key once: of two values under one key one parser takes the
//! first and another one the last, so that a file would mean two things.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Bytes of text at most: configurations take about a thousand for each layer, and values some
/// twenty times their text in memory.
const LONGEST: usize = 4 << 20;

/// The value of this text, which messages call `what`.
pub(super) fn json(what: &str, bytes: &[u8]) -> Result<Value> {
    if bytes.len() > LONGEST {
        return Err(Error::refused(format!(
            "{what} has {} bytes, wanted at most {LONGEST}",
            bytes.len()
        )));
    }
    let Distinct(value) = serde_json::from_slice(bytes)
        .map_err(|e| Error::refused(format!("{what} cannot be read as JSON: {e}")))?;
    Ok(value)
}

struct Distinct(Value);

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        from.deserialize_any(Any).map(Self)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E>(self) -> std::result::Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> std::result::Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> std::result::Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Distinct(item)) = from.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> std::result::Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = from.next_key::<String>()? {
            if members.contains_key(&key) {
                return Err(A::Error::custom(format!("the key `{key}` stands twice")));
            }
            let Distinct(value) = from.next_value()?;
            members.insert(key, value);
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_the_text() {
        let text = r#"{"a": [1, -2, 0.5, true, null, "\u00e9"], "b": {"a": {}}}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(json("it", text.as_bytes()).unwrap(), expected);
    }

    #[test]
    fn keys_stand_once_at_every_depth() {
        for text in [
            r#"{"k": 1, "k": 1}"#,
            r#"{"a": [{"k": 1, "b": {}, "\u006b": 2}]}"#,
        ] {
            let error = json("it", text.as_bytes()).unwrap_err().to_string();
            let begin = "it cannot be read as JSON: the key `k` stands twice at line 1";
            assert!(error.starts_with(begin), "{error}");
        }
        json("it", br#"{"a": {"k": 1}, "b": {"k": 2}}"#).unwrap();
    }

    #[test]
    fn long_text_is_refused_before_it_is_parsed() {
        let text = vec![b' '; LONGEST + 1];
        assert_eq!(
            json("it", &text).unwrap_err().to_string(),
            "it has 4194305 bytes, wanted at most 4194304"
        );
    }
}
