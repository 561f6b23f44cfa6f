//! The sizes that an event may have. spec: `client-server-api §Size limits`, `rooms §Event format`.

/// The greatest size of a whole event in bytes: canonical JSON, federation format, signatures included,
/// `unsigned` left out.
///
/// The spec and Synapse say 65,536; ruma's oracle says 65,535 and would drop events of exactly the limit.
/// `unsigned` is not counted because every server may rewrite it, so counting it would let two servers
/// disagree about the same event.
pub const MAX_EVENT_BYTES: usize = 65_536;

/// The greatest length of an identifier, an event type or a state key, in bytes.
pub const MAX_ID_BYTES: usize = 255;

/// The most entries that `prev_events` may have.
pub const MAX_PREV_EVENTS: usize = 20;

/// The most entries that `auth_events` may have.
pub const MAX_AUTH_EVENTS: usize = 10;

/// The deepest nesting of arrays and objects in an event that is received, the event itself included.
pub const MAX_NESTING_RECEIVED: usize = 127;

/// The deepest nesting in an event made here. Lower than what is accepted, so that peers whose parser stops at
/// 127 can still read the transaction that wraps it.
pub const MAX_NESTING_BUILT: usize = 100;

/// The greatest integer that canonical JSON holds: 2^53 - 1. spec: `appendices §Canonical JSON`.
pub const MAX_CANONICAL_INT: i64 = (1 << 53) - 1;
