//! What may be written at the cursor.

use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, Documentation, InsertTextFormat,
    MarkupContent, MarkupKind, Position, Range, TextEdit,
};

use super::Workspace;
use super::cursor::{Cursor, ITEM, Slot, Spot, spot};
use super::document::Document;
use super::hover::{self, BUILT_IN};
use super::kinds::{Kind, Param};
use super::outline::{Origin, Outline};
use crate::compile::{CAPABILITIES, FILTERS, TESTS};
use crate::model::Type;
use crate::syntax::{Level, Notation, Takes};

/// Something that may be written.
struct Choice {
    label: String,
    /// What is written, if it is more than the label.
    text: Option<String>,
    kind: CompletionItemKind,
    detail: Option<String>,
    about: Option<String>,
}

/// What may be written at a position. `snippets`: the editor can put the cursor within what is written.
pub(super) fn complete(
    document: &Document,
    position: Position,
    (kinds, workspace): (&[Kind], &dyn Workspace),
    snippets: bool,
) -> Vec<CompletionItem> {
    let byte = document.text.offset(position);
    let notation = document.notation();
    let cursor = Cursor::read(&document.text.as_str()[..byte], notation);
    let before = document.text.as_str()[..cursor.word].to_owned();
    let outline = document.outline_while_writing(byte, kinds);
    let outline = outline.as_ref();
    let scope = scope(outline, &cursor.path, byte);
    let at = At {
        cursor: &cursor,
        before: &before,
        outline,
        scope,
        kinds,
        notation,
        sub_flow: &|reference| workspace.sub_flow(&document.path, reference),
    };
    let choices = at.choices();
    let place = document.text.place_of(cursor.word..byte);
    let choices = choices.into_iter();
    choices
        .map(|choice| item(choice, place, snippets))
        .collect()
}

fn item(choice: Choice, place: Range, snippets: bool) -> CompletionItem {
    let text = choice.text.unwrap_or_else(|| choice.label.clone());
    let (text, format) = match (text.contains("$0"), snippets) {
        (true, true) => (text, Some(InsertTextFormat::SNIPPET)),
        (true, false) => (text.split("$0").next().unwrap_or_default().to_owned(), None),
        (false, _) => (text, None),
    };
    CompletionItem {
        label: choice.label,
        kind: Some(choice.kind),
        detail: choice.detail,
        documentation: choice.about.map(|about| {
            Documentation::MarkupContent(MarkupContent {
                kind: MarkupKind::Markdown,
                value: about,
            })
        }),
        insert_text_format: format,
        text_edit: Some(CompletionTextEdit::Edit(TextEdit::new(place, text))),
        ..CompletionItem::default()
    }
}

/// The scope that the cursor stands in, told by the names of the tasks around it.
fn scope(outline: &Outline, path: &[String], byte: usize) -> usize {
    let mut scope = 0;
    let mut steps = path.iter();
    while let Some(step) = steps.next() {
        if step != "tasks" {
            continue;
        }
        let Some(name) = steps.next() else { break };
        let named = |task: &&super::outline::Task| task.within == scope && task.name == *name;
        let task = match name.as_str() {
            ITEM => outline.task_at(byte).map(|at| &outline.tasks[at]),
            _ => outline.tasks.iter().find(named),
        };
        match task {
            Some(task) => scope = task.scope,
            None => break,
        }
    }
    scope
}

struct At<'a> {
    cursor: &'a Cursor,
    /// The text before the word at the cursor.
    before: &'a str,
    outline: &'a Outline,
    scope: usize,
    kinds: &'a [Kind],
    notation: Notation,
    sub_flow: &'a dyn Fn(&str) -> Option<Kind>,
}

