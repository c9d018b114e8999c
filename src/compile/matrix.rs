//! A matrix: which copies of a task there are, with which values.
//!
//! A declaration and what is known before the flow runs enter; the values of each copy leave, or what is wrong. Copies
//! are told in the order of the file, the last name's values changing fastest.

use std::collections::HashSet;

use indexmap::IndexMap;

use super::catalog::{Reading, read_shape};
use super::expression::FUNCTIONS;
use super::uses::{Found, Spot, Use};
use crate::model::{Shape, Span, Value};
use crate::syntax::{MatrixDeclaration, Node, Problem, code};

/// The key, as places in which names are used are told by it.
pub(crate) const KEY: &str = "matrix";

/// How many copies of one task there may be, those of the matrices around it counted in.
pub(crate) const MOST: usize = 10_000;

/// How long a value may be to stand in a copy's name.
const LONGEST: usize = 40;

/// What stands in the place of values that are not known yet.
const UNKNOWN: &str = "…";

/// What is known of a name before the flow runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Known {
    /// Its value.
    Value(Value),
    /// Its value, which is another one if the flow is posted with other inputs.
    Input(Value),
    /// It is told when the flow is posted.
    WhenPosted,
    /// It is told by a task, or by nothing at all.
    Never,
}

/// One copy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Copy<'a> {
    /// Its values, by their names.
    pub values: Vec<(&'a str, Value)>,
    /// What it is called behind the task's name: `toolchain=stable, features=none`.
    pub label: String,
}

/// The copies that a matrix makes.
#[derive(Debug)]
pub(crate) struct Copies<'a> {
    /// They; one that stands for all if they are not known.
    pub copies: Vec<Copy<'a>>,
    /// Whether they depend on what the flow is posted with.
    pub depends: bool,
    /// What is wrong, if that is known already.
    pub problem: Option<Problem>,
}

/// Reads the values of one name of a matrix, and the names that they use.
pub(crate) fn axis(name: &str, node: &Node, found: &mut Found) -> Option<super::Template> {
    let reading = Reading {
        name,
        spot: Spot::Condition(KEY),
        dialect: None,
    };
    read_shape(Shape::Json, node, reading, found)
}

/// The copies of the task `path`, which stands in `around` copies itself. `posted` tells whether the inputs are known:
/// before that, what a default would do wrong is not told.
pub(crate) fn copies<'a>(
    path: &str,
    matrix: &'a MatrixDeclaration,
    around: usize,
    posted: bool,
    known: &dyn Fn(&str) -> Known,
) -> Copies<'a> {
    let mut depends = false;
    let mut axes = Vec::with_capacity(matrix.axes.len());
    let mut problem = None;
    for (name, node) in &matrix.axes {
        match values(&name.value, node, &mut depends, known) {
            Ok(Some(values)) => axes.push((name.value.as_str(), values)),
            Ok(None) => {}
            Err(first) => problem = problem.or(Some(*first)),
        }
    }
    let complete = axes.len() == matrix.axes.len();
    if complete && problem.is_none() {
        problem = too_many(path, matrix.key, &axes, around);
    }
    if depends && !posted {
        problem = None;
    }
    let copies = match complete && problem.is_none() && within(&axes, around) {
        true => combinations(&axes),
        false => vec![stand_in(matrix)],
    };
    Copies {
        copies,
        depends,
        problem,
    }
}

type Axis<'a> = (&'a str, Vec<(Value, String)>);

