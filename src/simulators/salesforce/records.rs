//! The records of an org but for presence: users, presence statuses, service channels.

use std::collections::{BTreeMap, BTreeSet};

use super::ids;
use super::settings::Settings;
use crate::domain::{PresenceStatusId, SalesforceId, TimeMs, UserId};

/// A user of the org.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// His id.
    pub id: UserId,
    /// With what he logs in; no two users of all Salesforce have the same.
    pub username: String,
    /// His address.
    pub email: String,
    /// By what single sign-on knows him.
    pub federation_id: String,
    /// His name.
    pub name: String,
    /// Whether he may log in.
    pub is_active: bool,
    /// His profile.
    pub profile: SalesforceId,
    /// The presence statuses that his profile and permission sets grant him.
    pub granted: BTreeSet<PresenceStatusId>,
    /// When he was last changed.
    pub modified: TimeMs,
}

/// A `ServicePresenceStatus`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) id: PresenceStatusId,
    pub(super) developer_name: String,
    pub(super) label: String,
    pub(super) language: &'static str,
    pub(super) is_deleted: bool,
    pub(super) modified: TimeMs,
}

/// A `ServiceChannel`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Channel {
    pub(super) id: SalesforceId,
    pub(super) developer_name: &'static str,
    pub(super) label: &'static str,
}

/// A `ServiceChannelStatus`: in this status, work of this channel is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChannelStatus {
    pub(super) id: SalesforceId,
    pub(super) channel: SalesforceId,
    pub(super) status: PresenceStatusId,
}

/// Channels: developer name, label.
const CHANNELS: [(&str, &str); 3] = [("Chat", "Chat"), ("Case", "Fälle"), ("Phone", "Phone")];
/// Statuses: developer name, label, language, the channels by their place among all, whether only every fifth user has it.
type Made = (&'static str, &'static str, &'static str, &'static [usize], bool);

const STATUSES: [Made; 11] = [
    ("Available", "Available", "en_US", &[0, 1, 2], false),
    ("Available_for_Chats", "Für Chats verfügbar", "de", &[0], false),
    ("Available_for_Cases", "Für Fälle verfügbar", "de", &[1], false),
    ("On_Break", "Pause", "de", &[], false),
    ("Lunch", "Lunch", "en_US", &[], false),
    ("On_Call", "Im Gespräch", "de", &[], false),
    ("In_Meeting", "Besprechung", "de", &[], false),
    ("Training", "Training", "en_US", &[], false),
    ("Back_to_Work", "Zurück", "de", &[], false),
    ("Back_Office", "Back office", "en_US", &[], false),
    ("Coaching", "Coaching", "en_US", &[], true),
];
/// The number of the first user's agent in the simulated tenant of CXone: both have the same addresses.
const AGENT_FIRST: u32 = 293_001;

/// All records but those of presence.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    /// The integration user among them.
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) statuses: BTreeMap<PresenceStatusId, Status>,
    pub(super) channels: BTreeMap<SalesforceId, Channel>,
    pub(super) channel_statuses: BTreeMap<SalesforceId, ChannelStatus>,
    pub(super) created: TimeMs,
}

