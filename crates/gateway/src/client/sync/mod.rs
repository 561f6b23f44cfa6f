//! What happened since the client last asked. spec: `client-server-api §syncing`
//!
//! One ask of the user says which rooms changed; those alone are asked for their part, side by side; where nothing
//! changed the gateway waits on the user. So a sync costs what changed, not what the user has joined.

mod form;
mod request;
mod response;
mod room;

use std::sync::Arc;

use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use ruma::api::client::sync::sync_events;
use selvage_protocol::user::{Changes, ChangesReply, Seen};
use selvage_protocol::user_key;

use self::request::{Query, Wanted, WantedFilter};
use self::response::Head;
use self::room::Part;
use super::filter::{self, Filter};
use crate::auth::{Credentials, viewer};
use crate::call::Call;
use crate::router::{Answer, Routes};
use crate::{ApiError, AskError, Body, Gateway, Host, MaybeSend};

/// How many rooms are asked at once.
const ROOMS_AT_ONCE: usize = 16;
/// From so many rooms on, an answer goes out room by room and is never in memory at once.
const STREAMED_FROM_ROOMS: usize = 64;

pub(super) fn routes<H: Host>(routes: &mut Routes<H>) {
    routes.on::<sync_events::v3::Request, _>(sync);
}

/// spec: `client-server-api §get_matrixclientv3sync`
async fn sync<H: Host>(call: Call<H>) -> Answer {
    let credentials = call.credentials()?;
    let wanted = call.query::<Query>()?.into_wanted()?;
    let gateway = &call.gateway;
    let deadline = gateway.now().plus_ms(wanted.timeout_ms);
    let mut since = wanted.since;
    loop {
        let changes = changes(gateway, &credentials, &wanted, since).await?;
        let (next, version) = (changes.next, changes.version);
        let found = Found::new(gateway, &wanted, changes)?;
        if found.rooms.len() >= STREAMED_FROM_ROOMS {
            return found.into_stream();
        }
        let (head, parts) = found.into_parts().await?;
        let left_ms = deadline.ms_since(gateway.now());
        if wanted.at_once() || left_ms == 0 || !head.is_empty() || !parts.is_empty() {
            return response::whole(&head, &parts).map(Body::from);
        }
        let user = user_key(credentials.user_id.as_str());
        match gateway.host().wait(&user, version, left_ms).await {
            // The client has heard all there is, and asks again when the server is back.
            Err(AskError::Stopping) => return response::whole(&head, &parts).map(Body::from),
            waited => waited?,
        }
        since = Some(next);
    }
}

/// Asks the user what changed. A stored filter is read on the way; only when that filter turns out to want the rooms that
/// the user has left is the user asked again, with that said.
async fn changes<H: Host>(
    gateway: &Gateway<H>,
    credentials: &Credentials,
    wanted: &Wanted,
    since: Option<Seen>,
) -> Result<ChangesReply, ApiError> {
    let (inline, filter_id) = match &wanted.filter {
        WantedFilter::Inline(filter) => (filter.room.include_leave, None),
        WantedFilter::Stored(id) => (false, Some(id.clone())),
    };
    let command = |include_leave| Changes {
        token_hash: credentials.token_hash.clone(),
        since,
        full_state: wanted.full_state,
        include_leave,
        filter_id: filter_id.clone(),
    };
    let user = credentials.user_id.as_str();
    let reply = gateway.ask_user(user, command(inline)).await?;
    let everything = since.is_none() || wanted.full_state;
    if everything && !inline && stored(&reply)?.room.include_leave {
        return Ok(gateway.ask_user(user, command(true)).await?);
    }
    Ok(reply)
}

fn stored(reply: &ChangesReply) -> Result<Filter, ApiError> {
    reply
        .filter
        .as_ref()
        .map_or_else(|| Ok(Filter::default()), |filter| filter::parse(filter.get()))
}

/// What the user object found, with the rooms still to be asked.
struct Found<H> {
    gateway: Gateway<H>,
    head: Head,
    context: Arc<room::Context>,
    rooms: Vec<room::Changed>,
}

impl<H: Host> Found<H> {
    fn new(gateway: &Gateway<H>, wanted: &Wanted, changes: ChangesReply) -> Result<Self, ApiError> {
        let filter = match &wanted.filter {
            WantedFilter::Inline(filter) => filter.as_ref().clone(),
            WantedFilter::Stored(_) if changes.filter.is_none() => {
                return Err(ApiError::invalid_param("there is no such filter"));
            }
            WantedFilter::Stored(_) => stored(&changes)?,
        };
        let context = room::Context {
            viewer: viewer(&changes.session),
            initial: wanted.since.is_none(),
            full_state: wanted.full_state,
            state_after: wanted.state_after,
            filter,
        };
        let push_rules = wanted.at_once();
        let head = Head::new(
            changes.next,
            &changes.session,
            changes.account_data,
            &context.filter,
            push_rules,
        )?;
        let rooms = room::changed(changes.rooms, &context.filter);
        Ok(Self {
            gateway: gateway.clone(),
            head,
            context: Arc::new(context),
            rooms,
        })
    }

    /// The parts of the rooms, in the order of their sections.
    fn ask(
        gateway: Gateway<H>,
        context: Arc<room::Context>,
        rooms: Vec<room::Changed>,
    ) -> impl Stream<Item = Result<Option<Part>, ApiError>> + MaybeSend + 'static {
        let ask = move |changed| room::part(gateway.clone(), Arc::clone(&context), changed);
        stream::iter(rooms).map(ask).buffered(ROOMS_AT_ONCE)
    }

    async fn into_parts(self) -> Result<(Head, Vec<Part>), ApiError> {
        let parts = Self::ask(self.gateway, self.context, self.rooms);
        let parts = parts
            .try_filter_map(|part| async move { Ok(part) })
            .try_collect()
            .await?;
        Ok((self.head, parts))
    }

    fn into_stream(self) -> Answer {
        let parts = Self::ask(self.gateway, self.context, self.rooms);
        let parts = parts.try_filter_map(|part| async move { Ok(part) });
        response::chunks(&self.head, parts).map(Body::Chunks)
    }
}
