//! What the grammar found to nodes.

mod store;
mod value;

use indexmap::IndexMap;
use indexmap::map::Entry;
use pest::iterators::{Pair, Pairs};

use super::grammar::Rule;
use super::{MAX_DEPTH, Read, trouble};
use crate::model::{SourceFile, Span};
use crate::syntax::library::is_task_kind;
use crate::syntax::problem::{Problems, duplicate_key};
use crate::syntax::{Key, Node, NodeValue, Problem, Style, code};

/// Makes the tree of a `file`, of which the grammar was given the first `readable` bytes.
pub(super) fn build(
    file: u16,
    source: &SourceFile,
    readable: usize,
    pair: Pair<'_, Rule>,
    problems: &mut Problems,
) -> Read {
    let mut builder = Builder {
        file,
        text: &source.text,
        holds_kind: is_task_kind(&source.path),
        readable,
        problems,
        broken: Vec::new(),
        silent_until: 0,
        values: 0,
        depth: 0,
        given_up: false,
    };
    let root = builder.file(pair);
    Read {
        root: root.filter(|_| !builder.given_up),
        broken: builder.broken,
    }
}

/// What the entries of a mapping are read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A mapping in which tasks may stand.
    Tasks,
    /// Names, types and defaults: nothing is filled in there.
    Store,
    /// What is said about one name of a store.
    Declared,
    /// Anything else.
    Value,
}

struct Builder<'t, 'p> {
    file: u16,
    text: &'t str,
    /// Whether the file is named as one of a task kind.
    holds_kind: bool,
    /// So much of it was given to the grammar; why not more is told already.
    readable: usize,
    problems: &'p mut Problems,
    broken: Vec<Span>,
    /// Up to here, what else cannot be understood has the same cause as what was told.
    silent_until: usize,
    values: usize,
    depth: usize,
    given_up: bool,
}

/// The entries of a mapping that is being read.
#[derive(Default)]
struct Entries {
    found: IndexMap<String, (Span, Node)>,
    /// `task NAME { … }`, which all stand under `tasks`.
    tasks: IndexMap<String, (Span, Node)>,
}

impl Builder<'_, '_> {
    fn file(&mut self, pair: Pair<'_, Rule>) -> Option<Node> {
        let mut root: Option<Node> = None;
        let mut outside: Vec<Pair<'_, Rule>> = Vec::new();
        for pair in pair.into_inner() {
            if pair.as_rule() == Rule::EOI {
                break;
            }
            if !matches!(pair.as_rule(), Rule::named | Rule::section) {
                outside.push(pair);
                continue;
            }
            let mut parts = pair.clone().into_inner();
            let word = parts.next().map_or("", |key| key.as_str());
            let begin = match word {
                "flow" => true,
                // Elsewhere, a task kind is told by saying how it is executed; any other `task` is one of a flow.
                "task" => self.holds_kind || executes(&pair),
                _ => false,
            };
            if !begin {
                outside.push(pair);
                continue;
            }
            if root.is_some() {
                let key = pair.into_inner().next();
                let at = key.map_or(span_of_nothing(self.file), |key| self.span(&key));
                self.problems.push(several_flows(at));
                continue;
            }
            root = Some(self.root(pair));
        }
        self.frame(root, outside)
    }

    /// `flow NAME { … }`
    fn root(&mut self, pair: Pair<'_, Rule>) -> Node {
        let span = self.span(&pair);
        let mut parts = pair.into_inner();
        let mut entries = Entries::default();
        if let Some(key) = parts.next() {
            let place = self.span(&key);
            let word = key.as_str().to_owned();
            for part in parts {
                match part.as_rule() {
                    Rule::label => {
                        let label = self.key(part);
                        let node = scalar(label.text, Style::Plain, label.span);
                        entries.found.insert(word.clone(), (place, node));
                    }
                    _ => self.entries(part.into_inner(), Place::Tasks, &mut entries),
                }
            }
        }
        Node {
            value: entries.into_map(),
            span,
        }
    }

