//! What a job asks of people: which of its tasks wait for `approve` or `deny`, and what they ask.

use super::backend::Backend;
use super::line::{BOLD, DIM, Line, MAGENTA, PLAIN};
use super::progress::Progress;
use super::report::Result;
use super::source;
use super::words::typed;
use crate::model::{AtomId, AtomState, ConductorId, JobId, Phase, Waits};
use crate::ports::{Kinds, LogFilter, Request, Stream};

/// Which tasks wait for an answer.
pub struct Questions(Kinds);

impl Questions {
    /// By the kinds that this program knows.
    pub fn new() -> Self {
        Self(source::kinds(&ConductorId(String::new())))
    }

    /// The side of a task that waits for an answer now, if one does.
    pub fn side(&self, progress: &Progress, atom: AtomId) -> Option<Phase> {
        let task = progress.plan.task(atom)?;
        let (phase, action) = match progress.row(atom).state {
            AtomState::Running => (Phase::Execute, &task.execute),
            AtomState::Reverting => (Phase::Revert, &task.revert.as_ref()?.action),
            AtomState::Pending
            | AtomState::Success
            | AtomState::Failure
            | AtomState::Reverted
            | AtomState::RevertFailure
            | AtomState::Ignore
            | AtomState::Interrupted
            | AtomState::Retrying => return None,
        };
        let kind = self.0.get(&action.kind)?;
        (kind.schema().waits == Waits::Person).then_some(phase)
    }

    /// All that wait, in file order.
    fn all(&self, progress: &Progress) -> Vec<(AtomId, Phase)> {
        let tasks = progress.tasks();
        tasks
            .filter_map(|atom| Some((atom, self.side(progress, atom)?)))
            .collect()
    }
}

/// So many questions are told in full.
const TOLD: usize = 20;

/// The lines about what waits for an answer; none if nothing does.
///
/// # Errors
/// The store cannot be read.
pub async fn lines(
    backend: &Backend,
    progress: &Progress,
    requests: &[(i64, Request)],
    id: &str,
) -> Result<Vec<Line>> {
    let asking = Questions::new().all(progress);
    let mut lines = Vec::new();
    if !asking.is_empty() {
        lines.push(Line::new().with(BOLD, "waits for an answer"));
    }
    for (atom, phase) in asking.iter().take(TOLD) {
        let name = &progress.plan.atom(*atom).name;
        let mut line = Line::new().with(PLAIN, "  ").with(MAGENTA, name);
        if let Some(question) = question(backend, progress, *atom, *phase).await? {
            line.push(PLAIN, format!("  {question}"));
        }
        lines.push(line);
        let next = match answer(requests, name, progress.row(*atom).generation) {
            Some(answer) => format!("    {answer}, not carried out yet"),
            None => {
                let name = typed(name);
                format!("    jobrunner approve {id} {name}, or jobrunner deny {id} {name}")
            }
        };
        lines.push(Line::new().with(DIM, next));
    }
    if asking.len() > TOLD {
        let more = format!("  and {} more", asking.len() - TOLD);
        lines.push(Line::new().with(DIM, more));
    }
    Ok(lines)
}

/// What a task asks, for programs; `None` if it waits for no answer.
///
/// # Errors
/// The store cannot be read.
pub async fn asked(backend: &Backend, progress: &Progress) -> Result<Vec<(AtomId, String)>> {
    let mut all = Vec::new();
    for (atom, phase) in Questions::new().all(progress) {
        let question = question(backend, progress, atom, phase).await?;
        all.push((atom, question.unwrap_or_default()));
    }
    Ok(all)
}

/// What has been answered to a task and not been carried out, in words.
#[must_use]
pub fn answer(requests: &[(i64, Request)], name: &str, generation: u32) -> Option<String> {
    requests.iter().find_map(|(_, request)| match request {
        Request::Answer {
            task,
            generation: of,
            answer,
        } if task == name && *of == generation => {
            let word = if answer.approved {
                "approved"
            } else {
                "denied"
            };
            Some(format!("{word} by {}", answer.by.who))
        }
        Request::Answer { .. }
        | Request::Cancel(_)
        | Request::Suspend(_)
        | Request::Resume(_)
        | Request::Decide { .. } => None,
    })
}

/// The question as the task's log has it: rendered, and without secrets.
async fn question(
    backend: &Backend,
    progress: &Progress,
    atom: AtomId,
    phase: Phase,
) -> Result<Option<String>> {
    let job: JobId = progress.job;
    let filter = LogFilter {
        job,
        task: Some(progress.plan.atom(atom).name.clone()),
        after: 0,
        limit: 1000,
    };
    let chunks = backend.store.logs(&filter).await?;
    let attempt = progress.row(atom).attempt;
    let asked = chunks.iter().rev().find(|chunk| {
        chunk.stream == Stream::Note && chunk.attempt == attempt && chunk.phase == phase
    });
    Ok(asked.map(|chunk| {
        let text = String::from_utf8_lossy(&chunk.bytes);
        text.trim_end().replace('\n', "\n    ")
    }))
}
