//! The kinds that tasks may be of, as an editor is told of them: those that are built in and those that are written in
//! the language are one here.
//!
//! Schemas and declarations enter; names and what is said about them leave.

use crate::model::{Declared, KindSchema, Shape, Spanned, Type, Value};
use crate::syntax::{FlowDeclaration, ResultDeclaration, TaskKindDeclaration, TaskKindForm};

/// A kind, or a sub-flow as something that is given values.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// Its key; of a sub-flow, its name.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// Whether it is built in: then it may undo a task, too.
    pub built_in: bool,
    /// What it is given.
    pub params: Vec<Param>,
    /// The parameter that a bare value stands for.
    pub shorthand: Option<String>,
    /// The names in its result; of a sub-flow or a kind of several tasks, those that it hands out.
    pub result: Vec<String>,
    /// The file in which it is written, if it stands in one.
    pub file: Option<String>,
}

/// Something that a kind is given.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Its key.
    pub name: String,
    /// One line about it.
    pub about: String,
    /// Whether it must be there.
    pub required: bool,
    /// What it may be.
    pub takes: Takes,
}

/// What a parameter may be.
#[derive(Debug, Clone, PartialEq)]
pub enum Takes {
    /// That of a kind that is built in.
    Shape(Shape),
    /// What is declared in the language.
    Declared(Box<Declared>),
}

impl Kind {
    /// A kind that is built in.
    #[must_use]
    pub fn built_in(schema: &KindSchema) -> Self {
        let params = schema.params.iter().map(|param| Param {
            name: param.name.to_owned(),
            about: param.about.to_owned(),
            required: param.required,
            takes: Takes::Shape(param.shape),
        });
        Self {
            name: schema.name.to_owned(),
            about: schema.about.to_owned(),
            built_in: true,
            params: params.collect(),
            shorthand: schema.shorthand.map(str::to_owned),
            result: schema.result.iter().map(|&field| field.into()).collect(),
            file: None,
        }
    }

    /// A kind that is written in the language, in that file if it stands in one.
    #[must_use]
    pub fn written(kind: &TaskKindDeclaration, file: Option<String>) -> Self {
        let result = match &kind.form {
            TaskKindForm::Task { result, .. } => match result {
                Some(ResultDeclaration::Fields(fields)) => {
                    fields.iter().map(|(name, _)| name.value.clone()).collect()
                }
                Some(ResultDeclaration::Value(_)) | None => Vec::new(),
            },
            TaskKindForm::Tasks(flow) => names(&flow.provides),
        };
        Self {
            name: kind.name.value.clone(),
            about: kind.about.clone().unwrap_or_default(),
            built_in: false,
            params: kind.params.iter().map(param).collect(),
            shorthand: kind.shorthand.as_ref().map(|name| name.value.clone()),
            result,
            file,
        }
    }

    /// A flow that is used in another one.
    #[must_use]
    pub fn sub_flow(flow: &FlowDeclaration) -> Self {
        Self {
            name: flow.name.value.clone(),
            about: flow.about.clone().unwrap_or_default(),
            built_in: false,
            params: flow.store.iter().map(param).collect(),
            shorthand: None,
            result: names(&flow.provides),
            file: None,
        }
    }

    /// The parameter of that name.
    pub(super) fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }
}

fn names(provides: &[Spanned<String>]) -> Vec<String> {
    provides.iter().map(|name| name.value.clone()).collect()
}

fn param((name, declared): &(Spanned<String>, Declared)) -> Param {
    Param {
        name: name.value.clone(),
        about: declared.about.clone().unwrap_or_default(),
        required: declared.default.is_none() && declared.from.is_none(),
        takes: Takes::Declared(Box::new(declared.clone())),
    }
}

impl Param {
    /// Its type and its default, in a few words; nothing for one of a kind that is built in.
    pub(super) fn detail(&self) -> Option<String> {
        let Takes::Declared(declared) = &self.takes else {
            return self.required.then(|| "required".to_owned());
        };
        let mut detail = declared.ty.to_string();
        if declared.secret {
            detail.push_str(", a secret");
        } else if self.required {
            detail.push_str(", required");
        } else if let Some(default) = declared.default.as_ref().map(plain)
            && !default.is_empty()
        {
            detail.push_str(", default ");
            detail.push_str(&default);
        }
        Some(detail)
    }

    /// The words that may stand as its value, where only some may.
    pub(super) fn words(&self) -> Vec<String> {
        match &self.takes {
            Takes::Shape(Shape::Word(words)) => words.iter().map(|&word| word.into()).collect(),
            Takes::Shape(Shape::Bool) => vec!["true".to_owned(), "false".to_owned()],
            Takes::Shape(_) => Vec::new(),
            Takes::Declared(declared) if !declared.one_of.is_empty() => {
                declared.one_of.iter().map(plain).collect()
            }
            Takes::Declared(declared) if declared.ty == Type::Bool => {
                vec!["true".to_owned(), "false".to_owned()]
            }
            Takes::Declared(_) => Vec::new(),
        }
    }

    /// Whether an expression stands there without braces.
    pub(super) fn is_expression(&self) -> bool {
        self.takes == Takes::Shape(Shape::Expression)
    }

    /// Whether names and values stand under it.
    pub(super) fn is_mapping(&self) -> bool {
        match &self.takes {
            Takes::Shape(shape) => matches!(shape, Shape::TextMap | Shape::Query),
            Takes::Declared(declared) => declared.ty == Type::Map,
        }
    }

    /// Whether a word of it is text, which has quotes in the text notation.
    pub(super) fn quotes(&self, word: &str) -> bool {
        match &self.takes {
            Takes::Shape(_) => false,
            Takes::Declared(declared) => {
                let mut texts = declared.one_of.iter().filter_map(Value::as_str);
                texts.any(|text| text == word)
            }
        }
    }
}

/// A value, as it is written.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
