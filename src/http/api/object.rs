//! Bodies of JSON: objects only, and what is wrong with one told by the field's name.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::ApiError;

/// Reads a body that is one object.
///
/// # Errors
/// 400 with the path of the field, such as `groups[2].ttl`, what was found there and what
/// was expected.
pub(super) fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let read = serde_json::from_slice::<Object<T>>(body);
    read.map(|Object(read)| read).map_err(|error| {
        // Read anew with paths, which good bodies do not pay for.
        let mut again = serde_json::Deserializer::from_slice(body);
        let told = match serde_path_to_error::deserialize::<_, Object<T>>(&mut again) {
            Err(error) => error.to_string(),
            // What is wrong stands behind the object.
            Ok(_) => error.to_string(),
        };
        ApiError::bad(format!("the body: {told}"))
    })
}

/// A value that is written as an object: what serde derives takes arrays, too.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Object<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members)).map(Object)
    }
}

/// A duration as text, or a number of seconds, which stands for the same as text.
#[derive(Debug)]
pub(super) struct Spelled(pub(super) String);

impl<'de> Deserialize<'de> for Spelled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SpelledVisitor)
    }
}

struct SpelledVisitor;

impl Visitor<'_> for SpelledVisitor {
    type Value = Spelled;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a duration such as \"6h\" or a number of seconds")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Spelled, E> {
        Ok(Spelled(text.to_owned()))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Spelled, E> {
        Ok(Spelled(seconds.to_string()))
    }
}
