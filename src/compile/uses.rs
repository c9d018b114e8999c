//! What the reading of a declaration gathers: the names that are used, each with its place, and what is wrong.
//!
//! Texts enter, expressions leave; whether a name is known is told later, when all providers are known.

use super::{Binding, Expression};
use crate::model::Span;
use crate::syntax::Problem;

/// In what kind of place a name is used: what it may stand for there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spot {
    /// A parameter that the engine renders.
    Value,
    /// An argument of a process, which everybody on the machine can read.
    Argument,
    /// A URL, which servers write to their logs.
    Url,
    /// What the scheduler decides by, in the key of this name: `when`, `for_each`, the time of a sleep.
    Condition(&'static str),
    /// `retry.on`: over `failure`.
    On,
    /// `check`: over the result, whose fields these are, and all else.
    Check(&'static [&'static str]),
    /// `provides`: over the result alone.
    Result(&'static [&'static str]),
    /// An argument of a capability: over the store alone.
    Capability,
    /// What a sub-flow or a task kind is given.
    Given,
}

/// One use of a name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Use {
    /// The name.
    pub name: String,
    /// The field that is asked of it.
    pub field: Option<String>,
    /// Where.
    pub span: Span,
    /// In what kind of place.
    pub spot: Spot,
    /// Whether it is on the revert side.
    pub revert: bool,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The names that are used.
    pub uses: Vec<Use>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Whether the revert side is being read.
    pub revert: bool,
    /// What stands in `env` and `dir` outside of a sub-flow or a task kind, and what it is called inside.
    pub outer: Vec<(Outer, Binding)>,
    /// Those of them that are used.
    pub held: Vec<Binding>,
}

/// A text that is told by names outside of a sub-flow or a task kind: where it is in memory, and the member that is
/// the border.
pub(crate) type Outer = (usize, usize);

impl Found {
    /// Reads an expression; `None` if it is wrong, which is then noted.
    pub fn expression(&mut self, text: &str, span: Span, spot: Spot) -> Option<Expression> {
        let read = Expression::parse(text, span).map_err(|problem| match problem.help {
            Some(_) => problem,
            None => problem.help("write an expression, such as: name == \"value\""),
        });
        self.used(read, span, spot)
    }

    /// Takes the names of an expression that stands at a place, or notes what is wrong with it.
    pub fn used(
        &mut self,
        read: Result<Expression, Problem>,
        span: Span,
        spot: Spot,
    ) -> Option<Expression> {
        match read {
            Ok(expression) => {
                for reference in expression.references() {
                    self.uses.push(Use {
                        name: reference.name,
                        field: reference.field,
                        span,
                        spot,
                        revert: self.revert,
                    });
                }
                Some(expression)
            }
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    /// Notes what is wrong.
    pub fn wrong(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}
