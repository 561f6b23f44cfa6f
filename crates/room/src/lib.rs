//! The room object: an event graph and the state at every event.
