//! The HTTP face: one function from request to response, for both hosts.
