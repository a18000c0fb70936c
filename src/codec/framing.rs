//! Records as messages: which schema a record was written with stands before it.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::bytes::{Input, Malformed, Output};
use super::registry::Registry;
use super::schema::{self, Catalogue, RecordSchema, Writer};
use super::wire::Record;
use super::{Error, RECORD_BYTES_MAX};

/// Before a record in the Confluent wire format: this, and the schema's id in four bytes, big-endian.
const CONFLUENT: u8 = 0;
/// Before a record in Avro single-object encoding: this, and the schema's fingerprint in eight bytes, little-endian.
const SINGLE_OBJECT: [u8; 2] = [0xc3, 0x01];

/// Writes and reads records.
pub struct Codec {
    catalogue: &'static Catalogue,
    /// What stands before each record that we write.
    headers: [Header; RecordSchema::ALL.len()],
    registry: Option<Registry>,
}

/// What stands before a record.
#[derive(Clone, Copy, Default)]
struct Header {
    bytes: [u8; 10],
    /// 10 or 5.
    length: u8,
}

impl Header {
    fn single_object(writer: &Writer) -> Self {
        let ([a, b], [c, d, e, f, g, h, i, j]) = (SINGLE_OBJECT, writer.fingerprint);
        Header { bytes: [a, b, c, d, e, f, g, h, i, j], length: 10 }
    }

    const fn confluent(id: i32) -> Self {
        let [a, b, c, d] = id.to_be_bytes();
        Header { bytes: [CONFLUENT, a, b, c, d, 0, 0, 0, 0, 0], length: 5 }
    }

    /// What comes after it, if it stands before a message.
    #[inline]
    fn strip<'b>(&self, value: &'b [u8]) -> Option<&'b [u8]> {
        let [a, b, c, d, e, ..] = self.bytes;
        match self.length {
            // To compare as many bytes as are known is faster.
            10 => {
                value.split_first_chunk().filter(|(header, _)| **header == self.bytes).map(|(_, body)| body)
            }
            _ => value
                .split_first_chunk()
                .filter(|(header, _)| **header == [a, b, c, d, e])
                .map(|(_, body)| body),
        }
    }
}

/// Records one after the other, as they are written. It is meant to be used again and again.
#[derive(Clone, Debug, Default)]
pub struct Buffer {
    /// More than is used: what is ready to be written to.
    place: Vec<u8>,
    length: usize,
}

impl Buffer {
    /// Most records are smaller.
    const ROOM: usize = 4_096;

    /// An empty one.
    pub const fn new() -> Self {
        Buffer { place: Vec::new(), length: 0 }
    }

    /// What was written.
    pub fn as_slice(&self) -> &[u8] {
        self.place.get(..self.length).unwrap_or_default()
    }

    /// How many bytes were written.
    pub const fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing was written.
    pub const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Forgets what was written.
    pub const fn clear(&mut self) {
        self.length = 0;
    }

    #[inline]
    fn append(&mut self, write: impl Fn(&mut Output<'_>)) -> Result<(), Error> {
        loop {
            let room = self.place.get_mut(self.length..).unwrap_or_default();
            let there = room.len();
            let mut out = Output::new(room);
            write(&mut out);
            let written = out.written;
            if written > RECORD_BYTES_MAX {
                return Err(Error::TooLarge(written));
            }
            if written <= there {
                self.length += written;
                return Ok(());
            }
            self.grow(written);
        }
    }

    #[cold]
    fn grow(&mut self, by: usize) {
        let wanted = self.length + by.max(Self::ROOM);
        self.place.resize(wanted.max(2 * self.place.len()), 0);
    }
}

/// A codec shows which framing it writes.
impl std::fmt::Debug for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Codec").field("registry", &self.registry).finish_non_exhaustive()
    }
}

impl Codec {
    /// A codec that writes Avro single-object encoding, for where there is no schema registry.
    ///
    /// # Errors
    /// A schema of ours is not valid, which a test excludes.
    pub fn single_object() -> Result<Codec, Error> {
        let catalogue = schema::released()?;
        let headers = RecordSchema::ALL
            .map(|record| catalogue.own(record).map(Header::single_object).unwrap_or_default());
        Ok(Codec { catalogue, headers, registry: None })
    }

