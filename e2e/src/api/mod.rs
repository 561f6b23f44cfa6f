//! A bare HTTP client for the Client-Server API: it sends what it is told, right or wrong, and shows what came back.

mod helpers;
mod reply;

use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::http::{Method, Request};

pub use helpers::{Account, PASSWORD, percent, registration_mac, room_path, unique};
pub use reply::Reply;

/// How long one request may take, a long poll included, before the test counts it as lost.
const REQUEST_LIMIT: Duration = Duration::from_secs(90);
/// The largest answer that a test reads, in bytes.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// A client of one server, signed in or not.
#[derive(Clone, Debug)]
pub struct Api {
    base_url: String,
    token: Option<String>,
    agent: Agent,
}

impl Api {
    /// A client that is not signed in.
    pub fn new(base_url: &str) -> Api {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .timeout_global(Some(REQUEST_LIMIT))
            .max_redirects(0)
            .build();
        Api {
            base_url: base_url.to_owned(),
            token: None,
            agent: config.into(),
        }
    }

    /// The same client with this access token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Api {
        Api {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// The same client without an access token.
    #[must_use]
    pub fn anonymous(&self) -> Api {
        Api {
            token: None,
            ..self.clone()
        }
    }

    /// The access token, if it has one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// A request to be filled in. `path` begins with a slash and is sent as it is.
    pub fn request<'a>(&'a self, method: &'a str, path: &'a str) -> Call<'a> {
        Call {
            api: self,
            method,
            path,
            headers: Vec::new(),
            body: None,
        }
    }

    /// `GET path`
    pub fn get(&self, path: &str) -> Reply {
        self.request("GET", path).send()
    }

    /// `POST path` with a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.request("POST", path).json(body).send()
    }

    /// `PUT path` with a JSON body.
    pub fn put(&self, path: &str, body: &Value) -> Reply {
        self.request("PUT", path).json(body).send()
    }
}

/// One request, being filled in.
#[derive(Debug)]
#[must_use = "a call is sent by `send` or `try_send`"]
pub struct Call<'a> {
    api: &'a Api,
    method: &'a str,
    path: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    body: Option<Vec<u8>>,
}

impl<'a> Call<'a> {
    /// Adds a header.
    pub fn header(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sets the body to a JSON value.
    pub fn json(self, body: &Value) -> Self {
        self.bytes(body.to_string())
    }

    /// Sets the body to these very bytes, announced as JSON.
    pub fn bytes(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends it.
    ///
    /// # Panics
    /// When no answer comes.
    pub fn send(self) -> Reply {
        let what = format!("{} {}", self.method, self.path);
        self.try_send().unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Sends it; an error is a connection that failed before the whole answer was there.
    pub fn try_send(self) -> Result<Reply, ureq::Error> {
        let mut request = Request::builder()
            .method(Method::from_bytes(self.method.as_bytes()).expect("a method"))
            .uri(format!("{}{}", self.api.base_url, self.path));
        if let Some(token) = &self.api.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        let what = format!("{} {}", self.method, self.path);
        let agent = &self.api.agent;
        let response = match self.body {
            Some(body) => {
                let request = request.header("Content-Type", "application/json").body(body)?;
                agent.run(
                    agent
                        .configure_request(request)
                        .allow_non_standard_methods(true)
                        .build(),
                )?
            }
            None => agent.run(request.body(())?)?,
        };
        Reply::read(what, response, ANSWER_BYTES_MAX)
    }
}
