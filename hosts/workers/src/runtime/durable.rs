//! The Durable Object classes. Each is a name for the runtime; what they do is [`Home`].

use std::rc::Rc;

use selvage_object::Delivery;
use wasm_bindgen::prelude::*;
use worker::{
    DurableObject, Env, Request, Response, State, WebSocket, WebSocketIncomingMessage, durable_object,
};

use super::home::Home;
use super::moment::moment;
use super::respond;
use crate::class::Class;
use crate::wire::{self, Reply};

/// Declares a class.
macro_rules! class {
    ($(#[$meta:meta])* $name:ident, $class:expr) => {
        $(#[$meta])*
        #[durable_object]
        pub struct $name {
            home: Rc<Home>,
        }

        impl DurableObject for $name {
            fn new(state: State, env: Env) -> Self {
                Self {
                    home: Home::new(state, env, $class),
                }
            }

            async fn fetch(&self, request: Request) -> worker::Result<Response> {
                serve(Rc::clone(&self.home), request).await
            }

            async fn alarm(&self) -> worker::Result<Response> {
                Rc::clone(&self.home).ring().await;
                Response::empty()
            }

            async fn websocket_message(&self, _: WebSocket, _: WebSocketIncomingMessage) -> worker::Result<()> {
                Ok(())
            }

            async fn websocket_close(&self, _: WebSocket, _: usize, _: String, _: bool) -> worker::Result<()> {
                Ok(())
            }

            async fn websocket_error(&self, _: WebSocket, _: worker::Error) -> worker::Result<()> {
                Ok(())
            }
        }
    };
}

class!(
    /// The shard of one room.
    RoomShard,
    Class::Room
);
class!(
    /// A shard of users.
    UserShard,
    Class::User
);
class!(
    /// A shard of remote servers.
    DestinationShard,
    Class::Destination
);
class!(
    /// The shard of the server object.
    ServerShard,
    Class::Server
);
#[cfg(feature = "conformance")]
class!(
    /// A shard of probes.
    ProbeShard,
    Class::Probe
);

async fn serve(home: Rc<Home>, mut request: Request) -> worker::Result<Response> {
    let Some(_place) = home.enter() else {
        return respond(Reply::OVERLOADED);
    };
    match request.path().as_str() {
        wire::ASK => respond(ask(&home, &request.bytes().await?).await),
        wire::DELIVER => respond(deliver(&home, &request.bytes().await?).await),
        wire::WATCH => watch(&home, &request).await,
        #[cfg(feature = "conformance")]
        path => super::conformance::in_shard(&home, path),
        #[cfg(not(feature = "conformance"))]
        path => respond(unknown(path)),
    }
}

fn unknown(path: &str) -> Reply {
    Reply::Unavailable(format!("this version does not know {path}"))
}

async fn ask(home: &Rc<Home>, body: &[u8]) -> Reply {
    let Some((to, command)) = wire::parse_ask(body) else {
        return unknown(wire::ASK);
    };
    if let Err(reply) = home.prepare().await {
        return reply;
    }
    match home.with_shard(|shard| shard.ask(moment(), &to, command)) {
        Ok(outcome) => {
            home.carry_out(&outcome);
            Reply::from(outcome.reply)
        }
        Err(failure) => Reply::from(failure),
    }
}

async fn deliver(home: &Rc<Home>, body: &[u8]) -> Reply {
    match serde_json::from_slice::<Delivery>(body) {
        Ok(delivery) => home.deliver(&delivery).await,
        Err(_) => unknown(wire::DELIVER),
    }
}

async fn watch(home: &Rc<Home>, request: &Request) -> worker::Result<Response> {
    let url = request.url()?;
    match url.query().and_then(wire::parse_watch) {
        Some((of, seen)) => home.watch(&of, seen).await,
        None => respond(unknown(wire::WATCH)),
    }
}
