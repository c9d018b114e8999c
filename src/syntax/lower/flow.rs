//! The table of a flow.

use super::name::as_name;
use super::read::first_line;
use super::{Lower, entries};
use crate::model::{Priority, Span, Spanned};
use crate::syntax::Level;
use crate::syntax::{
    Body, CapabilityDeclaration, FlowDeclaration, Key, Node, NodeValue, Order, Problem, code,
    file_stem, shown,
};

impl Lower<'_> {
    /// The whole file.
    pub(super) fn flow(&mut self, root: Node) -> Option<FlowDeclaration> {
        let start = Span {
            end: root.span.start,
            ..root.span
        };
        let entries = match entries(root) {
            Ok(entries) => entries,
            Err(other) => {
                self.report(
                    Problem::error(
                        code::WRONG_SHAPE,
                        first_line(other.span, self.written(other.span)),
                        format!(
                            "a flow is a mapping, and this file holds {}",
                            other.describe()
                        ),
                    )
                    .help_in(
                        "the least flow is: tasks: { hello: { shell: echo hello } }",
                        "the least flow is: flow { task hello { shell = \"echo hello\" } }",
                    ),
                );
                return None;
            }
        };
        if let Some((key, _)) = entries.iter().find(|(key, _)| key.text == "task") {
            self.complete = false;
            let what = "this is a task kind, and the file of one is called NAME.task.yaml";
            self.report(
                Problem::error(code::TASK_KIND_FILE, key.span, what)
                    .help("rename the file, or leave `task` out if it is to be a flow"),
            );
            return None;
        }
        let name = Spanned::new(default_name(&self.source.path), start);
        let body = Body {
            order: Order::Graph,
            tasks: Vec::new(),
        };
        let mut flow = FlowDeclaration::new(name, body);
        let place = entries.first().map_or(start, |(key, _)| key.span);
        let mut tasks = false;
        for (key, node) in self.known(Level::Flow, entries) {
            match key.value.as_str() {
                "flow" => {
                    if let Some(name) = self.name(node, "flow") {
                        self.check_letters(&name, "the name of a flow");
                        flow.name = name;
                    }
                }
                "about" => flow.about = self.about(node),
                "store" => flow.store = self.store(node),
                "tasks" => {
                    tasks = true;
                    if let Some(body) = self.body(node, key.span) {
                        flow.body = body;
                    }
                }
                "provides" => flow.provides = self.names(node, "provides"),
                "retry" => flow.retry = self.retry(node, key.span),
                "timeout" => flow.timeout = self.timeout(node),
                "max_parallel" => flow.max_parallel = self.count(node, "max_parallel"),
                "dir" => flow.dir = self.template(node, "dir"),
                "env" => flow.env = self.env(node),
                "capabilities" => flow.capabilities = self.capabilities(node),
                "priority" => flow.priority = self.priority(node).unwrap_or_default(),
                other => unreachable_key(other),
            }
        }
        if !tasks {
            self.complete = false;
            self.report(
                Problem::error(code::NO_TASKS, place, "the flow has no `tasks`").help_in(
                    "the least is: tasks: { hello: { shell: echo hello } }",
                    "the least is: task hello { shell = \"echo hello\" }",
                ),
            );
        }
        Some(flow)
    }

    /// `priority`, of a flow or a task.
    pub(super) fn priority(&mut self, node: Node) -> Option<Priority> {
        let words = Priority::ALL.map(Priority::as_str);
        self.word(node, "priority", &words, Priority::parse)
            .map(|priority| priority.value)
    }

    fn capabilities(&mut self, node: Node) -> Vec<CapabilityDeclaration> {
        const WANTED: (&str, &str) = (
            "a list, such as [os: linux, has_command: git]",
            "a list, such as [os(\"linux\"), has_command(\"git\")]",
        );
        let span = node.span;
        match node.value {
            NodeValue::List(items) => items
                .into_iter()
                .filter_map(|item| self.capability(item))
                .collect(),
            NodeValue::Map(entries) => {
                let items: Vec<String> = entries
                    .iter()
                    .map(|(key, node)| format!("{}: {}", key.text, self.written(node.span)))
                    .collect();
                let help = self.advice("", span, &format!("[{}]", items.join(", ")));
                let help = if help.is_empty() {
                    "put `- ` before each of them".to_owned()
                } else {
                    help
                };
                let place = entries.first().map_or(span, |(key, _)| key.span);
                self.report(
                    Problem::error(
                        code::WRONG_SHAPE,
                        place,
                        "`capabilities` wants a list, and this is a mapping",
                    )
                    .help(help),
                );
                entries
                    .into_iter()
                    .map(|(key, node)| capability(key, node))
                    .collect()
            }
            value @ (NodeValue::Null | NodeValue::Scalar { .. }) => {
                self.wrong_shape(&Node { value, span }, "capabilities", WANTED);
                Vec::new()
            }
        }
    }

    fn capability(&mut self, item: Node) -> Option<CapabilityDeclaration> {
        let span = item.span;
        let declaration = match item.value {
            NodeValue::Scalar { text, style } => CapabilityDeclaration {
                name: Spanned::new(style.word(&text).to_owned(), span),
                argument: None,
            },
            NodeValue::Map(mut entries) if entries.len() == 1 => {
                let (key, node) = entries.pop()?;
                capability(key, node)
            }
            value @ (NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_)) => {
                let item = Node { value, span };
                self.wrong_shape(
                    &item,
                    "capabilities",
                    (
                        "one capability for each item, such as - os: linux",
                        "one capability for each item, such as os(\"linux\")",
                    ),
                );
                return None;
            }
        };
        self.check_letters(&declaration.name, "a capability");
        Some(declaration)
    }
}

fn capability(key: Key, node: Node) -> CapabilityDeclaration {
    CapabilityDeclaration {
        name: Spanned::new(key.text, key.span),
        argument: (node.value != NodeValue::Null).then_some(node),
    }
}

/// Keys come from the tables of `keys`, and each of them has its arm.
pub(super) fn unreachable_key(key: &str) {
    unreachable!("the key `{}` is in the table of its level", shown(key))
}

/// The flow's name if it does not say: its file's.
fn default_name(path: &str) -> String {
    as_name(file_stem(path)).unwrap_or_else(|| "unnamed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_is_named_after_its_file() {
        for (path, name) in [
            ("flows/http_server.flow.yaml", "http_server"),
            ("C:\\x\\My-Flow.flow.yml", "my_flow"),
            ("/tmp/x.flow", "x"),
            ("-", "unnamed"),
        ] {
            assert_eq!(default_name(path), name);
        }
    }
}
