//! The tree of a job's tasks, with where each of them stands.
//!
//! A plan and its progress enter, lines leave: as many as there is room for. What is done folds first.

use super::line::{BOLD, CYAN, DIM, GREEN, Line, MAGENTA, PLAIN, RED, YELLOW};
use super::progress::{Progress, Tally, shown};
use super::words::took;
use crate::compile::{AtomKind, Plan};
use crate::model::{AtomId, AtomState, FlowState, ScopeId, Timestamp};
use anstyle::Style;

const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// The tasks and groups of a plan, nested as the flow nests them.
#[derive(Debug, Clone)]
pub struct Tree {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
enum Node {
    Task(AtomId),
    Group(ScopeId, Vec<Node>),
}

/// How the tree is to look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The instant at which it is looked at.
    pub now: Timestamp,
    /// At most so many lines.
    pub height: usize,
    /// How wide a name may be before it is cut.
    pub names: usize,
    /// States as words in a column of their own.
    pub words: bool,
    /// Which picture of the spinner to show; none where nothing moves.
    pub frame: Option<usize>,
}

/// A line to be: cheap to make, so that they can be counted first.
#[derive(Debug, Clone, Copy)]
enum Row {
    Task {
        depth: usize,
        atom: AtomId,
    },
    Group {
        depth: usize,
        scope: ScopeId,
    },
    Several {
        depth: usize,
        quiet: Quiet,
        count: usize,
    },
}

/// Tasks of which there is nothing to tell one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quiet {
    Done,
    Undone,
    Waiting,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fold {
    Nothing,
    QuietGroups,
    QuietTasks,
}

impl Tree {
    /// The tree of a plan.
    #[must_use]
    pub fn of(plan: &Plan) -> Self {
        let mut next = plan.scope(ScopeId::FLOW).first.0;
        let end = plan.scope(ScopeId::FLOW).end.0;
        Self {
            nodes: nodes(plan, ScopeId::FLOW, &mut next, end),
        }
    }

    /// The tree's lines, below the flow's own.
    #[must_use]
    pub fn lines(
        &self,
        progress: &Progress,
        output: &dyn Fn(&str) -> Option<String>,
        look: Look,
    ) -> Vec<Line> {
        let mut rows = Vec::new();
        for fold in [Fold::Nothing, Fold::QuietGroups, Fold::QuietTasks] {
            rows.clear();
            collect(&self.nodes, progress, fold, 0, &mut rows);
            if rows.len() <= look.height {
                break;
            }
        }
        let left_out = rows.len().saturating_sub(look.height);
        if left_out > 0 {
            rows.truncate(look.height.saturating_sub(1));
        }
        let names: Vec<Line> = rows
            .iter()
            .map(|row| name(progress, *row, look).fit(look.names))
            .collect();
        let wide = names.iter().map(Line::width).max().unwrap_or(0);
        let mut lines: Vec<Line> = rows
            .into_iter()
            .zip(names)
            .map(|(row, mut line)| {
                line.pad_to(wide + 2);
                details(progress, row, look, output, &mut line);
                line
            })
            .collect();
        if left_out > 0 {
            lines.push(Line::new().with(DIM, format!("  … {} more", left_out + 1)));
        }
        lines
    }
}

fn nodes(plan: &Plan, within: ScopeId, next: &mut u32, end: u32) -> Vec<Node> {
    let mut found = Vec::new();
    while *next < end {
        let atom = AtomId(*next);
        match child_group(plan, within, plan.atom(atom).scope) {
            Some(group) => {
                let end = plan.scope(group).end.0;
                let inner = nodes(plan, group, next, end);
                found.push(Node::Group(group, inner));
            }
            None => {
                *next += 1;
                match plan.atom(atom).kind {
                    AtomKind::Task(_) => found.push(Node::Task(atom)),
                    AtomKind::Retry(_) | AtomKind::Start | AtomKind::End => {}
                }
            }
        }
    }
    found
}

/// The group directly within `within` in which `scope` stands, if it is in one.
fn child_group(plan: &Plan, within: ScopeId, scope: ScopeId) -> Option<ScopeId> {
    let mut group = None;
    let mut at = scope;
    while at != within {
        if plan.scope(at).group {
            group = Some(at);
        }
        at = plan.scope(at).parent?;
    }
    group
}

