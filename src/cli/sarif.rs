//! Problems as SARIF 2.1.0: what code hosts and editors show beside the lines of a change.
//!
//! The problems of some flows enter, one log with one run leaves. Only the codes that occur are in its rules.
//! Source: OASIS, Static Analysis Results Interchange Format 2.1.0.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::diagnostics::place;
use crate::explain;
use crate::model::{Bundle, Span};
use crate::syntax::{Code, Problem, Severity};

/// The problems of some flows, as they are found.
#[derive(Debug, Default)]
pub struct Log {
    rules: Vec<Code>,
    results: Vec<Value>,
    notifications: Vec<Value>,
}

impl Log {
    /// Adds the problems of a flow, which was named `flow`.
    pub fn add(&mut self, flow: &str, bundle: &Bundle, problems: &[Problem]) {
        for problem in problems {
            let rule = self.rule(problem.code);
            let mut result = json!({
                "ruleId": problem.code,
                "ruleIndex": rule,
                "level": level(problem.severity),
                "message": { "text": message(problem) },
                "locations": [location(flow, bundle, problem.span)],
            });
            if !problem.related.is_empty() {
                result["relatedLocations"] = problem
                    .related
                    .iter()
                    .enumerate()
                    .map(|(id, (span, what))| {
                        let mut place = location(flow, bundle, *span);
                        place["id"] = json!(id);
                        place["message"] = json!({ "text": what });
                        place
                    })
                    .collect();
            }
            self.results.push(result);
        }
    }

    /// Adds a flow that could not be read, and why.
    pub fn add_unreadable(&mut self, flow: &str, why: &str) {
        self.notifications.push(json!({
            "level": "error",
            "message": { "text": why },
            "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(flow) } } }],
        }));
    }

    /// The whole log.
    #[must_use]
    pub fn finish(self) -> Value {
        let rules: Vec<Value> = self.rules.iter().map(|code| rule(*code)).collect();
        json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "jobrunner",
                    "version": env!("CARGO_PKG_VERSION"),
                    "rules": rules,
                } },
                "columnKind": "unicodeCodePoints",
                "invocations": [{
                    "executionSuccessful": self.notifications.is_empty(),
                    "toolExecutionNotifications": self.notifications,
                }],
                "results": self.results,
            }],
        })
    }

    fn rule(&mut self, code: Code) -> usize {
        self.rules
            .iter()
            .position(|known| *known == code)
            .unwrap_or_else(|| {
                self.rules.push(code);
                self.rules.len() - 1
            })
    }
}

fn rule(code: Code) -> Value {
    let page = explain::page_of(code);
    json!({
        "id": code,
        "shortDescription": { "text": page.about },
        "help": { "text": page.text, "markdown": page.text },
        "defaultConfiguration": { "level": if page.warning { "warning" } else { "error" } },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// What is wrong and what to do, as sentences.
fn message(problem: &Problem) -> String {
    match &problem.help {
        Some(help) => format!("{}. {help}", problem.message),
        None => problem.message.clone(),
    }
}

fn location(flow: &str, bundle: &Bundle, span: Span) -> Value {
    let file = bundle.files.get(usize::from(span.file));
    let path = file.map_or(flow, |file| file.path.as_str());
    let mut place_of = json!({ "artifactLocation": { "uri": uri(path) } });
    if let Some(place) = file.and_then(|_| place(bundle, span)) {
        place_of["region"] = json!({
            "startLine": place.start.line,
            "startColumn": place.start.column,
            "endLine": place.end.line,
            "endColumn": place.end.column,
        });
    }
    json!({ "physicalLocation": place_of })
}

/// A path as a URI reference (RFC 3986): an absolute one with its scheme, any other relative.
fn uri(path: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'/')
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~');
    let path = path.strip_prefix("./").unwrap_or(path);
    let encoded = utf8_percent_encode(path, KEPT);
    if path.starts_with('/') {
        format!("file://{encoded}")
    } else {
        encoded.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_uri_references() {
        assert_eq!(uri("./flows/a b.flow.yaml"), "flows/a%20b.flow.yaml");
        assert_eq!(uri("/srv/ü.flow.yaml"), "file:///srv/%C3%BC.flow.yaml");
        assert_eq!(uri("c:x"), "c%3Ax");
    }
}
