//! Which key means what on which level, and what is said about one that does not.

use super::Lower;
use crate::model::Spanned;
use crate::syntax::{Key, Level, Node, Problem, code, did_you_mean, shown};

/// Words from other tools, and what they are here.
const FOREIGN: [(&str, &str); 40] = [
    ("depends_on", "needs"),
    ("dependencies", "needs"),
    ("requires", "needs"),
    ("after", "needs"),
    ("run", "shell"),
    ("cmd", "shell"),
    ("command", "shell"),
    ("script", "shell"),
    ("sh", "shell"),
    ("bash", "shell"),
    ("argv", "exec"),
    ("request", "http"),
    ("curl", "http"),
    ("wait", "sleep"),
    ("wait", "delay"),
    ("interval", "delay"),
    ("undo", "revert"),
    ("rollback", "revert"),
    ("compensate", "revert"),
    ("on_failure", "revert"),
    ("if", "when"),
    ("condition", "when"),
    ("steps", "tasks"),
    ("jobs", "tasks"),
    ("description", "about"),
    ("desc", "about"),
    ("outputs", "provides"),
    ("register", "provides"),
    ("inputs", "store"),
    ("vars", "store"),
    ("variables", "store"),
    ("params", "store"),
    ("environment", "env"),
    ("cwd", "dir"),
    ("workdir", "dir"),
    ("working_directory", "dir"),
    ("ignore_errors", "allow_failure"),
    ("continue_on_error", "allow_failure"),
    ("attempts", "times"),
    ("max_attempts", "times"),
];

/// Words for loops in other tools.
const LOOPS: [&str; 6] = ["for_each", "foreach", "loop", "with_items", "for", "each"];

/// What loops are, for whoever looks for one.
pub(super) const LOOP_HELP: &str = "to try one value after the other until one succeeds: \
     `retry: { for_each: [a, b], as: value }`; to do something for every value, that is `matrix`";

/// The same for the text notation.
pub(super) const LOOP_HELP_IN_TEXT: &str = "to try one value after the other until one succeeds: \
     `retry { for_each = [\"a\", \"b\"], as = value }`; to do something for every value, that is `matrix`";

