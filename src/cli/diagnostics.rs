//! Problems of a flow, rendered: for people with the text underlined, for programs as JSON.

use std::ops::Range;

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::json;

use super::words::count;
use crate::model::{Bundle, SourceFile, Span, Value};
use crate::syntax::{Position, Problem, Severity};

/// All problems, in the order in which they are arranged, and a line that counts them. With escape sequences for colours.
#[must_use]
pub fn render(bundle: &Bundle, problems: &[Problem]) -> String {
    let renderer = Renderer::styled().term_width(width());
    let mut text = String::new();
    for problem in problems {
        text.push_str(&renderer.render(&[group(bundle, problem)]));
        text.push_str("\n\n");
    }
    match bundle.files.first() {
        Some(file) => text.push_str(&format!("{}: {}\n", file.path, summary(problems))),
        // There is one problem, and no text: nothing to count.
        None => text.truncate(text.trim_end().len() + 1),
    }
    text
}

/// All problems as a JSON list: `severity`, `code`, `message`, `path`, `line`, `column`, `end_line`,
/// `end_column` (from 1, in characters), `label`, `help`, `related`.
#[must_use]
pub fn as_json(bundle: &Bundle, problems: &[Problem]) -> Value {
    problems
        .iter()
        .map(|problem| {
            let mut object = place_as_json(bundle, problem.span);
            object["severity"] = json!(severity(problem.severity));
            object["code"] = json!(problem.code);
            object["message"] = json!(problem.message);
            object["label"] = json!(problem.label);
            object["help"] = json!(problem.help);
            object["related"] = problem
                .related
                .iter()
                .map(|(span, label)| {
                    let mut object = place_as_json(bundle, *span);
                    object["label"] = json!(label);
                    object
                })
                .collect();
            object
        })
        .collect()
}

/// Whether any of the problems keeps the flow from being run.
#[must_use]
pub fn has_errors(problems: &[Problem]) -> bool {
    problems.iter().any(|p| p.severity == Severity::Error)
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

fn summary(problems: &[Problem]) -> String {
    let errors = problems
        .iter()
        .filter(|p| p.severity == Severity::Error)
        .count();
    let warnings = problems.len() - errors;
    let mut parts = Vec::new();
    if errors > 0 {
        parts.push(count(errors, "error"));
    }
    if warnings > 0 {
        parts.push(count(warnings, "warning"));
    }
    parts.join(", ")
}

fn group<'a>(bundle: &'a Bundle, problem: &'a Problem) -> Group<'a> {
    let level = match problem.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut group = Group::with_title(
        level
            .primary_title(&problem.message)
            .id(problem.code.as_str()),
    );
    let marks = std::iter::once((
        problem.span,
        problem.label.as_str(),
        AnnotationKind::Primary,
    ))
    .chain(
        problem
            .related
            .iter()
            .map(|(span, label)| (*span, label.as_str(), AnnotationKind::Context)),
    );
    type Mark<'a> = (Span, &'a str, AnnotationKind);
    let mut by_file: Vec<(u16, Vec<Mark>)> = Vec::new();
    for mark in marks {
        match by_file.iter_mut().find(|(file, _)| *file == mark.0.file) {
            Some((_, marks)) => marks.push(mark),
            None => by_file.push((mark.0.file, vec![mark])),
        }
    }
    for (file, marks) in by_file {
        if let Some(file) = bundle.files.get(usize::from(file)) {
            group = group.element(snippet(file, &marks));
        }
    }
    if let Some(help) = &problem.help {
        group = group.element(Level::HELP.message(help));
    }
    group
}