/// The values of one name, each with what it is called; `None` if they are not known.
fn values(
    name: &str,
    node: &Node,
    depends: &mut bool,
    known: &dyn Fn(&str) -> Known,
) -> Result<Option<Vec<(Value, String)>>, Box<Problem>> {
    let mut found = Found::default();
    let Some(template) = axis(name, node, &mut found) else {
        return Ok(None);
    };
    let mut names = IndexMap::new();
    let is_name = |used: &Use| !FUNCTIONS.contains(&used.name.as_str());
    for used in found.uses.into_iter().filter(is_name) {
        match known(&used.name) {
            Known::Value(value) => names.insert(used.name, value),
            Known::Input(value) => {
                *depends = true;
                names.insert(used.name, value)
            }
            Known::WhenPosted => {
                *depends = true;
                return Ok(None);
            }
            // That is told when names are bound.
            Known::Never => return Ok(None),
        };
    }
    if !found.problems.is_empty() {
        return Ok(None);
    }
    let wrong =
        |code, what: String, help| Err(Box::new(Problem::error(code, node.span, what).help(help)));
    match template.render(&names) {
        Ok(Value::Array(values)) if values.is_empty() => {
            let what = format!("`{name}` has no values: there would be no copy");
            wrong(code::MATRIX_EMPTY, what, "give it at least one value")
        }
        Ok(Value::Array(values)) => called(name, values, node.span).map(Some),
        Ok(value) => {
            let what = format!("`{name}` wants a list of values, and this is `{value}`");
            wrong(code::MATRIX_NO_LIST, what, "give it a list")
        }
        Err(error) => {
            let what = format!("the values of `{name}` cannot be told: {error}");
            wrong(code::MATRIX_NO_LIST, what, "give it a list")
        }
    }
}

/// What each value is called: as it is written, if that is short and plain and tells it from the others; else by its
/// place.
fn called(
    name: &str,
    values: Vec<Value>,
    span: Span,
) -> Result<Vec<(Value, String)>, Box<Problem>> {
    let mut seen = HashSet::with_capacity(values.len());
    let mut labels = HashSet::with_capacity(values.len());
    let mut all = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        if !seen.insert(value.to_string()) {
            let what = format!("`{name}` has the value `{}` twice", plain(&value));
            let problem = Problem::error(code::MATRIX_TWICE, span, what);
            let help = "a matrix makes one copy for each value: leave one out";
            return Err(Box::new(problem.help(help)));
        }
        let label = plain(&value);
        let fits = (1..=LONGEST).contains(&label.chars().count())
            && label
                .chars()
                .all(|c| c.is_alphanumeric() || "._-+:/@".contains(c));
        let label = match fits && labels.insert(label.clone()) {
            true => label,
            false => format!("#{}", index + 1),
        };
        all.push((value, label));
    }
    Ok(all)
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn count(axes: &[Axis<'_>]) -> usize {
    let counts = axes.iter().map(|(_, values)| values.len());
    counts.fold(1, usize::saturating_mul)
}

fn within(axes: &[Axis<'_>], around: usize) -> bool {
    count(axes).saturating_mul(around) <= MOST
}

fn too_many(path: &str, key: Span, axes: &[Axis<'_>], around: usize) -> Option<Problem> {
    if within(axes, around) {
        return None;
    }
    let own = count(axes);
    let how_many = match around {
        1 => format!("{own} copies"),
        _ => format!(
            "{own} copies in each of {around}: {}",
            own.saturating_mul(around)
        ),
    };
    let what = format!("`{path}` would have {how_many}; there may be {MOST} of a task at most");
    let help = "give it fewer values, or let one task work through several of them";
    Some(Problem::error(code::MATRIX_TOO_LARGE, key, what).help(help))
}

fn combinations<'a>(axes: &[Axis<'a>]) -> Vec<Copy<'a>> {
    let mut copies = vec![Copy {
        values: Vec::new(),
        label: String::new(),
    }];
    for (name, values) in axes {
        let mut longer = Vec::with_capacity(copies.len() * values.len());
        for copy in &copies {
            for (value, label) in values {
                let mut copy = copy.clone();
                copy.values.push((name, value.clone()));
                add(&mut copy.label, name, label);
                longer.push(copy);
            }
        }
        copies = longer;
    }
    copies
}

/// The copy that stands for all.
fn stand_in(matrix: &MatrixDeclaration) -> Copy<'_> {
    let mut copy = Copy {
        values: Vec::new(),
        label: String::new(),
    };
    for (name, _) in &matrix.axes {
        copy.values.push((&name.value, Value::Null));
        add(&mut copy.label, &name.value, UNKNOWN);
    }
    copy
}

fn add(to: &mut String, name: &str, label: &str) {
    if !to.is_empty() {
        to.push_str(", ");
    }
    to.push_str(name);
    to.push('=');
    to.push_str(label);
}
