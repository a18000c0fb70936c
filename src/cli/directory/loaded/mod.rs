//! What the directory needs of the platforms, and who is linked by it.

pub(in crate::cli) mod org;
pub(in crate::cli) mod tenant;

use std::sync::Arc;

use lockstep::config::{Config, LinkBy as Configured};
use lockstep::connectors::cxone::Tenant;
use lockstep::connectors::salesforce::Org;
use lockstep::directory::{Directory, LinkBy};
use lockstep::domain::{AccountName, Link};

/// Who is asked.
pub(in crate::cli) enum Asked {
    Org(Arc<Org>),
    Tenant(Arc<Tenant>),
}

/// What an account has.
pub(in crate::cli) enum Got {
    Org(org::Got),
    Tenant(tenant::Got),
}

/// What was put into a directory.
pub(in crate::cli) enum Put {
    Org(org::Put),
    Tenant(tenant::Put),
}

impl Asked {
    /// How the platform is called.
    pub(in crate::cli) const fn platform(&self) -> &'static str {
        match self {
            Asked::Org(_) => "Salesforce",
            Asked::Tenant(_) => "CXone",
        }
    }

    /// Asks the account for all: who was removed is told in no change, and who was forgotten must not come back.
    ///
    /// # Errors
    /// A call failed.
    pub(in crate::cli) async fn read(&self) -> anyhow::Result<Got> {
        Ok(match self {
            Asked::Org(org) => Got::Org(org::Got::read(org).await?),
            Asked::Tenant(tenant) => Got::Tenant(tenant::Got::read(tenant).await?),
        })
    }
}

impl Got {
    /// Puts it into a directory. What could not be read stays as it was known.
    pub(in crate::cli) fn put(self, account: AccountName, directory: &mut Directory) -> Put {
        match self {
            Got::Org(got) => Put::Org(got.put(account, directory)),
            Got::Tenant(got) => Put::Tenant(got.put(account, directory)),
        }
    }
}

/// Links those of whom it is known who they are. Tells how many these are, and how many are left.
pub(in crate::cli) fn link_matches(directory: &mut Directory, config: &Config) -> (usize, usize) {
    let matches = directory.matches(&order(config));
    let all = matches.len();
    let mut matched = 0;
    for (cxone, found) in matches {
        if let Ok(salesforce) = found
            && directory.link(Link { salesforce, cxone })
        {
            matched += 1;
        }
    }
    (matched, all - matched)
}

/// By what people are linked.
pub(in crate::cli) fn order(config: &Config) -> Vec<LinkBy> {
    let one = |by: &Configured| match by {
        Configured::Email => LinkBy::Email,
        Configured::FederationId => LinkBy::FederationId,
        Configured::UserName => LinkBy::UserName,
    };
    config.directory.link_by.iter().map(one).collect()
}
