//! From method and path to the handler, as ruma's endpoint metadata name them.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;

use http::Method;
use matchit::InsertError;
use ruma::api::Metadata;
use ruma::api::path_builder::PathBuilder;

use crate::call::Call;
use crate::{ApiError, Body, Host, MaybeSend, MaybeSync};

/// The most bytes of a body unless an endpoint says otherwise.
pub(crate) const BODY_MAX_BYTES: usize = 64 * 1024;

/// What a handler answers: the body of a 200, or an error.
pub(crate) type Answer = Result<Body, ApiError>;

/// A handler at work.
pub(crate) trait Work: Future<Output = Answer> + MaybeSend {}
impl<F: Future<Output = Answer> + MaybeSend> Work for F {}

trait Handler<H>: MaybeSend + MaybeSync {
    fn start(&self, call: Call<H>) -> Pin<Box<dyn Work>>;
}

impl<H, W, F> Handler<H> for F
where
    W: Work + 'static,
    F: Fn(Call<H>) -> W + MaybeSend + MaybeSync,
{
    fn start(&self, call: Call<H>) -> Pin<Box<dyn Work>> {
        Box::pin(self(call))
    }
}

/// One method of one path.
pub(crate) struct Endpoint<H> {
    /// The path as the spec writes it, with `{…}` for what varies.
    pub(crate) template: &'static str,
    method: Method,
    body_limit: usize,
    handler: Box<dyn Handler<H>>,
}

impl<H> Endpoint<H> {
    pub(crate) fn start(&self, call: Call<H>) -> Pin<Box<dyn Work>> {
        self.handler.start(call)
    }
}

/// What is known of a path.
pub(crate) enum Found<'a, H> {
    /// An endpoint, and the raw segments that vary.
    Endpoint(&'a Endpoint<H>, Vec<&'a str>),
    /// The path, but not with this method.
    OtherMethod,
    /// Nothing.
    Nothing,
}

impl<H> Found<'_, H> {
    /// The most bytes of the body.
    pub(crate) const fn body_limit(&self) -> usize {
        match self {
            Self::Endpoint(endpoint, _) => endpoint.body_limit,
            Self::OtherMethod | Self::Nothing => BODY_MAX_BYTES,
        }
    }

    /// The template of the endpoint that was found.
    pub(crate) const fn template(&self) -> Option<&'static str> {
        match self {
            Self::Endpoint(endpoint, _) => Some(endpoint.template),
            Self::OtherMethod | Self::Nothing => None,
        }
    }
}

/// Endpoints being collected.
pub(crate) struct Routes<H> {
    by_path: BTreeMap<String, Vec<Endpoint<H>>>,
}

impl<H: Host> Routes<H> {
    /// Registers a handler under the method and all paths of an endpoint of ruma's.
    pub(crate) fn on<R, W>(&mut self, handler: fn(Call<H>) -> W)
    where
        R: Metadata,
        W: Work + 'static,
    {
        self.on_with_limit::<R, W>(BODY_MAX_BYTES, handler);
    }

    /// As [`Routes::on`], for bodies of up to `body_limit` bytes.
    pub(crate) fn on_with_limit<R, W>(&mut self, body_limit: usize, handler: fn(Call<H>) -> W)
    where
        R: Metadata,
        W: Work + 'static,
    {
        for path in R::PATH_BUILDER.all_paths() {
            self.at(R::METHOD, path, body_limit, handler);
        }
    }

    /// Registers a handler under a path that ruma does not have.
    pub(crate) fn at<W>(
        &mut self,
        method: Method,
        template: &'static str,
        body_limit: usize,
        handler: fn(Call<H>) -> W,
    ) where
        W: Work + 'static,
    {
        let endpoint = Endpoint {
            template,
            method,
            body_limit,
            handler: Box::new(handler),
        };
        self.by_path.entry(shape(template)).or_default().push(endpoint);
    }
}

