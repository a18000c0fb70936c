//! How a value stands in a record: written and read by hand, byte for byte as Avro has it, and through serde for
//! records of other versions. A test holds both to the same bytes.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

use super::bytes::{Input, Malformed, Output, put_long};
use super::schema::RecordSchema;

/// What can stand in a record, written and read by hand.
#[allow(unreachable_pub, reason = "in the bounds of `Record`, which nobody outside implements")]
pub trait ByHand<'b>: Sized {
    /// Appends it as Avro has it.
    fn put(&self, out: &mut Output<'_>);

    /// Takes it from the front.
    fn take(input: &mut Input<'b>) -> Result<Self, Malformed>;
}

/// What can stand in a record, written and read through serde.
pub(super) trait BySerde: Sized {
    /// Writes it as what its schema has.
    fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// Reads it from what any version has written.
    fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// What it is where its field is younger than the writer. Only what may be null has that.
    fn absent() -> Option<Self> {
        None
    }
}

/// The name of a field or symbol, or the number of a branch.
pub(super) enum Identifier {
    Name(String),
    Number(u32),
}

impl<'de> serde::Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Identifier;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name or a number")
            }

            fn visit_str<E>(self, name: &str) -> Result<Identifier, E> {
                Ok(Identifier::Name(name.to_owned()))
            }

            fn visit_u32<E>(self, number: u32) -> Result<Identifier, E> {
                Ok(Identifier::Number(number))
            }
        }
        deserializer.deserialize_identifier(Either)
    }
}

impl Identifier {
    pub(super) fn name(&self) -> &str {
        match self {
            Identifier::Name(name) => name,
            Identifier::Number(_) => "",
        }
    }
}

/// Lets serde write a value.
pub(super) struct ToSerde<'v, T>(pub(super) &'v T);

impl<T: BySerde> Serialize for ToSerde<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.to_serde(serializer)
    }
}

/// Lets serde read a value.
pub(super) struct FromSerde<T>(pub(super) PhantomData<T>);

impl<T> FromSerde<T> {
    pub(super) const fn new() -> Self {
        FromSerde(PhantomData)
    }
}

impl<'de, T: BySerde> DeserializeSeed<'de> for FromSerde<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::from_serde(deserializer)
    }
}

impl<'b, T: ByHand<'b>> ByHand<'b> for Option<T> {
    #[inline]
    fn put(&self, out: &mut Output<'_>) {
        match self {
            None => out.byte(0),
            Some(value) => {
                out.byte(2);
                value.put(out);
            }
        }
    }

    #[inline]
    fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
        if input.is_some()? { T::take(input).map(Some) } else { Ok(None) }
    }
}

impl<T: BySerde> BySerde for Option<T> {
    fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            None => serializer.serialize_none(),
            Some(value) => serializer.serialize_some(&ToSerde(value)),
        }
    }

    fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Nullable<T>(PhantomData<T>);
        impl<'de, T: BySerde> Visitor<'de> for Nullable<T> {
            type Value = Option<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("null or a value")
            }

            fn visit_none<E>(self) -> Result<Option<T>, E> {
                Ok(None)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
                T::from_serde(deserializer).map(Some)
            }
        }
        deserializer.deserialize_option(Nullable(PhantomData))
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// Values one after the other. A writer may cut them into blocks; we write one.
impl<'b, T: ByHand<'b>> ByHand<'b> for Vec<T> {
    fn put(&self, out: &mut Output<'_>) {
        put_items(self, out);
    }

    fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
        let mut items = Vec::new();
        // Every item of ours takes a byte at least.
        input.items(input.0.len(), |input| {
            items.push(T::take(input)?);
            Ok(())
        })?;
        Ok(items)
    }
}

pub(super) fn put_items<'b, T: ByHand<'b>>(items: &[T], out: &mut Output<'_>) {
    if !items.is_empty() {
        put_long(items.len() as i64, out);
        for item in items {
            item.put(out);
        }
    }
    out.byte(0);
}

pub(super) fn items_to_serde<T: BySerde, S: Serializer>(
    items: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(Some(items.len()))?;
    for item in items {
        seq.serialize_element(&ToSerde(item))?;
    }
    seq.end()
}

impl<T: BySerde> BySerde for Vec<T> {
    fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        items_to_serde(self, serializer)
    }

    fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items<T>(PhantomData<T>);
        impl<'de, T: BySerde> Visitor<'de> for Items<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element_seed(FromSerde::new())? {
                    items.push(item);
                }
                Ok(items)
            }
        }
        deserializer.deserialize_seq(Items(PhantomData))
    }
}

/// Values of which a record has no more than `N`; more are an error, so that a state stays bounded.
impl<'b, T: ByHand<'b> + Clone, const N: usize> ByHand<'b> for Few<'b, T, N> {
    fn put(&self, out: &mut Output<'_>) {
        put_items(&self.0, out);
    }

