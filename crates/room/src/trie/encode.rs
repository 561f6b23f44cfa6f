//! Nodes to bytes. The format stands in the module's page.

use super::{
    Entry, Node,
    event_id::PackedId,
    node::{Branch, Bucket},
};

/// The version of the format, the first byte of every node.
pub(super) const VERSION: u8 = 1;
/// The second byte of a bucket.
pub(super) const BUCKET: u8 = 0;
/// The second byte of a branch.
pub(super) const BRANCH: u8 = 1;
/// The mark of an event id that is a hash.
pub(super) const HASH: u8 = 0;

pub(super) fn encode(node: &Node) -> Vec<u8> {
    let mut out = vec![VERSION];
    match node {
        Node::Bucket(bucket) => encode_bucket(&mut out, bucket),
        Node::Branch(branch) => encode_branch(&mut out, branch),
    }
    out
}

fn encode_bucket(out: &mut Vec<u8>, bucket: &Bucket) {
    out.push(BUCKET);
    for group in bucket
        .entries
        .chunk_by(|a, b| a.slot.event_type == b.slot.event_type)
    {
        text(out, group.first().map_or("", Entry::event_type));
        number(out, group.len() as u64);
        group.iter().for_each(|entry| encode_entry(out, entry));
    }
}

fn encode_entry(out: &mut Vec<u8>, entry: &Entry) {
    text(out, &entry.slot.state_key);
    match &entry.event {
        PackedId::Hash(hash) => {
            out.push(HASH);
            out.extend_from_slice(hash);
        }
        PackedId::Text(id) => {
            number(out, id.len() as u64 + 1);
            out.extend_from_slice(id.as_bytes());
        }
    }
}

fn encode_branch(out: &mut Vec<u8>, branch: &Branch) {
    out.push(BRANCH);
    // A key has 64 digits, so the number of skipped ones is one byte.
    out.push(branch.skip.len().to_le_bytes()[0]);
    out.extend_from_slice(&branch.skip);
    let bitmap = branch
        .children
        .iter()
        .fold(0_u32, |bitmap, (digit, _)| bitmap | 1 << digit);
    out.extend_from_slice(&bitmap.to_le_bytes());
    for (_, child) in &branch.children {
        out.extend_from_slice(child.id.as_bytes());
        number(out, child.entries);
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Unsigned LEB128.
fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}
