//! The schemas: ours as they were released, and those of other writers, which are looked at before they are used.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::schema::{DecimalSchema, InnerDecimalSchema, Name, UuidSchema};
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Schema, util};

use super::RECORD_BYTES_MAX;

/// The records that stand on topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordSchema {
    /// Something that happened.
    Event,
    /// An order to a sink.
    Command,
    /// What is known of an agent.
    State,
    /// What was done with an event, and why.
    Decision,
    /// A part of all states of a partition.
    SnapshotChunk,
    /// What belongs to a revision.
    Manifest,
    /// A rule of a revision.
    Rule,
    /// What the names in the rules of a revision stand for.
    Vocabulary,
    /// Something that the directory knows.
    DirectoryEntry,
    /// How far a source has read.
    Position,
    /// What could not be read or done.
    DeadLetter,
}

/// A schema as it was released. Its file never changes again.
#[derive(Clone, Copy, Debug)]
pub struct Released {
    /// The record.
    pub record: RecordSchema,
    /// Counts the schemas of the record, from 1; the highest is what we write.
    pub version: u16,
    /// The file.
    pub text: &'static str,
}

macro_rules! released {
    ($($record:ident $version:literal $file:literal,)*) => {
        /// Every schema that was ever released.
        pub const RELEASED: &[Released] = &[$(Released {
            record: RecordSchema::$record,
            version: $version,
            text: include_str!(concat!("../../schemas/", $file, ".v", $version, ".avsc")),
        }),*];
    };
}

released! {
    Event 1 "event",
    Command 1 "command",
    State 1 "state",
    Decision 1 "decision",
    SnapshotChunk 1 "snapshot_chunk",
    Manifest 1 "manifest",
    Rule 1 "rule",
    Vocabulary 1 "vocabulary",
    DirectoryEntry 1 "directory_entry",
    DirectoryEntry 2 "directory_entry",
    Position 1 "position",
    DeadLetter 1 "dead_letter",
}

impl RecordSchema {
    /// All of them.
    pub const ALL: [RecordSchema; 11] = [
        RecordSchema::Event,
        RecordSchema::Command,
        RecordSchema::State,
        RecordSchema::Decision,
        RecordSchema::SnapshotChunk,
        RecordSchema::Manifest,
        RecordSchema::Rule,
        RecordSchema::Vocabulary,
        RecordSchema::DirectoryEntry,
        RecordSchema::Position,
        RecordSchema::DeadLetter,
    ];

    /// The record's name, without its namespace.
    pub const fn name(self) -> &'static str {
        match self {
            RecordSchema::Event => "Event",
            RecordSchema::Command => "Command",
            RecordSchema::State => "State",
            RecordSchema::Decision => "Decision",
            RecordSchema::SnapshotChunk => "SnapshotChunk",
            RecordSchema::Manifest => "Manifest",
            RecordSchema::Rule => "Rule",
            RecordSchema::Vocabulary => "Vocabulary",
            RecordSchema::DirectoryEntry => "DirectoryEntry",
            RecordSchema::Position => "Position",
            RecordSchema::DeadLetter => "DeadLetter",
        }
    }

    /// The topics it stands on, after the prefix and a dot.
    pub const fn topics(self) -> &'static [&'static str] {
        match self {
            // An activation also stands beside the revisions.
            RecordSchema::Event => &["events", "rules"],
            RecordSchema::Command => &["commands.salesforce", "commands.cxone"],
            RecordSchema::State => &["state"],
            RecordSchema::Decision => &["decisions"],
            RecordSchema::SnapshotChunk => &["snapshots"],
            RecordSchema::Manifest | RecordSchema::Rule | RecordSchema::Vocabulary => &["rules"],
            RecordSchema::DirectoryEntry => &["directory"],
            RecordSchema::Position => &["positions"],
            RecordSchema::DeadLetter => &["dead-letters"],
        }
    }
}

/// Why a schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It is no Avro schema.
    #[error("it is no Avro schema: {0}")]
    Avro(String),
    /// It is larger than any of ours could become.
    #[error("it has {0} bytes, more than {SCHEMA_BYTES_MAX}")]
    TooLarge(usize),
    /// A record holds itself, so that a few bytes nest without end.
    #[error("{0} holds itself")]
    Recursive(String),
    /// A few bytes make much work: an array of nothing, or records within records without a byte of their own.
    #[error("a few bytes of it would make a reader work without end")]
    Costly,
    /// Its root is not the record that was expected.
    #[error("it is one of {found}, not of {expected}")]
    OtherRecord {
        /// What it is one of.
        found: String,
        /// What should have been.
        expected: &'static str,
    },
    /// So many schemas of other writers were met that one more would be too many.
    #[error("{SCHEMAS_MAX} schemas of other writers are known already")]
    TooMany,
}

