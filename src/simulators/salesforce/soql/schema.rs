//! The objects that can be queried, and their fields.

use std::borrow::Cow;

use super::super::ids;
use super::super::presence::{CAPACITY, Row};
use super::super::records::{Channel, ChannelStatus, Status, User};
use crate::domain::{SalesforceId, TimeMs, UserId};

/// What can be queried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Object {
    User,
    Status,
    Channel,
    ChannelStatus,
    Presence,
}

/// A field of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Field {
    Id,
    Name,
    Username,
    Email,
    FederationIdentifier,
    IsActive,
    ProfileId,
    DeveloperName,
    MasterLabel,
    Language,
    ServiceChannelId,
    ServicePresenceStatusId,
    UserId,
    OwnerId,
    CreatedById,
    CreatedDate,
    LastModifiedById,
    LastModifiedDate,
    SystemModstamp,
    IsDeleted,
    IsCurrentState,
    IsAway,
    StatusStartDate,
    StatusEndDate,
    StatusDuration,
    IdleDuration,
    AtCapacityDuration,
    ConfiguredCapacity,
    ConfiguredInterruptCapacity,
    AverageCapacity,
}

/// Of what kind the values of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Id,
    Text,
    Bool,
    Number,
    Time,
}

/// A field: its name, which one it is, and of what kind.
type Column = (&'static str, Field, Kind);

const AUDIT: [Column; 5] = [
    ("CreatedById", Field::CreatedById, Kind::Id),
    ("CreatedDate", Field::CreatedDate, Kind::Time),
    ("LastModifiedById", Field::LastModifiedById, Kind::Id),
    ("LastModifiedDate", Field::LastModifiedDate, Kind::Time),
    ("SystemModstamp", Field::SystemModstamp, Kind::Time),
];
const NAMED: [Column; 3] = [
    ("DeveloperName", Field::DeveloperName, Kind::Text),
    ("MasterLabel", Field::MasterLabel, Kind::Text),
    ("Language", Field::Language, Kind::Text),
];
const ID: [Column; 1] = [("Id", Field::Id, Kind::Id)];
const USER: [Column; 6] = [
    ("Username", Field::Username, Kind::Text),
    ("Email", Field::Email, Kind::Text),
    ("FederationIdentifier", Field::FederationIdentifier, Kind::Text),
    ("IsActive", Field::IsActive, Kind::Bool),
    ("Name", Field::Name, Kind::Text),
    ("ProfileId", Field::ProfileId, Kind::Id),
];
const CHANNEL_STATUS: [Column; 2] = [
    ("ServiceChannelId", Field::ServiceChannelId, Kind::Id),
    ("ServicePresenceStatusId", Field::ServicePresenceStatusId, Kind::Id),
];
const PRESENCE: [Column; 15] = [
    ("Name", Field::Name, Kind::Text),
    ("OwnerId", Field::OwnerId, Kind::Id),
    ("UserId", Field::UserId, Kind::Id),
    ("ServicePresenceStatusId", Field::ServicePresenceStatusId, Kind::Id),
    ("IsCurrentState", Field::IsCurrentState, Kind::Bool),
    ("IsAway", Field::IsAway, Kind::Bool),
    ("StatusStartDate", Field::StatusStartDate, Kind::Time),
    ("StatusEndDate", Field::StatusEndDate, Kind::Time),
    ("StatusDuration", Field::StatusDuration, Kind::Number),
    ("IdleDuration", Field::IdleDuration, Kind::Number),
    ("AtCapacityDuration", Field::AtCapacityDuration, Kind::Number),
    ("ConfiguredCapacity", Field::ConfiguredCapacity, Kind::Number),
    ("ConfiguredInterruptCapacity", Field::ConfiguredInterruptCapacity, Kind::Number),
    ("AverageCapacity", Field::AverageCapacity, Kind::Number),
    ("IsDeleted", Field::IsDeleted, Kind::Bool),
];
/// A way from one object to another: its name, the field that has the id, and where it leads.
type Way = (&'static str, Field, Object);

const STATUS_WAY: Way = ("ServicePresenceStatus", Field::ServicePresenceStatusId, Object::Status);
const CHANNEL_WAY: Way = ("ServiceChannel", Field::ServiceChannelId, Object::Channel);
const USER_WAY: Way = ("User", Field::UserId, Object::User);

impl Object {
    const ALL: [Object; 5] =
        [Object::User, Object::Status, Object::Channel, Object::ChannelStatus, Object::Presence];

    /// The object of this name, in any case.
    pub(in super::super) fn of(name: &str) -> Option<Object> {
        Object::ALL.into_iter().find(|object| object.name().eq_ignore_ascii_case(name))
    }

    pub(in super::super) const fn name(self) -> &'static str {
        match self {
            Object::User => "User",
            Object::Status => "ServicePresenceStatus",
            Object::Channel => "ServiceChannel",
            Object::ChannelStatus => "ServiceChannelStatus",
            Object::Presence => "UserServicePresence",
        }
    }

    /// All its fields.
    pub(super) fn columns(self) -> impl Iterator<Item = Column> {
        let own: &[Column] = match self {
            Object::User => &USER,
            Object::Status | Object::Channel => &NAMED,
            Object::ChannelStatus => &CHANNEL_STATUS,
            Object::Presence => &PRESENCE,
        };
        ID.iter().chain(own).chain(&AUDIT).copied()
    }

    /// The field of this name, in any case.
    pub(super) fn column(self, name: &str) -> Option<Column> {
        self.columns().find(|column| column.0.eq_ignore_ascii_case(name))
    }

    /// The way of this name, in any case.
    pub(super) fn way(self, name: &str) -> Option<Way> {
        let ways: &[Way] = match self {
            Object::Presence => &[STATUS_WAY, USER_WAY],
            Object::ChannelStatus => &[STATUS_WAY, CHANNEL_WAY],
            Object::User | Object::Status | Object::Channel => &[],
        };
        ways.iter().copied().find(|way| way.0.eq_ignore_ascii_case(name))
    }
}

/// A value of a record.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) enum Cell<'c> {
    Null,
    Bool(bool),
    Whole(i64),
    Number(f64),
    Time(TimeMs),
    Id(SalesforceId),
    Text(Cow<'c, str>),
}

/// A record of any object.
#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Record<'r> {
    User(&'r User),
    Status(&'r Status),
    Channel(&'r Channel),
    ChannelStatus(&'r ChannelStatus),
    Presence(&'r Row),
}

impl<'r> Record<'r> {
    pub(in super::super) fn id(self) -> SalesforceId {
        match self {
            Record::User(user) => user.id.id(),
            Record::Status(status) => status.id.id(),
            Record::Channel(channel) => channel.id,
            Record::ChannelStatus(row) => row.id,
            Record::Presence(row) => row.id.id(),
        }
    }

    /// The value of a field; the org was created by this user at this time.
    pub(in super::super) fn cell(self, field: Field, (by, created): (UserId, TimeMs)) -> Cell<'r> {
        let own = match self {
            Record::User(user) => of_user(user, field),
            Record::Status(status) => of_status(status, field),
            Record::Channel(channel) => of_channel(channel, field),
            Record::ChannelStatus(row) => of_channel_status(row, field),
            Record::Presence(row) => of_presence(row, field),
        };
        own.unwrap_or_else(|| match field {
            Field::Id => Cell::Id(self.id()),
            Field::CreatedById | Field::LastModifiedById => Cell::Id(by.id()),
            Field::CreatedDate | Field::LastModifiedDate | Field::SystemModstamp => Cell::Time(created),
            _ => Cell::Null,
        })
    }
}

/// A text; none is null.
fn text(text: &str) -> Cell<'_> {
    if text.is_empty() { Cell::Null } else { Cell::Text(text.into()) }
}

fn of_user(user: &User, field: Field) -> Option<Cell<'_>> {
    Some(match field {
        Field::Username => text(&user.username),
        Field::Email => text(&user.email),
        Field::FederationIdentifier => text(&user.federation_id),
        Field::Name => text(&user.name),
        Field::IsActive => Cell::Bool(user.is_active),
        Field::ProfileId => Cell::Id(user.profile),
        Field::LastModifiedDate | Field::SystemModstamp => Cell::Time(user.modified),
        _ => return None,
    })
}

fn of_status(status: &Status, field: Field) -> Option<Cell<'_>> {
    Some(match field {
        Field::DeveloperName => text(&status.developer_name),
        Field::MasterLabel => text(&status.label),
        Field::Language => text(status.language),
        Field::LastModifiedDate | Field::SystemModstamp => Cell::Time(status.modified),
        _ => return None,
    })
}

fn of_channel(channel: &Channel, field: Field) -> Option<Cell<'_>> {
    Some(match field {
        Field::DeveloperName => text(channel.developer_name),
        Field::MasterLabel => text(channel.label),
        Field::Language => text("en_US"),
        _ => return None,
    })
}