    /// A codec that writes the Confluent wire format. Registers our schemas for the topics with this prefix, under the
    /// subjects `TOPIC-lockstep.RECORD`.
    ///
    /// # Errors
    /// The registry cannot be reached, or does not take a schema.
    pub async fn registered(registry: Registry, prefix: &str) -> Result<Codec, Error> {
        let mut codec = Codec::single_object()?;
        for released in schema::RELEASED {
            for topic in released.record.topics() {
                let subject = format!("{prefix}.{topic}-lockstep.{}", released.record.name());
                let id = registry.register(&subject, released.text).await?;
                if let Some(header) = codec.headers.get_mut(released.record as usize) {
                    *header = Header::confluent(id);
                }
            }
        }
        codec.registry = Some(registry);
        Ok(codec)
    }

    /// A codec that reads what was written with this registry, and registers nothing there. What it writes is in single-object
    /// encoding.
    ///
    /// # Errors
    /// Those of [`Codec::single_object`].
    pub fn reading(registry: Registry) -> Result<Codec, Error> {
        Ok(Codec { registry: Some(registry), ..Codec::single_object()? })
    }

    /// How many of our schemas for the topics with this prefix a registry has, and how many there are. Nothing is registered.
    ///
    /// # Errors
    /// The registry cannot be reached, or does not let us ask.
    pub async fn registered_at(registry: &Registry, prefix: &str) -> Result<(usize, usize), Error> {
        let (mut known, mut all) = (0, 0);
        for released in schema::RELEASED {
            for topic in released.record.topics() {
                let subject = format!("{prefix}.{topic}-lockstep.{}", released.record.name());
                known += usize::from(registry.has(&subject, released.text).await?);
                all += 1;
            }
        }
        Ok((known, all))
    }

    /// Appends a record as the value of a message, and tells how many bytes of framing stand before its Avro body.
    ///
    /// # Errors
    /// The record is larger than one may be; then nothing is appended.
    #[inline]
    pub fn encode<'b, R: Record<'b>>(&self, record: &R, into: &mut Buffer) -> Result<usize, Error> {
        let header = self.header(R::SCHEMA);
        let length = usize::from(header.length);
        into.append(|out| {
            out.first_of(&header.bytes, length);
            record.put(out);
        })?;
        Ok(length)
    }

