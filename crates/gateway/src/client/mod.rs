//! The Client-Server API, one file for each group of endpoints.

mod account;
mod account_data;
mod capabilities;
mod create_room;
mod discovery;
mod elsewhere;
mod filter;
pub(crate) mod login;
mod members;
mod membership;
mod messages;
mod position;
mod profile;
mod push_rules;
mod receipts;
pub(crate) mod register;
mod remote_rooms;
pub(crate) mod restricted;
mod send;
mod state;
mod sync;
mod typing;

use crate::Host;
use crate::router::Routes;

/// Registers all endpoints.
pub(crate) fn routes<H: Host>(routes: &mut Routes<H>) {
    account::routes(routes);
    account_data::routes(routes);
    capabilities::routes(routes);
    create_room::routes(routes);
    discovery::routes(routes);
    elsewhere::routes(routes);
    filter::routes(routes);
    members::routes(routes);
    login::routes(routes);
    membership::routes(routes);
    messages::routes(routes);
    profile::routes(routes);
    push_rules::routes(routes);
    receipts::routes(routes);
    register::routes(routes);
    send::routes(routes);
    state::routes(routes);
    sync::routes(routes);
    typing::routes(routes);
}
