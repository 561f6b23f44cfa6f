//! A lean HTTP/1.1 client: one keep-alive connection, one request at a time, two system calls a request.
//!
//! It knows what a load generator needs and no more: no TLS, no redirects, no proxies, no compression.

mod address;
mod connection;
mod request;
mod response;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use self::{
    address::Address,
    connection::{Connection, HttpError},
    request::{Request, path_segment},
};