impl Records {
    pub(super) fn new(settings: &Settings, now: TimeMs) -> Records {
        let mut records = Records { created: now, ..Records::default() };
        for (number, (developer_name, label)) in (1..).zip(CHANNELS) {
            let channel = Channel { id: ids::channel(number), developer_name, label };
            records.channels.insert(channel.id, channel);
        }
        let mut everybody = BTreeSet::new();
        let mut some = BTreeSet::new();
        for (number, (developer_name, label, language, channels, is_for_some)) in (1..).zip(STATUSES) {
            let (developer_name, label) = (developer_name.to_owned(), label.to_owned());
            let id = ids::status(number);
            let status = Status { id, developer_name, label, language, is_deleted: false, modified: now };
            records.statuses.insert(id, status);
            if is_for_some {
                some.insert(id)
            } else {
                everybody.insert(id)
            };
            for channel in channels {
                let number = records.channel_statuses.len() as u64 + 1;
                let (row, channel) = (ids::channel_status(number), ids::channel(*channel as u64 + 1));
                let row = ChannelStatus { id: row, channel, status: id };
                records.channel_statuses.insert(row.id, row);
            }
        }
        let mut integration = agent(0, BTreeSet::new(), now);
        integration.username.clone_from(&settings.credentials.username);
        integration.email.clone_from(&settings.credentials.username);
        integration.name = "Integration User".to_owned();
        integration.federation_id = String::new();
        integration.profile = ids::profile(2);
        records.users.insert(integration.id, integration);
        for number in 1..=settings.users {
            let granted = if number % 5 == 0 { &everybody | &some } else { everybody.clone() };
            let user = agent(number, granted, now);
            records.users.insert(user.id, user);
        }
        records
    }

    /// Whom the integration logs in as.
    pub(super) fn integration(&self) -> UserId {
        ids::user(0)
    }

    /// Those who work in it.
    pub(super) fn people(&self) -> impl Iterator<Item = &User> {
        let integration = self.integration();
        self.users.values().filter(move |user| user.id != integration)
    }

    /// A status that there is, by its id in either form or its developer name.
    pub(super) fn status(&self, text: &str) -> Option<&Status> {
        let by_id = text.parse().ok().and_then(|id: PresenceStatusId| self.statuses.get(&id));
        let mut all = self.statuses.values();
        let by_name = || all.find(|status| !status.is_deleted && status.developer_name == text);
        by_id.filter(|status| !status.is_deleted).or_else(by_name)
    }

    /// Makes a status that is granted to nobody yet; without a label it is called by its developer name.
    pub(super) fn make_status(
        &mut self,
        (developer_name, label): (String, Option<String>),
        channels: &[String],
        now: TimeMs,
    ) -> Result<(), &'static str> {
        if self.status(&developer_name).is_some() {
            return Err("there is such a status");
        }
        let channel = |name: &String| {
            let found = self.channels.values().find(|channel| channel.developer_name == name);
            found.map(|channel| channel.id).ok_or("there is no such channel")
        };
        let channels: Vec<SalesforceId> = channels.iter().map(channel).collect::<Result<_, _>>()?;
        // One that was deleted keeps its number.
        let id = ids::status(self.statuses.len() as u64 + 1);
        for channel in channels {
            // Those of a deleted status are free again.
            let free = (1..).map(ids::channel_status).find(|row| !self.channel_statuses.contains_key(row));
            let row = free.ok_or("there are too many of them")?;
            self.channel_statuses.insert(row, ChannelStatus { id: row, channel, status: id });
        }
        let label = label.unwrap_or_else(|| developer_name.clone());
        let status =
            Status { id, developer_name, label, language: "en_US", is_deleted: false, modified: now };
        self.statuses.insert(id, status);
        Ok(())
    }

    /// Whether work is taken in a status.
    pub(super) fn has_channels(&self, status: PresenceStatusId) -> bool {
        self.channel_statuses.values().any(|row| row.status == status)
    }

    /// What a user may be set to.
    pub(super) fn may_use(&self, user: UserId) -> impl Iterator<Item = &Status> {
        let user = self.users.get(&user).filter(|user| user.is_active);
        let granted = user.into_iter().flat_map(|user| &user.granted);
        granted.filter_map(|id| self.statuses.get(id)).filter(|status| !status.is_deleted)
    }
}

fn agent(number: u32, granted: BTreeSet<PresenceStatusId>, now: TimeMs) -> User {
    let agent = AGENT_FIRST.saturating_add(number).saturating_sub(1);
    let address = format!("agent.{agent}@example.com");
    User {
        id: ids::user(number.into()),
        username: format!("{address}.simulated"),
        email: address.clone(),
        federation_id: address,
        name: format!("Agent Number {agent}"),
        is_active: true,
        profile: ids::profile(1),
        granted,
        modified: now,
    }
}
