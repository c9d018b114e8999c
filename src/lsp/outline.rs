//! What a file names, and where: tasks, names, and every use of them, byte by byte.
//!
//! The spanned tree of either notation enters; an [`Outline`] leaves, also of a flow that does not compile: an editor
//! needs it most while a flow is half written. Nothing is judged here.

mod build;

use std::collections::HashMap;
use std::ops::Range;

pub(super) use build::outline;

use crate::model::Span;

/// The tasks and names of a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Outline {
    /// What sees what: the flow first, then one for each task.
    pub scopes: Vec<Scope>,
    /// The tasks and groups, outer ones before inner ones.
    pub tasks: Vec<Task>,
    /// The names that values have.
    pub definitions: Vec<Definition>,
    /// Where names are used.
    pub uses: Vec<Use>,
    /// The first value and the first task of each name in each scope.
    values: HashMap<(usize, String), usize>,
    beside: HashMap<(usize, String), usize>,
}

/// The flow or a task, as something that names are looked up in.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// What stands around it.
    pub parent: Option<usize>,
    /// What the tasks in it hand out.
    pub handed: Vec<(String, usize)>,
}

/// A task or group.
#[derive(Debug, Clone)]
pub(super) struct Task {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub span: Span,
    /// Where all of it stands, the name included.
    pub extent: Span,
    /// The scope that it stands in.
    pub within: usize,
    /// Its own scope.
    pub scope: usize,
    /// Its kind key.
    pub kind: Option<String>,
    /// What it says about itself.
    pub about: Option<String>,
    /// The path of the sub-flow that it is, and where it stands.
    pub sub_flow: Option<(String, Span)>,
}

/// A name that a value has.
#[derive(Debug, Clone)]
pub(super) struct Definition {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// The scope that sees it.
    pub scope: usize,
    /// What it is.
    pub origin: Origin,
}

/// What gives a value its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The store, declared as is written at that place.
    Store(Span),
    /// A task, by its number.
    Task(usize),
    /// A retry or a matrix.
    Variable,
}

/// A use of a name.
#[derive(Debug, Clone)]
pub(super) struct Use {
    /// The name.
    pub name: String,
    /// Where it stands.
    pub span: Span,
    /// From where it is looked up.
    pub scope: usize,
    /// What it names.
    pub of: Named,
}

/// What a use names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    /// A value.
    Value,
    /// A task.
    Task,
}

/// What stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    /// A task, by its number.
    Task(usize),
    /// The name of a value, by its number.
    Value(usize),
}

impl Outline {
    /// What is named at a byte, and where exactly.
    pub(super) fn at(&self, byte: usize) -> Option<(Symbol, Span)> {
        let here = |span: &Span| touches(span.range(), byte);
        if let Some(at) = self.tasks.iter().position(|task| here(&task.span)) {
            return Some((Symbol::Task(at), self.tasks[at].span));
        }
        if let Some(at) = self.definitions.iter().position(|one| here(&one.span)) {
            return Some((Symbol::Value(at), self.definitions[at].span));
        }
        let found = self.uses.iter().find(|one| here(&one.span))?;
        Some((self.resolve(found)?, found.span))
    }

    /// What a use names.
    pub(super) fn resolve(&self, found: &Use) -> Option<Symbol> {
        match found.of {
            Named::Value => self.value(found.scope, &found.name).map(Symbol::Value),
            Named::Task => self.task(found.scope, &found.name).map(Symbol::Task),
        }
    }

    /// The value that a name means in a scope: what is nearest.
    pub(super) fn value(&self, scope: usize, name: &str) -> Option<usize> {
        self.around(scope).find_map(|scope| {
            let own = self.values.get(&(scope, name.to_owned())).copied();
            own.or_else(|| self.handed(scope, name))
        })
    }

    /// The task that a name means in a scope: one beside, or beside a group around.
    pub(super) fn task(&self, scope: usize, name: &str) -> Option<usize> {
        self.around(scope)
            .find_map(|scope| self.beside.get(&(scope, name.to_owned())).copied())
    }

    /// The names that can be used in a scope, each with its definition; the nearest first.
    pub(super) fn visible(&self, scope: usize) -> Vec<(&str, usize)> {
        let mut seen: Vec<(&str, usize)> = Vec::new();
        for scope in self.around(scope) {
            let own = self.definitions.iter().filter(|one| one.scope == scope);
            let handed = self.scopes[scope].handed.iter();
            let names = own
                .map(|one| one.name.as_str())
                .chain(handed.map(|(name, _)| name.as_str()));
            for name in names {
                if !seen.iter().any(|(known, _)| *known == name)
                    && let Some(definition) = self.value(scope, name)
                {
                    seen.push((name, definition));
                }
            }
        }
        seen
    }

    /// Every place at which the symbol is named, its definition first.
    pub(super) fn places(&self, symbol: Symbol) -> Vec<Span> {
        let definition = match symbol {
            Symbol::Task(at) => self.tasks[at].span,
            Symbol::Value(at) => self.definitions[at].span,
        };
        let uses = self
            .uses
            .iter()
            .filter(|one| self.resolve(one) == Some(symbol));
        let mut places: Vec<Span> = [definition]
            .into_iter()
            .chain(uses.map(|one| one.span))
            .collect();
        places.dedup();
        places
    }

    /// The innermost task at a byte.
    pub(super) fn task_at(&self, byte: usize) -> Option<usize> {
        self.tasks
            .iter()
            .rposition(|task| touches(task.extent.range(), byte))
    }

    /// The scopes from this one outwards.
    fn around(&self, scope: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(scope), |scope| self.scopes.get(*scope)?.parent)
    }

    /// What a group in a scope hands out: what a task in it provides, perhaps one in a group of its own.
    fn handed(&self, scope: usize, name: &str) -> Option<usize> {
        let handed = &self.scopes.get(scope)?.handed;
        let (_, group) = handed.iter().find(|(handed, _)| handed == name)?;
        let own = self.values.get(&(*group, name.to_owned())).copied();
        own.filter(|at| self.definitions[*at].origin != Origin::Variable)
            // Groups lie inside of each other: this ends.
            .or_else(|| self.handed(*group, name))
    }
}

fn touches(range: Range<usize>, byte: usize) -> bool {
    range.start <= byte && byte <= range.end
}
