//! `matrix`: names, each with a list of values.

use super::name::is_name;
use super::{Lower, entries};
use crate::model::{Span, Spanned};
use crate::syntax::{MatrixDeclaration, Node, NodeValue, Problem, code, shown};

impl Lower<'_> {
    /// What stands under `matrix`, whose key is at `key`.
    pub(super) fn matrix(&mut self, node: Node, key: Span) -> Option<MatrixDeclaration> {
        let axes = match entries(node) {
            Ok(axes) => axes,
            Err(other) => {
                self.complete = false;
                let wanted = (
                    "a mapping of names and their values, such as { region: [eu, us] }",
                    "a mapping of names and their values, such as { region = [\"eu\", \"us\"] }",
                );
                self.wrong_shape(&other, "matrix", wanted);
                return None;
            }
        };
        if axes.is_empty() {
            self.report(
                Problem::error(code::MATRIX_EMPTY, key, "`matrix` has no names").help_in(
                    "give it a name with values, such as { region: [eu, us] }",
                    "give it a name with values, such as { region = [\"eu\", \"us\"] }",
                ),
            );
            return None;
        }
        let axes = axes.into_iter().map(|(name, values)| {
            let name = Spanned::new(name.text, name.span);
            self.check_name(&name, "the name of a matrix's value");
            self.axis(&name.value, &values);
            (name, values)
        });
        Some(MatrixDeclaration {
            key,
            axes: axes.collect(),
        })
    }

    /// The values of one name: a list, or one template.
    fn axis(&mut self, name: &str, values: &Node) {
        match &values.value {
            NodeValue::List(items) if items.is_empty() => {
                let what = format!("`{}` has no values: there would be no copy", shown(name));
                self.report(
                    Problem::error(code::MATRIX_EMPTY, values.span, what).help_in(
                        "write at least one value, such as [eu, us]",
                        "write at least one value, such as [\"eu\", \"us\"]",
                    ),
                );
            }
            NodeValue::List(items) => {
                for item in items {
                    self.check_ambiguous(item);
                }
            }
            NodeValue::Scalar { text, .. } => {
                let trimmed = text.trim();
                if trimmed.starts_with("{{") && trimmed.ends_with("}}") {
                    return;
                }
                let help = if is_name(trimmed) {
                    let with = format!("\"{{{{ {trimmed} }}}}\"");
                    let words = "for the list that a name of the store holds";
                    self.advice(words, values.span, &with)
                } else {
                    format!("write [{}], or one template", self.written(values.span))
                };
                let what = format!(
                    "`{}` wants a list of values, and `{}` is text",
                    shown(name),
                    shown(text)
                );
                let problem = Problem::error(code::MATRIX_NO_LIST, values.span, what);
                self.report(problem.help(help));
            }
            NodeValue::Null | NodeValue::Map(_) => {
                self.wrong_shape(
                    values,
                    name,
                    (
                        "a list, such as [eu, us]",
                        "a list, such as [\"eu\", \"us\"]",
                    ),
                );
            }
        }
    }
}
