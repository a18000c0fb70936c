//! Platforms and the named accounts on them.

use std::fmt;
use std::str::FromStr;

use super::IdError;

/// One of the two platforms whose presence is kept the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Platform {
    /// Salesforce Omni-Channel.
    Salesforce,
    /// NICE CXone.
    Cxone,
}

impl Platform {
    /// Both, in the order in which they are shown.
    pub const ALL: [Platform; 2] = [Platform::Salesforce, Platform::Cxone];

    /// The platform that is not this one.
    pub const fn other(self) -> Platform {
        match self {
            Platform::Salesforce => Platform::Cxone,
            Platform::Cxone => Platform::Salesforce,
        }
    }

    /// The name as it stands in topics, metrics and configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Platform::Salesforce => "salesforce",
            Platform::Cxone => "cxone",
        }
    }
}

/// One of something for each platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Both<T> {
    /// Salesforce's.
    pub salesforce: T,
    /// CXone's.
    pub cxone: T,
}

impl<T> Both<T> {
    /// The platform's.
    pub const fn of(&self, platform: Platform) -> &T {
        match platform {
            Platform::Salesforce => &self.salesforce,
            Platform::Cxone => &self.cxone,
        }
    }

    /// The platform's, to be changed.
    pub const fn of_mut(&mut self, platform: Platform) -> &mut T {
        match platform {
            Platform::Salesforce => &mut self.salesforce,
            Platform::Cxone => &mut self.cxone,
        }
    }

    /// Salesforce's, then CXone's.
    pub fn into_array(self) -> [T; 2] {
        [self.salesforce, self.cxone]
    }
}

/// The name as people write it.
impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Platform::Salesforce => "Salesforce",
            Platform::Cxone => "CXone",
        })
    }
}

/// The name an administrator gave to a Salesforce org or a CXone tenant: 1 to 31 of `a-z 0-9 - _`,
/// a letter first, so that it can stand in topic names, metric labels and file names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName {
    bytes: [u8; Self::LENGTH_MAX],
    length: u8,
}

impl AccountName {
    /// The most bytes a name may have.
    pub const LENGTH_MAX: usize = 31;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The name as the bytes of its text, with zeros up to the most there can be, and how many bytes it has.
    pub const fn padded(&self) -> (&[u8; Self::LENGTH_MAX], usize) {
        (&self.bytes, self.length as usize)
    }

    /// The name as the bytes of its text.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl FromStr for AccountName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
        let starts_well = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if !starts_well || text.len() > Self::LENGTH_MAX || !text.bytes().all(allowed) {
            return Err(IdError::AccountName);
        }
        let mut bytes = [0; Self::LENGTH_MAX];
        for (slot, byte) in bytes.iter_mut().zip(text.bytes()) {
            *slot = byte;
        }
        // The length was checked to fit above.
        Ok(AccountName { bytes, length: text.len() as u8 })
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccountName({})", self.as_str())
    }
}

/// A named Salesforce org or CXone tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account {
    /// The platform it is on.
    pub platform: Platform,
    /// Its name, unique on that platform.
    pub name: AccountName,
}

/// `salesforce.NAME` or `cxone.NAME`, as the account's section in the configuration is called.
impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.platform.name(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_names_are_short_and_plain() {
        for good in ["a", "emea", "emea-2_b", "abcdefghijabcdefghijabcdefghija"] {
            assert_eq!(good.parse::<AccountName>().map(|n| n.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "Emea", "2nd", "-a", "a b", "ä", "a.b", "abcdefghijabcdefghijabcdefghijab"] {
            assert_eq!(bad.parse::<AccountName>(), Err(IdError::AccountName), "{bad:?}");
        }
    }

    #[test]
    fn an_account_is_shown_as_its_section() {
        let account = Account { platform: Platform::Cxone, name: "emea".parse().unwrap() };
        assert_eq!(account.to_string(), "cxone.emea");
        assert_eq!(Platform::Cxone.other(), Platform::Salesforce);
    }
}
