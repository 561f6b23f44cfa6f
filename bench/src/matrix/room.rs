//! Rooms and messages.

use serde::Deserialize;
use serde_json::json;

use super::{Account, json};
use crate::{
    fault::Fault,
    http::{Connection, Request, path_segment},
};

const CREATE_ROOM: &str = "/_matrix/client/v3/createRoom";

/// A message's text: 100 bytes with its marker.
const TEXT: &str = "The quick brown fox jumps over the lazy dog while the homeserver keeps up";
/// Length of a marker, which completes [`TEXT`] to 100 bytes.
const MARKER_BYTES: usize = 26;

#[derive(Deserialize)]
struct Room {
    room_id: String,
}

/// Creates a private room and invites `invited` (spec: client-server-api §post_matrixclientv3createroom).
pub(crate) async fn create_room(
    connection: &mut Connection,
    creator: &Account,
    invited: &[&Account],
    version: &str,
) -> Result<String, Fault> {
    let invite: Vec<&str> = invited.iter().map(|account| account.user_id.as_str()).collect();
    let form = json!({ "preset": "private_chat", "invite": invite, "room_version": version }).to_string();
    let request = Request::post(CREATE_ROOM, Some(&creator.token), form.as_bytes());
    Ok(json::<Room>(connection, &request, "createRoom").await?.room_id)
}

/// Joins a room (spec: client-server-api §post_matrixclientv3roomsroomidjoin).
pub(crate) async fn join_room(
    connection: &mut Connection,
    guest: &Account,
    room_id: &str,
) -> Result<(), Fault> {
    let path = format!("/_matrix/client/v3/rooms/{}/join", path_segment(room_id));
    json::<Room>(
        connection,
        &Request::post(&path, Some(&guest.token), b"{}"),
        "join",
    )
    .await
    .map(drop)
}

/// Path of a send into a room, up to the transaction id
/// (spec: client-server-api §put_matrixclientv3roomsroomidsendeventtypetxnid).
pub(crate) fn send_path(room_id: &str) -> String {
    format!(
        "/_matrix/client/v3/rooms/{}/send/m.room.message/",
        path_segment(room_id)
    )
}

/// A text message whose `body` is 100 bytes and ends with `marker`, cut or filled to 26 bytes.
pub(crate) fn message(marker: &str) -> Vec<u8> {
    let text = format!("{TEXT} {marker:.>MARKER_BYTES$.MARKER_BYTES$}");
    json!({ "msgtype": "m.text", "body": text })
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_message_has_100_bytes_of_text() {
        for marker in ["", "marker-17-of-send", "a marker that is longer than its place"] {
            let content: Value = serde_json::from_slice(&message(marker)).unwrap();
            assert_eq!(content["body"].as_str().unwrap().len(), 100);
        }
        assert!(
            String::from_utf8(message("marker-17."))
                .unwrap()
                .contains("marker-17.\"")
        );
    }

    #[test]
    fn paths_are_encoded() {
        let path = send_path("!a/b:localhost");
        assert_eq!(
            path,
            "/_matrix/client/v3/rooms/%21a%2Fb%3Alocalhost/send/m.room.message/"
        );
    }
}
