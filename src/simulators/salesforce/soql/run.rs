//! A query that is checked against the objects, and what it finds.

use std::cmp::Ordering;

use super::super::presence::Presence;
use super::super::records::Records;
use super::Refused;
use super::parse::{Filter, Literal, Operator, Parsed, Piece, Test, parse};
use super::schema::{Cell, Field, Kind, Object, Record};
use crate::domain::{PresenceStatusId, RowId, SalesforceId, TimeMs, UserId};

/// A field of an object, or of another that it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Path {
    /// The way to the other one: its name, the field that has the id, and where it leads.
    pub(in super::super) way: Option<(&'static str, Field, Object)>,
    /// As the schema writes it.
    pub(in super::super) name: &'static str,
    field: Field,
    kind: Kind,
}

/// A query that can be run.
#[derive(Clone, Debug)]
pub(in super::super) struct Query {
    pub(in super::super) object: Object,
    /// What is asked for; none for `COUNT()`.
    pub(in super::super) select: Option<Vec<Path>>,
    filter: Option<Check>,
    order: Vec<(Path, bool, bool)>,
    limit: Option<usize>,
    offset: usize,
}

#[derive(Clone, Debug)]
enum Check {
    All(Vec<Check>),
    Any(Vec<Check>),
    Not(Box<Check>),
    Is(Path, Operator, Vec<Wanted>),
}

/// What a field is held against.
#[derive(Clone, Debug)]
enum Wanted {
    Cell(Cell<'static>),
    Pattern(Vec<Piece>),
}

/// What there is to be queried.
#[derive(Clone, Copy)]
pub(in super::super) struct Tables<'t> {
    pub(in super::super) records: &'t Records,
    pub(in super::super) presence: &'t Presence,
}

impl Query {
    /// Reads a query and checks its names.
    pub(in super::super) fn new(text: &str) -> Result<Query, Refused> {
        let Parsed { select, from, filter, order, limit, offset } = parse(text)?;
        let object = Object::of(&from).ok_or_else(|| Refused::object(&from))?;
        let select = select.map(|names| names.iter().map(|name| Path::new(object, name)).collect());
        let order = order.into_iter().map(|order| {
            Path::new(object, &order.path).map(|path| (path, order.is_descending, order.has_nulls_last))
        });
        Ok(Query {
            object,
            select: select.transpose()?,
            filter: filter.map(|filter| Check::new(object, filter)).transpose()?,
            order: order.collect::<Result<_, _>>()?,
            limit,
            offset,
        })
    }

    /// Every field of an object.
    pub(in super::super) fn all_fields(object: Object) -> Vec<Path> {
        let path = |(name, field, kind)| Path { way: None, name, field, kind };
        object.columns().map(path).collect()
    }

    /// What it finds, in its order.
    pub(in super::super) fn run(&self, tables: Tables<'_>) -> Vec<SalesforceId> {
        let is_found =
            |record: &Record<'_>| self.filter.as_ref().is_none_or(|check| check.holds(tables, *record));
        let mut found: Vec<Record<'_>> = tables.scan(self.object).filter(is_found).collect();
        found.sort_by(|a, b| {
            let orders = self.order.iter().map(|(path, is_descending, has_nulls_last)| {
                let (a, b) = (tables.cell(*a, path), tables.cell(*b, path));
                match (a == Cell::Null, b == Cell::Null) {
                    (false, false) if *is_descending => compare(&b, &a),
                    (false, false) => compare(&a, &b),
                    (a, b) if *has_nulls_last => a.cmp(&b),
                    (a, b) => b.cmp(&a),
                }
            });
            orders.fold(Ordering::Equal, Ordering::then)
        });
        let found = found.into_iter().skip(self.offset).take(self.limit.unwrap_or(usize::MAX));
        found.map(Record::id).collect()
    }
}

