//! Event ids as they are stored: 32 bytes for an id that is a hash, the text for any other, such as those of room versions
//! 1 and 2. A text of 32 bytes gets one more, so that each stored form has one id.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_event::EventId;
use selvage_object::Fault;

const HASH_BYTES: usize = 32;
/// What follows a text that is as long as a hash. No id ends with it, since NUL is in none.
const TEXT_MARK: u8 = 0;

/// The stored form.
pub(crate) fn pack(id: &str) -> Vec<u8> {
    let hash = id
        .strip_prefix('$')
        .and_then(|hash| URL_SAFE_NO_PAD.decode(hash).ok());
    hash.filter(|hash| hash.len() == HASH_BYTES)
        .unwrap_or_else(|| pack_text(id))
}

fn pack_text(id: &str) -> Vec<u8> {
    let mut text = id.as_bytes().to_vec();
    if text.len() == HASH_BYTES {
        text.push(TEXT_MARK);
    }
    text
}

/// The id of a stored form.
pub(crate) fn unpack(mut stored: Vec<u8>) -> Result<EventId, Fault> {
    let text = if stored.len() == HASH_BYTES {
        format!("${}", URL_SAFE_NO_PAD.encode(&stored))
    } else {
        if stored.last() == Some(&TEXT_MARK) {
            stored.pop();
        }
        String::from_utf8(stored).map_err(|error| Fault::corrupt(error.to_string()))?
    };
    EventId::parse(text).map_err(|error| Fault::corrupt(format!("a stored event id: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_survive_storage() {
        let hash = format!("${}", "A".repeat(43));
        for (id, bytes) in [(hash.as_str(), 32), ("$old:example.org", 16)] {
            let packed = pack(id);
            assert_eq!(packed.len(), bytes);
            assert_eq!(unpack(packed).unwrap().as_str(), id);
        }
    }

    #[test]
    fn a_text_as_long_as_a_hash_is_no_hash() {
        let id = "$15305671520sILxc:room.example.x";
        assert_eq!(id.len(), HASH_BYTES);
        let packed = pack(id);
        assert_ne!(packed.len(), HASH_BYTES);
        assert_eq!(unpack(packed).unwrap().as_str(), id);
    }

    #[test]
    fn a_hash_that_is_not_in_its_shortest_form_stays_text() {
        // The last of 43 letters carries two bits that must be zero; an id with others set is another id.
        let id = format!("${}B", "A".repeat(42));
        assert_eq!(unpack(pack(&id)).unwrap().as_str(), id);
    }
}