impl At<'_> {
    fn choices(&self) -> Vec<Choice> {
        let spot = spot(&self.cursor.path, self.kinds);
        match (self.cursor.slot, spot) {
            (Slot::Nothing, _) => Vec::new(),
            (Slot::Template, _) => self.names(),
            (Slot::Key, Spot::Keys(level)) => self.keys(level),
            (Slot::Key, Spot::Params(kind)) => self.params(&kind.params),
            (Slot::Key, Spot::Value(_, key)) if key.takes == Takes::With => self
                .used()
                .map_or(Vec::new(), |flow| self.params(&flow.params)),
            (Slot::Value, Spot::Value(Level::Task, key))
                if key.takes == Takes::Provides && self.notes(key.name) =>
            {
                self.result()
            }
            (_, Spot::Value(level, key)) => self.value(level, key.takes),
            (_, Spot::Param(_, param)) => self.shaped(param),
            // `port: po`, in the store.
            (Slot::Value, Spot::Keys(Level::Store)) => types(),
            (
                Slot::Value | Slot::Key,
                Spot::Keys(_) | Spot::Params(_) | Spot::Names | Spot::Unknown,
            ) => Vec::new(),
        }
    }

    fn keys(&self, level: Level) -> Vec<Choice> {
        let beside = |name: &str| self.cursor.beside.iter().any(|key| key == name);
        let is_kind = |name: &str| self.kinds.iter().any(|kind| kind.name == name);
        let has_kind = level.has_kinds()
            && self
                .cursor
                .beside
                .iter()
                .any(|key| is_kind(key) || key == "tasks" || key == "flow");
        let in_list = self.cursor.path.last().is_some_and(|step| step == ITEM);
        let mut choices = Vec::new();
        if level.has_kinds() && !has_kind {
            let may = |kind: &&Kind| kind.built_in || level == Level::Task;
            let kinds = self.kinds.iter().filter(may).map(|kind| Choice {
                label: kind.name.clone(),
                text: Some(self.written(&kind.name, false)),
                kind: CompletionItemKind::FUNCTION,
                detail: Some(kind.about.clone()),
                about: Some(hover::about_kind(kind)),
            });
            choices.extend(kinds);
        }
        let keys = level
            .keys()
            .iter()
            .filter(|key| !beside(key.name))
            .filter(|key| key.name != "name" || in_list)
            .filter(|key| {
                !(level == Level::Task
                    && has_kind
                    && matches!(key.takes, Takes::Tasks | Takes::SubFlow))
            })
            .filter(|key| key.takes != Takes::With || !has_kind || beside("flow"));
        choices.extend(keys.map(|key| Choice {
            label: key.name.to_owned(),
            text: Some(self.written(key.name, is_mapping(key.takes))),
            kind: CompletionItemKind::PROPERTY,
            detail: None,
            about: Some(hover::about_key(key)),
        }));
        if self.notation == Notation::Text && matches!(level, Level::Flow | Level::Task) {
            choices.push(Choice {
                label: "task".to_owned(),
                text: Some("task $0 { }".to_owned()),
                kind: CompletionItemKind::KEYWORD,
                detail: Some("a task".to_owned()),
                about: None,
            });
        }
        choices
    }

    fn params(&self, params: &[Param]) -> Vec<Choice> {
        let beside = |name: &str| self.cursor.beside.iter().any(|key| key == name);
        params
            .iter()
            .filter(|param| !beside(&param.name))
            .map(|param| Choice {
                label: param.name.clone(),
                text: Some(self.written(&param.name, param.is_mapping())),
                kind: CompletionItemKind::FIELD,
                detail: param.detail(),
                about: Some(hover::about_param(param)),
            })
            .collect()
    }

    /// The task that the cursor stands in.
    fn own(&self) -> Option<&super::outline::Task> {
        let mut tasks = self.outline.tasks.iter();
        tasks.find(|task| task.scope == self.scope)
    }

    /// The flow that the task at the cursor uses.
    fn used(&self) -> Option<Kind> {
        let (reference, _) = self.own()?.sub_flow.as_ref()?;
        (self.sub_flow)(reference)
    }

    /// Whether a key of the path has a mapping under it in which the cursor stands behind a name.
    fn notes(&self, key: &str) -> bool {
        let mut path = self.cursor.path.iter().rev();
        path.nth(1).is_some_and(|step| step == key)
    }

    /// What a task may hand out of its result.
    fn result(&self) -> Vec<Choice> {
        let kind = self.own().and_then(|task| task.kind.as_deref());
        let used = match kind {
            Some("flow") => self.used(),
            _ => None,
        };
        let kind = used.as_ref().or_else(|| {
            let mut kinds = self.kinds.iter();
            kinds.find(|one| Some(one.name.as_str()) == kind)
        });
        let fields = kind.map_or(&[][..], |kind| kind.result.as_slice());
        fields
            .iter()
            .map(|field| plain(field, CompletionItemKind::FIELD))
            .collect()
    }

    /// A key as it is written, up to where its value begins.
    fn written(&self, key: &str, mapping: bool) -> String {
        match (self.notation, mapping) {
            (Notation::Yaml, _) => format!("{key}: "),
            (Notation::Text, true) => format!("{key} {{ $0 }}"),
            (Notation::Text, false) => format!("{key} = "),
        }
    }

    fn value(&self, level: Level, takes: Takes) -> Vec<Choice> {
        match takes {
            Takes::Word(choices) => words(choices),
            Takes::Bool => words(&["true", "false"]),
            Takes::Share => words(&["true"]),
            Takes::Type => types(),
            Takes::Source => words(&["env:", "file:"]),
            Takes::Expression => self.names(),
            Takes::Capabilities => CAPABILITIES
                .iter()
                .map(|name| plain(name, CompletionItemKind::CONSTANT))
                .collect(),
            Takes::Names if level == Level::Flow => self.provided(0),
            Takes::Names => self.tasks(),
            // Of a group: what its tasks provide.
            Takes::Provides => self.provided(self.scope),
            Takes::Env | Takes::With | Takes::Values | Takes::Matrix | Takes::Text => self.bare(),
            Takes::Name
            | Takes::Line
            | Takes::Count
            | Takes::Factor
            | Takes::Duration
            | Takes::Store
            | Takes::Tasks
            | Takes::Revert
            | Takes::Retry
            | Takes::SubFlow
            | Takes::Value
            | Takes::OneOf
            | Takes::Bound
            | Takes::Pattern => Vec::new(),
        }
    }

    fn shaped(&self, param: &Param) -> Vec<Choice> {
        if param.is_expression() {
            return self.names();
        }
        let words = param.words();
        if words.is_empty() {
            return self.bare();
        }
        let quoted = |word: &String| Choice {
            text: (self.notation == Notation::Text && param.quotes(word))
                .then(|| format!("\"{word}\"")),
            ..plain(word, CompletionItemKind::ENUM_MEMBER)
        };
        words.iter().map(quoted).collect()
    }

    /// Where text is wanted, the text notation takes a name as it is; in YAML it needs braces.
    fn bare(&self) -> Vec<Choice> {
        match self.notation {
            Notation::Yaml => Vec::new(),
            Notation::Text => self.names(),
        }
    }

    /// The names that an expression may use here; behind a dot, the fields of what stands before it.
    fn names(&self) -> Vec<Choice> {
        if let Some(before) = self.before.strip_suffix('.') {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let object = &before[before.trim_end_matches(is_word).len()..];
            let fields = BUILT_IN.iter().filter_map(|(name, about)| {
                let field = name.strip_prefix(object)?.strip_prefix('.')?;
                Some((field, *about))
            });
            return fields
                .map(|(field, about)| Choice {
                    about: Some(about.to_owned()),
                    ..plain(field, CompletionItemKind::FIELD)
                })
                .collect();
        }
        let before = self.before.trim_end();
        if before.ends_with('|') {
            return words_of(&FILTERS, CompletionItemKind::FUNCTION);
        }
        if before.ends_with(" is") || before.ends_with(" is not") {
            return words_of(&TESTS, CompletionItemKind::FUNCTION);
        }
        let visible = self.outline.visible(self.scope).into_iter();
        let own = visible.map(|(name, at)| Choice {
            detail: Some(self.origin(at)),
            ..plain(name, CompletionItemKind::VARIABLE)
        });
        let always = BUILT_IN
            .iter()
            .filter(|(name, _)| !name.contains('.') && self.is_told(name));
        let always = always.map(|(name, about)| Choice {
            about: Some((*about).to_owned()),
            ..plain(name, CompletionItemKind::KEYWORD)
        });
        own.chain(always).collect()
    }

    /// Whether what is always there is known at the cursor: `result` and `failure` are not before the task has run.
    fn is_told(&self, name: &str) -> bool {
        let within = |keys: &[&str]| {
            let mut path = self.cursor.path.iter();
            path.any(|step| keys.contains(&step.as_str()))
        };
        match name {
            "result" => within(&["revert", "check", "provides", "result"]),
            "failure" => within(&["revert", "on"]),
            _ => true,
        }
    }

    /// What can be handed out of a scope.
    fn provided(&self, scope: usize) -> Vec<Choice> {
        let visible = self.outline.visible(scope).into_iter();
        visible
            .filter(|(name, at)| {
                let one = &self.outline.definitions[*at];
                let handed = &self.outline.scopes[scope].handed;
                matches!(one.origin, Origin::Task(_))
                    && (one.scope == scope || handed.iter().any(|(handed, _)| handed == name))
            })
            .map(|(name, at)| Choice {
                detail: Some(self.origin(at)),
                ..plain(name, CompletionItemKind::VARIABLE)
            })
            .collect()
    }

    /// The tasks that a task may need.
    fn tasks(&self) -> Vec<Choice> {
        let mut scope = self.own().map(|task| task.within);
        let mut choices = Vec::new();
        while let Some(at) = scope {
            let beside = self.outline.tasks.iter().filter(|task| {
                // What it stands in, a task cannot need.
                task.within == at && !self.encloses(task.scope)
            });
            choices.extend(beside.map(|task| Choice {
                detail: task.about.clone().or_else(|| task.kind.clone()),
                ..plain(&task.name, CompletionItemKind::FUNCTION)
            }));
            scope = self.outline.scopes[at].parent;
        }
        choices
    }

    fn encloses(&self, scope: usize) -> bool {
        let parent = |scope: &usize| self.outline.scopes.get(*scope)?.parent;
        std::iter::successors(Some(self.scope), parent).any(|around| around == scope)
    }

    fn origin(&self, definition: usize) -> String {
        match &self.outline.definitions[definition].origin {
            Origin::Store(_) => "in the store".to_owned(),
            Origin::Task(task) => format!("provided by {}", self.outline.tasks[*task].name),
            Origin::Variable => "the value of the attempt, or of the copy".to_owned(),
        }
    }
}

/// Whether a mapping stands behind a key.
fn is_mapping(takes: Takes) -> bool {
    matches!(
        takes,
        Takes::Retry | Takes::Store | Takes::Env | Takes::Matrix | Takes::With
    )
}

fn types() -> Vec<Choice> {
    let named = Type::NAMES
        .iter()
        .filter_map(|name| Some((name, Type::parse(name)?)));
    named
        .map(|(name, ty)| Choice {
            detail: Some(ty.hint().to_owned()),
            ..plain(name, CompletionItemKind::TYPE_PARAMETER)
        })
        .collect()
}

fn words(words: &[&str]) -> Vec<Choice> {
    words_of(words, CompletionItemKind::ENUM_MEMBER)
}

fn words_of(words: &[&str], kind: CompletionItemKind) -> Vec<Choice> {
    words.iter().map(|word| plain(word, kind)).collect()
}

fn plain(label: &str, kind: CompletionItemKind) -> Choice {
    Choice {
        label: label.to_owned(),
        text: None,
        kind,
        detail: None,
        about: None,
    }
}
