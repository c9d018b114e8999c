//! A plan as a drawing for Graphviz (the DOT language, <https://graphviz.org/doc/info/lang.html>).
//!
//! Scopes are clusters, edges that carry data have the names on them, retry controllers are drawn, the gates of
//! groups are dots, and what has a condition is dashed. With the states of a job, these are the colours.

use std::fmt::Write as _;

use petgraph::visit::EdgeRef;

use super::expression::shorten;
use super::tree::{Item, describe, items, last_part, retry_of};
use super::{AtomKind, Plan};
use crate::model::{AtomId, AtomState, ScopeId, format_duration};

const HEAD: &str = r##"  graph [compound=true, fontname="Helvetica", fontsize=13, labelloc=t, nodesep=0.35, ranksep=0.42, pad=0.25, bgcolor="white"];
  node [shape=box, style="rounded,filled", fillcolor="white", color="#52637a", penwidth=1.1, fontname="Helvetica", fontsize=11, fontcolor="#1c2733", margin="0.17,0.08", height=0.4];
  edge [color="#93a1b3", penwidth=1.1, arrowsize=0.65, fontname="Helvetica", fontsize=9, fontcolor="#2f5d9b"];
"##;

/// The drawing of a plan. `state` tells the state of each atom of a job; without it, nothing is coloured.
#[must_use]
pub fn dot(plan: &Plan, state: Option<&dyn Fn(AtomId) -> AtomState>) -> String {
    let mut drawing = Drawing {
        plan,
        state,
        items: items(plan),
        text: String::new(),
    };
    let mut notes = Vec::new();
    notes.extend(plan.about.as_deref().map(escape));
    notes.extend(
        plan.timeout
            .map(|timeout| format!("timeout {}", format_duration(timeout))),
    );
    let label = lines(&format!("<b>{}</b>", escape(&plan.name)), &notes);
    writeln!(drawing.text, "digraph {} {{", quoted(&plan.name)).expect(MEMORY);
    drawing.text.push_str(HEAD);
    writeln!(drawing.text, "  label=<{label}>;").expect(MEMORY);
    drawing.scope(ScopeId::FLOW, "  ");
    drawing.edges();
    drawing.text.push_str("}\n");
    drawing.text
}

const MEMORY: &str = "writing to memory cannot fail";

struct Drawing<'p> {
    plan: &'p Plan,
    state: Option<&'p dyn Fn(AtomId) -> AtomState>,
    items: Vec<Vec<Item>>,
    text: String,
}

