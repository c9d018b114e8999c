//! Kinds that work on data in servers.
