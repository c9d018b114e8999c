//! The command line, as people and scripts meet it: the real binary, in a home of its own.

mod bad_input;
mod completions;
mod conductors;
mod explain;
mod files;
mod help;
mod home;
mod jobs;
mod layout;
mod library;
mod rehearse;
mod running;
mod sarif;
mod service;

pub use home::{Home, steady};
