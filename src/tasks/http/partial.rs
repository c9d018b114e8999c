//! A file that is being written beside its final place, and gets its name when it is whole.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::ports::Call;

/// Such a file; it is removed if it is dropped before it is finished.
#[derive(Debug)]
pub struct Partial {
    file: File,
    path: PathBuf,
    target: PathBuf,
    finished: bool,
}

impl Partial {
    /// Makes it, and removes what an interrupted attempt left.
    ///
    /// # Errors
    /// The folder is not there or may not be written, or the target is a folder.
    pub async fn create(target: &Path, call: &Call) -> io::Result<Self> {
        let mut own = beginning(target, &call.key)
            .ok_or_else(|| io::Error::other("it is not the name of a file"))?;
        if target.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        if call.interrupted {
            Self::remove_left(target, &call.key);
        }
        own.push(format!("{}-{:08x}.part", call.epoch.0, fastrand::u32(..)));
        let path = target.with_file_name(own);
        let file = File::options()
            .write(true)
            .create_new(true)
            .open(&path)
            .await?;
        Ok(Self {
            file,
            path,
            target: target.to_owned(),
            finished: false,
        })
    }

    /// Removes what attempts with this key have left that were cut off.
    pub fn remove_left(target: &Path, key: &str) {
        if let Some(begin) = beginning(target, key) {
            remove_beside(target, &begin);
        }
    }

    /// Adds some bytes.
    ///
    /// # Errors
    /// They cannot be written.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await
    }

    /// Gives it its name, once it is safe on the disk.
    ///
    /// # Errors
    /// It cannot be written or renamed.
    pub async fn finish(mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        tokio::fs::rename(&self.path, &self.target).await?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.finished {
            // What cannot be removed is removed by the next attempt.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// How the names of such files begin; `None` if the target is no name of a file.
fn beginning(target: &Path, key: &str) -> Option<OsString> {
    let mut begin = OsString::from(".");
    begin.push(target.file_name()?);
    begin.push(format!(".{}.", key.replace('/', "-")));
    Some(begin)
}

fn remove_beside(target: &Path, begin: &OsString) {
    let folder = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.starts_with(begin.as_encoded_bytes()) && bytes.ends_with(b".part") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