fn collect(nodes: &[Node], progress: &Progress, fold: Fold, depth: usize, rows: &mut Vec<Row>) {
    let mut quiet = [(Quiet::Done, 0), (Quiet::Undone, 0), (Quiet::Waiting, 0)];
    let at = rows.len();
    for node in nodes {
        match node {
            Node::Task(atom) => {
                match quiet_task(progress, *atom).filter(|_| fold >= Fold::QuietTasks) {
                    Some(what) => {
                        for (which, count) in &mut quiet {
                            *count += usize::from(*which == what);
                        }
                    }
                    None => rows.push(Row::Task { depth, atom: *atom }),
                }
            }
            Node::Group(scope, inner) => {
                rows.push(Row::Group {
                    depth,
                    scope: *scope,
                });
                if fold < Fold::QuietGroups || quiet_group(progress.tally(*scope)).is_none() {
                    collect(inner, progress, fold, depth + 1, rows);
                }
            }
        }
    }
    let mut several = quiet
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(quiet, count)| Row::Several {
            depth,
            quiet,
            count,
        });
    if let Some(Row::Several {
        quiet: Quiet::Waiting,
        ..
    }) = several.clone().next()
    {
        rows.extend(several);
    } else if let Some(first) = several.next() {
        rows.insert(at, first);
        rows.extend(several);
    }
}

fn quiet_task(progress: &Progress, atom: AtomId) -> Option<Quiet> {
    match progress.row(atom).state {
        AtomState::Success | AtomState::Ignore => Some(Quiet::Done),
        AtomState::Reverted => Some(Quiet::Undone),
        AtomState::Pending if !retries(progress, atom) => Some(Quiet::Waiting),
        AtomState::Pending
        | AtomState::Running
        | AtomState::Failure
        | AtomState::Reverting
        | AtomState::RevertFailure
        | AtomState::Interrupted
        | AtomState::Retrying => None,
    }
}

fn quiet_group(tally: Tally) -> Option<Quiet> {
    match tally.tasks {
        all if all == tally.done + tally.skipped => Some(Quiet::Done),
        all if all == tally.pending => Some(Quiet::Waiting),
        all if all == tally.reverted + tally.pending => Some(Quiet::Undone),
        _ => None,
    }
}

/// Whether the task waits for its next attempt.
fn retries(progress: &Progress, task: AtomId) -> bool {
    progress
        .own_controller(task)
        .is_some_and(|controller| progress.row(controller).state == AtomState::Retrying)
}

/// A state's colour and symbol.
#[must_use]
pub fn symbol(state: AtomState, frame: Option<usize>) -> (Style, &'static str) {
    let turning = |still| frame.map_or(still, |frame| SPINNER[frame % SPINNER.len()]);
    match state {
        AtomState::Pending => (DIM, "·"),
        AtomState::Running => (CYAN, turning("▶")),
        AtomState::Success => (GREEN, "✓"),
        AtomState::Failure => (RED, "✗"),
        AtomState::Reverting => (YELLOW, turning("↶")),
        AtomState::Reverted => (YELLOW, "↶"),
        AtomState::RevertFailure => (MAGENTA, "!"),
        AtomState::Ignore => (DIM, "-"),
        AtomState::Interrupted => (MAGENTA, "?"),
        AtomState::Retrying => (YELLOW, "↻"),
    }
}

/// A flow's state as that of an atom, for its colour and symbol.
#[must_use]
pub fn flow_symbol(state: FlowState, frame: Option<usize>) -> (Style, &'static str) {
    match state {
        FlowState::Pending => symbol(AtomState::Pending, frame),
        FlowState::Running => symbol(AtomState::Running, frame),
        FlowState::Reverting => symbol(AtomState::Reverting, frame),
        FlowState::Suspended => (YELLOW, "‖"),
        FlowState::Success => symbol(AtomState::Success, frame),
        FlowState::Reverted => symbol(AtomState::Failure, frame),
        FlowState::Stuck => symbol(AtomState::RevertFailure, frame),
        FlowState::Abandoned => (MAGENTA, "✗"),
    }
}