    fn take(input: &mut Input<'b>) -> Result<Self, Malformed> {
        let mut items = Vec::new();
        input.items(N, |input| {
            items.push(T::take(input)?);
            Ok(())
        })?;
        Ok(Few(Cow::Owned(items)))
    }
}

/// Values of which there are no more than `N`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Few<'b, T: Clone, const N: usize>(pub(super) Cow<'b, [T]>);

impl<T: BySerde + Clone, const N: usize> BySerde for Few<'_, T, N> {
    fn to_serde<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        items_to_serde(&self.0, serializer)
    }

    fn from_serde<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items: Vec<T> = BySerde::from_serde(deserializer)?;
        if items.len() > N { Err(D::Error::custom(Malformed::Length)) } else { Ok(Few(Cow::Owned(items))) }
    }
}

/// Writes and reads the fields of a struct as the fields of a record, in this order.
///
/// `fields!(['b] Type<'b> as "Record" { field => "name", ... })`; the lifetime is that of what is borrowed from the
/// bytes that are read.
macro_rules! fields {
    ([$life:lifetime] $type:ty as $record:literal { $($field:ident => $name:literal),* $(,)? }) => {
        impl<$life> $crate::codec::wire::ByHand<$life> for $type {
            #[inline]
            fn put(&self, out: &mut $crate::codec::bytes::Output<'_>) {
                $($crate::codec::wire::ByHand::put(&self.$field, out);)*
            }

            #[inline]
            fn take(
                input: &mut $crate::codec::bytes::Input<$life>,
            ) -> Result<Self, $crate::codec::bytes::Malformed> {
                Ok(Self { $($field: $crate::codec::wire::ByHand::take(input)?),* })
            }
        }

        $crate::codec::wire::by_serde!([$life] $type as $record { $($field => $name),* });
    };
}
pub(super) use fields;

/// The same through serde alone.
macro_rules! by_serde {
    ([$life:lifetime] $type:ty as $record:literal { $($field:ident => $name:literal),* $(,)? }) => {
        impl<$life> $crate::codec::wire::BySerde for $type {
            fn to_serde<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct as _;
                const FIELDS: &[&str] = &[$($name),*];
                let mut record = serializer.serialize_struct($record, FIELDS.len())?;
                $(record.serialize_field($name, &$crate::codec::wire::ToSerde(&self.$field))?;)*
                record.end()
            }

            fn from_serde<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields<$life>(std::marker::PhantomData<&$life ()>);
                impl<'de, $life> serde::de::Visitor<'de> for Fields<$life> {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("a record ", $record))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<$type, A::Error> {
                        $(let mut $field = None;)*
                        while let Some(name) = map.next_key::<$crate::codec::wire::Identifier>()? {
                            match name.name() {
                                $($name => $field = Some(map.next_value_seed($crate::codec::wire::FromSerde::new())?),)*
                                _ => {
                                    map.next_value::<$crate::codec::skipped::Skipped>()?;
                                }
                            }
                        }
                        type Record<$life> = $type;
                        Ok(Record { $($field: $crate::codec::wire::present($field, $name)?),* })
                    }
                }
                deserializer.deserialize_any(Fields(std::marker::PhantomData))
            }
        }
    };
}
pub(super) use by_serde;

/// The value of a field, or what it is where the writer is older than the field.
pub(super) fn present<T: BySerde, E: serde::de::Error>(value: Option<T>, name: &'static str) -> Result<T, E> {
    value.or_else(T::absent).ok_or_else(|| E::missing_field(name))
}

/// A whole record: what the value of a message is.
pub trait Record<'b>: ByHand<'b> {
    /// Its schema.
    const SCHEMA: RecordSchema;

    /// Writes it through serde.
    ///
    /// # Errors
    /// Those of the serializer.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;

    /// Reads it through serde; the inner error is that its parts do not fit one another.
    ///
    /// # Errors
    /// Those of the deserializer.
    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Result<Self, Malformed>, D::Error>;

    /// Why only a newer Lockstep can read it, where it cannot be read.
    ///
    /// # Errors
    /// Those of the deserializer.
    fn newer<'de, D: Deserializer<'de>>(_: D) -> Result<Option<Malformed>, D::Error> {
        Ok(None)
    }
}

/// Records that serde writes and reads as they are.
macro_rules! records {
    ($([$life:lifetime] $type:ty: $schema:ident;)*) => {$(
        impl<$life> $crate::codec::wire::Record<$life> for $type {
            const SCHEMA: $crate::codec::schema::RecordSchema = $crate::codec::schema::RecordSchema::$schema;
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::codec::wire::BySerde::to_serde(self, serializer)
            }

            fn deserialize<'de, D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> Result<Result<Self, $crate::codec::bytes::Malformed>, D::Error> {
                $crate::codec::wire::BySerde::from_serde(deserializer).map(Ok)
            }
        }
    )*};
}
pub(super) use records;
