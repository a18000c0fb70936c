//! What the directory needs of an org.

use std::fmt;

use serde::Serialize;

use lockstep::connectors::salesforce::{Error, Org, StatusEntry, UserEntry};
use lockstep::directory::{
    Contact, Directory, ListedUser, PresenceStatus, SalesforceVocabulary, StatusChange,
};
use lockstep::domain::{AccountName, PresenceKind, UserId};

/// What an org has.
pub(in crate::cli) struct Got {
    /// None where they may not be read.
    statuses: Option<Vec<PresenceStatus>>,
    /// None where they may not be read.
    users: Option<Vec<ListedUser>>,
    /// What could not be read.
    missing: Vec<String>,
}

/// What was put into a directory.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) struct Put {
    /// None where they may not be read: those that were known stay.
    pub(in crate::cli) users: Option<usize>,
    /// Statuses that take work of a channel.
    pub(in crate::cli) online: usize,
    /// Statuses that take none.
    pub(in crate::cli) busy: usize,
    /// What has become of statuses that were known, and which are new beside them.
    pub(in crate::cli) changed: Vec<ChangedStatus>,
    /// Users who are linked and whom the org does not list.
    pub(in crate::cli) linked_and_not_listed: usize,
    /// What could not be read.
    pub(in crate::cli) missing: Vec<String>,
}

/// A status that is not what it was.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(in crate::cli) struct ChangedStatus {
    /// Its id.
    status: String,
    /// Its developer name; of one that is gone, what it was.
    developer_name: String,
    #[serde(flatten)]
    became: Became,
}

/// What has become of a status.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "became", rename_all = "snake_case")]
enum Became {
    New,
    Renamed { was: String, is: String },
    Online,
    Busy,
    Gone,
}

impl ChangedStatus {
    fn of((status, change): (&PresenceStatus, StatusChange<'_>)) -> ChangedStatus {
        let became = match change {
            StatusChange::New => Became::New,
            StatusChange::Renamed { was, is } => Became::Renamed { was: was.to_owned(), is: is.to_owned() },
            StatusChange::Became(PresenceKind::Online) => Became::Online,
            StatusChange::Became(PresenceKind::Busy) => Became::Busy,
            StatusChange::Gone => Became::Gone,
        };
        let (status, developer_name) = (status.id.to_string(), status.developer_name.to_string());
        ChangedStatus { status, developer_name, became }
    }

    /// Whether rules may have to be changed for it.
    pub(in crate::cli) fn is_worth_a_look(&self) -> bool {
        self.became != Became::New
    }
}

impl fmt::Display for ChangedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChangedStatus { status, developer_name: name, became } = self;
        match became {
            Became::New => write!(f, "the status {name} ({status}) is new"),
            Became::Renamed { was, is } => write!(
                f,
                "the status {was:?} ({status}) is called {is:?} now: rules that name it so are to be changed"
            ),
            Became::Online => write!(f, "the status {name} ({status}) takes work now and took none"),
            Became::Busy => write!(f, "the status {name} ({status}) took work and takes none now"),
            Became::Gone => {
                write!(f, "the status {name} ({status}) is gone: rules that name it are to be changed")
            }
        }
    }
}

impl Got {
    /// Asks the org for all.
    ///
    /// # Errors
    /// A call failed.
    pub(in crate::cli) async fn read(org: &Org) -> Result<Got, Error> {
        let mut missing = Vec::new();
        let statuses = statuses(org, &mut missing).await?;
        let users = or_missing(org.users().await, "the users", &mut missing)?;
        let users = users.map(|users| users.into_iter().map(listed).collect());
        Ok(Got { statuses, users, missing })
    }

    /// Asks the org for its statuses, and of its users for these alone: others stay as they are known. Tells the users, too; none
    /// where they may not be read.
    ///
    /// # Errors
    /// A call failed.
    pub(in crate::cli) async fn read_of(
        org: &Org,
        users: &[UserId],
    ) -> Result<(Got, Option<Vec<ListedUser>>), Error> {
        let mut missing = Vec::new();
        let statuses = statuses(org, &mut missing).await?;
        let users = or_missing(org.users_of(users).await, "the users", &mut missing)?;
        let users = users.map(|users| users.into_iter().map(listed).collect());
        Ok((Got { statuses, users: None, missing }, users))
    }

    /// The users that it lists; none where they may not be read.
    pub(in crate::cli) fn users(&self) -> Option<&[ListedUser]> {
        self.users.as_deref()
    }

    /// What could not be read.
    pub(in crate::cli) fn missing(&self) -> &[String] {
        &self.missing
    }

    /// Its statuses; none where they may not be read.
    pub(in crate::cli) fn statuses(&self) -> Option<&[PresenceStatus]> {
        self.statuses.as_deref()
    }

    /// Puts it into a directory. What could not be read stays as it was known, as does who is granted a status: an org does not
    /// tell.
    pub(in crate::cli) fn put(self, account: AccountName, directory: &mut Directory) -> Put {
        let Got { statuses, users, missing } = self;
        let known = directory.vocabulary.salesforce.get(&account).cloned().unwrap_or_default();
        let vocabulary = statuses.map_or_else(|| known.clone(), SalesforceVocabulary::new);
        // Of an org of which nothing was known everything is new.
        let changed = match known.statuses() {
            [] => Vec::new(),
            _ => known.changes(&vocabulary).into_iter().map(ChangedStatus::of).collect(),
        };
        let of_kind = |kind| vocabulary.statuses().iter().filter(|status| status.kind() == kind).count();
        let (online, busy) = (of_kind(PresenceKind::Online), of_kind(PresenceKind::Busy));
        let count = users.as_ref().map(Vec::len);
        let linked_and_not_listed = directory.replace_org(account, vocabulary, users);
        Put { users: count, online, busy, changed, linked_and_not_listed, missing }
    }
}

async fn statuses(org: &Org, missing: &mut Vec<String>) -> Result<Option<Vec<PresenceStatus>>, Error> {
    let statuses = or_missing(org.statuses().await, "the statuses with their channels", missing)?;
    Ok(statuses.map(|statuses| statuses.into_iter().map(status).collect()))
}

fn status(status: StatusEntry) -> PresenceStatus {
    PresenceStatus {
        id: status.status,
        developer_name: status.developer_name.into(),
        label: status.label.into(),
        channels: status.channels.into_iter().map(Into::into).collect(),
        granted_to: None,
    }
}

fn listed(user: UserEntry) -> ListedUser {
    ListedUser {
        user: user.user,
        contact: Contact {
            user_name: user.user_name.into(),
            email: user.email.into(),
            federation_id: user.federation_id.unwrap_or_default().into(),
            is_inactive: !user.is_active,
        },
    }
}

/// What may not be read is missing, and no reason to leave the rest.
fn or_missing<T>(read: Result<T, Error>, what: &str, missing: &mut Vec<String>) -> Result<Option<T>, Error> {
    match read {
        Err(error) if error.is_hidden() => {
            missing.push(format!(
                "{what} cannot be read: a permission of the integration user is missing ({error})"
            ));
            Ok(None)
        }
        read => read.map(Some),
    }
}
