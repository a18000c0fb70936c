//! How a value stands in a record: written and read by hand, byte for byte as Avro has it, and through serde for
//! records of other versions. A test holds both to the same bytes.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

use super::schema::RecordSchema;

/// Why bytes are not a record of the schema they claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// They end in the middle.
    #[error("it ends in the middle")]
    CutOff,
    /// A number takes more bytes than its type allows.
    #[error("a number is out of range")]
    Number,
    /// A length or count is below zero, or more than there are bytes left, or than the field may have.
    #[error("a length is out of range")]
    Length,
    /// A union has no such branch.
    #[error("a union has no such branch")]
    Branch,
    /// A text is not UTF-8.
    #[error("a text is not UTF-8")]
    Utf8,
    /// A boolean is neither 0 nor 1.
    #[error("a boolean is neither 0 nor 1")]
    Boolean,
    /// An enum has no such symbol, or one that only a newer Lockstep knows.
    #[error("{0} has no such symbol")]
    Symbol(&'static str),
    /// Its kind is one that only a newer Lockstep knows.
    #[error("its kind {0} is not known")]
    Kind(String),
    /// It was written by a newer engine version.
    #[error("it was written by engine version {0}")]
    NewerEngine(u16),
    /// There is more after its end.
    #[error("there are {0} bytes after its end")]
    Trailing(usize),
    /// A value that its type allows and its meaning does not.
    #[error("{0}")]
    Value(&'static str),
}

/// What is left to be read of a record.
#[derive(Clone, Copy, Debug)]
#[allow(unreachable_pub, reason = "in the bounds of `Record`, which nobody outside implements")]
pub struct Input<'b>(pub(super) &'b [u8]);

impl<'b> Input<'b> {
    #[inline]
    pub(super) fn bytes(&mut self, length: usize) -> Result<&'b [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::CutOff)?;
        self.0 = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::CutOff)?;
        self.0 = rest;
        Ok(*taken)
    }

    #[inline]
    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// A `long`.
    #[inline]
    pub(super) fn long(&mut self) -> Result<i64, Malformed> {
        let number = match self.0 {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.0 = rest;
                u64::from(*byte)
            }
            [a, b, c, d, e, f, g, h, ..] => {
                let bytes = u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                let last = !bytes & MORE;
                if last == 0 {
                    return self.longest();
                }
                // Up to and with the first byte that no other follows.
                let length = last.trailing_zeros() / 8 + 1;
                self.0 = self.0.get(length as usize..).unwrap_or_default();
                gather(bytes & !MORE & u64::MAX >> (64 - 8 * length))
            }
            _ => return self.longest(),
        };
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// A `long` byte by byte: where it is very long, or the end is near.
    #[cold]
    fn longest(&mut self) -> Result<i64, Malformed> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(Malformed::Number);
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(Malformed::Number)
    }

    /// A length that fits into what is left.
    fn length(&mut self) -> Result<usize, Malformed> {
        let length = usize::try_from(self.long()?).map_err(|_| Malformed::Length)?;
        if length > self.0.len() { Err(Malformed::Length) } else { Ok(length) }
    }

    pub(super) fn text(&mut self) -> Result<&'b str, Malformed> {
        let length = self.length()?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| Malformed::Utf8)
    }

    /// Whether the second branch of a union of null and something is there.
    #[inline]
    pub(super) fn is_some(&mut self) -> Result<bool, Malformed> {
        match self.0 {
            [0, rest @ ..] => {
                self.0 = rest;
                Ok(false)
            }
            [2, rest @ ..] => {
                self.0 = rest;
                Ok(true)
            }
            _ => self.is_some_at_length(),
        }
    }

    /// A number may be written with more bytes than it takes.
    #[cold]
    fn is_some_at_length(&mut self) -> Result<bool, Malformed> {
        match self.long()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed::Branch),
        }
    }

    /// The items of an array; no more than `most`.
    pub(super) fn items(
        &mut self,
        most: usize,
        mut item: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let mut left = most;
        loop {
            let mut count = self.long()?;
            if count < 0 {
                // A block that tells its size in bytes too.
                count = count.checked_neg().ok_or(Malformed::Length)?;
                self.long()?;
            }
            if count == 0 {
                return Ok(());
            }
            let count = usize::try_from(count).map_err(|_| Malformed::Length)?;
            left = left.checked_sub(count).ok_or(Malformed::Length)?;
            for _ in 0..count {
                item(self)?;
            }
        }
    }
}

