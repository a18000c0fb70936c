//! Ids as the platforms give them: fixed in size, cheap to copy, never allocated.

use std::fmt;
use std::str::FromStr;

/// Why a text is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdError {
    /// Not 15 or 18 characters long.
    Length,
    /// Holds something other than ASCII letters and digits.
    Character,
    /// Of 18 characters, the last three do not fit the first fifteen.
    Checksum,
    /// Another kind of Salesforce object: the first three characters should be these.
    Prefix(&'static str),
    /// Not an account name.
    AccountName,
    /// Not 32 hexadecimal digits.
    Uuid,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdError::Length => f.write_str("a Salesforce id has 15 or 18 characters"),
            IdError::Character => f.write_str("a Salesforce id has only letters and digits"),
            IdError::Checksum => f.write_str(
                "the last 3 of the 18 characters do not fit the first 15: a letter was mistyped, or its case was lost",
            ),
            IdError::Prefix(prefix) => write!(f, "the id should begin with {prefix}"),
            IdError::AccountName => f.write_str(
                "an account name has 1 to 31 of a-z, 0-9, - and _, and begins with a letter",
            ),
            IdError::Uuid => f.write_str("an agent id has 32 hexadecimal digits"),
        }
    }
}

impl std::error::Error for IdError {}

/// The characters of eight codes of six bits, the first of them in the highest of 48 bits; all at once. The code of a
/// character is its place among digits, capitals and small letters, which is ASCII's order.
const fn eight_characters(codes: u64) -> [u8; 8] {
    const EACH: u64 = 0x01_01_01_01_01_01_01_01;
    let codes = codes & 0x00ff_ffff | (codes & 0xffff_ff00_0000) << 8;
    let codes = codes & 0x0000_0fff_0000_0fff | (codes & 0x00ff_f000_00ff_f000) << 4;
    let codes = codes & 0x003f_003f_003f_003f | (codes & 0x0fc0_0fc0_0fc0_0fc0) << 2;
    // In each byte 1 where the code is that of a letter, and where it is that of a small one.
    let letters = (codes + (0x80 - 10) * EACH) >> 7 & EACH;
    let small = (codes + (0x80 - 36) * EACH) >> 7 & EACH;
    let (to_letter, to_small) = ((b'A' - b'0' - 10) as u64, (b'a' - b'A' - 26) as u64);
    (codes + b'0' as u64 * EACH + letters * to_letter + small * to_small).to_be_bytes()
}

/// The codes of eight characters, the reverse of [`eight_characters`]; `None` where one is no ASCII letter or digit.
const fn eight_codes(characters: u64) -> Option<u64> {
    const EACH: u64 = 0x01_01_01_01_01_01_01_01;
    /// In each byte 1 where the character is at least this one.
    const fn from(characters: u64, first: u8) -> u64 {
        (characters + (0x80 - first as u64) * EACH) >> 7 & EACH
    }
    if characters & (0x80 * EACH) != 0 {
        return None;
    }
    let digits = from(characters, b'0') ^ from(characters, b'9' + 1);
    let capitals = from(characters, b'A') ^ from(characters, b'Z' + 1);
    let smalls = from(characters, b'a') ^ from(characters, b'z' + 1);
    if digits | capitals | smalls != EACH {
        return None;
    }
    let offset = digits * b'0' as u64 + capitals * (b'A' - 10) as u64 + smalls * (b'a' - 36) as u64;
    let codes = characters - offset;
    let codes = codes & 0x003f_003f_003f_003f | (codes & 0x3f00_3f00_3f00_3f00) >> 2;
    let codes = codes & 0x0000_0fff_0000_0fff | (codes & 0x0fff_0000_0fff_0000) >> 4;
    Some(codes & 0x00ff_ffff | (codes & 0x00ff_ffff_0000_0000) >> 8)
}

const fn code(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'A'..=b'Z' => Some(character - b'A' + 10),
        b'a'..=b'z' => Some(character - b'a' + 36),
        _ => None,
    }
}

/// A Salesforce record id in its 15-character, case-sensitive form. Reads both the 15- and the
/// 18-character form (Salesforce hands out either), so that one record never has two ids here.
///
/// It takes 12 bytes, six bits for each character, in an order that is that of the text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SalesforceId([u8; 12]);

