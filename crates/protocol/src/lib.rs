//! The messages that objects and the gateway exchange.
