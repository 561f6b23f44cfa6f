//! Watches: a Worker waits on a WebSocket that the shard accepts so that it can be evicted meanwhile. The runtime keeps
//! the sockets, which object each is for (a tag) and what its watcher has seen (an attachment).

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use selvage_object::{ObjectKey, Wake};
use sha2::{Digest as _, Sha256};
use worker::{Response, WebSocket, WebSocketPair};

use super::home::Home;
use super::moment::moment;
use super::respond;
use crate::wire::Reply;

/// The most watches of one object; a user has some devices, each with one long poll.
const WATCHERS_MAX: usize = 128;
/// The code of a close that is in order.
const CLOSE_NORMAL: u16 = 1_000;

impl Home {
    /// Opens a watch, or answers at once when there is news already.
    pub(super) async fn watch(self: &Rc<Self>, of: &ObjectKey, seen: u64) -> worker::Result<Response> {
        if let Err(reply) = self.prepare().await {
            return respond(reply);
        }
        // From here to the acceptance nothing is awaited, so no version can rise unseen.
        match self.with_shard(|shard| shard.version(moment(), of)) {
            Ok(Ok(version)) if version > seen => respond(Reply::Done(Vec::new())),
            Ok(Ok(_)) => self.accept(of, seen),
            Ok(Err(failure)) | Err(failure) => respond(failure.into()),
        }
    }

    fn accept(&self, of: &ObjectKey, seen: u64) -> worker::Result<Response> {
        let tag = tag(of);
        if self.state.get_websockets_with_tag(&tag).len() >= WATCHERS_MAX {
            return respond(Reply::OVERLOADED);
        }
        let pair = WebSocketPair::new()?;
        self.state.accept_websocket_with_tags(&pair.server, &[&tag]);
        pair.server.serialize_attachment(seen.to_string())?;
        Response::from_websocket(pair.client)
    }

    /// Tells those who have seen less.
    pub(super) fn wake(&self, wake: &Wake) {
        for socket in self.state.get_websockets_with_tag(&tag(&wake.key)) {
            if seen(&socket).is_none_or(|seen| seen < wake.version) {
                // A socket that is gone needs no waking: its watcher looks again.
                let _ = socket.send_with_str(wake.version.to_string());
                let _ = socket.close(Some(CLOSE_NORMAL), Some("changed"));
            }
        }
    }
}

fn seen(socket: &WebSocket) -> Option<u64> {
    let seen: Option<String> = socket.deserialize_attachment().ok()?;
    seen?.parse().ok()
}

/// The tag of an object's sockets: a hash, because tags are shorter than names may be.
fn tag(of: &ObjectKey) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(of.to_string()))
}