impl SalesforceId {
    /// The 15 characters.
    pub fn characters(self) -> [u8; 15] {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.0;
        // Two times eight characters of 48 bits; the first has 6 bits to spare.
        let [_, first @ ..] = eight_characters(u64::from_be_bytes([0, 0, a, b, c, d, e, f]));
        let last = eight_characters(u64::from_be_bytes([0, 0, g, h, i, j, k, l]));
        let mut characters = [b'0'; 15];
        let (begin, end) = characters.split_at_mut(7);
        begin.copy_from_slice(&first);
        end.copy_from_slice(&last);
        characters
    }

    /// The 18 characters of the form that is safe where case is lost.
    pub fn characters_18(self) -> [u8; 18] {
        let mut characters = [b'A'; 18];
        let (body, suffix) = characters.split_at_mut(15);
        body.copy_from_slice(&self.characters());
        suffix.copy_from_slice(&self.suffix());
        characters
    }

    /// The id of these 15 characters.
    ///
    /// # Errors
    /// One of them is no ASCII letter or digit.
    pub const fn from_characters(characters: &[u8; 15]) -> Result<Self, IdError> {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = *characters;
        let first = eight_codes(u64::from_be_bytes([b'0', a, b, c, d, e, f, g]));
        let last = eight_codes(u64::from_be_bytes([h, i, j, k, l, m, n, o]));
        let (Some(first), Some(last)) = (first, last) else { return Err(IdError::Character) };
        let [_, _, a, b, c, d, e, f] = first.to_be_bytes();
        let [_, _, g, h, i, j, k, l] = last.to_be_bytes();
        Ok(SalesforceId([a, b, c, d, e, f, g, h, i, j, k, l]))
    }

    /// The first characters as a number, and the last ten.
    const fn halves(self) -> ([u8; 4], u64) {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = self.0;
        ([a, b, c, d], u64::from_be_bytes([e, f, g, h, i, j, k, l]))
    }

    const fn from_halves([a, b, c, d]: [u8; 4], low: u64) -> Self {
        let [e, f, g, h, i, j, k, l] = low.to_be_bytes();
        SalesforceId([a, b, c, d, e, f, g, h, i, j, k, l])
    }

    /// How far before this one another id is; `None` where that is too far. Ids that an org gives one after the other
    /// are near.
    pub fn distance(self, before: SalesforceId) -> Option<i32> {
        let ((high, low), (high_before, low_before)) = (self.halves(), before.halves());
        (high == high_before).then(|| i32::try_from(low.wrapping_sub(low_before) as i64).ok())?
    }

    /// The id that is so far before this one, as [`SalesforceId::distance`] told.
    pub const fn before(self, distance: i32) -> SalesforceId {
        let (high, low) = self.halves();
        SalesforceId::from_halves(high, low.wrapping_sub(distance as i64 as u64))
    }

    /// The id of which these are the bytes.
    pub const fn from_bytes(bytes: [u8; 12]) -> Self {
        SalesforceId(bytes)
    }

    /// The 12 bytes.
    pub const fn into_bytes(self) -> [u8; 12] {
        self.0
    }

    /// The three characters by which Salesforce makes an id safe where case is lost: each encodes
    /// which of five characters are upper case, the first of the five in the lowest bit.
    fn suffix(&self) -> [u8; 3] {
        const DIGITS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345";
        let mut suffix = [b'A'; 3];
        for (slot, five) in suffix.iter_mut().zip(self.characters().chunks(5)) {
            let upper = |bits: usize, (i, b): (usize, &u8)| bits | usize::from(b.is_ascii_uppercase()) << i;
            let bits = five.iter().enumerate().fold(0, upper);
            *slot = DIGITS.get(bits).copied().unwrap_or(b'A');
        }
        suffix
    }
}

impl FromStr for SalesforceId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes = text.as_bytes();
        if bytes.len() != 15 && bytes.len() != 18 {
            return Err(IdError::Length);
        }
        if !bytes.iter().all(u8::is_ascii_alphanumeric) {
            return Err(IdError::Character);
        }
        let (body, suffix) = bytes.split_at(15);
        let id = SalesforceId::from_characters(body.first_chunk().ok_or(IdError::Length)?)?;
        if !suffix.is_empty() && !suffix.eq_ignore_ascii_case(&id.suffix()) {
            return Err(IdError::Checksum);
        }
        Ok(id)
    }
}