    /// What stands outside of the flow belongs into it.
    fn frame(&mut self, root: Option<Node>, outside: Vec<Pair<'_, Rule>>) -> Option<Node> {
        let Some(first) = outside.first() else {
            return root;
        };
        let understood = |pair: &&Pair<'_, Rule>| {
            !matches!(
                pair.as_rule(),
                Rule::broken | Rule::stray | Rule::stray_in_body
            )
        };
        if let Some(entry) = outside.iter().find(understood) {
            let at = entry.clone().into_inner().next();
            let at = at.map_or_else(|| self.span(entry), |key| self.span(&key));
            let problem = Problem::error(code::WRONG_LEVEL, at, "this stands outside of the flow");
            self.problems.push(problem.help(if root.is_some() {
                "move it between the braces of `flow`"
            } else {
                "put `flow {` before the first line and `}` behind the last one, with the flow's name before the brace if it is not the file's"
            }));
        }
        let span = self.span(first);
        let mut entries = Entries::default();
        self.each(outside.into_iter(), Place::Tasks, &mut entries);
        match root {
            Some(root) => Some(root),
            None if entries.found.is_empty() => None,
            None => Some(Node {
                value: entries.into_map(),
                span,
            }),
        }
    }

    fn entries(&mut self, pairs: Pairs<'_, Rule>, place: Place, entries: &mut Entries) {
        if self.depth >= MAX_DEPTH {
            if !std::mem::replace(&mut self.given_up, true) {
                let at = pairs.peek().map(|pair| self.span(&pair));
                let at = at.unwrap_or(span_of_nothing(self.file));
                self.problems.push(super::too_deep(Span {
                    end: at.start + 1,
                    ..at
                }));
            }
            return;
        }
        self.depth += 1;
        self.each(pairs, place, entries);
        self.depth -= 1;
    }

    fn each<'i>(
        &mut self,
        pairs: impl Iterator<Item = Pair<'i, Rule>>,
        place: Place,
        entries: &mut Entries,
    ) {
        for pair in pairs {
            if self.given_up {
                return;
            }
            match pair.as_rule() {
                Rule::named => self.named(pair, entries),
                Rule::section => {
                    let mut parts = pair.into_inner();
                    let (Some(key), Some(body)) = (parts.next(), parts.next()) else {
                        continue;
                    };
                    let key = self.key(key);
                    let inner = inner_place(place, &key.text);
                    let node = self.mapping(body, inner);
                    self.insert(&mut entries.found, key, node);
                }
                Rule::setting => self.setting(pair, place, entries),
                Rule::typed => self.typed(pair, place, entries),
                Rule::broken | Rule::stray | Rule::stray_in_body => {
                    if let Some((key, node)) = self.broken(&pair) {
                        self.insert(&mut entries.found, key, node);
                    }
                }
                _ => {}
            }
        }
    }

    /// `task NAME { … }`
    fn named(&mut self, pair: Pair<'_, Rule>, entries: &mut Entries) {
        let span = self.span(&pair);
        let Some((key, label, node)) = self.task(pair) else {
            return;
        };
        let tasks = entries.found.entry("tasks".to_owned()).or_insert_with(|| {
            let empty = Node {
                value: NodeValue::Null,
                span,
            };
            (key, empty)
        });
        tasks.1.span.end = span.end;
        if tasks.1.value != NodeValue::Null {
            let problem = Problem::error(
                code::DUPLICATE_KEY,
                key,
                "tasks stand beside a list or mapping of `tasks`",
            );
            self.problems
                .push(problem.related(tasks.0, "the other tasks").help(
                "write all of them as `task NAME { … }`, or all in the list, one after the other",
            ));
            return;
        }
        self.insert(&mut entries.tasks, label, node);
    }

    /// Where `task` stands, the name, and the task.
    fn task(&mut self, pair: Pair<'_, Rule>) -> Option<(Span, Key, Node)> {
        let mut parts = pair.into_inner();
        let (key, label, body) = (parts.next()?, parts.next()?, parts.next()?);
        let place = self.span(&key);
        if key.as_str() != "task" {
            self.problems
                .push(trouble::not_a_task(place, key.as_str(), label.as_str()));
        }
        let label = self.key(label);
        // In the tree, it stands below `tasks`, or in a list.
        self.depth += 1;
        let node = self.mapping(body, Place::Tasks);
        self.depth -= 1;
        Some((place, label, node))
    }

    fn setting(&mut self, pair: Pair<'_, Rule>, place: Place, entries: &mut Entries) {
        let mut parts = pair.into_inner();
        let (Some(key), Some(value)) = (parts.next(), parts.next()) else {
            return;
        };
        let key = self.key(key);
        if place == Place::Store {
            let node = self.default(&key, value);
            self.insert(&mut entries.found, key, node);
            return;
        }
        let inner = inner_place(place, &key.text);
        let node = if key.text == "capabilities" && place == Place::Tasks {
            self.capabilities(value)
        } else {
            self.value(value, inner)
        };
        let node = match place {
            Place::Declared if key.text != "type" => self.literal(node),
            _ => node,
        };
        self.insert(&mut entries.found, key, node);
    }

    fn mapping(&mut self, body: Pair<'_, Rule>, place: Place) -> Node {
        let span = self.span(&body);
        let mut entries = Entries::default();
        self.entries(body.into_inner(), place, &mut entries);
        Node {
            value: entries.into_map(),
            span,
        }
    }

    /// What is wrong with an entry that is not understood; its key, if it has one, and something in place of its value.
    fn broken(&mut self, pair: &Pair<'_, Rule>) -> Option<(Key, Node)> {
        let written = pair.as_str().trim_end();
        let start = pair.as_span().start();
        let span = super::span(self.file, start, start + written.len());
        self.broken.push(span);
        let found = trouble::explain(self.file, self.text, start, written);
        let cut = self.text.get(span.end as usize..self.readable);
        if self.readable < self.text.len() && cut.is_some_and(|rest| rest.trim().is_empty()) {
            return None;
        }
        if found.is_entry {
            self.problems.push(found.problem);
        } else {
            self.report_entry(span, found.problem);
        }
        let (text, place) = found.key?;
        let key = Key { text, span: place };
        Some((key, scalar(String::new(), Style::Text, span)))
    }

    /// One mistake is told once: what stands behind it in its line is probably part of it.
    fn report_entry(&mut self, span: Span, problem: Problem) {
        let start = span.start as usize;
        if start < self.silent_until {
            return;
        }
        self.problems.push(problem);
        let end = span.end as usize;
        let rest = self.text.get(end..).unwrap_or("");
        self.silent_until = end + rest.find(['\n', '\r']).unwrap_or(rest.len());
    }

    fn key(&mut self, pair: Pair<'_, Rule>) -> Key {
        let span = self.span(&pair);
        let text = match pair.into_inner().next() {
            Some(inner) if inner.as_rule() == Rule::text => self.in_quotes(&inner),
            Some(inner) => inner.as_str().to_owned(),
            None => String::new(),
        };
        Key { text, span }
    }

    fn insert(&mut self, into: &mut IndexMap<String, (Span, Node)>, key: Key, node: Node) {
        match into.entry(key.text) {
            Entry::Vacant(free) => {
                free.insert((key.span, node));
            }
            Entry::Occupied(taken) => {
                let problem = duplicate_key(taken.key(), key.span, taken.get().0);
                self.problems.push(problem);
            }
        }
    }

    /// A pair's place, without the spaces behind it.
    fn span(&self, pair: &Pair<'_, Rule>) -> Span {
        let start = pair.as_span().start();
        super::span(self.file, start, start + pair.as_str().trim_end().len())
    }
}

