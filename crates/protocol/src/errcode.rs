//! The Matrix error codes that objects and the gateway answer with (spec: client-server-api §standard-error-response).

/// Not allowed.
pub const FORBIDDEN: &str = "M_FORBIDDEN";
/// The access token is not known, or no longer.
pub const UNKNOWN_TOKEN: &str = "M_UNKNOWN_TOKEN";
/// No access token where one is needed.
pub const MISSING_TOKEN: &str = "M_MISSING_TOKEN";
/// The account is locked.
pub const USER_LOCKED: &str = "M_USER_LOCKED";
/// The request is not signed by the server that it says it comes from.
pub const UNAUTHORIZED: &str = "M_UNAUTHORIZED";
/// JSON of the wrong shape.
pub const BAD_JSON: &str = "M_BAD_JSON";
/// No JSON at all.
pub const NOT_JSON: &str = "M_NOT_JSON";
/// No such thing.
pub const NOT_FOUND: &str = "M_NOT_FOUND";
/// Too many requests.
pub const LIMIT_EXCEEDED: &str = "M_LIMIT_EXCEEDED";
/// The server does not know the request, or the object the command.
pub const UNRECOGNIZED: &str = "M_UNRECOGNIZED";
/// Something else went wrong.
pub const UNKNOWN: &str = "M_UNKNOWN";
/// The user id is taken.
pub const USER_IN_USE: &str = "M_USER_IN_USE";
/// The user id is not valid.
pub const INVALID_USERNAME: &str = "M_INVALID_USERNAME";
/// The account was deactivated.
pub const USER_DEACTIVATED: &str = "M_USER_DEACTIVATED";
/// The body or the event is too large.
pub const TOO_LARGE: &str = "M_TOO_LARGE";
/// A parameter has a value that is not possible.
pub const INVALID_PARAM: &str = "M_INVALID_PARAM";
/// A parameter is missing.
pub const MISSING_PARAM: &str = "M_MISSING_PARAM";
/// The room version is not supported.
pub const UNSUPPORTED_ROOM_VERSION: &str = "M_UNSUPPORTED_ROOM_VERSION";
/// The room that would be created is not valid.
pub const INVALID_ROOM_STATE: &str = "M_INVALID_ROOM_STATE";
/// The alias is taken.
pub const ROOM_IN_USE: &str = "M_ROOM_IN_USE";
/// The password is too weak.
pub const WEAK_PASSWORD: &str = "M_WEAK_PASSWORD";
/// The room's version is none that the asking server supports.
pub const INCOMPATIBLE_ROOM_VERSION: &str = "M_INCOMPATIBLE_ROOM_VERSION";
/// Nobody here can let the user into a restricted room; another server may.
pub const UNABLE_TO_GRANT_JOIN: &str = "M_UNABLE_TO_GRANT_JOIN";
/// Whether the user is in a room that lets in is not known here; another server may know.
pub const UNABLE_TO_AUTHORISE_JOIN: &str = "M_UNABLE_TO_AUTHORISE_JOIN";
/// The room is not on this server, or no longer: its own word between objects and gateway, which no client is told.
pub const NOT_HERE: &str = "ORG.SELVAGE.NOT_HERE";
/// The invited user takes no such invites.
pub const INVITE_BLOCKED: &str = "M_INVITE_BLOCKED";
