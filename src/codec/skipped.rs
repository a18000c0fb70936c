//! What a newer writer has added is skipped, whatever it is.

use std::fmt;

use serde::de::{Deserialize, Deserializer, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

/// A value that is read and not kept. serde's own `IgnoredAny` asks for names and symbols in a way that the library
/// refuses: one new field that holds a record or an enum would make what has it unreadable.
pub(super) struct Skipped;

impl<'de> Deserialize<'de> for Skipped {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Skipped)
    }
}

impl<'de> Visitor<'de> for Skipped {
    type Value = Skipped;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(Skipped)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(Skipped)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(Skipped)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(Skipped)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(Skipped)
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Self, E> {
        Ok(Skipped)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self, A::Error> {
        while seq.next_element::<Skipped>()?.is_some() {}
        Ok(Skipped)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<Skipped, Skipped>()?.is_some() {}
        Ok(Skipped)
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Self, A::Error> {
        let (_, symbol) = access.variant::<Skipped>()?;
        symbol.unit_variant()?;
        Ok(Skipped)
    }
}
