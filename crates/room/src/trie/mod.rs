//! The state of a room as a persistent ordered trie: (event type, state key) -> event id, nodes shared between versions.
//!
//! A [`State`] is the name of a root node. Changing it writes the nodes on the paths to what changed and returns another
//! `State`; the old one stays readable for as long as its nodes are kept. What holds, and what the tests count:
//!
//! - **Canonical.** The shape is a function of the set of entries, whatever the history: two states are equal exactly
//!   when their roots are.
//! - **Small writes.** In a room of 100,000 members a state event writes 5 nodes, under 3 KB together.
//! - **Cheap differences.** [`State::difference`] never enters a subtree that both states share.
//! - **Ordered.** Entries come in the order of [`order_key`]: all entries of one type together, under one subtree whose
//!   size is known without walking it; an iteration goes on after any entry, in any version of the state.
//!
//! # Shape
//!
//! An entry lies at a key of 320 bits: 160 bits of SHA-256 of its type, then 160 bits of SHA-256 of its state key. They
//! are read as 64 digits of 5 bits, most significant first, so the digits of the type are the first 32. Hashed keys keep
//! the trie balanced whatever names people choose: a path one node longer costs its maker 32 times the work.
//!
//! A set of entries that share their first `level` digits is
//! - nothing, when it is empty (the root of the empty state is [`NodeId::EMPTY`], and no node is stored);
//! - a *bucket*, when it has at most [`BUCKET_MAX_ENTRIES`] entries of at most [`BUCKET_MAX_BYTES`] together, or when
//!   all its entries have the same key (one entry of any length, or a collision of both hashes);
//! - otherwise a *branch*: the digits that all of them share from `level` on (the `skip`), and for each digit that
//!   follows, the subtree of the entries with it.
//!
//! # Encoding, version 1
//!
//! A node's id is the first 16 bytes of SHA-256 of its encoding. Numbers are unsigned LEB128 in their shortest form;
//! a *text* is its length in bytes (at most [`FIELD_MAX_BYTES`]), then UTF-8.
//!
//! ```text
//! node    = version (1 byte: 1), bucket | branch
//! bucket  = 0 (1 byte), group...                     until the end; at least one
//! group   = type (text), n (number, from 1), entry * n     neighbouring groups differ in type
//! entry   = state key (text), event id               ascending by (key, type, state key)
//! event id = 0 (1 byte), 32 bytes                    `$` and 43 characters of unpadded url-safe base64
//!          | length + 1 (number), UTF-8              any other
//! branch  = 1 (1 byte), number of skipped digits (1 byte), digit (1 byte) * that many,
//!           bitmap (4 bytes, little-endian; bit d: the child of digit d is there; at least two),
//!           (child's id (16 bytes), its entries (number, from 1)) for each bit, ascending
//! ```
//!
//! Decoding refuses whatever encoding would not have written, so an encoding and its node name each other.

mod build;
mod cache;
mod change;
mod check;
mod decode;
mod difference;
mod encode;
mod error;
mod event_id;
mod id;
mod key;
mod node;
mod state;
mod store;
mod update;
mod walk;

pub use cache::NodeCache;
pub use change::{Change, FIELD_MAX_BYTES};
pub use decode::DecodeError;
pub use difference::{Difference, Differences};
pub use error::{Inconsistency, TrieError};
pub use id::NodeId;
pub use key::{ORDER_KEY_BYTES, order_key};
pub use node::{BUCKET_MAX_BYTES, BUCKET_MAX_ENTRIES, Entry, Node};
pub use state::State;
pub use store::{NodeStore, StoreError};
pub use walk::Entries;

#[cfg(test)]
mod tests;
