//! Where the tasks of a job keep what they found, so that their reverts can restore it: a folder for each task, on the
//! machine of the conductor that runs it.
//!
//! A job and an atom enter, a path leaves. Folders are made when a task asks for its own, and removed with the job.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::model::{AtomId, JobId};

/// The folder of one job.
#[derive(Debug, Clone)]
pub struct StateFolder(PathBuf);

impl StateFolder {
    /// The folder of a job below `root`, the folder of all jobs. Nothing is made.
    #[must_use]
    pub fn new(root: &Path, job: JobId) -> Self {
        Self(root.join(job.to_string()))
    }

    /// The folder of a task, as text for its templates. After a retry has undone it, it gets another one.
    #[must_use]
    pub fn of(&self, atom: AtomId, generation: u32) -> String {
        self.path(atom, generation).to_string_lossy().into_owned()
    }

    fn path(&self, atom: AtomId, generation: u32) -> PathBuf {
        self.0.join(format!("{}-{generation}", atom.0))
    }

    /// Makes the folder of a task. Only this user can enter it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn open(&self, atom: AtomId, generation: u32) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.path(atom, generation))
    }

    /// Removes the folder of the job, with all that is in it.
    ///
    /// # Errors
    /// The system refuses.
    pub fn remove(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}
