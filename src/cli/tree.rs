//! The tree of a job's tasks, with where each of them stands.
//!
//! A plan and its progress enter, lines leave: as many as there is room for. What is done folds first.

use super::line::{BOLD, DIM, Line, PLAIN};
use super::progress::{Progress, Tally};
use super::status::{Look, group_details, group_state, retries, symbol, task_details};
use crate::compile::{self, AtomKind, Plan};
use crate::model::{AtomId, AtomState, ScopeId};

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

/// How much of the tree is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fold {
    /// Nothing.
    Nothing,
    /// Groups of which there is nothing to tell are one line.
    QuietGroups,
    /// They and the tasks of which there is nothing to tell are counted.
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
    let mut counts = [(Quiet::Done, 0), (Quiet::Undone, 0), (Quiet::Waiting, 0)];
    let mut own = Vec::new();
    for node in nodes {
        let (row, quiet, tasks) = match node {
            Node::Task(atom) => (
                Row::Task { depth, atom: *atom },
                quiet_task(progress, *atom),
                1,
            ),
            Node::Group(scope, _) => {
                let tally = progress.tally(*scope);
                (
                    Row::Group {
                        depth,
                        scope: *scope,
                    },
                    quiet_group(tally),
                    tally.tasks,
                )
            }
        };
        match (quiet, fold) {
            (Some(quiet), Fold::QuietTasks) => {
                for (_, count) in counts.iter_mut().filter(|(which, _)| *which == quiet) {
                    *count += tasks;
                }
                continue;
            }
            (_, Fold::Nothing) | (None, _) | (Some(_), Fold::QuietGroups) => own.push(row),
        }
        if let Node::Group(_, inner) = node
            && (quiet.is_none() || fold == Fold::Nothing)
        {
            collect(inner, progress, fold, depth + 1, &mut own);
        }
    }
    let [done, undone, waiting] = counts.map(|(quiet, count)| Row::Several {
        depth,
        quiet,
        count,
    });
    let some = |row: &Row| !matches!(row, Row::Several { count: 0, .. });
    rows.extend([done, undone].into_iter().filter(some));
    rows.append(&mut own);
    rows.extend(Some(waiting).filter(some));
}

fn quiet_task(progress: &Progress, atom: AtomId) -> Option<Quiet> {
    match progress.row(atom).state {
        AtomState::Success | AtomState::Ignore => Some(Quiet::Done),
        AtomState::Reverted if progress.row(atom).failure.is_none() => Some(Quiet::Undone),
        AtomState::Pending if !retries(progress, atom) => Some(Quiet::Waiting),
        AtomState::Pending
        | AtomState::Reverted
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
    compile::last_part(name)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::cli::source::check;
    use crate::model::{
        Bundle, Change, Checkpoint, Failure, FailureKind, JobId, Record, SourceFile, Subject,
        Timestamp, Value,
    };

    fn progress() -> Progress {
        let text = "tasks:\n  prepare: { shell: 'true' }\n  build:\n    tasks:\n      one: { shell: 'true' }\n      two: { shell: 'true' }\n  test: { shell: 'true', retry: { times: 3 } }\n  ship: { shell: 'true', needs: [build] }\n";
        let file = SourceFile {
            path: "a.flow.yaml".to_owned(),
            text: text.to_owned(),
        };
        let bundle = Bundle {
            version: 1,
            files: vec![file],
        };
        let (_, plan) = check(&bundle).0.unwrap();
        Progress::new(
            JobId(uuid::Uuid::nil()),
            Arc::new(plan),
            Checkpoint::default(),
        )
    }

    fn happens(progress: &mut Progress, name: &str, at: i64, change: Change) {
        let atom = progress
            .tasks()
            .find(|atom| progress.plan.atom(*atom).name == name)
            .unwrap();
        let record = Record {
            subject: Subject::Atom(atom),
            change,
            at: Timestamp(at),
        };
        progress.apply(&record);
    }

    fn drawn(progress: &Progress, height: usize) -> String {
        let look = Look {
            now: Timestamp(3_000),
            height,
            names: 20,
            words: false,
            frame: None,
        };
        let lines = Tree::of(&progress.plan).lines(progress, &|_| None, look);
        lines.iter().map(|line| line.render(false) + "\n").collect()
    }

    #[test]
    fn what_is_done_folds_before_what_runs() {
        let mut progress = progress();
        for name in ["prepare", "build.one", "build.two"] {
            happens(&mut progress, name, 0, Change::Started { until: None });
            happens(
                &mut progress,
                name,
                1_500,
                Change::Succeeded {
                    result: Value::Null.into(),
                },
            );
        }
        happens(
            &mut progress,
            "test",
            1_000,
            Change::Started { until: None },
        );
        let failure = Failure::new(FailureKind::Exit, "exited with code 1");
        happens(
            &mut progress,
            "ship",
            1_000,
            Change::Started { until: None },
        );
        happens(
            &mut progress,
            "ship",
            2_000,
            Change::Failed {
                failure: Box::new(failure),
                allowed: false,
            },
        );
        insta::assert_snapshot!(drawn(&progress, 10), @r"
        ✓ prepare    1.5s
        ✓ build            2 of 2 done
          ✓ one      1.5s
          ✓ two      1.5s
        ▶ test       2.0s
        ✗ ship       1.0s  exited with code 1
        ");
        insta::assert_snapshot!(drawn(&progress, 5), @r"
        ✓ prepare    1.5s
        ✓ build            2 of 2 done
        ▶ test       2.0s
        ✗ ship       1.0s  exited with code 1
        ");
        insta::assert_snapshot!(drawn(&progress, 3), @r"
        ✓ 3 done
        ▶ test      2.0s
        ✗ ship      1.0s  exited with code 1
        ");
        insta::assert_snapshot!(drawn(&progress, 2), @r"
        ✓ 3 done
        … 2 more
        ");
    }
}
