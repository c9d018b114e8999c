//! Parser events to nodes, with a stack of its own: no text can exhaust the program's.

use std::collections::HashMap;
use std::ops::Range;

use indexmap::IndexMap;
use indexmap::map::Entry;
use saphyr_parser::{Event, ScalarStyle};

use super::patch::Patches;
use super::{Cursor, MAX_ALIASED, MAX_DEPTH, MAX_VALUES};
use crate::model::Span;
use crate::syntax::problem::{Problems, duplicate_key, shown};
use crate::syntax::{Key, Node, NodeValue, Problem, Style, code};

/// How an attempt to read a text ended.
pub(super) enum End {
    /// All of it was read.
    Done,
    /// It cannot be read on.
    Trouble(Problem),
    /// It can be, once this range is masked.
    Patch(Problem, Range<usize>),
}

/// A list or mapping that has not ended.
struct Open {
    what: What,
    start: u32,
    anchor: usize,
    brackets: bool,
}

enum What {
    List(Vec<Node>),
    Map {
        entries: IndexMap<String, (Span, Node)>,
        /// The key whose value comes next: `Some(None)` if it was bad, and the value is to be dropped.
        key: Option<Option<(String, Span)>>,
    },
}

pub(super) struct Builder<'t> {
    patches: &'t Patches<'t>,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, (Node, usize)>,
    problems: Vec<Problem>,
    documents: usize,
    values: usize,
    aliased: usize,
    last: Span,
}

impl<'t> Builder<'t> {
    pub(super) fn new(patches: &'t Patches<'t>) -> Self {
        Self {
            patches,
            open: Vec::new(),
            root: None,
            anchors: HashMap::new(),
            problems: Vec::new(),
            documents: 0,
            values: 0,
            aliased: 0,
            last: patches.span(0..0),
        }
    }

    pub(super) fn into_parts(self) -> (Vec<Problem>, Option<Node>) {
        (self.problems, self.root)
    }

    pub(super) fn patches(&self) -> &'t Patches<'t> {
        self.patches
    }

    /// The scalar or beginning of a collection that was read last.
    pub(super) fn last_span(&self) -> Span {
        self.last
    }

    /// Where the innermost brackets that are open begin; `None` outside of brackets.
    pub(super) fn open_bracket(&self) -> Option<Span> {
        let open = self.open.last().filter(|open| open.brackets)?;
        Some(self.span(open.start, open.start + 1))
    }

