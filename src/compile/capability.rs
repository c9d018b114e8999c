//! Capabilities: what a conductor must be able to do, as the flow asks for it.
//!
//! Declarations enter; names with arguments as templates leave. Which conductor has them is told elsewhere, and a
//! conductor may define its own: an unknown name is a warning.

use super::catalog::{Reading, read_shape};
use super::names::{From, Names};
use super::uses::{Found, Spot};
use super::{Requirement, Template};
use crate::model::{Shape, Type, Value};
use crate::syntax::{CapabilityDeclaration, Problem, code, did_you_mean, quoted_text};

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Argument {
    /// There may be none: text, or several.
    Maybe,
    /// Text, or several.
    Words,
    /// A port, or several.
    Ports,
    /// A number of bytes.
    Size,
    /// A whole number, at least 1.
    Count,
}

/// The capabilities that every conductor knows.
const BUILT_IN: [(&str, Argument); 9] = [
    ("os", Argument::Maybe),
    ("arch", Argument::Maybe),
    ("host", Argument::Maybe),
    ("label", Argument::Maybe),
    ("has_command", Argument::Words),
    ("file_exists", Argument::Words),
    ("port_is_free", Argument::Ports),
    ("min_memory", Argument::Size),
    ("min_cpus", Argument::Count),
];

/// The names of the capabilities that every conductor knows.
pub const CAPABILITIES: [&str; BUILT_IN.len()] = {
    let mut names = [""; BUILT_IN.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = BUILT_IN[at].0;
        at += 1;
    }
    names
};

/// Reads what a flow asks of its conductor.
pub(crate) fn read(
    declared: &[CapabilityDeclaration],
    frame: usize,
    names: &mut Names<'_>,
) -> Vec<Requirement> {
    let read = declared.iter().map(|one| {
        let mut found = Found::default();
        let (name, span) = (one.name.value.as_str(), one.name.span);
        let reading = Reading {
            name,
            spot: Spot::Capability,
            dialect: None,
        };
        let argument = one
            .argument
            .as_ref()
            .and_then(|node| read_shape(Shape::Json, node, reading, &mut found));
        let known = BUILT_IN.iter().find(|(built_in, _)| *built_in == name);
        match (known, &argument) {
            (None, _) => {
                let what = format!("`{name}` is no capability that every conductor knows");
                let meant = did_you_mean(name, BUILT_IN.iter().map(|(name, _)| *name));
                found.wrong(Problem::warning(code::UNKNOWN_CAPABILITY, span, what).help(match meant {
                    Some(meant) => format!("did you mean `{meant}`? A conductor that does not know it does not have it"),
                    None => "define it in the conductor's configuration; one that does not know it does not have it".to_owned(),
                }));
            }
            (Some(_), None | Some(Template::Literal(_))) => {
                let value = match &argument {
                    Some(Template::Literal(value)) => value,
                    _ => &Value::Null,
                };
                if let Err(hint) = check(name, value) {
                    let span = one.argument.as_ref().map_or(span, |node| node.span);
                    let what = format!("`{name}` wants {hint}");
                    let problem = Problem::error(code::BAD_CAPABILITY, span, what);
                    let example = example(name);
                    found.wrong(problem.help_in(
                        format!("such as `{name}: {example}`"),
                        format!("such as `{name}({})`", in_text(example)),
                    ));
                }
            }
            (Some(_), Some(_)) => {}
        }
        names.problems.extend(found.problems);
        let needs = names.resolve(found.uses, From::Frame(frame));
        Requirement {
            name: name.to_owned(),
            argument,
            needs,
        }
    });
    read.collect()
}

/// What could be asked of a capability that is built in.
fn example(name: &str) -> &'static str {
    match name {
        "os" => "linux",
        "arch" => "x86_64",
        "has_command" => "git",
        "file_exists" => "/etc/hosts",
        "port_is_free" => "8080",
        "min_memory" => "2GiB",
        "min_cpus" => "4",
        _ => "name",
    }
}

/// An example as the text notation has it: words have quotes.
fn in_text(example: &str) -> String {
    match example.starts_with(|c: char| c.is_ascii_digit()) {
        true => example.to_owned(),
        false => quoted_text(example),
    }
}

/// Whether an argument fits a capability; if not, what it should be. Those that are not built in take anything.
pub(crate) fn check(name: &str, argument: &Value) -> Result<(), &'static str> {
    let Some((_, wanted)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) else {
        return Ok(());
    };
    let several = |fits: &dyn Fn(&Value) -> bool| match argument {
        Value::Array(items) => !items.is_empty() && items.iter().all(fits),
        single => fits(single),
    };
    let word = |value: &Value| match value {
        Value::String(text) => !text.is_empty(),
        Value::Number(_) | Value::Bool(_) => true,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    };
    let as_type = |ty: Type, value: &Value| match value {
        Value::String(text) => ty.read(text).is_ok(),
        other => ty.check(other.clone()).is_ok(),
    };
    let (fits, hint) = match wanted {
        Argument::Maybe => (
            argument.is_null() || several(&word),
            "text, a list of texts, or nothing",
        ),
        Argument::Words => (several(&word), "text, or a list of texts"),
        Argument::Ports => (
            several(&|value| as_type(Type::Port, value)),
            "a port: a number from 1 to 65535",
        ),
        Argument::Size => (
            as_type(Type::Size, argument),
            "a number of bytes, such as 2GiB",
        ),
        Argument::Count => {
            let positive = |n: &i64| *n >= 1;
            let count = match argument {
                Value::String(text) => text.parse().ok(),
                other => other.as_i64(),
            };
            (
                count.as_ref().is_some_and(positive),
                "a whole number, at least 1",
            )
        }
    };
    if fits { Ok(()) } else { Err(hint) }
}
