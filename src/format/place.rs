//! What a value of a flow is read as, by the keys that lead to it.
//!
//! The text notation tells names and expressions from text: what stands bare in YAML where a name is wanted stands bare
//! there too, and what is text has quotes.

use crate::model::{KindSchema, Shape};
use crate::syntax::{Level, Takes};

/// A place in a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'k> {
    /// A mapping with the keys of that level.
    Level(Level),
    /// A mapping or list of tasks.
    Tasks,
    /// Names, types and defaults.
    Store,
    /// A list of capabilities.
    Capabilities,
    /// What is said to a kind that is built in.
    Kind(&'k KindSchema),
    /// Anything else.
    Values(Reads),
}

/// How a scalar is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reads {
    /// As a name, a word of the language, a number, or an expression.
    Word,
    /// As one of these words, or as text with templates.
    Choice(&'static [&'static str]),
    /// As it stands.
    Literal,
    /// As text with templates.
    Template,
}

impl<'k> Place<'k> {
    /// The place behind a key.
    pub(super) fn inside(self, key: &str, kinds: &[&'k KindSchema]) -> Self {
        match self {
            // No name stands for a value there.
            Self::Level(Level::Store) => Self::Values(Reads::Literal),
            Self::Level(level) => match level.key(key) {
                Some(info) => Self::of(info.takes),
                // Misplaced, and still read as what they are.
                None if self.has_tasks() && matches!(key, "store" | "params") => Self::Store,
                None if self.has_tasks() && key == "capabilities" => Self::Capabilities,
                None if level.has_kinds() => {
                    let kind = kinds.iter().find(|kind| kind.name == key);
                    kind.map_or(Self::Values(Reads::Template), |kind| Self::Kind(kind))
                }
                None => Self::Values(Reads::Template),
            },
            Self::Tasks => Self::Level(Level::Task),
            Self::Store => Self::Level(Level::Store),
            Self::Kind(kind) => {
                let param = kind.params.iter().find(|param| param.name == key);
                let reads = param.map_or(Reads::Template, |param| Reads::shape(param.shape));
                Self::Values(reads)
            }
            Self::Capabilities => Self::Values(Reads::Template),
            Self::Values(reads) => Self::Values(reads),
        }
    }

    /// The place of the items of a list.
    pub(super) fn item(self) -> Self {
        match self {
            Self::Tasks => Self::Level(Level::Task),
            Self::Capabilities => Self::Capabilities,
            Self::Level(_) | Self::Store | Self::Kind(_) => Self::Values(self.reads()),
            Self::Values(reads) => Self::Values(reads),
        }
    }

    /// How a scalar is read there.
    pub(super) fn reads(self) -> Reads {
        match self {
            Self::Level(Level::Store) | Self::Store => Reads::Literal,
            Self::Level(
                Level::Flow
                | Level::Task
                | Level::Retry
                | Level::Revert
                | Level::Kind
                | Level::Execute,
            )
            | Self::Tasks => Reads::Template,
            Self::Kind(kind) => {
                let param = kind
                    .shorthand
                    .and_then(|name| kind.params.iter().find(|param| param.name == name));
                param.map_or(Reads::Template, |param| Reads::shape(param.shape))
            }
            Self::Capabilities => Reads::Word,
            Self::Values(reads) => reads,
        }
    }

    /// Whether tasks may stand there.
    pub(super) fn has_tasks(self) -> bool {
        match self {
            Self::Level(Level::Flow | Level::Task | Level::Kind) => true,
            Self::Level(Level::Retry | Level::Revert | Level::Store | Level::Execute)
            | Self::Tasks
            | Self::Store
            | Self::Capabilities
            | Self::Kind(_)
            | Self::Values(_) => false,
        }
    }

    fn of(takes: Takes) -> Self {
        match takes {
            Takes::Name
            | Takes::Names
            | Takes::Expression
            | Takes::Bool
            | Takes::Count
            | Takes::Factor
            | Takes::Share
            | Takes::Duration
            | Takes::Word(_)
            | Takes::Provides
            | Takes::Type => Self::Values(Reads::Word),
            Takes::Line
            | Takes::SubFlow
            | Takes::Value
            | Takes::OneOf
            | Takes::Bound
            | Takes::Pattern
            | Takes::Source => Self::Values(Reads::Literal),
            Takes::Text | Takes::Env | Takes::Values | Takes::Matrix | Takes::With => {
                Self::Values(Reads::Template)
            }
            Takes::Capabilities => Self::Capabilities,
            Takes::Store => Self::Store,
            Takes::Tasks => Self::Tasks,
            Takes::Revert => Self::Level(Level::Revert),
            Takes::Retry => Self::Level(Level::Retry),
        }
    }
}

impl Reads {
    fn shape(shape: Shape) -> Self {
        match shape {
            Shape::Expression => Self::Word,
            Shape::Word(words) => Self::Choice(words),
            Shape::Text
            | Shape::Script
            | Shape::Sha256
            | Shape::Statement
            | Shape::Argv
            | Shape::Url
            | Shape::Json
            | Shape::TextMap
            | Shape::Query
            | Shape::Duration
            | Shape::Period
            | Shape::Instant
            | Shape::StatusCodes
            | Shape::Bool
            | Shape::Int
            | Shape::Size
            | Shape::Path => Self::Template,
        }
    }
}
