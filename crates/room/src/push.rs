//! Events that other servers send of their own accord.

use selvage_object::Failure;
use selvage_protocol::federation::{Push, Receive, ReceiveReply};

use crate::accept::Work;
use crate::receive;
use crate::residence::{check_acl, check_resident};

/// Takes events in, of a server that the room lets take part; see [`Push`].
pub(crate) fn push(work: Work<'_, '_>, command: &Push) -> Result<ReceiveReply, Failure> {
    check_resident(work.view())?;
    check_acl(work.view(), &command.server)?;
    let receive = Receive {
        origin: command.server.clone(),
        events: command.events.clone(),
        keys: command.keys.clone(),
        history_before: None,
    };
    receive::receive(work, &receive)
}
