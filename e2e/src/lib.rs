//! Black-box tests over HTTP, run against either host.
