//! The language server: what editors show while a flow is written, in either notation.
//!
//! Messages of the Language Server Protocol enter and leave by a [`Connection`]; the program around it checks flows
//! ([`Workspace`]). One thread, no clock. What a client sends in one go is taken in before anything is checked, so
//! that fast typing costs one check. Nothing is run and nothing written.
//!
//! Source: Language Server Protocol 3.17.

mod complete;
mod cursor;
mod diagnose;
mod document;
mod expression;
mod hover;
mod kinds;
mod layout;
mod navigate;
mod outline;
mod server;
mod symbols;
mod text;

use lsp_server::Connection;

pub use kinds::{Kind, Param, Takes};
pub use server::serve;

use crate::model::Bundle;
use crate::syntax::Problem;

/// What the server asks of the program around it.
pub trait Workspace {
    /// The kinds that tasks of a flow at that path may be of: built in, of the library, and of its own folder.
    fn kinds(&self, path: &str) -> Vec<Kind>;

    /// The flow that a reference means in a flow at that path; `None` if there is none, or it cannot be read.
    fn sub_flow(&self, path: &str, reference: &str) -> Option<Kind>;

    /// The files that a flow is made of, and all that is wrong with it, if the file at that path had that text.
    fn check(&self, path: &str, text: &str) -> (Bundle, Vec<Problem>);
}

/// A conversation that speaks by standard input and output.
#[must_use]
pub fn stdio() -> (Connection, lsp_server::IoThreads) {
    Connection::stdio()
}
