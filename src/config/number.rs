//! Whole numbers, read with more room than any key has: what is told is the range of the key, and not that of a
//! type.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use crate::document::{Field, Mistakes};

/// A whole number as it is written; in the schema one of 16 bits.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
pub(super) struct Whole(i64);

impl Whole {
    /// The number, where it is between these two.
    pub(super) fn within(self, min: u16, max: u16) -> Option<u16> {
        u16::try_from(self.0).ok().filter(|number| (min..=max).contains(number))
    }
}

/// A number from 1 to a most, with a default between them.
pub(super) fn within(
    raw: Field<Whole>,
    key: &str,
    default: u16,
    max: u16,
    mistakes: &mut Mistakes,
) -> Option<u16> {
    between(raw, key, (1, default, max), mistakes)
}

/// A number from a least to a most, with a default between them.
pub(super) fn between(
    raw: Field<Whole>,
    key: &str,
    (min, default, max): (u16, u16, u16),
    mistakes: &mut Mistakes,
) -> Option<u16> {
    let Some(number) = raw.into_given() else { return Some(default) };
    let good = number.value.within(min, max);
    if good.is_none() {
        mistakes
            .error(number.place, "value", format!("`{key}` is out of range"))
            .mend(format!("write a number from {min} to {max}; {default} if unsure"));
    }
    good
}

impl JsonSchema for Whole {
    fn schema_name() -> Cow<'static, str> {
        u16::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        u16::json_schema(generator)
    }

    fn inline_schema() -> bool {
        u16::inline_schema()
    }
}