impl Path {
    /// The field of this name, or of a name behind a way.
    pub(in super::super) fn new(object: Object, text: &str) -> Result<Path, Refused> {
        let (way, of, name) = match text.split_once('.') {
            None => (None, object, text),
            Some((way, name)) => {
                let found = object.way(way).ok_or_else(|| {
                    let (way, object) = (way, object.name());
                    Refused::field(format!(
                        "Didn't understand relationship '{way}' in field path of '{object}'."
                    ))
                })?;
                (Some(found), found.2, name)
            }
        };
        let (name, field, kind) = of
            .column(name)
            .ok_or_else(|| Refused::field(format!("No such column '{name}' on entity '{}'.", of.name())))?;
        Ok(Path { way, name, field, kind })
    }
}

impl Check {
    fn new(object: Object, filter: Filter) -> Result<Check, Refused> {
        let all = |filters: Vec<Filter>| -> Result<Vec<Check>, Refused> {
            filters.into_iter().map(|filter| Check::new(object, filter)).collect()
        };
        Ok(match filter {
            Filter::All(filters) => Check::All(all(filters)?),
            Filter::Any(filters) => Check::Any(all(filters)?),
            Filter::Not(filter) => Check::Not(Box::new(Check::new(object, *filter)?)),
            Filter::Is(Test { path: name, operator, values }) => {
                let path = Path::new(object, &name)?;
                let values = values.into_iter().map(|value| wanted(&name, path.kind, operator, value));
                Check::Is(path, operator, values.collect::<Result<_, _>>()?)
            }
        })
    }

    fn holds(&self, tables: Tables<'_>, record: Record<'_>) -> bool {
        match self {
            Check::All(all) => all.iter().all(|check| check.holds(tables, record)),
            Check::Any(any) => any.iter().any(|check| check.holds(tables, record)),
            Check::Not(check) => !check.holds(tables, record),
            Check::Is(path, operator, values) => {
                let cell = tables.cell(record, path);
                let is = |ordering: fn(Ordering) -> bool| {
                    values.iter().any(|wanted| match wanted {
                        Wanted::Cell(Cell::Null) => cell == Cell::Null && ordering(Ordering::Equal),
                        Wanted::Cell(wanted) => cell != Cell::Null && ordering(compare(&cell, wanted)),
                        Wanted::Pattern(pattern) => {
                            matches!(&cell, Cell::Text(text) if is_like(text, pattern))
                        }
                    })
                };
                match operator {
                    Operator::Equal | Operator::In | Operator::Like => is(Ordering::is_eq),
                    Operator::Unequal | Operator::NotIn => !is(Ordering::is_eq),
                    Operator::Less => is(Ordering::is_lt),
                    Operator::LessOrEqual => is(Ordering::is_le),
                    Operator::Greater => is(Ordering::is_gt),
                    Operator::GreaterOrEqual => is(Ordering::is_ge),
                }
            }
        }
    }
}

/// What a field of this kind can be held against.
fn wanted(name: &str, kind: Kind, operator: Operator, value: Literal) -> Result<Wanted, Refused> {
    let cell = match (kind, value) {
        (Kind::Text, Literal::Text(_, pattern)) if operator == Operator::Like => {
            return Ok(Wanted::Pattern(pattern));
        }
        (_, _) if operator == Operator::Like => {
            return Err(Refused::field(format!("invalid operator on field '{name}': LIKE")));
        }
        (_, Literal::Null) => Cell::Null,
        (Kind::Text, Literal::Text(text, _)) => Cell::Text(text.into()),
        (Kind::Id, Literal::Text(text, _)) => match text.parse() {
            Ok(id) => Cell::Id(id),
            Err(_) => return Err(Refused::field(format!("invalid ID field: {text}"))),
        },
        (Kind::Bool, Literal::Bool(value)) => Cell::Bool(value),
        (Kind::Number, Literal::Number(value)) => Cell::Number(value),
        (Kind::Time, Literal::Time(at)) => Cell::Time(at),
        (kind, _) => {
            let wanted = match kind {
                Kind::Id | Kind::Text => "string and should be enclosed in quotes",
                Kind::Bool => "boolean and should not be enclosed in quotes",
                Kind::Number => "double and should not be enclosed in quotes",
                Kind::Time => "dateTime and should not be enclosed in quotes",
            };
            let message = format!("value of filter criterion for field '{name}' must be of type {wanted}");
            return Err(Refused::field(message));
        }
    };
    Ok(Wanted::Cell(cell))
}