/// The most bytes a schema may have.
const SCHEMA_BYTES_MAX: usize = 256 * 1024;
/// The most steps that one value of a schema may take, arrays counted once.
const STEPS_MAX: u64 = 10_000;
/// The most steps for each byte that an item of an array takes at least.
const STEPS_PER_BYTE_MAX: u64 = 64;
/// The most schemas of other writers that a process ever loads.
const SCHEMAS_MAX: usize = 1_000;

/// The schema that some record was written with.
pub(super) struct Writer {
    schema: &'static Schema,
    reader: GenericDatumReader<'static>,
    writer: GenericDatumWriter<'static>,
    /// The CRC-64-AVRO of its canonical form, as the single-object header has it.
    pub(super) fingerprint: [u8; 8],
}

/// How many schemas have been kept for good.
static KEPT: AtomicUsize = AtomicUsize::new(0);

impl Writer {
    /// Looks at a schema of somebody else, and keeps it for the life of the process: there are few.
    pub(super) fn of_other(text: &str) -> Result<Writer, SchemaError> {
        if KEPT.fetch_add(1, Ordering::Relaxed) >= SCHEMAS_MAX {
            return Err(SchemaError::TooMany);
        }
        Writer::new(text)
    }

    fn new(text: &str) -> Result<Writer, SchemaError> {
        if text.len() > SCHEMA_BYTES_MAX {
            return Err(SchemaError::TooLarge(text.len()));
        }
        let avro = |error: apache_avro::Error| SchemaError::Avro(error.to_string());
        let schema = Schema::parse_str(text).map_err(avro)?;
        let mut costs = Costs { known: HashMap::new(), open: Vec::new() };
        let cost = costs.of(&schema)?;
        if cost.steps > STEPS_MAX {
            return Err(SchemaError::Costly);
        }
        util::max_allocation_bytes(RECORD_BYTES_MAX);
        let fingerprint = crc_64_avro(&canonical(&schema));
        let schema: &'static Schema = Box::leak(Box::new(schema));
        let reader = GenericDatumReader::builder(schema).build().map_err(avro)?;
        let writer = GenericDatumWriter::builder(schema).build().map_err(avro)?;
        Ok(Writer { schema, reader, writer, fingerprint })
    }

    /// Whether it is a schema of this record.
    pub(super) fn check(&self, record: RecordSchema) -> Result<(), SchemaError> {
        let found = self.schema.name().map_or_else(String::new, |name| name.fullname(None));
        let name = record.name();
        if found.strip_prefix("lockstep.") == Some(name) {
            return Ok(());
        }
        Err(SchemaError::OtherRecord { found, expected: name })
    }

    pub(super) const fn reader(&self) -> &GenericDatumReader<'static> {
        &self.reader
    }

    pub(super) const fn writer(&self) -> &GenericDatumWriter<'static> {
        &self.writer
    }
}

/// All schemas that were released, parsed; ours, which are the newest, by record.
pub(super) struct Catalogue {
    pub(super) all: Vec<(RecordSchema, Writer)>,
    own: [usize; RecordSchema::ALL.len()],
}

impl Catalogue {
    /// The schema that we write.
    pub(super) fn own(&self, record: RecordSchema) -> Option<&Writer> {
        self.own.get(record as usize).and_then(|index| self.all.get(*index)).map(|(_, writer)| writer)
    }
}

/// A schema in parsing canonical form. The library leaves a number with a logical type as `{"type":"long"}` where the
/// specification has `"long"` (apache-avro 0.22), so that no other library would find our schemas by its fingerprints.
fn canonical(schema: &Schema) -> String {
    let mut text = schema.canonical_form();
    for plain in ["null", "boolean", "int", "long", "float", "double", "bytes", "string"] {
        // Only names are quoted in this form, so this stands nowhere else.
        text = text.replace(&format!("{{\"type\":\"{plain}\"}}"), &format!("\"{plain}\""));
    }
    text
}

