//! Matrix events: formats, hashes, signatures, authorisation, state resolution, redaction.