/// Texts are compared without regard to case, as SOQL does.
fn compare(a: &Cell<'_>, b: &Cell<'_>) -> Ordering {
    let number = |cell: &Cell<'_>| match cell {
        Cell::Whole(number) => *number as f64,
        Cell::Number(number) => *number,
        _ => f64::NAN,
    };
    match (a, b) {
        (Cell::Bool(a), Cell::Bool(b)) => a.cmp(b),
        (Cell::Time(a), Cell::Time(b)) => a.cmp(b),
        (Cell::Id(a), Cell::Id(b)) => a.cmp(b),
        (Cell::Text(a), Cell::Text(b)) => a.to_lowercase().cmp(&b.to_lowercase()),
        (a, b) => number(a).total_cmp(&number(b)),
    }
}

/// Whether a text fits a pattern, without regard to case.
fn is_like(text: &str, pattern: &[Piece]) -> bool {
    let text: Vec<char> = text.to_lowercase().chars().collect();
    let is_one = |piece: Piece, character: char| match piece {
        Piece::Some => false,
        Piece::One => true,
        Piece::Character(wanted) => wanted.to_lowercase().eq(std::iter::once(character)),
    };
    let (mut at, mut part) = (0, 0);
    // Where the last `%` stands, and up to where it was taken to reach.
    let mut last: Option<(usize, usize)> = None;
    while let Some(character) = text.get(at) {
        match pattern.get(part) {
            Some(Piece::Some) => {
                last = Some((part, at));
                part += 1;
            }
            Some(piece) if is_one(*piece, *character) => (at, part) = (at + 1, part + 1),
            _ => match &mut last {
                Some((some, reach)) => {
                    *reach += 1;
                    (at, part) = (*reach, *some + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(part).all(|piece| *piece == Piece::Some)
}

impl<'t> Tables<'t> {
    fn scan(self, object: Object) -> Box<dyn Iterator<Item = Record<'t>> + 't> {
        let Tables { records, presence } = self;
        match object {
            Object::User => Box::new(records.users.values().map(Record::User)),
            Object::Status => {
                Box::new(records.statuses.values().filter(|status| !status.is_deleted).map(Record::Status))
            }
            Object::Channel => Box::new(records.channels.values().map(Record::Channel)),
            Object::ChannelStatus => Box::new(records.channel_statuses.values().map(Record::ChannelStatus)),
            Object::Presence => {
                Box::new(presence.rows.values().filter(|row| !row.is_deleted).map(Record::Presence))
            }
        }
    }

    /// A record by its id.
    pub(in super::super) fn find(self, object: Object, id: SalesforceId) -> Option<Record<'t>> {
        let Tables { records, presence } = self;
        match object {
            Object::User => records.users.get(&UserId::try_from(id).ok()?).map(Record::User),
            Object::Status => {
                let status = records.statuses.get(&PresenceStatusId::try_from(id).ok()?);
                status.filter(|status| !status.is_deleted).map(Record::Status)
            }
            Object::Channel => records.channels.get(&id).map(Record::Channel),
            Object::ChannelStatus => records.channel_statuses.get(&id).map(Record::ChannelStatus),
            Object::Presence => {
                let row = presence.rows.get(&RowId::new(id));
                row.filter(|row| !row.is_deleted).map(Record::Presence)
            }
        }
    }

    /// Where a way leads from a record.
    pub(in super::super) fn follow(
        self,
        record: Record<'t>,
        (_, field, object): (&'static str, Field, Object),
    ) -> Option<Record<'t>> {
        match record.cell(field, self.made()) {
            Cell::Id(id) => self.find(object, id),
            _ => None,
        }
    }

    /// What a record has in a field.
    pub(in super::super) fn cell(self, record: Record<'t>, path: &Path) -> Cell<'t> {
        let record = match path.way {
            None => Some(record),
            Some(way) => self.follow(record, way),
        };
        record.map_or(Cell::Null, |record| record.cell(path.field, self.made()))
    }

    /// Who made what nobody has made since, and when.
    fn made(self) -> (UserId, TimeMs) {
        (self.records.integration(), self.records.created)
    }
}

#[cfg(test)]
mod tests;