    /// The same through serde, for who wants to compare.
    ///
    /// # Errors
    /// Those of [`Codec::encode`].
    pub fn encode_by_serde<'b, R: Record<'b>>(&self, record: &R, into: &mut Vec<u8>) -> Result<usize, Error> {
        struct BySerde<'r, R>(&'r R);
        impl<'b, R: Record<'b>> Serialize for BySerde<'_, R> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }
        let header = self.header(R::SCHEMA);
        let malformed = |error: apache_avro::Error| Error::MalformedVersion {
            record: R::SCHEMA.name(),
            why: error.to_string(),
        };
        if let Some(own) = self.catalogue.own(R::SCHEMA) {
            into.extend(header.bytes.iter().take(usize::from(header.length)));
            own.writer().write_ser(into, &BySerde(record)).map_err(malformed)?;
        }
        Ok(usize::from(header.length))
    }

    #[inline]
    fn header(&self, record: RecordSchema) -> Header {
        self.headers.get(record as usize).copied().unwrap_or_default()
    }

    /// The Avro body of a message, without the framing.
    ///
    /// # Errors
    /// It begins as no record does.
    pub fn body<'b>(&self, value: &'b [u8]) -> Result<&'b [u8], Error> {
        match value {
            [CONFLUENT, _, _, _, _, body @ ..] => Ok(body),
            [0xc3, 0x01, _, _, _, _, _, _, _, _, body @ ..] => Ok(body),
            _ => Err(Error::Framing),
        }
    }

    /// Reads the value of a message.
    ///
    /// # Errors
    /// It is no such record; or its schema is not at hand yet: then [`Codec::load`] it and try again.
    #[inline]
    pub fn decode<'b, R: Record<'b>>(&self, value: &'b [u8]) -> Result<R, Error> {
        if value.len() > RECORD_BYTES_MAX {
            return Err(Error::TooLarge(value.len()));
        }
        if let Some(body) = self.header(R::SCHEMA).strip(value) {
            return by_hand(body);
        }
        self.decode_other(value)
    }

    /// The same through serde, for who wants to compare. It reads only what was written with our schema.
    ///
    /// # Errors
    /// Those of [`Codec::decode`].
    pub fn decode_by_serde<'b, R: Record<'b>>(&self, value: &[u8]) -> Result<R, Error> {
        let own = self.catalogue.own(R::SCHEMA).ok_or(Error::Framing)?;
        by_serde(own, self.body(value)?)
    }

    /// Reads what does not begin as what we write does.
    fn decode_other<'b, R: Record<'b>>(&self, value: &'b [u8]) -> Result<R, Error> {
        match value {
            [CONFLUENT, a, b, c, d, body @ ..] => {
                let id = i32::from_be_bytes([*a, *b, *c, *d]);
                let registry = self.registry.as_ref().ok_or(Error::NoRegistry(id))?;
                let writer = registry.loaded(id)?;
                self.decode_written_with(&writer, body)
            }
            [0xc3, 0x01, fingerprint @ ..] => {
                let (fingerprint, body) = fingerprint.split_first_chunk().ok_or(Error::Framing)?;
                let written_with = |(_, writer): &&(RecordSchema, Writer)| writer.fingerprint == *fingerprint;
                let known = self.catalogue.all.iter().find(written_with);
                let unknown = || Error::UnknownFingerprint(u64::from_le_bytes(*fingerprint));
                self.decode_written_with(&known.ok_or_else(unknown)?.1, body)
            }
            _ => Err(Error::Framing),
        }
    }

    /// Reads what was written with some schema.
    pub(super) fn decode_written_with<'b, R: Record<'b>>(
        &self,
        writer: &Writer,
        body: &'b [u8],
    ) -> Result<R, Error> {
        let own = self.catalogue.own(R::SCHEMA);
        if own.is_some_and(|own| own.fingerprint == writer.fingerprint) {
            return by_hand(body);
        }
        writer.check(R::SCHEMA)?;
        by_serde(writer, body)
    }

    /// A message as somebody with another codec can read it: what was written with one of our schemas, in single-object
    /// encoding where the other asks another registry, or none. `false` for what is none of ours: it stays as it is.
    ///
    /// # Errors
    /// Its schema is not at hand yet: then [`Codec::load`] it and try again.
    pub fn reframed<'b>(&self, value: &'b [u8], to: &Codec) -> Result<(Cow<'b, [u8]>, bool), Error> {
        let registry = match (&self.registry, &to.registry) {
            (Some(ours), Some(theirs)) if ours.is(theirs) => return Ok((Cow::Borrowed(value), true)),
            (ours, _) => ours,
        };
        let written_with = match (value, registry) {
            ([CONFLUENT, a, b, c, d, ..], Some(registry)) => {
                match registry.loaded(i32::from_be_bytes([*a, *b, *c, *d])) {
                    Err(Error::NotLoaded(id)) => return Err(Error::NotLoaded(id)),
                    loaded => loaded.ok().map(|writer| writer.fingerprint),
                }
            }
            ([0xc3, 0x01, fingerprint @ ..], _) => fingerprint.first_chunk().copied(),
            _ => None,
        };
        let known = self.catalogue.all.iter().find(|(_, writer)| Some(writer.fingerprint) == written_with);
        Ok(match (known, value) {
            (Some((_, writer)), [CONFLUENT, _, _, _, _, body @ ..]) => {
                let Header { bytes, .. } = Header::single_object(writer);
                (Cow::Owned([&bytes, body].concat()), true)
            }
            (known, _) => (Cow::Borrowed(value), known.is_some()),
        })
    }

    /// Fetches the schema that a message was written with, where [`Error::NotLoaded`] named its id.
    ///
    /// # Errors
    /// The registry cannot be asked now. That it has no such schema, or one that cannot be used, is what
    /// [`Codec::decode`] then says.
    pub async fn load(&self, id: i32) -> Result<(), Error> {
        match &self.registry {
            Some(registry) => Ok(registry.load(id).await?),
            None => Err(Error::NoRegistry(id)),
        }
    }

    /// Reads the value of a message, and fetches its schema where it is not at hand: for who has a thread of his own, and
    /// waits.
    ///
    /// # Errors
    /// Those of [`Codec::decode`] and [`Codec::load`].
    pub fn read<'b, R: Record<'b>>(&self, value: &'b [u8]) -> Result<R, Error> {
        match self.decode(value) {
            Err(Error::NotLoaded(id)) => {
                self.load_blocking(id)?;
                self.decode(value)
            }
            read => read,
        }
    }

    /// The same as [`Codec::load`] for who has a thread of his own, and waits.
    ///
    /// # Errors
    /// Those of [`Codec::load`].
    pub fn load_blocking(&self, id: i32) -> Result<(), Error> {
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(self.load(id)),
            Err(error) => Err(Error::NoRuntime(error)),
        }
    }
}

