//! Frames: where names end. A flow, a sub-flow and a task of a kind each have a store of their own, and see nothing
//! of what is around them but what they are given.
//!
//! Declarations enter; what is known of a name before the flow runs leaves. No other name is looked up here.

use indexmap::IndexMap;

use super::expression::FUNCTIONS;
use super::given::{self, Given, Store};
use super::matrix::Known;
use super::uses::{Found, Use};
use crate::model::Value;

/// A store and what it is given.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    /// What it is called: the flow's name, or the task kind's.
    pub name: &'a str,
    /// What its names are called together: `store`, `params`.
    pub what: &'static str,
    /// Its names.
    pub store: &'a Store,
    /// What is written for each of them.
    pub given: Given<'a>,
    /// The frame in which that is written, and the values of copies that can be seen there; `None` for the flow.
    pub outer: Option<(usize, Vec<(&'a str, Value)>)>,
}

/// All frames of a flow; the first is its own.
#[derive(Debug)]
pub(crate) struct Frames<'a> {
    all: Vec<Frame<'a>>,
    /// The inputs, if the flow is posted.
    inputs: Option<&'a IndexMap<String, Value>>,
}

impl<'a> Frames<'a> {
    /// The frame of a flow.
    pub fn new(
        name: &'a str,
        store: &'a Store,
        inputs: Option<&'a IndexMap<String, Value>>,
    ) -> Self {
        Self {
            all: vec![Frame {
                name,
                what: "store",
                store,
                given: Given::new(),
                outer: None,
            }],
            inputs,
        }
    }

    /// Another frame.
    pub fn add(&mut self, frame: Frame<'a>) -> usize {
        self.all.push(frame);
        self.all.len() - 1
    }

    /// The frame of that place.
    pub fn at(&self, index: usize) -> &Frame<'a> {
        &self.all[index]
    }

    /// All of them, outer before inner.
    pub fn all(&self) -> &[Frame<'a>] {
        &self.all
    }

    /// Whether the flow is posted.
    pub fn posted(&self) -> bool {
        self.inputs.is_some()
    }

    /// What is known of a name in a frame, within copies of matrices with these values.
    pub fn known(&self, frame: usize, copies: &[(&'a str, Value)], name: &str) -> Known {
        if let Some((_, value)) = copies.iter().rev().find(|(known, _)| *known == name) {
            return Known::Value(value.clone());
        }
        let frame = &self.all[frame];
        let store = frame.store;
        let Some(at) = store.iter().position(|(known, _)| known.value == name) else {
            return Known::Never;
        };
        let declared = &store[at].1;
        if declared.secret {
            return Known::Never;
        }
        let default = |known: fn(Value) -> Known| declared.default.clone().map(known);
        match (&frame.outer, self.inputs) {
            (None, Some(inputs)) => inputs.get(name).cloned().map_or(Known::Never, Known::Input),
            (None, None) => default(Known::Input).unwrap_or(Known::WhenPosted),
            (Some((outer, copies)), _) => match frame.given[at] {
                None => default(Known::Value).unwrap_or(Known::Never),
                Some(node) => {
                    let mut found = Found::default();
                    let template = given::read(name, declared, node, &mut found);
                    let Some(template) = template.filter(|_| found.problems.is_empty()) else {
                        return Known::Never;
                    };
                    let mut depends = false;
                    let mut names = IndexMap::new();
                    let is_name = |used: &Use| !FUNCTIONS.contains(&used.name.as_str());
                    for used in found.uses.into_iter().filter(is_name) {
                        match self.known(*outer, copies, &used.name) {
                            Known::Value(value) => names.insert(used.name, value),
                            Known::Input(value) => {
                                depends = true;
                                names.insert(used.name, value)
                            }
                            unknown @ (Known::WhenPosted | Known::Never) => return unknown,
                        };
                    }
                    match (given::value(&template, declared, &names), depends) {
                        (Some(value), false) => Known::Value(value),
                        (Some(value), true) => Known::Input(value),
                        // That is told when it is used.
                        (None, _) => Known::Never,
                    }
                }
            },
        }
    }
}
