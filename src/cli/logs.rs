//! `logs`: what the tasks of a job put out, as it was put out.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use clap::Args;

use super::backend::Backend;
use super::config::Config;
use super::job;
use super::line::DIM;
use super::report::{Error, Exit, Result};
use super::source::plan_of;
use super::words;
use crate::compile::last_part;
use crate::model::{JobId, Phase};
use crate::ports::{LogChunk, LogFilter, Store, Stream};
use crate::syntax::did_you_mean;

/// What `logs` takes.
#[derive(Debug, Args)]
#[command(
    after_help = "Each line begins with its task (`build`), from the second attempt on with the attempt (`build#2`), \
and with `undo` for a revert (`build undo`); with TASK, lines stand as they were put out."
)]
pub struct Arguments {
    /// The beginning of the job's id
    job: String,
    /// One task alone, by its full name
    task: Option<String>,
    /// Go on until the job is at rest
    #[arg(short, long)]
    follow: bool,
}

/// So many pieces are read at a time.
const PAGE: u32 = 256;

/// Prints the log.
///
/// # Errors
/// There is no such job or task.
pub async fn run(config: &Config, arguments: Arguments) -> Result {
    let backend = Backend::open_store(config).await?;
    let store = backend.store.as_ref();
    let found = job::find(store, &arguments.job).await?;
    let loaded = job::load(store, found.id).await?;
    if let Some(task) = &arguments.task {
        let plan = plan_of(&loaded.job)?;
        let names = plan
            .atoms
            .iter()
            .filter(|atom| matches!(atom.kind, crate::compile::AtomKind::Task(_)));
        known_task(task, names.map(|atom| atom.name.as_str()))?;
    }
    let mut printer = Printer::new(arguments.task.is_none());
    let mut after = 0;
    loop {
        // Asked before the log is read: what was put out before the end is then not missed.
        let at_rest = !arguments.follow || is_at_rest(store, found.id).await?;
        after = drain(store, found.id, arguments.task.clone(), after, &mut printer).await?;
        if at_rest {
            printer.finish()?;
            return Ok(Exit::Success);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Says what was meant if there is no such task.
///
/// # Errors
/// There is no such task.
pub fn known_task<'a>(task: &str, names: impl Iterator<Item = &'a str>) -> Result<()> {
    let names: Vec<&str> = names.collect();
    if names.contains(&task) {
        return Ok(());
    }
    let said = Error::input(format!("the job has no task `{task}`"));
    // The last part of a name is what people remember.
    let inner = names.iter().find(|name| last_part(name) == task).copied();
    Err(
        match inner.or_else(|| did_you_mean(task, names.iter().copied())) {
            Some(meant) => said.help(format!("did you mean `{meant}`?")),
            None if names.len() <= 20 => said.help(format!("its tasks are {}", words::list(names))),
            None => said.help("`jobrunner show JOB` lists them"),
        },
    )
}

async fn is_at_rest(store: &dyn Store, id: JobId) -> Result<bool> {
    let found = store.find(&id.to_string(), 1).await?;
    Ok(found
        .first()
        .is_none_or(|job| job.flow.state.is_at_rest() && job.owner.is_none()))
}

async fn drain(
    store: &dyn Store,
    job: JobId,
    task: Option<String>,
    mut after: i64,
    printer: &mut Printer,
) -> Result<i64> {
    loop {
        let filter = LogFilter {
            job,
            task: task.clone(),
            after,
            limit: PAGE,
        };
        let chunks = store.logs(&filter).await?;
        for chunk in &chunks {
            printer.chunk(chunk)?;
            after = chunk.id;
        }
        if chunks.len() < PAGE as usize {
            printer.flush()?;
            return Ok(after);
        }
    }
}

/// Puts pieces of output together into lines, each with its task before it.
struct Printer {
    named: bool,
    out: anstream::AutoStream<io::Stdout>,
    /// What has no line end yet, by what puts it out.
    open: HashMap<(String, u32, Phase, Stream), Vec<u8>>,
}

impl Printer {
    fn new(named: bool) -> Self {
        Self {
            named,
            out: anstream::stdout(),
            open: HashMap::new(),
        }
    }

    fn chunk(&mut self, chunk: &LogChunk) -> io::Result<()> {
        if !self.named && chunk.stream != Stream::Note {
            return io::stdout().write_all(&chunk.bytes);
        }
        let key = (chunk.task.clone(), chunk.attempt, chunk.phase, chunk.stream);
        let mut bytes = self.open.remove(&key).unwrap_or_default();
        bytes.extend_from_slice(&chunk.bytes);
        let whole = match chunk.stream {
            Stream::Note => bytes.len(),
            Stream::Stdout | Stream::Stderr => bytes
                .iter()
                .rposition(|b| *b == b'\n')
                .map_or(0, |at| at + 1),
        };
        for line in bytes[..whole].split_inclusive(|b| *b == b'\n') {
            self.line(&key, line)?;
        }
        if whole < bytes.len() {
            self.open.insert(key, bytes.split_off(whole));
        }
        Ok(())
    }

    fn line(
        &mut self,
        (task, attempt, phase, stream): &(String, u32, Phase, Stream),
        line: &[u8],
    ) -> io::Result<()> {
        let mut before = String::new();
        if self.named {
            before.push_str(task);
            if *attempt > 1 {
                before.push_str(&format!("#{attempt}"));
            }
            match phase {
                Phase::Execute => {}
                Phase::Revert => before.push_str(" undo"),
            }
            before.push_str(" │ ");
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        match stream {
            Stream::Note => {
                let note = String::from_utf8_lossy(line);
                writeln!(self.out, "{DIM}{before}({note}){DIM:#}")
            }
            Stream::Stdout | Stream::Stderr => {
                write!(self.out, "{DIM}{before}{DIM:#}")?;
                self.out.as_inner().write_all(line)?;
                writeln!(self.out)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// What never got a line end gets one.
    fn finish(&mut self) -> io::Result<()> {
        let mut rest: Vec<_> = self.open.drain().collect();
        rest.sort_by(|a, b| (&a.0.0, a.0.1).cmp(&(&b.0.0, b.0.1)));
        for (key, bytes) in rest {
            self.line(&key, &bytes)?;
        }
        self.flush()
    }
}