    /// Takes the next event. Gives an end if the text cannot be read on.
    pub(super) fn take(
        &mut self,
        event: Event<'_>,
        at: saphyr_parser::Span,
        place: &mut Cursor<'_>,
    ) -> Option<End> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => None,
            Event::DocumentStart(_) => {
                self.documents += 1;
                (self.documents > 1).then(|| {
                    let start = place.byte(at.start.index());
                    End::Trouble(several_documents(self.span(start, start + 3)))
                })
            }
            Event::Scalar(text, style, anchor, tag) => {
                let start = place.byte(at.start.index());
                let end = place.byte(at.end.index());
                if tag.is_some() {
                    self.tag(start);
                }
                let node = self.scalar(text.into_owned(), style, start, end);
                self.complete(node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                let start = place.byte(at.start.index());
                self.begin(What::List(Vec::new()), start, anchor, tag.is_some())
            }
            Event::MappingStart(anchor, tag) => {
                let start = place.byte(at.start.index());
                if self.written(start).starts_with("{{") {
                    return Some(self.unquoted_template(start as usize));
                }
                let what = What::Map {
                    entries: IndexMap::new(),
                    key: None,
                };
                self.begin(what, start, anchor, tag.is_some())
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let end = place.byte(at.start.index());
                self.end(end)
            }
            Event::Alias(anchor) => {
                let start = place.byte(at.start.index());
                let end = place.byte(at.end.index());
                self.alias(anchor, self.span(start, end))
            }
        }
    }

    /// The end of the text.
    pub(super) fn finish(&mut self) -> End {
        let empty = self
            .root
            .as_ref()
            .is_none_or(|root| root.value == NodeValue::Null);
        if !empty {
            return End::Done;
        }
        End::Trouble(
            Problem::error(code::EMPTY_FILE, self.span(0, 0), "the file holds no flow")
                .help("the least flow is: tasks: { hello: { shell: echo hello } }"),
        )
    }

    /// A template without quotes that begins at `start`: what is wrong, and the range to be masked.
    pub(super) fn unquoted_template(&self, start: usize) -> End {
        let range = self.patches.templates(start);
        let in_brackets = self.open.iter().any(|open| open.brackets);
        let value = self.patches.value(start, range.end, in_brackets);
        let problem = Problem::error(
            code::UNQUOTED_TEMPLATE,
            self.patches.span(range.clone()),
            format!(
                "the value with `{}` has no quotes, so YAML reads the braces as a mapping",
                shown(&self.patches.original()[range.clone()])
            ),
        )
        .label("needs quotes")
        .help(format!(
            "quote it: {}",
            shown_line(&self.patches.quoted(&value))
        ));
        End::Patch(problem, range)
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, start: u32, end: u32) -> Node {
        let plain = style == ScalarStyle::Plain;
        // The parser's end may lie behind spaces and a comment.
        let written = self.patches.original().get(start as usize..end as usize);
        let length = written.map_or(0, |written| match style {
            // Wider spaces belong to the text.
            ScalarStyle::Plain => written.trim_end_matches([' ', '\t', '\n', '\r']).len(),
            ScalarStyle::Literal | ScalarStyle::Folded => written.trim_end().len(),
            ScalarStyle::SingleQuoted => quoted_length(written, '\''),
            ScalarStyle::DoubleQuoted => quoted_length(written, '"'),
        });
        let end = start + len32(length);
        let span = self.span(start, end.max(start));
        let value = if !plain {
            NodeValue::Scalar {
                text,
                style: Style::Text,
            }
        } else if let Some(restored) = self.patches.restored(start, end) {
            NodeValue::Scalar {
                text: restored.to_owned(),
                style: Style::Text,
            }
        } else if matches!(text.as_str(), "" | "~" | "null") {
            NodeValue::Null
        } else {
            self.check_block(&text, start);
            self.check_folded(start, end);
            NodeValue::Scalar {
                text,
                style: Style::Plain,
            }
        };
        Node { value, span }
    }

    /// Between brackets, YAML has no blocks of text. The parser takes their beginning as text, other readers do not.
    fn check_block(&mut self, text: &str, start: u32) {
        if !text.starts_with(['|', '>']) {
            return;
        }
        let mark = &text[..1];
        let problem = Problem::error(
            code::RESERVED_CHARACTER,
            self.span(start, start + 1),
            format!("a value between brackets cannot begin with `{mark}` without quotes"),
        )
        .help(format!(
            "put the value in quotes; a block of text behind `{mark}` stands outside of brackets: write the list with a `- ` before each item, and each key in a line of its own"
        ));
        self.problems.push(problem);
    }

    /// An item of a list that is indented too far continues the text above it, as far as YAML is concerned.
    fn check_folded(&mut self, start: u32, end: u32) {
        let written = self.written(start);
        let written = &written[..((end - start) as usize).min(written.len())];
        let Some((first, _)) = written.split_once(['\n', '\r']) else {
            return;
        };
        let mut at = first.len();
        for line in written[at..].split_inclusive(['\n', '\r']) {
            let indent = line.len() - line.trim_start().len();
            if line.trim_start().starts_with("- ") {
                let from = start + len32(at + indent);
                let to = start + len32(at + line.trim_end().len());
                let problem = Problem::error(
                    code::FOLDED_ITEM,
                    self.span(from, to),
                    "this is no item of a list: it is indented so far that it continues the text above it",
                )
                .label("part of the text above")
                .related(self.span(start, start + len32(first.trim_end().len())), "the text that it continues")
                .help("indent it like the item above it, or quote the text if a dash is meant");
                self.problems.push(problem);
                return;
            }
            at += line.len();
        }
    }

    fn begin(&mut self, what: What, start: u32, anchor: usize, tagged: bool) -> Option<End> {
        if tagged {
            self.tag(start);
        }
        self.last = self.span(start, start + 1);
        if self.open.len() >= MAX_DEPTH {
            return Some(End::Trouble(too_deep(self.last)));
        }
        // Behind its anchor, if it has one.
        let written = self.written(start);
        let rest = written.strip_prefix('&').map(|rest| {
            let name = |c: char| !c.is_whitespace() && !matches!(c, ',' | '[' | ']' | '{' | '}');
            rest.trim_start_matches(name).trim_start()
        });
        let brackets = rest.unwrap_or(written).starts_with(['[', '{']);
        self.open.push(Open {
            what,
            start,
            anchor,
            brackets,
        });
        None
    }

    fn end(&mut self, end: u32) -> Option<End> {
        let open = self.open.pop()?;
        let text = self.patches.original();
        let end = if open.brackets {
            (end + 1).min(len32(text.len()))
        } else {
            let written = text.get(open.start as usize..end as usize).unwrap_or("");
            open.start + len32(written.trim_end().len())
        };
        let value = match open.what {
            What::List(items) => NodeValue::List(items),
            What::Map { entries, .. } => NodeValue::Map(
                entries
                    .into_iter()
                    .map(|(text, (span, node))| (Key { text, span }, node))
                    .collect(),
            ),
        };
        let span = self.span(open.start, end.max(open.start));
        self.complete(Node { value, span }, open.anchor)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Option<End> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            let problem = Problem::error(
                code::RECURSIVE_ALIAS,
                span,
                "this alias stands inside of what it names",
            )
            .help("write the value out");
            return Some(End::Trouble(problem));
        };
        let size = *size;
        if self.aliased + size > MAX_ALIASED {
            let problem = Problem::error(
                code::ALIAS_BUDGET,
                span,
                format!("with this alias, more than {MAX_ALIASED} values are repeated"),
            )
            .help("write the values out, or let tasks share them through `store`");
            return Some(End::Trouble(problem));
        }
        let mut node = node.clone();
        if self.open.len() + depth(&node) > MAX_DEPTH {
            return Some(End::Trouble(too_deep(span)));
        }
        self.aliased += size;
        self.values += size;
        node.span = span;
        self.complete(node, 0)
    }

    /// Puts a whole node where it belongs.
    fn complete(&mut self, mut node: Node, anchor: usize) -> Option<End> {
        self.values += 1;
        self.last = node.span;
        if self.values > MAX_VALUES {
            return Some(End::Trouble(
                Problem::error(
                    code::TOO_MANY_VALUES,
                    node.span,
                    format!("the file has more than {MAX_VALUES} values"),
                )
                .help("split the flow"),
            ));
        }
        if anchor > 0 {
            let size = count(&node);
            self.aliased += size;
            if self.aliased <= MAX_ALIASED {
                self.anchors.insert(anchor, (node.clone(), size));
            } else {
                return Some(End::Trouble(
                    Problem::error(
                        code::ALIAS_BUDGET,
                        node.span,
                        format!(
                            "with this anchor, more than {MAX_ALIASED} values are to be repeated"
                        ),
                    )
                    .help("write the values out, or let tasks share them through `store`"),
                ));
            }
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return None;
        };
        match &mut open.what {
            What::List(items) => items.push(node),
            What::Map { key, entries } => match key.take() {
                None => *key = Some(as_key(node, &mut self.problems)),
                Some(None) => {}
                Some(Some((text, span))) => {
                    if node.value == NodeValue::Null && node.span.start >= node.span.end {
                        node.span = span;
                    }
                    match entries.entry(text) {
                        Entry::Vacant(free) => {
                            free.insert((span, node));
                        }
                        Entry::Occupied(taken) => {
                            let problem = duplicate_key(taken.key(), span, taken.get().0);
                            self.problems.push(problem);
                        }
                    }
                }
            },
        }
        self.bound()
    }

    /// Problems that do not end the reading are bounded too.
    fn bound(&mut self) -> Option<End> {
        if self.problems.len() < Problems::MAX_KEPT {
            return None;
        }
        self.problems.pop().map(End::Trouble)
    }

    fn tag(&mut self, start: u32) {
        let written = self.written(start);
        let len = written
            .find(|c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}'))
            .unwrap_or(written.len());
        let problem = Problem::error(
            code::TAG,
            self.span(start, start + len32(len)),
            format!("`{}` is a YAML tag, which a flow does not have", shown(&written[..len])),
        )
        .help("leave it out: types of the store stand under `type:`, and quotes make a text of anything");
        self.problems.push(problem);
    }

    fn written(&self, start: u32) -> &'t str {
        self.patches.original().get(start as usize..).unwrap_or("")
    }

    fn span(&self, start: u32, end: u32) -> Span {
        self.patches.span(start as usize..end as usize)
    }
}

