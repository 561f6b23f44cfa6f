//! Objects, turns, shards, and the ports that a host gives them.
