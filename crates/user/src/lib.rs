//! The user object: account, devices, memberships and the log that sync reads.