fn name(progress: &Progress, row: Row, look: Look) -> Line {
    let indent = |depth: usize| Line::new().with(PLAIN, "  ".repeat(depth + 1));
    match row {
        Row::Task { depth, atom } => {
            let state = if retries(progress, atom) {
                AtomState::Retrying
            } else {
                progress.row(atom).state
            };
            let (style, symbol) = symbol(state, look.frame);
            let quiet = matches!(state, AtomState::Pending | AtomState::Ignore);
            indent(depth).with(style, symbol).with(PLAIN, " ").with(
                if quiet { DIM } else { PLAIN },
                last(&progress.plan.atom(atom).name),
            )
        }
        Row::Group { depth, scope } => {
            let (style, symbol) = symbol(group_state(progress.tally(scope)), look.frame);
            indent(depth)
                .with(style, symbol)
                .with(PLAIN, " ")
                .with(BOLD, last(&progress.plan.scope(scope).name))
        }
        Row::Several {
            depth,
            quiet,
            count,
        } => {
            let (state, word) = match quiet {
                Quiet::Done => (AtomState::Success, "done"),
                Quiet::Undone => (AtomState::Reverted, "undone"),
                Quiet::Waiting => (AtomState::Pending, "waiting"),
            };
            let (style, symbol) = symbol(state, look.frame);
            indent(depth)
                .with(style, symbol)
                .with(DIM, format!(" {count} {word}"))
        }
    }
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn group_state(tally: Tally) -> AtomState {
    match tally {
        _ if tally.stuck > 0 => AtomState::RevertFailure,
        _ if tally.reverting > 0 => AtomState::Reverting,
        _ if tally.failed > 0 => AtomState::Failure,
        _ if tally.running > 0 => AtomState::Running,
        _ if tally.skipped == tally.tasks => AtomState::Ignore,
        _ if tally.done + tally.skipped == tally.tasks => AtomState::Success,
        _ if tally.reverted > 0 => AtomState::Reverted,
        _ if tally.pending == tally.tasks => AtomState::Pending,
        _ => AtomState::Running,
    }
}

fn details(
    progress: &Progress,
    row: Row,
    look: Look,
    output: &dyn Fn(&str) -> Option<String>,
    line: &mut Line,
) {
    match row {
        Row::Task { atom, .. } => task_details(progress, atom, look, output, line),
        Row::Group { scope, .. } => group_details(progress, scope, look, line),
        Row::Several { .. } => {}
    }
}

fn state_word(state: AtomState, look: Look, line: &mut Line) {
    if look.words {
        let start = line.width();
        line.push(symbol(state, None).0, state.as_str());
        line.pad_to(start + 16);
    }
}

fn time(duration: Option<String>, line: &mut Line) {
    let start = line.width();
    if let Some(text) = duration {
        line.pad_to(start + 6usize.saturating_sub(text.len()));
        line.push(DIM, text);
    }
    line.pad_to(start + 8);
}

fn task_details(
    progress: &Progress,
    atom: AtomId,
    look: Look,
    output: &dyn Fn(&str) -> Option<String>,
    line: &mut Line,
) {
    let row = progress.row(atom);
    let controller = progress.own_controller(atom);
    state_word(row.state, look, line);
    let started = row.started_at.unwrap_or(row.since);
    let duration = match row.state {
        AtomState::Running => Some(took(look.now.since(started))),
        AtomState::Success | AtomState::Failure => Some(took(row.since.since(started))),
        AtomState::Reverting => Some(took(look.now.since(row.since))),
        AtomState::Pending
        | AtomState::Reverted
        | AtomState::RevertFailure
        | AtomState::Ignore
        | AtomState::Interrupted
        | AtomState::Retrying => None,
    };
    time(duration, line);
    let mut notes = Notes(line);
    let tries = controller.map_or(0, |controller| progress.tries(controller));
    if row.attempt > 1 || tries > 1 {
        let of = controller
            .and_then(|controller| progress.limit(controller))
            .filter(|_| tries == row.attempt)
            .map_or_else(String::new, |limit| format!(" of {limit}"));
        notes.add(PLAIN, format!("attempt {}{of}", row.attempt));
    }
    if let Some((name, value)) = controller.and_then(|controller| progress.value(controller)) {
        notes.add(PLAIN, format!("{name}={}", shown(value)));
    }
    if let Some(controller) = controller.filter(|_| retries(progress, atom)) {
        let wait = progress
            .row(controller)
            .wake_at
            .map_or_else(String::new, |at| {
                format!(" in {}", took(at.since(look.now)))
            });
        notes.add(YELLOW, format!("next attempt{wait}"));
    }
    match row.state {
        AtomState::Running => {
            if let Some(until) = row.wake_at {
                notes.add(DIM, format!("{} left", took(until.since(look.now))));
            }
            if let Some(text) = output(&progress.plan.atom(atom).name) {
                notes.add(DIM, text);
            }
        }
        AtomState::Reverting => notes.add(YELLOW, "undoing"),
        AtomState::Reverted => notes.add(YELLOW, "undone"),
        AtomState::Ignore if !look.words => notes.add(DIM, "skipped"),
        AtomState::Interrupted => notes.add(MAGENTA, "interrupted: a person must decide"),
        AtomState::RevertFailure => notes.add(MAGENTA, "not undone: a person must decide"),
        AtomState::Ignore
        | AtomState::Pending
        | AtomState::Success
        | AtomState::Failure
        | AtomState::Retrying => {}
    }
    for failure in [&row.failure, &row.revert_failure].into_iter().flatten() {
        let style = if row.state == AtomState::Reverted {
            DIM
        } else {
            RED
        };
        notes.add(style, &failure.message);
    }
}

fn group_details(progress: &Progress, scope: ScopeId, look: Look, line: &mut Line) {
    let tally = progress.tally(scope);
    state_word(group_state(tally), look, line);
    time(None, line);
    let mut notes = Notes(line);
    notes.add(
        DIM,
        format!("{} of {} done", tally.done + tally.skipped, tally.tasks),
    );
    let Some(controller) = progress.plan.scope(scope).controller else {
        return;
    };
    let tries = progress.tries(controller);
    if tries > 1 {
        let of = progress
            .limit(controller)
            .map_or_else(String::new, |limit| format!(" of {limit}"));
        notes.add(PLAIN, format!("attempt {tries}{of}"));
    }
    if let Some((name, value)) = progress.value(controller) {
        notes.add(PLAIN, format!("{name}={}", shown(value)));
    }
    if progress.row(controller).state == AtomState::Retrying {
        let wait = progress
            .row(controller)
            .wake_at
            .map_or_else(String::new, |at| {
                format!(" in {}", took(at.since(look.now)))
            });
        notes.add(YELLOW, format!("next attempt{wait}"));
    }
}

/// Short remarks at the end of a line, with spaces between them.
struct Notes<'a>(&'a mut Line);