impl fmt::Display for SalesforceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.characters()).unwrap_or_default())
    }
}

impl fmt::Debug for SalesforceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// One kind of record each. Its key prefix is known, so only the other twelve characters are kept, in 9 bytes.
macro_rules! salesforce_ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 9]);

        impl $name {
            /// The id of which these are the bytes after the prefix.
            pub const fn from_bytes(bytes: [u8; 9]) -> Self {
                $name(bytes)
            }

            /// The 9 bytes after the prefix.
            pub const fn into_bytes(self) -> [u8; 9] {
                self.0
            }

            /// The id without its kind.
            pub fn id(self) -> SalesforceId {
                let ([a, b, c], [d, e, f, g, h, i, j, k, l]) = (const { prefix($prefix) }, self.0);
                SalesforceId([a, b, c, d, e, f, g, h, i, j, k, l])
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                SalesforceId::from_str(text)?.try_into()
            }
        }

        impl TryFrom<SalesforceId> for $name {
            type Error = IdError;

            fn try_from(SalesforceId([a, b, c, rest @ ..]): SalesforceId) -> Result<Self, IdError> {
                if [a, b, c] != const { prefix($prefix) } {
                    return Err(IdError::Prefix($prefix));
                }
                Ok($name(rest))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.id().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }
    )*};
}

/// The three bytes that the three characters of a prefix take in an id.
const fn prefix(characters: &str) -> [u8; 3] {
    let [a, b, c] = *characters.as_bytes() else { return [0; 3] };
    match (code(a), code(b), code(c)) {
        (Some(a), Some(b), Some(c)) => [a >> 4, a << 4 | b >> 2, b << 6 | c],
        _ => [0; 3],
    }
}

salesforce_ids! {
    /// An organisation, `00D...`.
    OrganisationId "00D",
    /// A user, `005...`.
    UserId "005",
    /// A `ServicePresenceStatus`, `0N5...`.
    PresenceStatusId "0N5",
}

/// A row of `UserServicePresence`: one stay of a user in a status. No prefix is documented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(SalesforceId);

impl RowId {
    /// The row with this id.
    pub const fn new(id: SalesforceId) -> Self {
        RowId(id)
    }

    /// The id without its kind.
    pub const fn id(self) -> SalesforceId {
        self.0
    }
}

impl From<SalesforceId> for RowId {
    fn from(id: SalesforceId) -> Self {
        RowId(id)
    }
}

impl FromStr for RowId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(RowId)
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Newtypes of the integers that CXone uses as ids, as bytes: what holds one is not padded.
macro_rules! cxone_ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 4]);

        impl $name {
            /// The id that the platform shows as this number.
            pub const fn new(number: u32) -> Self {
                $name(number.to_be_bytes())
            }

            /// The number.
            pub const fn get(self) -> u32 {
                u32::from_be_bytes(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.get().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    )*};
}

cxone_ids! {
    /// An agent in a CXone tenant (`agentId`).
    CxoneAgentId,
    /// A team in a CXone tenant (`teamId`).
    TeamId,
    /// An unavailable code of a CXone tenant (`outStateId` above 3; the others are reserved).
    OutStateId,
}

/// An agent: the UUIDv5 of the pair of platform ids that his link joins, so that the same link always
/// has the same id. `directory::agent_id` computes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId([u8; 16]);

impl AgentId {
    /// The id that these 16 bytes are.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        AgentId(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The text of the id, as it stands in record keys.
    pub fn text(&self) -> [u8; 36] {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        /// Where the two digits of each byte stand.
        const PLACES: [usize; 16] = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];
        let digit = |nibble: u8| DIGITS.get(usize::from(nibble & 15)).copied().unwrap_or_default();
        let mut text = [b'-'; 36];
        for (byte, place) in self.0.iter().zip(PLACES) {
            if let Some([high, low]) = text.get_mut(place..place + 2) {
                (*high, *low) = (digit(byte >> 4), digit(*byte));
            }
        }
        text
    }
}

impl FromStr for AgentId {
    type Err = IdError;

