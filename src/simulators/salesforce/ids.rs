//! Ids as an org gives them out: one after the other, of 18 characters.

use crate::domain::{OrganisationId, PresenceStatusId, RowId, SalesforceId, UserId};

/// The digits of ids, in the order of their texts.
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The id of this number among those of a kind. Numbers below 62^7 have an id each.
pub(super) fn numbered(prefix: [u8; 3], number: u64) -> SalesforceId {
    let mut characters = *b"0005g0000000000";
    let (kind, rest) = characters.split_at_mut(3);
    kind.copy_from_slice(&prefix);
    let mut left = number;
    for character in rest.iter_mut().rev().take(7) {
        *character = DIGITS.get((left % 62) as usize).copied().unwrap_or(b'0');
        left /= 62;
    }
    SalesforceId::from_characters(&characters).unwrap_or(SalesforceId::from_bytes([0; 12]))
}

/// The same without its kind.
fn bytes(prefix: [u8; 3], number: u64) -> [u8; 9] {
    let [_, _, _, rest @ ..] = numbered(prefix, number).into_bytes();
    rest
}

pub(super) fn organisation() -> OrganisationId {
    OrganisationId::from_bytes(bytes(*b"00D", 1))
}

pub(super) fn user(number: u64) -> UserId {
    UserId::from_bytes(bytes(*b"005", number))
}

pub(super) fn status(number: u64) -> PresenceStatusId {
    PresenceStatusId::from_bytes(bytes(*b"0N5", number))
}

pub(super) fn channel(number: u64) -> SalesforceId {
    numbered(*b"0N9", number)
}

/// Of a `ServiceChannelStatus`. No prefix is documented.
pub(super) fn channel_status(number: u64) -> SalesforceId {
    numbered(*b"0NS", number)
}

pub(super) fn profile(number: u64) -> SalesforceId {
    numbered(*b"00e", number)
}

pub(super) fn row(number: u64) -> RowId {
    RowId::new(numbered(*b"0Ps", number))
}

/// The locator of a query.
pub(super) fn locator(number: u64) -> SalesforceId {
    numbered(*b"01g", number)
}

/// The form in which an org gives ids out.
pub(super) fn long(id: SalesforceId) -> String {
    String::from_utf8_lossy(&id.characters_18()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_of_their_kind_and_in_order() {
        for (number, text) in [(0, "0Ps5g0000000000"), (61, "0Ps5g000000000z"), (62, "0Ps5g0000000010")] {
            assert_eq!(row(number).to_string(), text);
            assert_eq!(long(row(number).id()).parse(), Ok(row(number)), "{number}");
        }
        assert!((0..10_000).all(|number| row(number) < row(number + 1)));
        assert_eq!(user(7).to_string(), "0055g0000000007");
        assert_eq!(organisation().to_string(), "00D5g0000000001");
    }
}
