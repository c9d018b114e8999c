//! From declarations to a plan.

mod expression;
mod plan;
mod template;
mod uses;

pub use expression::{Expression, ExpressionError, Reference};
pub use plan::{
    Action, Atom, AtomKind, Binding, Input, Origin, Plan, Retry, RetryTries, Reversal, Scope, Task,
};
pub use template::{Piece, Place, Template, TemplateError};