    /// Reads 32 hexadecimal digits, with or without the hyphens of a UUID.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let mut digits = 0_u8;
        let mut number = 0_u128;
        for c in text.chars().filter(|c| *c != '-') {
            let digit = c.to_digit(16).ok_or(IdError::Uuid)?;
            digits = digits.saturating_add(1);
            number = (number << 4) | u128::from(digit);
        }
        if digits == 32 { Ok(AgentId(number.to_be_bytes())) } else { Err(IdError::Uuid) }
    }
}

/// As UUIDs are written: 8-4-4-4-12 hexadecimal digits.
impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

impl fmt::Debug for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_salesforce_id_are_one_id() {
        // (15 characters, 18 characters), as Salesforce documents the conversion.
        let cases = [
            ("0017000000CMdc8", "0017000000CMdc8AAD"),
            ("001A0000006Vm9r", "001A0000006Vm9rIAC"),
            ("00D000000000062", "00D000000000062EAA"),
        ];
        for (short, long) in cases {
            let id: SalesforceId = short.parse().unwrap();
            assert_eq!(long.parse(), Ok(id), "{long}");
            assert_eq!(id.to_string(), short);
            assert_eq!(id.characters_18(), long.as_bytes());
        }
    }

    #[test]
    fn what_is_no_salesforce_id_says_why() {
        let cases = [
            ("", IdError::Length),
            ("00D00000000006", IdError::Length),
            ("00D0000000000620", IdError::Length),
            ("00D00000000006-", IdError::Character),
            ("00D0000000000ü", IdError::Character),
            ("00D000000000062EAB", IdError::Checksum),
            ("00d000000000062EAA", IdError::Checksum),
            ("005000000000062", IdError::Prefix("00D")),
        ];
        for (text, why) in cases {
            assert_eq!(text.parse::<OrganisationId>(), Err(why), "{text:?}");
        }
    }

    #[test]
    fn an_agent_id_reads_what_it_writes() {
        let text = "0f8fad5b-d9cb-569f-a165-70867728950e";
        let id: AgentId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(text.replace('-', "").parse(), Ok(id));
        for bad in
            ["", "0f8fad5b", "0f8fad5b-d9cb-569f-a165-70867728950g", &"0".repeat(33), &"0".repeat(4096)]
        {
            assert_eq!(bad.parse::<AgentId>(), Err(IdError::Uuid));
        }
    }

    #[test]
    fn every_character_is_read_as_it_is_shown_at_every_place() {
        for place in 0..15 {
            for character in 0..=u8::MAX {
                let mut characters = *b"0Ps5g00000AAAAz";
                characters[place] = character;
                let id = SalesforceId::from_characters(&characters);
                match character.is_ascii_alphanumeric() {
                    true => assert_eq!(id.map(SalesforceId::characters), Ok(characters)),
                    false => assert_eq!(id, Err(IdError::Character), "{character} at {place}"),
                }
            }
        }
        let id = |text: &str| text.parse::<SalesforceId>().unwrap();
        assert!(id("0Ps5g00000AAAAA") < id("0Ps5g00000AAAAa"), "the order of ids is that of their texts");
    }

    #[test]
    fn an_id_is_found_again_by_its_distance() {
        let id = |text: &str| text.parse::<SalesforceId>().unwrap();
        // from, to, how far
        let cases = [
            ("0Ps5g00000AAAAB", "0Ps5g00000AAAAA", Some(1)),
            ("0Ps5g00000AAAAA", "0Ps5g00000AAAAB", Some(-1)),
            ("0Ps5g00000AAB00", "0Ps5g00000AAAzz", Some(131)),
            ("0Ps5g00001AAAAA", "0Ps5g00000AAAAA", Some(1 << 30)),
            ("0Ps5g00003AAAAA", "0Ps5g00000AAAAA", None),
            ("0Ps5h00000AAAAA", "0Ps5g00000AAAAA", None),
            ("0Qs5g00000AAAAA", "0Ps5g00000AAAAA", None),
        ];
        for (from, to, distance) in cases {
            assert_eq!(id(from).distance(id(to)), distance, "{from} {to}");
            if let Some(distance) = distance {
                assert_eq!(id(from).before(distance), id(to));
            }
        }
    }

    #[test]
    fn ids_are_small() {
        assert_eq!(size_of::<UserId>(), 9);
        assert_eq!(size_of::<RowId>(), 12);
        assert_eq!(size_of::<OutStateId>(), 4);
        assert_eq!(size_of::<AgentId>(), 16);
    }
}
