//! A file as its author wrote it: the tree of its values, and beside them what the tree leaves out.

/// A file, in the shape of one of the notations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Document {
    /// What stands before it.
    pub lead: Vec<Lead>,
    /// The word before the braces of the text notation, and the name behind it; YAML has them as a key.
    pub title: Option<Title>,
    /// Its value: a mapping, unless it is no flow.
    pub root: Value,
    /// What stands behind the last brace.
    pub tail: Vec<Lead>,
}

/// `flow NAME` before the braces of the text notation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Title {
    /// `flow` or `task`.
    pub word: String,
    /// The name, if there is one.
    pub name: Option<String>,
    /// The comment behind the brace.
    pub head: Option<String>,
}

/// What stands on lines of its own before an entry, or before the end of its list or mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lead {
    /// Blank lines, however many.
    Blank,
    /// A comment, with its `#`.
    Comment(String),
}

/// An entry of a list or mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// What stands before it.
    pub lead: Vec<Lead>,
    /// What it is called.
    pub label: Label,
    /// The comment behind its key or the bracket that it opens, if its value begins in another line.
    pub head: Option<String>,
    /// Its value.
    pub value: Value,
    /// The comment behind it.
    pub trail: Option<String>,
}

/// What an entry is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Label {
    /// An item of a list has no name.
    Item,
    /// A key.
    Key {
        /// Its text.
        text: String,
        /// Whether its author put it in quotes.
        quoted: bool,
    },
    /// `task NAME { … }`, in the text notation: an entry of `tasks`, or an item of a list with that `name`.
    Task(String),
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// The name that YAML's aliases call it by.
    pub anchor: Option<String>,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing; whether it says so (`null`).
    Null {
        /// Whether it is written out.
        written: bool,
    },
    /// Text, a number, a bool.
    Scalar(Scalar),
    /// A list.
    List(Group),
    /// A mapping.
    Map(Group),
    /// An alias of YAML: its name, and what it stands for.
    Alias(String, Box<Kind>),
}

/// A scalar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scalar {
    /// What it says: quotes and escapes resolved.
    pub text: String,
    /// What it is.
    pub style: crate::syntax::Style,
    /// How it is laid out.
    pub form: Form,
}

/// How a scalar is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    /// In one line. `quoted`: its author put it in quotes.
    Line {
        /// Whether there are quotes.
        quoted: bool,
    },
    /// As a block of lines.
    Block,
    /// In several lines that YAML joins, without their indentation: behind `>`.
    Folded(Vec<String>),
    /// In several lines that YAML joins, without their indentation, quotes included.
    Wrapped(Vec<String>),
}

/// The entries of a list or mapping.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Group {
    /// The entries.
    pub entries: Vec<Entry>,
    /// What stands behind the last one.
    pub end: Vec<Lead>,
    /// How it is laid out.
    pub shape: Shape,
}

/// How a list or mapping is laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Shape {
    /// Each entry in a line of its own.
    Lines,
    /// In brackets, in one line if that is not too long.
    #[default]
    Brackets,
    /// A mapping with one entry, without braces: `[f: x]`, or `[f(x)]`.
    Pair,
}

impl Value {
    /// A value without an anchor.
    pub(super) fn new(kind: Kind) -> Self {
        Self { anchor: None, kind }
    }

    /// The entries of a mapping.
    pub(super) fn map(&self) -> Option<&Group> {
        match &self.kind {
            Kind::Map(group) => Some(group),
            Kind::Null { .. } | Kind::Scalar(_) | Kind::List(_) | Kind::Alias(..) => None,
        }
    }

    /// The text of a scalar.
    pub(super) fn scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            Kind::Null { .. } | Kind::List(_) | Kind::Map(_) | Kind::Alias(..) => None,
        }
    }
}

impl Entry {
    /// An entry with nothing around it.
    pub(super) fn new(label: Label, value: Value) -> Self {
        Self {
            lead: Vec::new(),
            label,
            head: None,
            value,
            trail: None,
        }
    }

    /// Its key.
    pub(super) fn key(&self) -> Option<&str> {
        match &self.label {
            Label::Key { text, .. } => Some(text),
            Label::Item | Label::Task(_) => None,
        }
    }

    /// Whether a comment stands on it or in it.
    pub(super) fn has_comment(&self) -> bool {
        self.head.is_some()
            || self.trail.is_some()
            || self.lead.iter().any(Lead::is_comment)
            || self.value.kind.has_comment()
    }
}

impl Lead {
    /// Whether it is a comment.
    pub(super) fn is_comment(&self) -> bool {
        match self {
            Self::Blank => false,
            Self::Comment(_) => true,
        }
    }
}

impl Kind {
    /// Whether a comment stands in it.
    pub(super) fn has_comment(&self) -> bool {
        match self {
            Self::Null { .. } | Self::Scalar(_) | Self::Alias(..) => false,
            Self::List(group) | Self::Map(group) => group.has_comment(),
        }
    }
}

impl Group {
    /// Whether a comment stands in it.
    pub(super) fn has_comment(&self) -> bool {
        self.end.iter().any(Lead::is_comment) || self.entries.iter().any(Entry::has_comment)
    }
}

impl Label {
    /// A key without quotes.
    pub(super) fn key(text: &str) -> Self {
        Self::Key {
            text: text.to_owned(),
            quoted: false,
        }
    }
}

impl Document {
    /// Collects its comments.
    pub(super) fn comments(&self, found: &mut Vec<String>) {
        leads(&self.lead, found);
        found.extend(self.title.iter().filter_map(|title| title.head.clone()));
        self.root.kind.comments(found);
        leads(&self.tail, found);
    }
}

impl Kind {
    fn comments(&self, found: &mut Vec<String>) {
        match self {
            Self::Null { .. } | Self::Scalar(_) | Self::Alias(..) => {}
            Self::List(group) | Self::Map(group) => {
                for entry in &group.entries {
                    leads(&entry.lead, found);
                    found.extend(entry.head.clone());
                    entry.value.kind.comments(found);
                    found.extend(entry.trail.clone());
                }
                leads(&group.end, found);
            }
        }
    }
}

fn leads(lead: &[Lead], found: &mut Vec<String>) {
    found.extend(lead.iter().filter_map(|line| match line {
        Lead::Blank => None,
        Lead::Comment(text) => Some(text.clone()),
    }));
}