impl Entries {
    fn into_map(self) -> NodeValue {
        let mut tasks = Some(self.tasks).filter(|tasks| !tasks.is_empty());
        let entries = self.found.into_iter().map(|(text, (span, node))| {
            let node = match tasks.take_if(|_| text == "tasks") {
                Some(tasks) => Node {
                    value: NodeValue::Map(in_order(tasks)),
                    span: node.span,
                },
                None => node,
            };
            (Key { text, span }, node)
        });
        NodeValue::Map(entries.collect())
    }
}

fn in_order(entries: IndexMap<String, (Span, Node)>) -> Vec<(Key, Node)> {
    let entries = entries.into_iter();
    entries
        .map(|(text, (span, node))| (Key { text, span }, node))
        .collect()
}

/// What the entries below a key are read as.
fn inner_place(place: Place, key: &str) -> Place {
    match (place, key) {
        (Place::Tasks, "store" | "params") => Place::Store,
        (Place::Tasks, "tasks") => Place::Tasks,
        (Place::Store, _) => Place::Declared,
        (Place::Tasks | Place::Declared | Place::Value, _) => Place::Value,
    }
}

/// Whether the body of `task NAME { … }` says `execute`.
fn executes(pair: &Pair<'_, Rule>) -> bool {
    let body = pair.clone().into_inner().next_back();
    body.is_some_and(|body| {
        let mut entries = body.into_inner();
        entries.any(|entry| {
            let key = entry.into_inner().next();
            key.is_some_and(|key| key.as_str() == "execute")
        })
    })
}

fn scalar(text: String, style: Style, span: Span) -> Node {
    Node {
        value: NodeValue::Scalar { text, style },
        span,
    }
}

fn declared<const N: usize>(span: Span, entries: [(&str, Span, Node); N]) -> Node {
    let entries = entries.map(|(text, span, node)| {
        let text = text.to_owned();
        (Key { text, span }, node)
    });
    Node {
        value: NodeValue::Map(entries.into()),
        span,
    }
}

fn several_flows(at: Span) -> Problem {
    Problem::error(
        code::SEVERAL_DOCUMENTS,
        at,
        "a second flow begins here; a file holds one flow",
    )
    .help("put the second flow in a file of its own")
}

fn span_of_nothing(file: u16) -> Span {
    super::span(file, 0, 0)
}
