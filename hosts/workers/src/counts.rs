//! What Workers bill, counted: numbers that only grow, for tests and the load tool.
//!
//! They are of one isolate. Local runtimes have one for everything, so there they are the whole truth; a deployment has
//! many and does not show them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::class::Class;

thread_local! {
    static COUNTS: RefCell<BTreeMap<String, u64>> = const { RefCell::new(BTreeMap::new()) };
}

fn add(name: &str, count: u64) {
    COUNTS.with_borrow_mut(|counts| match counts.get_mut(name) {
        Some(sum) => *sum += count,
        None => {
            counts.insert(name.to_owned(), count);
        }
    });
}

/// A request reached the Worker.
pub(crate) fn request() {
    add("requests", 1);
}

/// A shard was called, by the Worker or by another shard; a watch counts too.
pub(crate) fn shard_call(class: Class, path: &str) {
    add("shard_calls", 1);
    let (what, _) = path.split_once('?').unwrap_or((path, ""));
    add(
        &format!(
            "shard_calls_{}_{}",
            class.kind().name(),
            what.trim_start_matches('/')
        ),
        1,
    );
}

/// A statement read and wrote rows.
pub(crate) fn rows(class: Class, read: u64, written: u64) {
    add("rows_read", read);
    add("rows_written", written);
    add(&format!("rows_read_{}", class.kind().name()), read);
    add(&format!("rows_written_{}", class.kind().name()), written);
}

/// An alarm rang.
pub(crate) fn alarm(class: Class) {
    add("alarms", 1);
    add(&format!("alarms_{}", class.kind().name()), 1);
}

/// A delivery left in the background; when as many have ended, nothing is under way.
pub(crate) fn delivery_started() {
    add("deliveries_started", 1);
}

/// A delivery was answered, or has failed.
pub(crate) fn delivery_ended() {
    add("deliveries_ended", 1);
}

/// All numbers by name, as a JSON object.
pub(crate) fn json() -> String {
    COUNTS.with_borrow(|counts| serde_json::to_string(counts).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow() {
        request();
        request();
        shard_call(Class::Room, "/watch?seen=1");
        rows(Class::User, 3, 2);
        assert_eq!(
            json(),
            r#"{"requests":2,"rows_read":3,"rows_read_user":3,"rows_written":2,"rows_written_user":2,"shard_calls":1,"shard_calls_room_watch":1}"#
        );
    }
}
