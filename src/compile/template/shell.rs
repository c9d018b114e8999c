//! Scripts with values in them: each template becomes a parameter expansion of an environment variable.
//!
//! The text of a script enters; a script without templates leaves, with the expressions that its variables carry.
//! `{{ name }}` and `"{{ name }}"` are both exactly one word, whatever the value holds. Where a shell expands nothing,
//! or where the lexer cannot tell what it would do, a template is a problem, never a guess. No value ever becomes a
//! part of the script.

mod lexer;
mod words;

use std::ops::Range;

use indexmap::IndexMap;

use super::text::{Raw, Source};
use super::{Template, TemplateError};
use crate::compile::Expression;
use crate::compile::expression::shorten;
use crate::compile::uses::{Found, Spot};
use crate::model::Value;
use crate::syntax::{Problem, code};

/// The shells whose scripts may hold templates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// `sh`: whichever shell that is on the machine where it runs.
    Sh,
    /// dash: POSIX and little else.
    Dash,
    /// bash, ksh or zsh: with arrays, `[[ ]]`, `(( ))` and `$'…'`.
    Extended,
}

impl Dialect {
    /// The dialect of an interpreter, by the name of its program; `None` for what is no such shell.
    pub fn of(program: &str) -> Option<Self> {
        match program.rsplit('/').next().unwrap_or_default() {
            "sh" => Some(Self::Sh),
            "dash" => Some(Self::Dash),
            "bash" | "ksh" | "ksh93" | "mksh" | "zsh" => Some(Self::Extended),
            _ => None,
        }
    }
}

/// What becomes of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// `"${NAME}"`
    Word,
    /// `${NAME}`, where quotes are around it already.
    Inside,
    /// `"${NAME}"`, which must be a number.
    NumberWord,
    /// `${NAME}`, which must be a number, where quotes are around it already.
    NumberInside,
    /// `(${NAME})` in arithmetic, which must be a number.
    Number,
    /// Nothing: it stands in a comment.
    Comment,
    /// It cannot stand there.
    Refused(Refusal),
}

/// Why a template cannot stand where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// Inside single quotes.
    SingleQuotes,
    /// In a here-document whose delimiter is quoted.
    QuotedHereDocument,
    /// Behind a `$`.
    Dollar,
    /// What the shell does with it cannot be told: why, and what to write.
    Unclear(&'static str, &'static str),
}

/// Reads a script. `None` as the dialect stands for another interpreter, in whose scripts no template may stand.
pub(crate) fn read(source: Source<'_>, dialect: Option<Dialect>, found: &mut Found) -> Template {
    let raw = source.split(found);
    if dialect.is_some() && source.has_statements(&raw, found) {
        return Template::Literal("".into());
    }
    let holes: Vec<(&str, Range<usize>)> = raw
        .iter()
        .filter_map(|piece| match piece {
            Raw::Text(_) => None,
            Raw::Expression(text, range) => Some((text.as_str(), range.clone())),
        })
        .collect();
    if let (None, Some((text, range))) = (dialect, holes.first()) {
        found.wrong(
            Problem::error(
                code::TEMPLATE_IN_SCRIPT,
                source.span_of(range.clone()),
                format!("`{{{{ {text} }}}}` would become a part of the code"),
            )
            .label("in a script for another interpreter than a shell")
            .help_in(
                format!("hand the value over in the environment (`env: {{ NAME: \"{{{{ {text} }}}}\" }}`) and read it there; for two braces write `\\{{{{`"),
                format!("hand the value over in the environment (`env {{ NAME = {text} }}`) and read it there; for two braces write `\\{{{{`"),
            ),
        );
    }
    let decisions = match dialect {
        Some(dialect) if !holes.is_empty() => lexer::decide(&raw, dialect),
        Some(_) | None => vec![Decision::Comment; holes.len()],
    };
    let prefix = prefix(source.text);
    let mut script = String::new();
    let mut vars: Vec<(String, Expression, bool)> = Vec::new();
    let mut decisions = decisions.into_iter();
    for piece in &raw {
        let (text, range) = match piece {
            Raw::Text(text) => {
                script.push_str(text);
                continue;
            }
            Raw::Expression(text, range) => (text, range.clone()),
        };
        let decision = decisions
            .next()
            .expect("the lexer decides about every template");
        let (before, after, number) = match decision {
            Decision::Word => ("\"${", "}\"", false),
            Decision::Inside => ("${", "}", false),
            Decision::NumberWord => ("\"${", "}\"", true),
            Decision::NumberInside => ("${", "}", true),
            Decision::Number => ("(${", "})", true),
            // A script for another interpreter is refused as a whole, above; its names are used all the same.
            Decision::Comment if dialect.is_some() => continue,
            Decision::Comment => {
                source.expression(text, range, Spot::Value, found);
                continue;
            }
            Decision::Refused(refusal) => {
                // Braces that were never meant as a template, as in `'{{.Names}}'`, are no expression.
                let place = range.clone();
                if source.expression(text, range, Spot::Value, found).is_some() {
                    found.wrong(refused(refusal, text, source, place));
                }
                continue;
            }
        };
        let Some(expression) = source.expression(text, range, Spot::Value, found) else {
            continue;
        };
        let known = vars
            .iter()
            .position(|(_, e, n)| *e == expression && *n == number);
        let index = known.unwrap_or_else(|| {
            vars.push((format!("{prefix}{}", vars.len() + 1), expression, number));
            vars.len() - 1
        });
        script.push_str(before);
        script.push_str(&vars[index].0);
        script.push_str(after);
    }
    Template::Script { script, vars }
}

