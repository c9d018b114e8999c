//! `tasks`: a mapping for a graph, a list for one after the other.

use std::collections::HashMap;

use super::Lower;
use super::read::first_line;
use crate::model::{Span, Spanned};
use crate::syntax::{Body, Key, Node, NodeValue, Order, Problem, TaskDeclaration, code, shown};

impl Lower<'_> {
    /// What stands under `tasks`, whose key is at `key`.
    pub(super) fn body(&mut self, node: Node, key: Span) -> Option<Body> {
        let span = node.span;
        let body = match node.value {
            NodeValue::Map(entries) => self.graph(entries),
            NodeValue::List(items) => self.list(items),
            NodeValue::Null => Body {
                order: Order::Graph,
                tasks: Vec::new(),
            },
            value @ NodeValue::Scalar { .. } => {
                self.complete = false;
                let node = Node { value, span };
                self.wrong_shape(
                    &node,
                    "tasks",
                    (
                        "a mapping of tasks, such as { hello: { shell: echo hello } }",
                        "a mapping of tasks, such as { task hello { shell = \"echo hello\" } }",
                    ),
                );
                return None;
            }
        };
        if body.tasks.is_empty() && self.complete {
            self.complete = false;
            self.report(
                Problem::error(code::NO_TASKS, key, "`tasks` has no tasks").help_in(
                    "the least is: tasks: { hello: { shell: echo hello } }",
                    "the least is: task hello { shell = \"echo hello\" }",
                ),
            );
        }
        Some(body)
    }

    fn graph(&mut self, entries: Vec<(Key, Node)>) -> Body {
        let mut tasks = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            let name = Spanned::new(key.text, key.span);
            self.check_name(&name, "the name of a task");
            tasks.extend(self.named_task(name, node, false));
        }
        Body {
            order: Order::Graph,
            tasks,
        }
    }

    fn list(&mut self, items: Vec<Node>) -> Body {
        let mut tasks: Vec<TaskDeclaration> = Vec::with_capacity(items.len());
        let mut seen: HashMap<String, Span> = HashMap::new();
        for item in items {
            let Some((name, node)) = self.item(item) else {
                self.complete = false;
                continue;
            };
            self.check_name(&name, "the name of a task");
            if let Some(first) = seen.insert(name.value.clone(), name.span) {
                seen.insert(name.value.clone(), first);
                self.report(
                    Problem::error(
                        code::DUPLICATE_NAME,
                        name.span,
                        format!("a second task is called `{}`", shown(&name.value)),
                    )
                    .related(first, "the first one")
                    .help("give one of them another name"),
                );
                continue;
            }
            tasks.extend(self.named_task(name, node, true));
        }
        Body {
            order: Order::List,
            tasks,
        }
    }

    /// An item of a list of tasks: its name, and the mapping without it.
    fn item(&mut self, item: Node) -> Option<(Spanned<String>, Node)> {
        let span = item.span;
        let place = first_line(span, self.written(span));
        let mut entries = match super::entries(item) {
            Ok(entries) => entries,
            Err(other) => {
                self.wrong_shape(
                    &other,
                    "tasks",
                    (
                        "a mapping for each task, such as - name: hello",
                        "a mapping for each task, such as task hello { … }",
                    ),
                );
                return None;
            }
        };
        if let Some(at) = entries.iter().position(|(key, _)| key.text == "name") {
            let (_, name) = entries.remove(at);
            let name = self.name(name, "name")?;
            let value = NodeValue::Map(entries);
            return Some((name, Node { value, span }));
        }
        // `- fetch: { … }`, or `- fetch:` with the task's keys beside it.
        let looks_like_name = |(key, node): &(Key, Node)| {
            matches!(node.value, NodeValue::Map(_) | NodeValue::Null)
                && !self.kinds.contains(&key.text.as_str())
                && super::name::is_name(&key.text)
                && !super::keys::is_task_key(&key.text)
        };
        let problem = Problem::error(code::NO_NAME, place, "this task of a list has no name");
        if entries.first().is_some_and(looks_like_name) {
            let (key, node) = entries.swap_remove(0);
            self.report(problem.help_in(
                format!("write `- name: {}`, and its keys below `name`", key.text),
                format!("write `task {} {{ … }}`", key.text),
            ));
            let mapping = match node.value {
                value @ NodeValue::Map(_) => Node {
                    value,
                    span: node.span,
                },
                NodeValue::Null | NodeValue::Scalar { .. } | NodeValue::List(_) => Node {
                    value: NodeValue::Map(entries),
                    span,
                },
            };
            return Some((Spanned::new(key.text, key.span), mapping));
        }
        self.report(problem.help_in("begin it with `- name: …`", "write `task NAME { … }`"));
        // What else is wrong with it is worth knowing all the same.
        let name = Spanned::new("unnamed".to_owned(), place);
        let value = NodeValue::Map(entries);
        self.named_task(name, Node { value, span }, true);
        None
    }
}
