//! What is shown of a room to whom it is not open yet. spec: `client-server-api §stripped-state`

use selvage_event::Map;
use selvage_protocol::Json;
use serde_json::Value;
use serde_json::value::to_raw_value;

/// The most events that another server may show of a room; more are left out.
const STRIPPED_MAX: usize = 64;
/// The most bytes that all of them may have; what is more is left out.
const STRIPPED_MAX_BYTES: usize = 256 * 1024;
/// What clients see of each.
const KEPT: [&str; 4] = ["content", "sender", "state_key", "type"];

/// State events that another server shows of a room, as clients see them. What is no state event is left out.
#[must_use]
pub fn stripped(events: &[Json]) -> Vec<Json> {
    let mut bytes = 0;
    let stripped = events.iter().take(STRIPPED_MAX).filter_map(strip);
    stripped
        .take_while(|event| {
            bytes += event.get().len();
            bytes <= STRIPPED_MAX_BYTES
        })
        .collect()
}

fn strip(event: &Json) -> Option<Json> {
    let mut event: Map = serde_json::from_str(event.get()).ok()?;
    event.retain(|name, _| KEPT.contains(&name.as_str()));
    let is_text = |name: &str| event.get(name).is_some_and(Value::is_string);
    let is_state = is_text("type") && is_text("state_key") && is_text("sender");
    (is_state && event.get("content").is_some_and(Value::is_object))
        .then(|| to_raw_value(&event).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_clients_need_is_kept_and_what_is_no_state_left_out() {
        let raw = |value: &Value| to_raw_value(value).unwrap();
        let name =
            json!({ "type": "m.room.name", "state_key": "", "sender": "@a:b", "content": { "name": "x" } });
        let mut whole = name.clone();
        whole["signatures"] = json!({});
        let message = json!({ "type": "m.room.message", "sender": "@a:b", "content": {} });
        let odd = json!({ "type": "m.room.name", "state_key": 1, "sender": "@a:b", "content": {} });
        let shown = stripped(&[raw(&whole), raw(&message), raw(&odd), raw(&json!([]))]);
        let shown: Vec<Value> = shown
            .iter()
            .map(|one| serde_json::from_str(one.get()).unwrap())
            .collect();
        assert_eq!(shown, [name]);
    }

    #[test]
    fn there_is_an_end() {
        let event = |bytes: usize| {
            let content = json!({ "x": "x".repeat(bytes) });
            to_raw_value(&json!({ "type": "a", "state_key": "", "sender": "@a:b", "content": content }))
                .unwrap()
        };
        assert_eq!(stripped(&vec![event(1); 100]).len(), STRIPPED_MAX);
        assert_eq!(stripped(&vec![event(65_000); 5]).len(), 4);
    }
}
