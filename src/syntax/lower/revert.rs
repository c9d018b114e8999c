//! `revert`: a value for the same kind, or a mapping with a kind of its own.

use super::Lower;
use super::keys::list;
use crate::model::{Span, Spanned};
use crate::syntax::Level;
use crate::syntax::{
    Key, KindDeclaration, Node, NodeValue, Problem, RevertDeclaration, TaskDeclaration, code,
};

impl Lower<'_> {
    /// What stands under a task's `revert`, whose key is at `key`.
    pub(super) fn revert(
        &mut self,
        node: Node,
        task: &TaskDeclaration,
        key: Span,
    ) -> Option<RevertDeclaration> {
        let several = match task.kind {
            KindDeclaration::Group(_) => Some("a group"),
            KindDeclaration::Flow { .. } => Some("a sub-flow"),
            KindDeclaration::Call { .. } => None,
        };
        if let Some(several) = several {
            self.report(
                Problem::error(
                    code::WRONG_LEVEL,
                    key,
                    format!("{several} is undone by undoing its tasks, and has no `revert` of its own"),
                )
                .help("put `revert` on the tasks in it; for something that is undone last, add a first task"),
            );
            return None;
        }
        let span = node.span;
        match node.value {
            NodeValue::Map(entries) => self.revert_mapping(entries, span, key),
            value @ (NodeValue::Scalar { .. } | NodeValue::List(_)) => {
                Some(same_kind(Node { value, span }))
            }
            NodeValue::Null => {
                self.wrong_shape(&node, "revert", "what undoes the task");
                None
            }
        }
    }

    fn revert_mapping(
        &mut self,
        entries: Vec<(Key, Node)>,
        span: Span,
        key: Span,
    ) -> Option<RevertDeclaration> {
        let beside = |key: &Key| Level::Revert.key(&key.text).is_some();
        let has_kind = entries.iter().any(|(key, _)| self.is_kind_key(key));
        // With nothing but one unknown key and what may stand beside a kind, that key was meant to be the kind.
        let mut others = entries.iter().filter(|(key, _)| !beside(key));
        let misspelt = match (others.next(), others.next()) {
            (Some((key, _)), None) => self.meant_kind(&key.text).is_some(),
            _ => false,
        };
        if entries.iter().all(|(key, _)| beside(key)) {
            let kinds = list(self.kinds.iter().copied(), "or");
            self.report(
                Problem::error(
                    code::NO_KIND,
                    key,
                    "this `revert` does not say what it does",
                )
                .help(format!("add one of {kinds}")),
            );
        } else if !has_kind && !misspelt {
            let value = NodeValue::Map(entries);
            return Some(same_kind(Node { value, span }));
        }
        let mut kinds: Vec<(Spanned<String>, Node)> = Vec::new();
        let mut revert = same_kind(Node {
            value: NodeValue::Null,
            span,
        });
        for (key, node) in self.known(Level::Revert, entries) {
            match key.value.as_str() {
                "retry" => revert.retry = self.retry(node, key.span),
                "timeout" => revert.timeout = self.timeout(node),
                "env" => revert.env = self.env(node),
                "dir" => revert.dir = self.template(node, "dir"),
                _ => kinds.push((key, node)),
            }
        }
        if let Some(((second, _), (first, _))) = kinds.get(1).zip(kinds.first()) {
            self.report(
                Problem::error(
                    code::TWO_KINDS,
                    second.span,
                    format!(
                        "this `revert` has two kinds: `{}` and `{}`",
                        first.value, second.value
                    ),
                )
                .label("the second kind")
                .related(first.span, "the first kind")
                .help("keep one; several steps are one `shell` script, or several tasks"),
            );
        }
        let (kind, params) = kinds.into_iter().next()?;
        if params.value == NodeValue::Null {
            let wanted = format!("what `{}` needs", kind.value);
            self.wrong_shape(&params, &kind.value, wanted.as_str());
        }
        revert.kind = Some(kind);
        revert.params = params;
        Some(revert)
    }

    fn is_kind_key(&self, key: &Key) -> bool {
        self.kinds.contains(&key.text.as_str())
    }
}

fn same_kind(params: Node) -> RevertDeclaration {
    RevertDeclaration {
        kind: None,
        params,
        retry: None,
        timeout: None,
        dir: None,
        env: Vec::new(),
    }
}
