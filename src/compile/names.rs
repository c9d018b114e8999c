//! Names: who provides what, what a name stands for where it is used, and what is wrong with it.
//!
//! The names that were gathered enter; bindings leave, and the links between tasks that they make. Names are looked
//! up from the inside out: the retry variable, what the tasks beside it provide, what stands around it, the store.

mod open;
mod provide;
mod resolve;
mod suggest;
mod tasks;
mod unknown;

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

pub(crate) use resolve::{ALWAYS, From};
pub(crate) use suggest::Suggestions;

use super::layout::Layout;
use super::uses::Outer;
use super::{Binding, Computed, Origin};
use crate::model::{AtomId, Declared, SecretSource, Span};
use crate::syntax::{FlowDeclaration, Problem};

/// Who provides a name within a body.
#[derive(Debug, Clone)]
pub(crate) struct Provider {
    /// The member of the body.
    pub member: usize,
    /// The task, which may stand deep inside of it; the first copy's, if a matrix makes several.
    pub task: usize,
    /// Where the value comes from.
    pub origin: Origin,
    /// Where the name is written in the member.
    pub span: Span,
}

/// Why one member comes before another in its body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// `needs`.
    Needs,
    /// It stands before it in a list.
    List,
    /// It provides a name that is used.
    Uses,
    /// It provides a name that a revert uses.
    RevertUses,
}

/// One member of a body comes before another.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// The one before.
    pub from: usize,
    /// The one after.
    pub to: usize,
    /// The task of it, or in it, that asks for that.
    pub consumer: usize,
    /// The name that goes along.
    pub name: Option<String>,
    /// Where it is asked for.
    pub span: Span,
    /// Why.
    pub why: Why,
}

/// All that is known of a flow's names.
#[derive(Debug)]
pub(crate) struct Names<'a> {
    pub flow: &'a FlowDeclaration,
    pub layout: &'a Layout<'a>,
    /// The places of names in large stores, by where these are in memory.
    indexes: HashMap<usize, HashMap<&'a str, usize>>,
    /// What the names of each frame stand for; of the flow's own, that is told by the store.
    args: Vec<Vec<Option<Arg>>>,
    /// The values that are made of others.
    pub computed: Vec<Computed>,
    /// Those of them that are made only when a task runs.
    late: HashSet<u32>,
    /// Where secrets are read from that nothing gives to sub-flows.
    pub inner_secrets: IndexMap<String, (SecretSource, Declared)>,
    /// What texts outside of sub-flows and task kinds are called inside.
    outer: HashMap<Outer, Binding>,
    /// What each body's members provide.
    provided: Vec<IndexMap<&'a str, Provider>>,
    /// What the copies of a matrix provide, each for itself.
    own: HashMap<(usize, &'a str), Provider>,
    /// The lists that the copies of matrices provide together.
    pub lists: Vec<Vec<Origin>>,
    /// Which members come before which.
    pub links: Vec<Link>,
    /// From controllers to what uses their variables.
    pub variables: Vec<(AtomId, AtomId, &'a str)>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// By where the store is in memory, and the place in it.
    used_store: HashSet<(usize, usize)>,
    used_provided: HashSet<(usize, &'a str)>,
    used_controllers: HashSet<AtomId>,
    suggestions: Suggestions,
}

/// What a name stands for.
#[derive(Debug, Clone)]
struct Meaning {
    origin: Origin,
    link: Option<(Provider, usize)>,
    /// Where a sub-flow or a task kind is given it.
    given: Option<Span>,
}

/// What a name of a sub-flow or a parameter of a task kind stands for.
type Arg = Origin;
