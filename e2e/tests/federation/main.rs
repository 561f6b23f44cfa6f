//! Federation with a real Synapse, and of Selvage with itself, over TLS.
//!
//! A case has a server on which a room is made, the near one, and another that takes part, the far one. It looks at the room
//! through the Client-Server API of both: state for every key, members, timelines. Servers are shared by all cases, rooms are
//! not. Cases that cut connections or kill servers have them to themselves meanwhile.
#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "tests"
)]

/// Declares cases, each a function of the near and the far server, once for each pair.
macro_rules! cases {
    ($($case:ident),* $(,)?) => { cases!(in company: $($case),*); };
    (alone: $($case:ident),* $(,)?) => { cases!(in solitude: $($case),*); };
    (in $order:ident: $($case:ident),*) => {
        /// Rooms of Selvage, in which Synapse takes part.
        mod selvage_with_synapse {
            use crate::town::{$order, selvage, synapse};
            $(#[test] fn $case() { let _order = $order(); super::$case(selvage(), synapse()); })*
        }
        /// Rooms of Synapse, in which Selvage takes part.
        mod synapse_with_selvage {
            use crate::town::{$order, selvage, synapse};
            $(#[test] fn $case() { let _order = $order(); super::$case(synapse(), selvage()); })*
        }
        /// Rooms of Selvage, in which another Selvage takes part.
        mod selvage_with_selvage {
            use crate::town::{$order, other_selvage, selvage};
            $(#[test] fn $case() { let _order = $order(); super::$case(selvage(), other_selvage()); })*
        }
        /// A check of the cases themselves.
        #[cfg(feature = "synapse")]
        mod synapse_with_synapse {
            use crate::town::{$order, other_synapse, synapse};
            $(#[test] fn $case() { let _order = $order(); super::$case(synapse(), other_synapse()); })*
        }
    };
}

mod acl;
mod history;
mod invites;
mod joins;
mod knocks;
mod messages;
mod outages;
mod people;
mod power;
mod restricted;
mod room;
mod splits;
mod town;
mod upgrades;
mod versions;
mod watcher;
