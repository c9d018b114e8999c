//! A task: its kind, and what every task may say.

use super::flow::unreachable_key;
use super::keys::list;
use super::read::first_line;
use super::{Lower, entries};
use crate::model::{IfInterrupted, SkipDepth, Spanned};
use crate::syntax::Level;
use crate::syntax::{
    KindDeclaration, Node, NodeValue, Problem, ProvidesDeclaration, TaskDeclaration, code, shown,
};

impl Lower<'_> {
    /// The task of that name. `None` if it does not say what it does.
    pub(super) fn named_task(
        &mut self,
        name: Spanned<String>,
        node: Node,
        in_list: bool,
    ) -> Option<TaskDeclaration> {
        let entries = match entries(node) {
            Ok(entries) => entries,
            Err(other) => {
                self.complete = false;
                self.no_task(&name, &other);
                return None;
            }
        };
        let mut kinds: Vec<(Spanned<String>, Node)> = Vec::new();
        let mut rest = Vec::with_capacity(entries.len());
        let mut with = None;
        for (key, node) in self.known(Level::Task, entries) {
            match key.value.as_str() {
                "with" => with = Some((key, node)),
                "name" => self.name_key(&name, &key, in_list),
                "tasks" | "flow" => kinds.push((key, node)),
                kind if self.kinds.contains(&kind) => kinds.push((key, node)),
                _ => rest.push((key, node)),
            }
        }
        if let Some(((second, _), (first, _))) = kinds.get(1).zip(kinds.first()) {
            self.report(
                Problem::error(
                    code::TWO_KINDS,
                    second.span,
                    format!(
                        "`{}` has two kinds: `{}` and `{}`",
                        shown(&name.value),
                        first.value,
                        second.value
                    ),
                )
                .label("the second kind")
                .related(first.span, "the first kind")
                .help("make two tasks of it; the later one may say `needs`"),
            );
        }
        let mut kinds = kinds.into_iter();
        let Some((kind, params)) = kinds.next() else {
            self.complete = false;
            self.no_kind(&name);
            // What else is wrong with it is worth knowing all the same.
            let kind = KindDeclaration::Call {
                kind: name.clone(),
                params: Node {
                    value: NodeValue::Null,
                    span: name.span,
                },
            };
            self.rest(TaskDeclaration::new(name, kind), rest);
            return None;
        };
        if let Some((with, _)) = with.as_ref().filter(|_| kind.value != "flow") {
            let what = format!(
                "`with` is what a sub-flow is given, and `{}` is none",
                shown(&name.value)
            );
            let help = format!("put it under `{}`", kind.value);
            self.report(Problem::error(code::WRONG_LEVEL, with.span, what).help(help));
        }
        let kind = match kind.value.as_str() {
            "tasks" => KindDeclaration::Group(self.body(params, kind.span)?),
            "flow" => {
                let Some(reference) = self.name(params, "flow") else {
                    self.complete = false;
                    return None;
                };
                let with = with.map(|(_, node)| self.with(node)).unwrap_or_default();
                KindDeclaration::Flow { reference, with }
            }
            _ => {
                if params.value == NodeValue::Null {
                    let wanted = format!("what `{}` needs", kind.value);
                    self.wrong_shape(&params, &kind.value, wanted.as_str());
                }
                KindDeclaration::Call { kind, params }
            }
        };
        Some(self.rest(TaskDeclaration::new(name, kind), rest))
    }

    /// What a sub-flow is given.
    fn with(&mut self, node: Node) -> Vec<(Spanned<String>, Node)> {
        match entries(node) {
            Ok(entries) => {
                let entries = entries.into_iter();
                entries
                    .map(|(key, node)| (Spanned::new(key.text, key.span), node))
                    .collect()
            }
            Err(other) => {
                let wanted = (
                    "a mapping of names of the sub-flow's store, such as { port: 8080 }",
                    "a mapping of names of the sub-flow's store, such as { port = 8080 }",
                );
                self.wrong_shape(&other, "with", wanted);
                Vec::new()
            }
        }
    }

    /// Whether a task is several: a group, a sub-flow, or maybe a kind that is written in the language.
    fn may_be_several(&self, task: &TaskDeclaration) -> bool {
        match &task.kind {
            KindDeclaration::Group(_) | KindDeclaration::Flow { .. } => true,
            KindDeclaration::Call { kind, .. } => !self.built_in.contains(&kind.value.as_str()),
        }
    }

    /// What a task says beside its kind.
    fn rest(
        &mut self,
        mut task: TaskDeclaration,
        rest: Vec<(Spanned<String>, Node)>,
    ) -> TaskDeclaration {
        let copied = rest.iter().any(|(key, _)| key.value == "matrix");
        for (key, node) in rest {
            match key.value.as_str() {
                "about" => task.about = self.about(node),
                "needs" => task.needs = self.names(node, "needs"),
                "provides" => task.provides = self.provides(node, &task),
                "revert" => task.revert = self.revert(node, &task, key.span),
                "retry" => task.retry = self.retry(node, key.span),
                "when" => task.when = self.expression(node, "when"),
                "skips" => task.skips = self.skips(node),
                "timeout" => task.timeout = self.timeout(node),
                "if_interrupted" => task.if_interrupted = self.if_interrupted(node),
                "allow_failure" => task.allow_failure = self.bool(node, "allow_failure"),
                "stop_on_unwind" => task.stop_on_unwind = self.bool(node, "stop_on_unwind"),
                "env" => task.env = self.env(node),
                "dir" => task.dir = self.template(node, "dir"),
                "priority" => task.priority = self.priority(node),
                "matrix" => task.matrix = self.matrix(node, key.span),
                "max_parallel" => {
                    if !copied && !self.may_be_several(&task) {
                        self.report(
                            Problem::error(
                                code::WRONG_LEVEL,
                                key.span,
                                "`max_parallel` is for flows, groups and matrices, and means nothing on a single task",
                            )
                            .label("at the wrong level")
                            .help("put it on the flow, or on the group that the task stands in"),
                        );
                    } else {
                        task.max_parallel = self.count(node, "max_parallel");
                    }
                }
                other => unreachable_key(other),
            }
        }
        task
    }

    fn provides(&mut self, node: Node, task: &TaskDeclaration) -> ProvidesDeclaration {
        let group = matches!(task.kind, KindDeclaration::Group(_));
        let span = node.span;
        match node.value {
            NodeValue::Null | NodeValue::Scalar { .. } | NodeValue::List(_) | NodeValue::Map(_)
                if group =>
            {
                ProvidesDeclaration::Inner(self.names(node, "provides"))
            }
            NodeValue::List(_) if self.may_be_several(task) => {
                ProvidesDeclaration::Inner(self.names(node, "provides"))
            }
            NodeValue::Scalar { .. } => {
                let Some(name) = self.name(node, "provides") else {
                    return ProvidesDeclaration::Nothing;
                };
                self.check_name(&name, "the name of a result");
                ProvidesDeclaration::Whole(name)
            }
            NodeValue::Map(entries) => {
                let mut parts = Vec::with_capacity(entries.len());
                for (key, node) in entries {
                    let name = Spanned::new(key.text, key.span);
                    self.check_name(&name, "the name of a result");
                    match self.expression(node, &name.value) {
                        Some(expression) => parts.push((name, expression)),
                        None => self.complete = false,
                    }
                }
                ProvidesDeclaration::Parts(parts)
            }
            NodeValue::List(items) => {
                let part = items.iter().find_map(Node::word).unwrap_or("name");
                self.report(
                    Problem::error(
                        code::WRONG_SHAPE,
                        first_line(span, self.written(span)),
                        "a list under `provides` is for groups; a task provides its result, or parts of it",
                    )
                    .help_in(
                        format!("write `provides: {part}` for the whole result, or `provides: {{ {part}: expression }}` for parts"),
                        format!("write `provides = {part}` for the whole result, or `provides {{ {part} = expression }}` for parts"),
                    ),
                );
                // The names are known all the same: what uses them has nothing wrong.
                let named = items
                    .iter()
                    .filter_map(|item| Some((item.word()?, item.span)));
                let parts = named.map(|(text, span)| {
                    let name = Spanned::new(text.to_owned(), span);
                    (name, Spanned::new("result".to_owned(), span))
                });
                ProvidesDeclaration::Parts(parts.collect())
            }
            NodeValue::Null => {
                self.complete = false;
                self.wrong_shape(
                    &node,
                    "provides",
                    "a name, or a mapping of names and expressions",
                );
                ProvidesDeclaration::Nothing
            }
        }
    }

    fn skips(&mut self, node: Node) -> Option<Spanned<SkipDepth>> {
        self.word(
            node,
            "skips",
            &["all", "flow", "neighbors", "task"],
            |word| {
                Some(match word {
                    "all" => SkipDepth::All,
                    "flow" => SkipDepth::Flow,
                    "neighbors" => SkipDepth::Neighbors,
                    "task" => SkipDepth::Task,
                    _ => return None,
                })
            },
        )
    }

    pub(super) fn if_interrupted(&mut self, node: Node) -> Option<Spanned<IfInterrupted>> {
        self.word(
            node,
            "if_interrupted",
            &["rerun", "revert", "pause"],
            |word| {
                Some(match word {
                    "rerun" => IfInterrupted::Rerun,
                    "revert" => IfInterrupted::Revert,
                    "pause" => IfInterrupted::Pause,
                    _ => return None,
                })
            },
        )
    }

    fn name_key(&mut self, name: &Spanned<String>, key: &Spanned<String>, in_list: bool) {
        let (message, help) = if in_list {
            ("a task has one `name`", "leave this one out".to_owned())
        } else {
            (
                "`name` is for lists of tasks; in a mapping the key above is the task's name",
                format!("leave it out: the task is called `{}`", shown(&name.value)),
            )
        };
        self.report(Problem::error(code::WRONG_LEVEL, key.span, message).help(help));
    }

    fn no_kind(&mut self, name: &Spanned<String>) {
        let kinds = list(self.kinds.iter().copied(), "or");
        self.report(
            Problem::error(
                code::NO_KIND,
                name.span,
                format!(
                    "the task `{}` does not say what it does",
                    shown(&name.value)
                ),
            )
            .label("has no kind")
            .help(format!("add one of {kinds}, or `tasks` for a group")),
        );
    }

    /// Something that is no mapping stands where a task is wanted.
    fn no_task(&mut self, name: &Spanned<String>, other: &Node) {
        let shown_name = shown(&name.value);
        match &other.value {
            NodeValue::Null => self.no_kind(name),
            NodeValue::Scalar { text, .. } => self.report(
                Problem::error(
                    code::WRONG_SHAPE,
                    first_line(other.span, self.written(other.span)),
                    format!(
                        "the task `{shown_name}` is text; a task is a mapping with a kind in it"
                    ),
                )
                .help_in(
                    format!("write: {shown_name}: {{ shell: {} }}", quoted(text)),
                    format!("write: task {shown_name} {{ shell = {} }}", quoted(text)),
                ),
            ),
            NodeValue::List(_) | NodeValue::Map(_) => self.report(
                Problem::error(
                    code::WRONG_SHAPE,
                    first_line(other.span, self.written(other.span)),
                    format!(
                        "the task `{shown_name}` is {}; a task is a mapping with a kind in it",
                        other.describe()
                    ),
                )
                .help_in(
                    format!("for a group of tasks, put `tasks:` between: {shown_name}: {{ tasks: [ … ] }}"),
                    format!("for a group of tasks, put `tasks` between: task {shown_name} {{ tasks = [ … ] }}"),
                ),
            ),
        }
    }
}

fn quoted(text: &str) -> String {
    format!(
        "\"{}\"",
        shown(text).replace('\\', "\\\\").replace('"', "\\\"")
    )
}