/// The lines around the marks, cut out of the text so that rendering does not depend on its size.
fn snippet<'a>(
    file: &'a SourceFile,
    marks: &[(Span, &'a str, AnnotationKind)],
) -> Snippet<'a, Annotation<'a>> {
    let clamped: Vec<_> = marks
        .iter()
        .map(|(span, ..)| clamp(&file.text, *span))
        .collect();
    let first = clamped.iter().map(|range| range.start).min().unwrap_or(0);
    let last = clamped.iter().map(|range| range.end).max().unwrap_or(0);
    let from = file.text[..first].rfind('\n').map_or(0, |at| at + 1);
    let to = file.text[last..]
        .find('\n')
        .map_or(file.text.len(), |at| last + at);
    Snippet::source(&file.text[from..to])
        .line_start(line_of(&file.text, from))
        .path(file.path.as_str())
        .annotations(marks.iter().zip(clamped).map(|((_, label, kind), range)| {
            let annotation = kind.span(range.start - from..range.end - from);
            if label.is_empty() {
                annotation
            } else {
                annotation.label(*label)
            }
        }))
}

/// The span within the text, on borders of characters, without the line end that it may close with.
fn clamp(text: &str, span: Span) -> Range<usize> {
    let start = text.floor_char_boundary((span.start as usize).min(text.len()));
    let end = text.ceil_char_boundary((span.end as usize).clamp(start, text.len()));
    let trimmed = text[start..end].trim_end_matches(['\n', '\r']).len();
    start..start + trimmed
}

fn line_of(text: &str, at: usize) -> usize {
    text[..at].bytes().filter(|b| *b == b'\n').count() + 1
}

/// From where to where a span goes in its file, from 1, in characters; `None` if there is no such file.
#[must_use]
pub fn place(bundle: &Bundle, span: Span) -> Option<Range<Position>> {
    let file = bundle.files.get(usize::from(span.file))?;
    let range = clamp(&file.text, span);
    let position = |at: usize| {
        let from = file.text[..at].rfind('\n').map_or(0, |at| at + 1);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Position {
            line: number(line_of(&file.text, at)),
            column: number(file.text[from..at].chars().count() + 1),
        }
    };
    Some(position(range.start)..position(range.end))
}

fn place_as_json(bundle: &Bundle, span: Span) -> Value {
    let file = bundle.files.get(usize::from(span.file));
    let Some((file, place)) = file.zip(place(bundle, span)) else {
        return json!({});
    };
    json!({
        "path": file.path,
        "line": place.start.line,
        "column": place.start.column,
        "end_line": place.end.line,
        "end_column": place.end.column,
    })
}

fn width() -> usize {
    use std::io::IsTerminal;
    if std::io::stderr().is_terminal() {
        rustix::termios::tcgetwinsize(std::io::stderr())
            .ok()
            .map(|size| usize::from(size.ws_col))
            .filter(|columns| *columns > 0)
            .unwrap_or(100)
    } else {
        140
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syntax::code;

    fn bundle() -> Bundle {
        let text = "store:\n  prot: port\ntasks:\n  a:\n    shel: echo „ü“\n".to_owned();
        Bundle {
            version: 1,
            files: vec![SourceFile {
                path: "a.flow.yaml".to_owned(),
                text,
            }],
        }
    }

    fn span(bundle: &Bundle, text: &str) -> Span {
        let start = bundle.files[0].text.find(text).unwrap();
        Span {
            file: 0,
            start: start as u32,
            end: (start + text.len()) as u32,
        }
    }

    #[test]
    fn problems_show_their_code_place_text_and_help_and_are_counted() {
        let bundle = bundle();
        let problems = [
            Problem::error(
                code::UNKNOWN_KEY,
                span(&bundle, "shel"),
                "`shel` is no kind and no key of a task",
            )
            .label("not known")
            .related(span(&bundle, "  a:"), "in this task")
            .help("did you mean `shell`?"),
            Problem::warning(
                code::UNUSED_NAME,
                span(&bundle, "prot"),
                "nothing uses `prot`",
            ),
        ];
        let text = anstream::adapter::strip_str(&render(&bundle, &problems)).to_string();
        insta::assert_snapshot!(text, @r"
        error[unknown-key]: `shel` is no kind and no key of a task
         --> a.flow.yaml:5:5
          |
        4 |   a:
          | ---- in this task
        5 |     shel: echo „ü“
          |     ^^^^ not known
          |
          = help: did you mean `shell`?

        warning[unused-name]: nothing uses `prot`
         --> a.flow.yaml:2:3
          |
        2 |   prot: port
          |   ^^^^

        a.flow.yaml: 1 error, 1 warning
        ");
        let json = as_json(&bundle, &problems);
        assert_eq!(json[0]["line"], 5);
        assert_eq!(json[0]["column"], 5);
        assert_eq!(json[0]["end_column"], 9);
        assert_eq!(json[0]["related"][0]["line"], 4);
    }

    #[test]
    fn a_span_outside_its_text_is_drawn_at_the_end_of_it() {
        let bundle = bundle();
        let far = Span {
            file: 0,
            start: 5000,
            end: 9000,
        };
        assert!(
            render(&bundle, &[Problem::error(code::CYCLE, far, "far away")]).contains("far away")
        );
    }
}