#[inline]
fn by_hand<'b, R: Record<'b>>(body: &'b [u8]) -> Result<R, Error> {
    let mut input = Input(body);
    match R::take(&mut input) {
        Ok(record) if input.0.is_empty() => Ok(record),
        Ok(_) => Err(Error::of(R::SCHEMA.name(), Malformed::Trailing(input.0.len()))),
        Err(why) => Err(Error::of(R::SCHEMA.name(), why)),
    }
}

/// Reads by the writer's schema, as what we know of it.
pub(super) fn by_serde<'b, R: Record<'b>>(writer: &Writer, body: &[u8]) -> Result<R, Error> {
    let record = R::SCHEMA.name();
    let mut rest = body;
    let read = writer.reader().read_deser::<Root<'b, R>>(&mut rest);
    // What is new in it may be just what cannot be read.
    let malformed = |error| match writer.reader().read_deser::<Newer<'b, R>>(&mut &*body) {
        Ok(Newer(Some(why), _)) => Error::of(record, why),
        _ => Error::MalformedVersion { record, why: without_texts(&error) },
    };
    let Root(read, _) = read.map_err(malformed)?;
    if !rest.is_empty() {
        return Err(Error::of(record, Malformed::Trailing(rest.len())));
    }
    read.map_err(|why| Error::of(record, why))
}

/// A record at the root of a datum, which may contradict itself.
struct Root<'b, R>(Result<R, Malformed>, PhantomData<&'b ()>);

impl<'de, 'b, R: Record<'b>> Deserialize<'de> for Root<'b, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        R::deserialize(deserializer).map(|read| Root(read, PhantomData))
    }
}

/// Why only a newer Lockstep can read a record.
struct Newer<'b, R>(Option<Malformed>, PhantomData<(R, &'b ())>);

impl<'de, 'b, R: Record<'b>> Deserialize<'de> for Newer<'b, R> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        R::newer(deserializer).map(|why| Newer(why, PhantomData))
    }
}

/// The library's errors show the whole schema, which helps nobody at night, and texts of the record, which the privacy
/// setting may keep out of logs and dead letters.
fn without_texts(error: &apache_avro::Error) -> String {
    const LENGTH_MAX: usize = 200;
    let text = error.to_string();
    let text = match (text.find('"'), text.rfind('"')) {
        (Some(first), Some(last)) => {
            let (before, after) = (text.get(..first), text.get(last + 1..));
            format!("{}\"...\"{}", before.unwrap_or_default(), after.unwrap_or_default())
        }
        _ => text,
    };
    match text.char_indices().map(|(i, _)| i).nth(LENGTH_MAX) {
        Some(end) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
