//! Jobs by their ids, as people type them and as they are shown.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::report::{Error, Result};
use crate::model::{ConductorId, JobId};
use crate::ports::{JobSummary, Loaded, Store};

/// So many characters of an id are shown at least.
const SHORT: usize = 8;

/// The job whose id begins with `text`.
///
/// # Errors
/// There is none, there are several, or the text is no beginning of an id.
pub async fn find(store: &dyn Store, text: &str) -> Result<JobSummary> {
    let Some(prefix) = prefix(text) else {
        return Err(unknown(store, &format!("`{text}` is not the id of a job")).await);
    };
    let mut found = store.find(&prefix, 20).await?;
    match found.len() {
        0 => Err(unknown(store, &format!("no job's id begins with `{text}`")).await),
        1 => Ok(found.remove(0)),
        _ => {
            let ids = Ids::of(&found);
            let said = Error::input(format!("several jobs' ids begin with `{text}`"));
            Err(found.iter().fold(said, |said, job| {
                said.help(format!(
                    "{}  {}  {}",
                    ids.shortened(job.id),
                    job.name,
                    job.flow.state
                ))
            }))
        }
    }
}

/// A job with its progress.
///
/// # Errors
/// It is gone, or the store cannot be read.
pub async fn load(store: &dyn Store, job: JobId) -> Result<Loaded> {
    store
        .load(job)
        .await?
        .ok_or_else(|| Error::input(format!("the job {job} is gone")))
}

async fn unknown(store: &dyn Store, message: &str) -> Error {
    let said = Error::input(message);
    let Ok(jobs) = store.jobs(true, 5).await else {
        return said;
    };
    if jobs.is_empty() {
        return said.help("there are no jobs in this store; `jobrunner post FLOW` makes one");
    }
    let ids = Ids::of(&jobs);
    let last = jobs
        .iter()
        .map(|job| format!("{} ({})", ids.shortened(job.id), job.name));
    said.help(format!(
        "the latest jobs are {}",
        last.collect::<Vec<_>>().join(", ")
    ))
    .help("`jobrunner show --all` lists them all")
}

/// The beginning of an id in the form in which ids are written; `None` if it is none.
fn prefix(text: &str) -> Option<String> {
    let digits: String = text
        .chars()
        .filter(|c| *c != '-')
        .collect::<String>()
        .to_ascii_lowercase();
    if digits.is_empty() || digits.len() > 32 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut prefix = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if matches!(at, 8 | 12 | 16 | 20) {
            prefix.push('-');
        }
        prefix.push(digit);
    }
    Some(prefix)
}

/// The shortest beginning of an id that no other job in the store shares.
///
/// # Errors
/// The store cannot be read.
pub async fn short(store: &dyn Store, id: JobId) -> Result<String> {
    let whole = id.to_string();
    for length in SHORT..whole.len() {
        let beginning = &whole[..length];
        if !beginning.ends_with('-') && store.find(beginning, 2).await?.len() < 2 {
            return Ok(beginning.to_owned());
        }
    }
    Ok(whole)
}

/// Ids, each of which is shown as short as it is told apart from the others.
pub struct Ids(BTreeSet<String>);

impl Ids {
    /// Of these jobs.
    pub fn of<'a>(jobs: impl IntoIterator<Item = &'a JobSummary>) -> Self {
        Self(jobs.into_iter().map(|job| job.id.to_string()).collect())
    }

    /// The shortest beginning of an id that none of the others shares.
    pub fn shortened(&self, id: JobId) -> String {
        let whole = id.to_string();
        // Those that share most with it stand beside it.
        let before = self.0.range(..whole.clone()).next_back();
        let after = (Bound::Excluded(whole.clone()), Bound::Unbounded);
        let beside = before.into_iter().chain(self.0.range(after).next());
        let shared = beside
            .map(|other| {
                let pairs = other.bytes().zip(whole.bytes());
                pairs.take_while(|(a, b)| a == b).count()
            })
            .max()
            .unwrap_or(0);
        let mut length = (shared + 1).clamp(SHORT, whole.len());
        if whole[..length].ends_with('-') {
            length += 1;
        }
        whole[..length].to_owned()
    }
}

/// A conductor as people know it: without the random part of its id.
#[must_use]
pub fn conductor(id: &ConductorId) -> &str {
    id.0.rsplit_once(':')
        .map_or(id.0.as_str(), |(name, _)| name)
}

/// Who carries out what has been asked of a job.
#[must_use]
pub fn next(job: &JobSummary) -> String {
    match &job.owner {
        Some(owner) => format!("the conductor {} carries it out", conductor(owner)),
        None => "no conductor has the job: the next one that looks carries it out, such as \
                 `jobrunner run --until-empty`"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> JobId {
        text.parse().unwrap()
    }

    #[test]
    fn ids_are_shown_as_short_as_they_are_unique() {
        let a = id("019abcde-f012-7000-8000-000000000001");
        let b = id("019abcde-f013-7000-8000-000000000001");
        let c = id("029abcde-f013-7000-8000-000000000001");
        let of = |ids: &[JobId]| Ids(ids.iter().map(JobId::to_string).collect());
        assert_eq!(of(&[a, c]).shortened(a), "019abcde");
        assert_eq!(of(&[a, b, c]).shortened(a), "019abcde-f012");
        assert_eq!(of(&[a, b, c]).shortened(b), "019abcde-f013");
        assert_eq!(of(&[a, b, c]).shortened(c), "029abcde");
    }

    #[test]
    fn a_prefix_is_read_with_and_without_hyphens() {
        assert_eq!(prefix("019ABCDEF0127"), Some("019abcde-f012-7".to_owned()));
        assert_eq!(prefix("019abcde-f0"), Some("019abcde-f0".to_owned()));
        assert_eq!(prefix("hello"), None);
        assert_eq!(prefix("-"), None);
    }
}
