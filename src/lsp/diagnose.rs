//! Problems as an editor shows them.

use lsp_types::{
    Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location, NumberOrString, Range,
};

use super::document::Document;
use crate::model::{Bundle, Span};
use crate::syntax::{Problem, Severity};

/// What is wrong with an open file. What is wrong in another file that belongs to it is shown at its beginning.
pub(super) fn diagnostics(
    document: &Document,
    bundle: &Bundle,
    problems: &[Problem],
) -> Vec<Diagnostic> {
    problems
        .iter()
        .map(|problem| diagnostic(document, bundle, problem))
        .collect()
}

fn diagnostic(document: &Document, bundle: &Bundle, problem: &Problem) -> Diagnostic {
    let elsewhere = bundle
        .files
        .get(usize::from(problem.span.file))
        .filter(|_| problem.span.file != 0);
    let mut message = problem.message.clone();
    if let Some(file) = elsewhere {
        message = format!("in `{}`: {message}", file.path);
    }
    if !problem.label.is_empty() {
        message.push_str(&format!(" ({})", problem.label));
    }
    if let Some(help) = &problem.help {
        message.push_str(&format!("\n{help}"));
    }
    let related: Vec<_> = problem
        .related
        .iter()
        .filter(|(span, _)| span.file == 0)
        .map(|(span, what)| DiagnosticRelatedInformation {
            location: Location::new(document.uri.clone(), document.text.place(*span)),
            message: what.clone(),
        })
        .collect();
    Diagnostic {
        range: place(document, problem.span),
        severity: Some(match problem.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(problem.code.to_string())),
        source: Some("jobrunner".to_owned()),
        message,
        related_information: (!related.is_empty()).then_some(related),
        ..Diagnostic::default()
    }
}

fn place(document: &Document, span: Span) -> Range {
    if span.file == 0 {
        document.text.place(span)
    } else {
        Range::default()
    }
}