impl Notes<'_> {
    fn add(&mut self, style: Style, text: impl AsRef<str>) {
        self.0.push(style, text);
        self.0.push(PLAIN, "  ");
    }
}

/// The flow's own line: its name, the job's id, how far it is.
#[must_use]
pub fn headline(progress: &Progress, id: &str, look: Look) -> Line {
    let flow = &progress.flow;
    let (style, symbol) = flow_symbol(flow.state, look.frame);
    let tally = progress.tally(ScopeId::FLOW);
    let mut line = Line::new()
        .with(style, symbol)
        .with(PLAIN, " ")
        .with(BOLD, &progress.plan.name)
        .with(DIM, format!("  {id}  "))
        .with(style, flow.state.as_str())
        .with(PLAIN, "  ");
    match flow.state {
        FlowState::Reverting => line.push(PLAIN, format!("{} undone  ", tally.reverted)),
        FlowState::Running | FlowState::Suspended => {
            line.push(
                PLAIN,
                format!("{} of {} done  ", tally.done + tally.skipped, tally.tasks),
            );
        }
        FlowState::Pending
        | FlowState::Success
        | FlowState::Reverted
        | FlowState::Stuck
        | FlowState::Abandoned => {}
    }
    if let Some(started) = flow.started_at {
        let until = if flow.state.is_end() {
            flow.since
        } else {
            look.now
        };
        line.push(DIM, took(until.since(started)));
    }
    if let Some((controller, tries)) = progress
        .plan
        .scope(ScopeId::FLOW)
        .controller
        .map(|controller| (controller, progress.tries(controller)))
        .filter(|(_, tries)| *tries > 1)
    {
        let of = progress
            .limit(controller)
            .map_or_else(String::new, |limit| format!(" of {limit}"));
        line.push(PLAIN, format!("  attempt {tries}{of}"));
    }
    line
}
