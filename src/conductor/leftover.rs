//! What tasks kept on this machine ([`StateFolder`]) goes when their job has ended, wherever that was.

use super::Shared;
use crate::engine::StateFolder;
use crate::model::JobId;

/// Removes what the tasks of a job kept.
pub(super) fn remove(shared: &Shared, job: JobId) {
    if let Err(error) = StateFolder::new(&shared.settings.state, job).remove() {
        tracing::warn!(%job, %error, "what the tasks kept cannot be removed");
    }
}

/// Removes what is left of jobs that have ended on other machines, or while nobody was here. Folders of jobs that the
/// store does not know are let be: they may be another store's.
pub(super) async fn sweep(shared: &Shared) {
    let Ok(folders) = std::fs::read_dir(&shared.settings.state) else {
        return;
    };
    let names = folders.filter_map(|folder| folder.ok()?.file_name().into_string().ok());
    for job in names.filter_map(|name| name.parse::<JobId>().ok()) {
        let found = shared.store.find(&job.to_string(), 1).await;
        let found = found.unwrap_or_default();
        let ended = |found: &crate::ports::JobSummary| found.id == job && found.flow.state.is_end();
        if found.iter().any(ended) {
            remove(shared, job);
        }
    }
}