/// Where a record is written to. What does not fit is counted, so that it can be written anew where it does: nothing
/// is called that could make a larger place, so the compiler keeps all this in registers.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "in the bounds of `Record`, which nobody outside implements")]
pub struct Output<'o> {
    place: &'o mut [u8],
    pub(super) written: usize,
}

impl<'o> Output<'o> {
    pub(super) const fn new(place: &'o mut [u8]) -> Self {
        Output { place, written: 0 }
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        if let Some(slot) = self.place.get_mut(self.written) {
            *slot = byte;
        }
        self.written += 1;
    }

    #[inline]
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        let end = self.written + bytes.len();
        if let Some(slots) = self.place.get_mut(self.written..end) {
            slots.copy_from_slice(bytes);
        }
        self.written = end;
    }

    /// All of these bytes, whose number is known.
    #[inline]
    pub(super) fn array<const N: usize>(&mut self, bytes: &[u8; N]) {
        if let Some(slots) = self.place.get_mut(self.written..self.written + N) {
            slots.copy_from_slice(bytes);
        }
        self.written += N;
    }

    /// The first ones of these bytes. To copy all of them is faster than to count.
    #[inline]
    pub(super) fn first_of<const N: usize>(&mut self, bytes: &[u8; N], length: usize) {
        match self.place.get_mut(self.written..self.written + N) {
            Some(slots) => {
                slots.copy_from_slice(bytes);
                self.written += length;
            }
            None => bytes.iter().take(length).for_each(|byte| self.byte(*byte)),
        }
    }
}

/// The low 56 bits in eight bytes of seven bits each, the lowest first.
const fn spread(number: u64) -> u64 {
    let number = number & 0x0fff_ffff | (number & 0x00ff_ffff_f000_0000) << 4;
    let number = number & 0x0000_3fff_0000_3fff | (number & 0x0fff_c000_0fff_c000) << 2;
    number & 0x007f_007f_007f_007f | (number & 0x3f80_3f80_3f80_3f80) << 1
}

/// What [`spread`] made eight bytes of.
const fn gather(bytes: u64) -> u64 {
    let number = bytes & 0x007f_007f_007f_007f | (bytes & 0x7f00_7f00_7f00_7f00) >> 1;
    let number = number & 0x0000_3fff_0000_3fff | (number & 0x3fff_0000_3fff_0000) >> 2;
    number & 0x0fff_ffff | (number & 0x0fff_ffff_0000_0000) >> 4
}

/// The bit of each byte that says that another follows.
const MORE: u64 = 0x8080_8080_8080_8080;

/// For each highest bit how many bytes a number takes, and the bits that say that others follow.
const LENGTHS: [(usize, u64); 56] = {
    let mut lengths = [(0, 0); 56];
    let mut rest: &mut [(usize, u64)] = &mut lengths;
    while let Some((last, before)) = rest.split_last_mut() {
        let length = before.len() / 7 + 1;
        *last = (length, MORE & !(u64::MAX << (8 * (length - 1))));
        rest = before;
    }
    lengths
};

/// Appends a `long`.
#[inline]
pub(super) fn put_long(number: i64, out: &mut Output<'_>) {
    let rest = (number << 1 ^ number >> 63) as u64;
    if rest < 0x80 {
        out.byte(rest as u8);
    } else if rest < 1 << 56 {
        let (length, followed) = LENGTHS.get(rest.ilog2() as usize).copied().unwrap_or_default();
        out.first_of(&(spread(rest) | followed).to_le_bytes(), length);
    } else {
        put_longest(rest, out);
    }
}

#[cold]
fn put_longest(mut rest: u64, out: &mut Output<'_>) {
    while rest >= 0x80 {
        out.byte(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.byte(rest as u8);
}

/// Appends a text.
#[inline]
pub(super) fn put_text(text: &[u8], out: &mut Output<'_>) {
    put_long(text.len() as i64, out);
    out.bytes(text);
}

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
            fn put(&self, out: &mut $crate::codec::wire::Output<'_>) {
                $($crate::codec::wire::ByHand::put(&self.$field, out);)*
            }

            #[inline]
            fn take(
                input: &mut $crate::codec::wire::Input<$life>,
            ) -> Result<Self, $crate::codec::wire::Malformed> {
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
            ) -> Result<Result<Self, $crate::codec::wire::Malformed>, D::Error> {
                $crate::codec::wire::BySerde::from_serde(deserializer).map(Ok)
            }
        }
    )*};
}
pub(super) use records;