impl Lower<'_> {
    /// The entries of a mapping, each under the key that it has or was probably meant to have. Entries whose key
    /// means nothing there are reported and left out.
    pub(super) fn known(
        &mut self,
        level: Level,
        entries: Vec<(Key, Node)>,
    ) -> Vec<(Spanned<String>, Node)> {
        let keys: Vec<_> = entries
            .iter()
            .map(|(key, _)| self.key(level, key, &entries))
            .collect();
        let nodes = entries.into_iter().map(|(_, node)| node);
        keys.into_iter()
            .zip(nodes)
            .filter_map(|(key, node)| Some((key?, node)))
            .collect()
    }

    fn key(
        &mut self,
        level: Level,
        key: &Key,
        siblings: &[(Key, Node)],
    ) -> Option<Spanned<String>> {
        let found = |name: &str| Some(Spanned::new(name.to_owned(), key.span));
        let text = key.text.as_str();
        if level.key(text).is_some() || (level.has_kinds() && self.kinds.contains(&text)) {
            return found(text);
        }
        if is_loop(level, text) {
            self.report(
                Problem::error(
                    code::LOOP_OUTSIDE_RETRY,
                    key.span,
                    format!("`{text}` means nothing on {}", level.owner()),
                )
                .help_in(LOOP_HELP, LOOP_HELP_IN_TEXT),
            );
            // What it calls its values is known nowhere.
            self.complete = false;
            return None;
        }
        if text == "as" && siblings.iter().any(|(key, _)| is_loop(level, &key.text)) {
            return None;
        }
        if let Some(problem) = self.elsewhere(level, key) {
            self.report(problem);
            return None;
        }
        let problem = Problem::error(
            code::UNKNOWN_KEY,
            key.span,
            format!("{} has no key `{}`", level.owner(), shown(text)),
        );
        if self.problems.is_full() {
            self.report(problem);
            return None;
        }
        let Some(meant) = self
            .meant(level, text)
            .filter(|meant| siblings.iter().all(|(key, _)| key.text != *meant))
        else {
            let help = format!("{} has {}", level.owner(), self.choices(level));
            self.report(problem.help(help));
            return None;
        };
        let words = format!("did you mean `{meant}`? write");
        let help = self.advice(&words, key.span, &meant);
        self.report(problem.label("unknown").help(help));
        found(&meant)
    }

    /// The kind key that a word was probably meant to be.
    pub(super) fn meant_kind(&self, text: &str) -> Option<String> {
        let foreign = FOREIGN
            .iter()
            .find(|(word, meant)| *word == text && self.kinds.contains(meant));
        foreign.map(|(_, meant)| *meant).map_or_else(
            || did_you_mean(text, self.kinds.iter().copied()).map(str::to_owned),
            |meant| Some(meant.to_owned()),
        )
    }

    fn meant(&self, level: Level, text: &str) -> Option<String> {
        let kinds: &[&str] = if level.has_kinds() { self.kinds } else { &[] };
        let known = |name: &str| level.key(name).is_some() || kinds.contains(&name);
        let plain = text.to_lowercase().replace(['-', ' '], "_");
        if known(&plain) {
            return Some(plain);
        }
        let foreign = FOREIGN
            .iter()
            .find(|(word, meant)| *word == plain && known(meant));
        if let Some((_, meant)) = foreign {
            return Some((*meant).to_owned());
        }
        let keys = level.keys().iter().map(|key| key.name);
        let candidates = keys.chain(kinds.iter().copied());
        did_you_mean(text, candidates).map(str::to_owned)
    }

    /// What is said about a key that means something on another level.
    fn elsewhere(&self, level: Level, key: &Key) -> Option<Problem> {
        let same = |help: String| (help.clone(), help);
        let text = key.text.as_str();
        let (what, help) = if self.kinds.contains(&text) {
            let help = match level {
                Level::Flow => {
                    let task = format!("put it into a task: task NAME {{ {text} = … }}");
                    (
                        format!("put it into a task: tasks: {{ name: {{ {text}: … }} }}"),
                        task,
                    )
                }
                Level::Kind => {
                    let execute = format!("put it under `execute`: execute {{ {text} = … }}");
                    (
                        format!("put it under `execute`: execute: {{ {text}: … }}"),
                        execute,
                    )
                }
                Level::Task | Level::Retry | Level::Revert | Level::Store | Level::Execute => {
                    same(format!("put `{text}` on the task itself"))
                }
            };
            ("a kind of task".to_owned(), help)
        } else {
            let home = Level::ALL.into_iter().find(|l| l.key(text).is_some())?;
            let help = match home {
                Level::Flow => (
                    format!("put `{text}` at the top of the file, without indentation"),
                    format!("put `{text}` between the braces of `flow`, beside the tasks"),
                ),
                Level::Task => same(format!("put `{text}` on the task that it is meant for")),
                Level::Retry => (
                    format!("put it under `retry`: retry: {{ {text}: … }}"),
                    format!("put it under `retry`: retry {{ {text} = … }}"),
                ),
                Level::Revert => same(format!("put `{text}` on the task or its `revert`")),
                Level::Kind | Level::Execute => (
                    format!("`{text}` is for the file of a task kind: NAME.task.yaml"),
                    format!("`{text}` is for the file of a task kind: NAME.task"),
                ),
                Level::Store => (
                    format!("put it under a name in `store`: store: {{ name: {{ {text}: … }} }}"),
                    format!(
                        "put it under a name in `store`: store {{ name: TYPE {{ {text} = … }} }}"
                    ),
                ),
            };
            (format!("a key of {}", home.owner()), help)
        };
        let problem = Problem::error(
            code::WRONG_LEVEL,
            key.span,
            format!("`{text}` is {what}, and means nothing on {}", level.owner()),
        );
        Some(problem.label("at the wrong level").help_in(help.0, help.1))
    }

    fn choices(&self, level: Level) -> String {
        let hidden = |key: &&str| !matches!(*key, "name");
        let keys = names(level).filter(hidden);
        if !level.has_kinds() {
            return list(keys, "and");
        }
        let keys = keys.filter(|key| !matches!(*key, "tasks" | "flow"));
        let groups = (level == Level::Task).then_some(["tasks", "flow"]);
        let groups = groups.into_iter().flatten();
        format!(
            "one kind ({}), and {}; what belongs to the kind stands under it",
            list(self.kinds.iter().copied().chain(groups), "or"),
            list(keys, "and")
        )
    }
}

/// Whether a word there is meant as a loop.
fn is_loop(level: Level, text: &str) -> bool {
    LOOPS.contains(&text) && matches!(level, Level::Task | Level::Flow)
}

/// Whether a task may say it, kinds aside.
pub(super) fn is_task_key(text: &str) -> bool {
    Level::Task.key(text).is_some()
}

fn names(level: Level) -> impl Iterator<Item = &'static str> {
    level.keys().iter().map(|key| key.name)
}

/// Words as a list in a sentence: `a`, `b` and `c`.
pub(super) fn list<'w>(words: impl Iterator<Item = &'w str>, last: &str) -> String {
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((end, rest)) => format!("{} {last} {end}", rest.join(", ")),
    }
}