/// What the variables' names begin with: nothing that the script speaks of itself.
fn prefix(script: &str) -> String {
    let mut prefix = "JR_".to_owned();
    while script.contains(&prefix) {
        prefix.push('_');
    }
    prefix
}

fn refused(refusal: Refusal, text: &str, source: Source<'_>, range: Range<usize>) -> Problem {
    let span = source.span_of(range.clone());
    let line = source.text[..range.start].matches('\n').count() + 1;
    let begin = source.text[..range.start]
        .rfind('\n')
        .map_or(0, |at| at + 1);
    let label = match source.text.trim_end().contains('\n') {
        true => format!(
            "line {line} of the script: {}",
            shorten(&source.text[begin..])
        ),
        false => String::new(),
    };
    let text = shorten(text);
    let problem = match refusal {
        Refusal::SingleQuotes => Problem::error(
            code::TEMPLATE_IN_SINGLE_QUOTES,
            span,
            format!("`{{{{ {text} }}}}` stands in single quotes, where a shell expands nothing"),
        )
        .help(format!(
            "write double quotes, or end the single quotes before it and begin them again after it: `'…'{{{{ {text} }}}}'…'`; for two braces write `\\{{{{`"
        )),
        Refusal::QuotedHereDocument => Problem::error(
            code::TEMPLATE_IN_QUOTED_HERE_DOCUMENT,
            span,
            format!(
                "`{{{{ {text} }}}}` stands in a here-document with a quoted delimiter, where a shell expands nothing"
            ),
        )
        .help("write the delimiter without quotes (`<<EOF`), and `\\$` where a `$` is meant"),
        Refusal::Dollar => Problem::error(
            code::TEMPLATE_AFTER_DOLLAR,
            span,
            format!("a `$` stands before `{{{{ {text} }}}}`"),
        )
        .help(format!("leave the `$` out: `{{{{ {text} }}}}`")),
        Refusal::Unclear(why, instead) => Problem::error(
            code::TEMPLATE_PLACE_UNCLEAR,
            span,
            format!("what a shell does with `{{{{ {text} }}}}` here cannot be told: {why}"),
        )
        .help(instead),
    };
    problem.label(label)
}

/// The value of an expression in arithmetic: a whole number, in decimal.
pub(super) fn number(
    expression: &Expression,
    names: &IndexMap<String, Value>,
) -> Result<String, TemplateError> {
    let text = expression.text_of(names)?;
    match text.trim().parse::<i64>() {
        Ok(number) => Ok(number.to_string()),
        Err(_) => Err(TemplateError {
            0: format!(
                "the value of `{}` is not a whole number, and it stands in arithmetic",
                expression.text
            ),
        }),
    }
}

#[cfg(test)]
mod tests;
