//! Whole servers in one process, on virtual time and seeded randomness.