/// The template with numbers for names, so that methods of one path whose names differ meet.
fn shape(template: &str) -> String {
    let numbered = template.split('/').enumerate();
    let segments = numbered.map(|(at, segment)| {
        if segment.starts_with('{') {
            format!("{{{at}}}")
        } else {
            segment.to_owned()
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// All endpoints.
pub(crate) struct Router<H> {
    paths: matchit::Router<Vec<Endpoint<H>>>,
}

impl<H: Host> Router<H> {
    /// Collects endpoints.
    ///
    /// # Errors
    /// When two paths cannot be told apart.
    pub(crate) fn new(register: impl FnOnce(&mut Routes<H>)) -> Result<Self, InsertError> {
        let mut routes = Routes {
            by_path: BTreeMap::new(),
        };
        register(&mut routes);
        let mut paths = matchit::Router::new();
        for (path, endpoints) in routes.by_path {
            paths.insert(path, endpoints)?;
        }
        Ok(Self { paths })
    }

    /// Looks up a path whose segments are still encoded, so that `%2F` does not divide them. `HEAD` is found as `GET`.
    pub(crate) fn find<'a>(&'a self, method: &Method, path: &'a str) -> Found<'a, H> {
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        let Ok(found) = self.paths.at(path) else {
            return Found::Nothing;
        };
        match found.value.iter().find(|endpoint| endpoint.method == method) {
            Some(endpoint) => Found::Endpoint(
                endpoint,
                found.params.iter().map(|(_, segment)| segment).collect(),
            ),
            None => Found::OtherMethod,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AskError, RemoteError, RemoteResponse, admin, client, federation};
    use bytes::Bytes;
    use selvage_event::ServerName;
    use selvage_object::{ObjectKey, Timestamp};

    /// A host that is never asked anything.
    #[derive(Clone)]
    struct Nowhere;

    impl Host for Nowhere {
        async fn ask(&self, _: &ObjectKey, _: Vec<u8>) -> Result<Vec<u8>, AskError> {
            Err(AskError::Unavailable("nowhere".to_owned()))
        }

        async fn wait(&self, _: &ObjectKey, _: u64, _: u64) -> Result<(), AskError> {
            Ok(())
        }

        fn now(&self) -> Timestamp {
            Timestamp(0)
        }

        fn random(&self) -> [u8; 32] {
            [0; 32]
        }

        async fn exchange(
            &self,
            to: &ServerName,
            _: http::Request<Bytes>,
            _: u64,
        ) -> Result<RemoteResponse, RemoteError> {
            Err(RemoteError::Unreachable(format!("{to} is not there")))
        }

        async fn compute<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
            work()
        }
    }

    fn register(routes: &mut Routes<Nowhere>) {
        client::routes(routes);
        admin::routes(routes);
        federation::routes(routes);
    }

    fn router() -> Router<Nowhere> {
        Router::new(register).unwrap()
    }

    /// What is found: the template and the segments that vary, or the status of the refusal.
    fn found(method: &Method, path: &str) -> Result<(&'static str, Vec<String>), u16> {
        match router().find(method, path) {
            Found::Endpoint(endpoint, args) => {
                Ok((endpoint.template, args.into_iter().map(str::to_owned).collect()))
            }
            Found::OtherMethod => Err(405),
            Found::Nothing => Err(404),
        }
    }

    #[test]
    fn every_endpoint_is_found_under_its_template_and_no_two_meet() {
        let mut routes = Routes {
            by_path: BTreeMap::new(),
        };
        register(&mut routes);
        let all = routes.by_path.values().flatten();
        let all: Vec<(Method, &str)> = all.map(|one| (one.method.clone(), one.template)).collect();
        assert!(all.len() > 100, "{} endpoints", all.len());
        for (method, template) in &all {
            assert_eq!(
                found(method, template).map(|(found, _)| found),
                Ok(*template),
                "{method} {template}"
            );
            let same = all
                .iter()
                .filter(|(m, t)| m == method && shape(t) == shape(template))
                .count();
            assert_eq!(same, 1, "{method} {template}");
        }
    }

    #[test]
    fn segments_are_divided_before_they_are_decoded() {
        let path = "/_matrix/client/v3/rooms/%21a%2Fb/send/m.room.message/t%2f1";
        let (template, args) = found(&Method::PUT, path).unwrap();
        assert_eq!(
            template,
            "/_matrix/client/v3/rooms/{room_id}/send/{event_type}/{txn_id}"
        );
        assert_eq!(args, ["%21a%2Fb", "m.room.message", "t%2f1"]);
    }

    #[test]
    fn an_empty_state_key_may_be_left_out() {
        for end in ["", "/"] {
            let path = format!("/_matrix/client/v3/rooms/!a/state/m.room.name{end}");
            assert_eq!(
                found(&Method::GET, &path).unwrap().1,
                ["!a", "m.room.name"],
                "{path}"
            );
            assert_eq!(
                found(&Method::PUT, &path).unwrap().1,
                ["!a", "m.room.name"],
                "{path}"
            );
        }
    }

    #[test]
    fn unknown_paths_and_wrong_methods_differ() {
        assert_eq!(found(&Method::GET, "/_matrix/client/v3/keys/query"), Err(404));
        assert_eq!(found(&Method::GET, "/"), Err(404));
        assert_eq!(found(&Method::GET, "/_matrix/client/v3/createRoom"), Err(405));
        assert_eq!(
            found(&Method::PATCH, "/_matrix/client/v3/profile/@a:b/displayname"),
            Err(405)
        );
        assert_eq!(found(&Method::GET, "/_matrix/client/v3/sync/"), Err(404));
    }

    #[test]
    fn older_and_newer_paths_lead_to_the_same_endpoint() {
        for version in ["r0", "v3"] {
            let path = format!("/_matrix/client/{version}/account/whoami");
            assert!(found(&Method::GET, &path).is_ok(), "{path}");
            assert!(found(&Method::HEAD, &path).is_ok(), "HEAD {path}");
        }
    }

    #[test]
    fn bodies_are_limited_by_what_they_are_for() {
        let limit = |method: &Method, path: &str| router().find(method, path).body_limit();
        assert_eq!(limit(&Method::POST, "/_matrix/client/v3/login"), BODY_MAX_BYTES);
        assert_eq!(limit(&Method::POST, "/nowhere"), BODY_MAX_BYTES);
        assert_eq!(
            limit(&Method::PUT, "/_matrix/client/v3/rooms/!a/send/m.room.message/1"),
            256 * 1024
        );
        assert_eq!(
            limit(&Method::PUT, "/_matrix/client/v3/user/@a:b/account_data/x"),
            512 * 1024
        );
    }
}