/// The bytes of a text in quotes, from its opening to its closing quote.
fn quoted_length(written: &str, quote: char) -> usize {
    let mut characters = written.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if c == '\\' && quote == '"' {
            characters.next();
        } else if c == quote {
            if quote == '\'' && characters.peek().is_some_and(|(_, next)| *next == quote) {
                characters.next();
            } else {
                return at + quote.len_utf8();
            }
        }
    }
    written.trim_end().len()
}

fn as_key(node: Node, problems: &mut Vec<Problem>) -> Option<(String, Span)> {
    match node.value {
        NodeValue::Scalar { text, style } => {
            if text == "<<" && style == Style::Plain {
                problems.push(
                    Problem::error(code::MERGE_KEY, node.span, "the merge key `<<` does not exist in flows")
                        .help("write the keys out; what many tasks share can stand on the flow or on a group"),
                );
                return None;
            }
            Some((text, node.span))
        }
        NodeValue::Null | NodeValue::List(_) | NodeValue::Map(_) => {
            problems.push(
                Problem::error(code::KEY_NOT_TEXT, node.span, "a key has to be text")
                    .help("write `key: value`, with a name before the colon"),
            );
            None
        }
    }
}

fn several_documents(span: Span) -> Problem {
    Problem::error(
        code::SEVERAL_DOCUMENTS,
        span,
        "a second YAML document begins here; a file holds one flow",
    )
    .help("put the second flow in a file of its own, and leave the line `---` out")
}

fn too_deep(span: Span) -> Problem {
    Problem::error(
        code::NESTING_TOO_DEEP,
        span,
        format!("lists and mappings are nested more than {MAX_DEPTH} deep here"),
    )
    .help("make it flatter: tasks of nested groups can stand side by side and name what they need")
}

fn depth(node: &Node) -> usize {
    match &node.value {
        NodeValue::Null | NodeValue::Scalar { .. } => 0,
        NodeValue::List(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        NodeValue::Map(entries) => 1 + entries.iter().map(|(_, n)| depth(n)).max().unwrap_or(0),
    }
}

fn count(node: &Node) -> usize {
    match &node.value {
        NodeValue::Null | NodeValue::Scalar { .. } => 1,
        NodeValue::List(items) => 1 + items.iter().map(count).sum::<usize>(),
        NodeValue::Map(entries) => 1 + entries.iter().map(|(_, n)| count(n)).sum::<usize>(),
    }
}

fn shown_line(line: &str) -> String {
    if line.chars().count() <= 120 {
        line.to_owned()
    } else {
        shown(line)
    }
}

fn len32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