/// CRC-64-AVRO as the specification has it, in the byte order of the single-object header.
fn crc_64_avro(text: &str) -> [u8; 8] {
    const EMPTY: u64 = 0xc15d_213a_a4d7_a795;
    let mut crc = EMPTY;
    for byte in text.bytes() {
        crc ^= u64::from(byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ EMPTY & (crc & 1).wrapping_neg();
        }
    }
    crc.to_le_bytes()
}

/// Every released schema, parsed once.
pub(super) fn released() -> Result<&'static Catalogue, SchemaError> {
    static PARSED: LazyLock<Result<Catalogue, SchemaError>> = LazyLock::new(|| {
        let mut all = Vec::new();
        let mut own = [0; RecordSchema::ALL.len()];
        for released in RELEASED {
            if let Some(index) = own.get_mut(released.record as usize) {
                *index = all.len();
            }
            all.push((released.record, Writer::new(released.text)?));
        }
        Ok(Catalogue { all, own })
    });
    PARSED.as_ref().map_err(Clone::clone)
}

/// What reading a value takes.
#[derive(Clone, Copy)]
struct Cost {
    /// The fewest bytes that it takes.
    bytes_min: u64,
    /// The most steps, an array counted as one of its items.
    steps: u64,
}

struct Costs<'s> {
    known: HashMap<&'s Name, Cost>,
    open: Vec<&'s Name>,
}

impl<'s> Costs<'s> {
    fn of(&mut self, schema: &'s Schema) -> Result<Cost, SchemaError> {
        let leaf = |bytes_min| Ok(Cost { bytes_min, steps: 1 });
        match schema {
            Schema::Null => leaf(0),
            Schema::Float => leaf(4),
            Schema::Double => leaf(8),
            Schema::Fixed(fixed)
            | Schema::Duration(fixed)
            | Schema::Uuid(UuidSchema::Fixed(fixed))
            | Schema::Decimal(DecimalSchema { inner: InnerDecimalSchema::Fixed(fixed), .. }) => {
                let cost = Cost { bytes_min: fixed.size as u64, steps: 1 };
                if fixed.size > RECORD_BYTES_MAX {
                    return Err(SchemaError::Costly);
                }
                self.known.insert(&fixed.name, cost);
                Ok(cost)
            }
            Schema::Enum(symbols) => {
                self.known.insert(&symbols.name, Cost { bytes_min: 1, steps: 1 });
                leaf(1)
            }
            Schema::Array(array) => {
                let item = self.of(&array.items)?;
                self.repeated(item)
            }
            Schema::Map(map) => {
                let item = self.of(&map.types)?;
                self.repeated(Cost { bytes_min: item.bytes_min.saturating_add(1), ..item })
            }
            Schema::Union(union) => {
                let mut cost = Cost { bytes_min: u64::MAX, steps: 1 };
                for branch in union.variants() {
                    let branch = self.of(branch)?;
                    cost.bytes_min = cost.bytes_min.min(branch.bytes_min);
                    cost.steps = cost.steps.saturating_add(branch.steps);
                }
                Ok(Cost { bytes_min: cost.bytes_min.saturating_add(1), ..cost })
            }
            // The library would read a record of one field that has this as itself, again and again.
            Schema::Record(record) if record.attributes.contains_key("org.apache.avro.rust.tuple") => {
                Err(SchemaError::Costly)
            }
            Schema::Record(record) => {
                self.open.push(&record.name);
                let mut cost = Cost { bytes_min: 0, steps: 1 };
                for field in &record.fields {
                    let field = self.of(&field.schema)?;
                    cost.bytes_min = cost.bytes_min.saturating_add(field.bytes_min);
                    cost.steps = cost.steps.saturating_add(field.steps);
                }
                self.open.pop();
                self.known.insert(&record.name, cost);
                Ok(cost)
            }
            Schema::Ref { name } if self.open.contains(&name) => {
                Err(SchemaError::Recursive(name.fullname(None)))
            }
            Schema::Ref { name } => {
                let known = self.known.get(name).copied();
                known.ok_or_else(|| SchemaError::Avro(format!("{} is not defined", name.fullname(None))))
            }
            _ => leaf(1),
        }
    }

    /// Many of an item.
    fn repeated(&self, item: Cost) -> Result<Cost, SchemaError> {
        if item.steps > item.bytes_min.saturating_mul(STEPS_PER_BYTE_MAX) {
            return Err(SchemaError::Costly);
        }
        Ok(Cost { bytes_min: 1, steps: item.steps.saturating_add(1) })
    }
}
