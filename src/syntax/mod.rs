//! From text to declarations.
//!
//! Text of either notation becomes one spanned tree ([`Node`]), and that becomes declarations. Whatever is wrong
//! becomes a [`Problem`] with its place; all of a file's problems are reported at once. No name is looked up here.

mod declaration;
mod node;
mod problem;

pub use declaration::{
    Body, CapabilityDeclaration, FlowDeclaration, KindDeclaration, Order, ProvidesDeclaration,
    RetryDeclaration, RevertDeclaration, TaskDeclaration, TriesDeclaration,
};
pub use node::{Key, Node, NodeValue, Style};
pub use problem::{Problem, Severity, did_you_mean};
