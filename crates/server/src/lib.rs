//! The server object: signing keys and registration tokens.
