//! Bytes to nodes. The format stands in the module's page; nothing else is accepted.

use std::sync::Arc;

use super::{
    Entry, FIELD_MAX_BYTES, Node, NodeId,
    encode::{BRANCH, BUCKET, HASH, VERSION},
    event_id::PackedId,
    key::{FAN_OUT, LEVELS, Slot, TypeHash},
    node::{Branch, Bucket, Child, fits_bucket},
};

/// Why bytes are no node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The format's version, or the kind of node, is unknown.
    #[error("unknown format")]
    Format,
    /// The bytes end inside a field.
    #[error("the bytes end too early")]
    Truncated,
    /// Bytes follow the node's end.
    #[error("bytes follow the end")]
    Trailing,
    /// A number is longer than it need be, too large, or zero where something must be.
    #[error("a number out of form")]
    Number,
    /// A text is no UTF-8, or an event id stands as text that is a hash.
    #[error("a text out of form")]
    Text,
    /// Entries are not in ascending order, or a type stands twice.
    #[error("entries out of order")]
    Order,
    /// The entries of a bucket belong in a branch.
    #[error("too much for a bucket")]
    Overfull,
    /// A branch has fewer than two children, a digit over 31, or more digits than a key.
    #[error("a branch out of form")]
    Branch,
}

type Decoded<T> = Result<T, DecodeError>;

pub(super) fn decode(bytes: &[u8]) -> Decoded<Node> {
    let mut reader = Reader(bytes);
    let node = match reader.array()? {
        [VERSION, BUCKET] => Node::Bucket(bucket(&mut reader)?),
        [VERSION, BRANCH] => Node::Branch(branch(&mut reader)?),
        _ => return Err(DecodeError::Format),
    };
    if reader.0.is_empty() {
        Ok(node)
    } else {
        Err(DecodeError::Trailing)
    }
}

fn bucket(reader: &mut Reader<'_>) -> Decoded<Bucket> {
    let mut entries = Vec::new();
    loop {
        group(reader, &mut entries)?;
        if reader.0.is_empty() {
            break;
        }
    }
    if !entries.is_sorted_by(|a, b| a.slot < b.slot) {
        return Err(DecodeError::Order);
    }
    if !fits_bucket(&entries) {
        return Err(DecodeError::Overfull);
    }
    Ok(Bucket { entries })
}

fn group(reader: &mut Reader<'_>, entries: &mut Vec<Entry>) -> Decoded<()> {
    let event_type: Arc<str> = reader.text()?.into();
    if entries
        .last()
        .is_some_and(|last| last.slot.event_type == event_type)
    {
        return Err(DecodeError::Order);
    }
    let hash = TypeHash::of(&event_type);
    for _ in 0..reader.positive()? {
        let state_key: Arc<str> = reader.text()?.into();
        let slot = Slot {
            key: hash.key(&state_key),
            event_type: event_type.clone(),
            state_key,
        };
        entries.push(Entry {
            slot,
            event: event_id(reader)?,
        });
    }
    Ok(())
}

fn event_id(reader: &mut Reader<'_>) -> Decoded<PackedId> {
    if let Some((&HASH, rest)) = reader.0.split_first() {
        reader.0 = rest;
        return reader.array().map(PackedId::Hash);
    }
    let length = reader.positive()? - 1;
    PackedId::text_of(reader.utf8(length)?).ok_or(DecodeError::Text)
}

fn branch(reader: &mut Reader<'_>) -> Decoded<Branch> {
    let [skipped] = reader.array()?;
    let skip = reader.bytes(usize::from(skipped))?.to_vec();
    let bitmap = u32::from_le_bytes(reader.array()?);
    if skip.len() >= LEVELS || skip.iter().any(|digit| *digit >= FAN_OUT) || bitmap.count_ones() < 2 {
        return Err(DecodeError::Branch);
    }
    let mut children = Vec::new();
    let mut total = 0_u64;
    for digit in (0..FAN_OUT).filter(|digit| bitmap >> digit & 1 == 1) {
        let child = Child {
            id: NodeId::from_bytes(reader.array()?),
            entries: reader.positive()?,
        };
        total = total.checked_add(child.entries).ok_or(DecodeError::Number)?;
        children.push((digit, child));
    }
    Ok(Branch { skip, children })
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Decoded<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Decoded<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*bytes)
    }

    /// Unsigned LEB128 in its shortest form.
    fn number(&mut self) -> Decoded<u64> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            number |= bits << shift;
            if byte & 0x80 == 0 {
                let shortest = byte != 0 || shift == 0;
                let whole = bits << shift >> shift == bits;
                return if shortest && whole {
                    Ok(number)
                } else {
                    Err(DecodeError::Number)
                };
            }
        }
        Err(DecodeError::Number)
    }

    fn positive(&mut self) -> Decoded<u64> {
        self.number().and_then(|number| {
            if number == 0 {
                Err(DecodeError::Number)
            } else {
                Ok(number)
            }
        })
    }

    fn text(&mut self) -> Decoded<&'a str> {
        let length = self.number()?;
        self.utf8(length)
    }

    fn utf8(&mut self, length: u64) -> Decoded<&'a str> {
        let length = usize::try_from(length).map_err(|_| DecodeError::Number)?;
        if length > FIELD_MAX_BYTES {
            return Err(DecodeError::Number);
        }
        std::str::from_utf8(self.bytes(length)?).map_err(|_| DecodeError::Text)
    }
}