fn of_channel_status(row: &ChannelStatus, field: Field) -> Option<Cell<'_>> {
    Some(match field {
        Field::ServiceChannelId => Cell::Id(row.channel),
        Field::ServicePresenceStatusId => Cell::Id(row.status.id()),
        _ => return None,
    })
}

fn of_presence(row: &Row, field: Field) -> Option<Cell<'_>> {
    let seconds = row.ended.map(|ended| ended.since(row.started).as_ms() / 1_000);
    let when_ended = |cell: Option<i64>| cell.map_or(Cell::Null, Cell::Whole);
    Some(match field {
        Field::Name => Cell::Text(name(row).into()),
        Field::UserId | Field::OwnerId | Field::CreatedById | Field::LastModifiedById => {
            Cell::Id(row.user.id())
        }
        Field::ServicePresenceStatusId => Cell::Id(row.status.id()),
        Field::IsCurrentState => Cell::Bool(row.is_current),
        Field::IsAway => Cell::Bool(row.is_away),
        Field::IsDeleted => Cell::Bool(row.is_deleted),
        Field::StatusStartDate | Field::CreatedDate => Cell::Time(row.started),
        Field::StatusEndDate => row.ended.map_or(Cell::Null, Cell::Time),
        Field::StatusDuration => when_ended(seconds),
        Field::IdleDuration => when_ended(seconds.map(|seconds| if row.is_away { 0 } else { seconds })),
        Field::AtCapacityDuration => when_ended(seconds.map(|_| 0)),
        Field::ConfiguredCapacity | Field::ConfiguredInterruptCapacity => Cell::Whole(CAPACITY),
        Field::AverageCapacity => Cell::Number(row.average_capacity),
        Field::LastModifiedDate | Field::SystemModstamp => Cell::Time(row.modified),
        _ => return None,
    })
}

/// Rows are named by a number that goes up; the last characters of their ids do.
fn name(row: &Row) -> String {
    let long = ids::long(row.id.id());
    long.get(7..15).unwrap_or_default().to_owned()
}
