//! The table of a task kind that is written in the language: `NAME.task.yaml`.

use super::keys::list;
use super::read::first_line;
use super::{Lower, entries};
use crate::model::{Declared, Span, Spanned};
use crate::syntax::{
    Body, FlowDeclaration, KindDeclaration, Level, Node, NodeValue, Order, Problem,
    ResultDeclaration, TaskDeclaration, TaskKindDeclaration, TaskKindForm, code, file_stem, shown,
};

/// Keys of what has `execute`, and of what has `tasks`.
const ONE: [&str; 6] = [
    "execute",
    "revert",
    "result",
    "if_interrupted",
    "stop_on_unwind",
    "timeout",
];
const SEVERAL: [&str; 3] = ["tasks", "provides", "retry"];

impl Lower<'_> {
    /// The whole file.
    pub(super) fn task_kind(&mut self, root: Node) -> Option<TaskKindDeclaration> {
        let start = Span {
            end: root.span.start,
            ..root.span
        };
        let entries = match entries(root) {
            Ok(entries) => entries,
            Err(other) => {
                let what = format!(
                    "a task kind is a mapping, and this file holds {}",
                    other.describe()
                );
                let place = first_line(other.span, self.written(other.span));
                let help = "the least is: task: NAME, and execute: { exec: [program] }";
                self.report(Problem::error(code::WRONG_SHAPE, place, what).help(help));
                return None;
            }
        };
        let place = entries.first().map_or(start, |(key, _)| key.span);
        let mut entries = self.known(Level::Kind, entries);
        let name = self.kind_name(&mut entries, place);
        let execute = entries.iter().find(|(key, _)| key.value == "execute");
        let tasks = entries.iter().find(|(key, _)| key.value == "tasks");
        let several = match (execute, tasks) {
            (Some(_), None) => false,
            (None, Some(_)) => true,
            (None, None) => {
                self.complete = false;
                let what = "this task kind does not say what it does";
                self.report(Problem::error(code::NO_KIND, place, what).help_in(
                    "add `execute: { exec: [program] }`, or `tasks` for several steps",
                    "add `execute { exec = [\"program\"] }`, or tasks for several steps",
                ));
                return None;
            }
            (Some((first, _)), Some((second, _))) => {
                let what = "a task kind has either `execute` or `tasks`";
                let problem = Problem::error(code::TWO_KINDS, second.span, what);
                self.complete = false;
                self.report(
                    problem
                        .related(first.span, "the other one")
                        .help("put what `execute` does into `tasks`, as one of them"),
                );
                return None;
            }
        };
        self.only_its_own(several, &entries);
        // `execute` before `revert`, which may be of the same kind.
        entries.sort_by_key(|(key, _)| key.value != "execute");
        let params = match entries.iter().position(|(key, _)| key.value == "params") {
            Some(at) => self.store(entries.remove(at).1),
            None => Vec::new(),
        };
        let mut kind = TaskKindDeclaration {
            name: name.clone(),
            about: None,
            params,
            shorthand: None,
            requires: Vec::new(),
            form: TaskKindForm::Tasks(Box::new(nothing(&name))),
            example: None,
        };
        let form = match several {
            false => self.execute(&name, &mut kind, entries),
            true => self.several(&name, &mut kind, entries),
        };
        kind.form = form?;
        self.check_shorthand(&mut kind);
        Some(kind)
    }

    fn kind_name(
        &mut self,
        entries: &mut Vec<(Spanned<String>, Node)>,
        place: Span,
    ) -> Spanned<String> {
        let file = file_stem(&self.source.path).to_owned();
        let at = entries.iter().position(|(key, _)| key.value == "task");
        let name = at.and_then(|at| self.name(entries.remove(at).1, "task"));
        let name = name.unwrap_or_else(|| Spanned::new(file.clone(), place));
        self.check_name(&name, "the name of a task kind");
        if name.value != file {
            let what = format!(
                "this task kind is called `{}`, and its file `{}`",
                shown(&name.value),
                shown(&file)
            );
            self.report(
                Problem::error(code::TASK_KIND_FILE, name.span, what)
                    .help("a task kind is found by the name of its file: call them the same"),
            );
        } else if self.built_in.contains(&name.value.as_str()) || name.value == "tasks" {
            let what = format!("`{}` is a task kind that is built in", name.value);
            self.report(
                Problem::error(code::RESERVED_NAME, name.span, what)
                    .help("give it another name, and its file as well"),
            );
        }
        name
    }

    fn only_its_own(&mut self, several: bool, entries: &[(Spanned<String>, Node)]) {
        let (others, other, own) = match several {
            true => (&ONE[..], "execute", "tasks"),
            false => (&SEVERAL[..], "tasks", "execute"),
        };
        for (key, _) in entries {
            if others.contains(&key.value.as_str()) {
                let what = format!(
                    "`{}` is for task kinds with `{other}`, and this one has `{own}`",
                    key.value
                );
                let problem = Problem::error(code::WRONG_LEVEL, key.span, what);
                self.report(problem.help(match several {
                    true => "put it on the tasks that it is meant for",
                    false => "where a task kind is used, that can be said",
                }));
            }
        }
    }

    /// A kind of one task.
    fn execute(
        &mut self,
        name: &Spanned<String>,
        kind: &mut TaskKindDeclaration,
        entries: Vec<(Spanned<String>, Node)>,
    ) -> Option<TaskKindForm> {
        let mut task: Option<TaskDeclaration> = None;
        let mut result = None;
        for (key, node) in entries {
            match (key.value.as_str(), &mut task) {
                ("execute", _) => task = self.execute_side(name, node, key.span),
                ("revert", Some(task)) => task.revert = self.revert(node, task, key.span),
                ("timeout", Some(task)) => task.timeout = self.timeout(node),
                ("if_interrupted", Some(task)) => task.if_interrupted = self.if_interrupted(node),
                ("stop_on_unwind", Some(task)) => {
                    task.stop_on_unwind = self.bool(node, "stop_on_unwind");
                }
                ("env", Some(task)) => task.env = self.env(node),
                ("dir", Some(task)) => task.dir = self.template(node, "dir"),
                ("result", _) => result = self.result(node),
                _ => self.described(kind, &key, node),
            }
        }
        Some(TaskKindForm::Task {
            task: Box::new(task?),
            result,
        })
    }

    fn execute_side(
        &mut self,
        name: &Spanned<String>,
        node: Node,
        key: Span,
    ) -> Option<TaskDeclaration> {
        let entries = match entries(node) {
            Ok(entries) => entries,
            Err(other) => {
                self.complete = false;
                self.wrong_shape(
                    &other,
                    "execute",
                    (
                        "a kind, such as { exec: [program] }",
                        "a kind, such as { exec = [\"program\"] }",
                    ),
                );
                return None;
            }
        };
        let mut kinds = self.known(Level::Execute, entries);
        kinds.retain(|(key, _)| self.kinds.contains(&key.value.as_str()));
        if let [(first, _), (second, _), ..] = kinds.as_slice() {
            let what = format!(
                "`execute` has two kinds: `{}` and `{}`",
                first.value, second.value
            );
            self.report(
                Problem::error(code::TWO_KINDS, second.span, what)
                    .related(first.span, "the first kind")
                    .help("keep one; for several steps, write `tasks` instead of `execute`"),
            );
        }
        let Some((kind, params)) = kinds.into_iter().next() else {
            self.complete = false;
            let built_in = list(self.built_in.iter().copied(), "or");
            let what = "`execute` does not say what it does";
            self.report(
                Problem::error(code::NO_KIND, key, what).help(format!("add one of {built_in}")),
            );
            return None;
        };
        if !self.built_in.contains(&kind.value.as_str()) {
            self.complete = false;
            let what = format!(
                "`{}` is written in the language itself, and `execute` wants a kind that is built in",
                shown(&kind.value)
            );
            self.report(Problem::error(code::WRONG_LEVEL, kind.span, what).help_in(
                "use it in `tasks`: tasks: { step: { … } }",
                "use it in a task: task step { … }",
            ));
            return None;
        }
        if params.value == NodeValue::Null {
            let wanted = format!("what `{}` needs", kind.value);
            self.wrong_shape(&params, &kind.value, wanted.as_str());
        }
        let call = KindDeclaration::Call { kind, params };
        Some(TaskDeclaration::new(name.clone(), call))
    }

    fn result(&mut self, node: Node) -> Option<ResultDeclaration> {
        let entries = match entries(node) {
            Ok(entries) => entries,
            Err(scalar) => {
                let value = self.expression(scalar, "result");
                return value.map(ResultDeclaration::Value);
            }
        };
        let mut fields = Vec::with_capacity(entries.len());
        for (key, node) in entries {
            let name = Spanned::new(key.text, key.span);
            self.check_name(&name, "a field of a result");
            let value = self.expression(node, &name.value);
            fields.extend(value.map(|value| (name, value)));
        }
        Some(ResultDeclaration::Fields(fields))
    }

    /// A kind of several tasks.
    fn several(
        &mut self,
        name: &Spanned<String>,
        kind: &mut TaskKindDeclaration,
        entries: Vec<(Spanned<String>, Node)>,
    ) -> Option<TaskKindForm> {
        let mut flow = nothing(name);
        for (key, node) in entries {
            match key.value.as_str() {
                "tasks" => flow.body = self.body(node, key.span)?,
                "provides" => flow.provides = self.names(node, "provides"),
                "retry" => flow.retry = self.retry(node, key.span),
                "env" => flow.env = self.env(node),
                "dir" => flow.dir = self.template(node, "dir"),
                _ => self.described(kind, &key, node),
            }
        }
        flow.about.clone_from(&kind.about);
        flow.store.clone_from(&kind.params);
        Some(TaskKindForm::Tasks(Box::new(flow)))
    }

    /// What every task kind may say.
    fn described(&mut self, kind: &mut TaskKindDeclaration, key: &Spanned<String>, node: Node) {
        match key.value.as_str() {
            "about" => kind.about = self.about(node),
            "shorthand" => kind.shorthand = self.name(node, "shorthand"),
            "requires" => kind.requires = self.names(node, "requires"),
            "example" => kind.example = self.text(node, "example").map(|text| text.value),
            // What belongs to the other form was told.
            _ => {}
        }
    }

    fn check_shorthand(&mut self, kind: &mut TaskKindDeclaration) {
        let Some(shorthand) = &kind.shorthand else {
            return;
        };
        let name = |(name, _): &(Spanned<String>, Declared)| name.value == shorthand.value;
        if !kind.params.iter().any(name) {
            let what = format!("there is no parameter `{}`", shown(&shorthand.value));
            let known = list(
                kind.params.iter().map(|(name, _)| name.value.as_str()),
                "or",
            );
            let problem = Problem::error(code::UNKNOWN_KEY, shorthand.span, what);
            let help = match kind.params.is_empty() {
                true => "declare it in `params`".to_owned(),
                false => format!("it is one of {known}"),
            };
            self.report(problem.help(help));
            kind.shorthand = None;
        }
    }
}

fn nothing(name: &Spanned<String>) -> FlowDeclaration {
    let body = Body {
        order: Order::Graph,
        tasks: Vec::new(),
    };
    FlowDeclaration::new(name.clone(), body)
}