impl Drawing<'_> {
    fn scope(&mut self, id: ScopeId, indent: &str) {
        let plan = self.plan;
        let scope = plan.scope(id);
        for gate in [scope.first, AtomId(scope.end.0.saturating_sub(1))] {
            let own = plan
                .atoms
                .get(gate.index())
                .is_some_and(|atom| atom.scope == id);
            if own && is_gate(&plan.atom(gate).kind) {
                self.gate(gate, indent);
            }
        }
        match scope.controller {
            Some(controller) if !self.is_dot(controller) => self.controller(controller, indent),
            // Nobody wrote it: it is there to let what fails in the scope be.
            Some(controller) => self.gate(controller, indent),
            None => {}
        }
        for item in std::mem::take(&mut self.items[id.index()]) {
            match item {
                Item::Task(task) => self.task(task, indent),
                Item::Scope(inner) => self.cluster(inner, indent),
            }
        }
    }

    fn gate(&mut self, id: AtomId, indent: &str) {
        let dot = r##"shape=point, width=0.07, height=0.07, style=filled, fillcolor="#93a1b3", color="#93a1b3", label="""##;
        writeln!(self.text, "{indent}n{} [{dot}];", id.0).expect(MEMORY);
    }

    /// Whether an atom is drawn as a mere dot: the gate of a group, or a controller that no author wrote.
    fn is_dot(&self, id: AtomId) -> bool {
        match self.plan.atom(id).kind {
            AtomKind::Retry(_) => retry_of(self.plan, id).is_none(),
            AtomKind::Task(_) | AtomKind::Start | AtomKind::End => {
                is_gate(&self.plan.atom(id).kind)
            }
        }
    }

    fn cluster(&mut self, id: ScopeId, indent: &str) {
        let plan = self.plan;
        let scope = plan.scope(id);
        if !scope.group && scope.controller.is_none_or(|it| self.is_dot(it)) {
            // Around one task that is not retried, a frame says nothing.
            self.scope(id, indent);
            return;
        }
        writeln!(self.text, "{indent}subgraph cluster_{} {{", id.0).expect(MEMORY);
        let inner = format!("{indent}  ");
        if scope.group {
            let mut notes = Vec::new();
            notes.extend(
                scope
                    .when
                    .as_ref()
                    .map(|when| format!("when {}", escape(&shorten(&when.text)))),
            );
            notes.extend(
                scope
                    .timeout
                    .map(|timeout| format!("timeout {}", format_duration(timeout))),
            );
            notes.extend(
                scope
                    .max_parallel
                    .map(|limit| format!("at most {limit} at once")),
            );
            notes.extend(scope.allow_failure.then(|| "may fail".to_owned()));
            let name = format!("<b>{}</b>", escape(last_part(&scope.name)));
            let label = left(lines(&name, &notes));
            let style = if scope.when.is_some() {
                "rounded,filled,dashed"
            } else {
                "rounded,filled"
            };
            writeln!(
                self.text,
                r##"{inner}label=<{label}>; labeljust=l; fontsize=11; fontcolor="#1c2733"; style="{style}"; fillcolor="#f3f6f9"; color="#b4c0cd"; margin=12;"##
            )
            .expect(MEMORY);
        } else {
            writeln!(
                self.text,
                r##"{inner}label=""; style="rounded"; color="#dcb86a"; margin=7;"##
            )
            .expect(MEMORY);
        }
        self.scope(id, &inner);
        writeln!(self.text, "{indent}}}").expect(MEMORY);
    }

    fn controller(&mut self, id: AtomId, indent: &str) {
        let Some(retry) = retry_of(self.plan, id) else {
            return;
        };
        let text = describe(retry);
        let colour = match self.state.map(|state| state(id)) {
            None | Some(AtomState::Pending) => "#fdf3d8",
            Some(state) => fill(state),
        };
        writeln!(
            self.text,
            r##"{indent}n{} [label=<{}>, shape=ellipse, style=filled, fillcolor="{colour}", color="#c79a35", fontsize=9.5, margin="0.08,0.03", height=0.3];"##,
            id.0,
            escape(&text)
        )
        .expect(MEMORY);
    }

    fn task(&mut self, id: AtomId, indent: &str) {
        let plan = self.plan;
        let atom = plan.atom(id);
        let Some(task) = plan.task(id) else { return };
        let mut notes = vec![escape(task.kind())];
        notes.extend(
            task.when
                .as_ref()
                .map(|when| format!("when {}", escape(&shorten(&when.text)))),
        );
        let mut marks = Vec::new();
        marks.extend(
            task.timeout
                .map(|timeout| format!("timeout {}", format_duration(timeout))),
        );
        marks.extend(task.allow_failure.then(|| "may fail".to_owned()));
        marks.extend(task.revert.is_some().then(|| "with revert".to_owned()));
        if !marks.is_empty() {
            notes.push(marks.join(", "));
        }
        let state = self.state.map(|state| state(id));
        notes.extend(
            state
                .filter(|state| *state != AtomState::Pending)
                .map(|state| state.to_string()),
        );
        let label = lines(&escape(last_part(&atom.name)), &notes);
        let mut style = String::new();
        if task.when.is_some() {
            style.push_str(", style=\"rounded,filled,dashed\"");
        }
        if let Some(state) = state {
            write!(style, ", fillcolor=\"{}\"", fill(state)).expect(MEMORY);
        }
        let tip = quoted(task.about.as_deref().unwrap_or(&atom.name));
        writeln!(
            self.text,
            "{indent}n{} [label=<{label}>, tooltip={tip}{style}];",
            id.0
        )
        .expect(MEMORY);
    }

    fn edges(&mut self) {
        let plan = self.plan;
        for edge in plan.graph.edge_references() {
            let (from, to) = (plan.graph[edge.source()], plan.graph[edge.target()]);
            let mut style = Vec::new();
            if !edge.weight().is_empty() {
                style.push(format!(
                    "label={}",
                    quoted(&format!(" {} ", edge.weight().join(", ")))
                ));
                style.push("color=\"#5b86bd\"".to_owned());
            }
            if self.is_dot(to) {
                style.push("arrowhead=none".to_owned());
            }
            let style = match style.is_empty() {
                true => String::new(),
                false => format!(" [{}]", style.join(", ")),
            };
            writeln!(self.text, "  n{} -> n{}{style};", from.0, to.0).expect(MEMORY);
        }
    }
}

fn is_gate(kind: &AtomKind) -> bool {
    match kind {
        AtomKind::Start | AtomKind::End => true,
        AtomKind::Task(_) | AtomKind::Retry(_) => false,
    }
}

/// The colour of a state.
fn fill(state: AtomState) -> &'static str {
    match state {
        AtomState::Pending => "#ffffff",
        AtomState::Running => "#cfe3ff",
        AtomState::Success => "#d3f0d6",
        AtomState::Failure => "#ffd0cc",
        AtomState::Reverting => "#ffe1bd",
        AtomState::Reverted => "#e3d9f2",
        AtomState::RevertFailure => "#f59a91",
        AtomState::Ignore => "#e8ebee",
        AtomState::Interrupted => "#f3c9e4",
        AtomState::Retrying => "#fff2b3",
    }
}

/// A label of a first line and smaller ones.
fn lines(first: &str, notes: &[String]) -> String {
    let mut label = first.to_owned();
    for note in notes {
        write!(
            label,
            "<br/><font point-size=\"9\" color=\"#5d6c7e\">{note}</font>"
        )
        .expect(MEMORY);
    }
    label
}

/// A label whose lines begin at the left.
fn left(label: String) -> String {
    label.replace("<br/>", "<br align=\"left\"/>") + "<br align=\"left\"/>"
}

/// Text in a label of HTML's kind.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text in double quotes.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
