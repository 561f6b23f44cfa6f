//! Tickets: texts that the server gives out and later recognises, without keeping anything.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_object::Timestamp;

use crate::secret::{MacKey, TAG_BYTES};

/// Bytes that make two tickets of the same millisecond differ.
const RANDOM_BYTES: usize = 12;
const EXPIRY_BYTES: usize = 8;

/// Why a ticket is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TicketError {
    /// Not given out by this server for this.
    Forged,
    /// It was good once.
    Expired,
}

/// A ticket for one purpose, bound to some parts, good until `expires`.
pub(crate) fn issue(
    key: &MacKey,
    purpose: &str,
    bound: &[&[u8]],
    expires: Timestamp,
    random: [u8; 32],
) -> String {
    let mut ticket = expires.0.to_be_bytes().to_vec();
    ticket.extend(random.iter().take(RANDOM_BYTES));
    let tag = key.tag(purpose, &parts(&ticket, bound));
    ticket.extend(tag);
    URL_SAFE_NO_PAD.encode(ticket)
}

/// Checks a ticket.
///
/// # Errors
/// [`TicketError`].
pub(crate) fn check(
    key: &MacKey,
    purpose: &str,
    bound: &[&[u8]],
    ticket: &str,
    now: Timestamp,
) -> Result<(), TicketError> {
    let bytes = URL_SAFE_NO_PAD.decode(ticket).map_err(|_| TicketError::Forged)?;
    let head = bytes
        .get(..EXPIRY_BYTES + RANDOM_BYTES)
        .ok_or(TicketError::Forged)?;
    let tag = bytes
        .get(EXPIRY_BYTES + RANDOM_BYTES..)
        .ok_or(TicketError::Forged)?;
    if tag.len() != TAG_BYTES || !key.verifies(purpose, &parts(head, bound), tag) {
        return Err(TicketError::Forged);
    }
    let expiry = head
        .iter()
        .take(EXPIRY_BYTES)
        .fold(0, |sum: u64, byte| sum << 8 | u64::from(*byte));
    if now.0 < expiry {
        Ok(())
    } else {
        Err(TicketError::Expired)
    }
}

fn parts<'a>(head: &'a [u8], bound: &[&'a [u8]]) -> Vec<&'a [u8]> {
    std::iter::once(head).chain(bound.iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_good_for_its_purpose_parts_and_time_only() {
        let key = MacKey::new([3; 32]);
        let ticket = issue(&key, "nonce", &[b"POST"], Timestamp(1_000), [9; 32]);
        let check = |purpose, part: &[u8], now| check(&key, purpose, &[part], &ticket, Timestamp(now));
        assert_eq!(check("nonce", b"POST", 999), Ok(()));
        assert_eq!(check("nonce", b"POST", 1_000), Err(TicketError::Expired));
        assert_eq!(check("nonce", b"PUT", 999), Err(TicketError::Forged));
        assert_eq!(check("session", b"POST", 999), Err(TicketError::Forged));
    }

    #[test]
    fn other_texts_are_forgeries() {
        let key = MacKey::new([3; 32]);
        let mut longer = issue(&key, "nonce", &[], Timestamp(1_000), [9; 32]);
        longer.push_str("AAAA");
        for text in ["", "a", "!!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &longer] {
            assert_eq!(
                check(&key, "nonce", &[], text, Timestamp(0)),
                Err(TicketError::Forged),
                "{text}"
            );
        }
    }
}
