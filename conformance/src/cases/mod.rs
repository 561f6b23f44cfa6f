//! The promises.
