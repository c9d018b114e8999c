//! Files that are written anew, and text that comes by standard input.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use super::report::{Error, Result};
use crate::model::{Bundle, SourceFile};
use crate::syntax::{MAX_SOURCE_BYTES, Notation, read_source};

/// What stands for standard input.
pub const STDIN: &str = "-";

/// Puts a text in the place of a file, whole or not at all. Its permissions stay, and a link stays a link. A file that
/// is not there is made.
///
/// # Errors
/// It cannot be written; then it is as it was.
pub fn replace(path: &Path, text: &str) -> Result<()> {
    write(path, text).map_err(|error| {
        Error::input(format!("`{}` cannot be written", path.display())).because(&error)
    })
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let place = match fs::canonicalize(path) {
        Ok(place) => place,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    let before = fs::metadata(&place).ok();
    if let Some(before) = &before
        && !before.is_file()
    {
        // Nothing can be put in the place of a pipe or a device.
        return fs::write(&place, text);
    }
    let (beside, mut file) = beside(&place)?;
    let written = (|| {
        if let Some(before) = &before {
            let now = file.metadata()?;
            if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
                // Who may not give a file away keeps it.
                let _ = fchown(&file, Some(before.uid()), Some(before.gid()));
            }
            file.set_permissions(before.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &place)
    })();
    if written.is_err() {
        // It was never of use to anybody.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// A new file in the folder of another one.
fn beside(place: &Path) -> io::Result<(PathBuf, File)> {
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    loop {
        let random = fastrand::u64(..);
        let beside = place.with_file_name(format!(".{name}.{random:016x}"));
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o666)
            .open(&beside);
        match file {
            Ok(file) => return Ok((beside, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// The flow that comes by standard input; without a notation, that which it looks like.
///
/// # Errors
/// It cannot be read, is too large, or is not text.
pub fn stdin(notation: Option<Notation>) -> Result<SourceFile> {
    let mut bytes = Vec::new();
    io::stdin()
        .take(MAX_SOURCE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::input("standard input cannot be read").because(&error))?;
    let mut file = read_source("stdin", &bytes).map_err(|problem| Error::Flow {
        bundle: Bundle {
            version: 1,
            files: Vec::new(),
        },
        problems: vec![*problem],
    })?;
    let ending = match notation.unwrap_or_else(|| Notation::guess(&file.text)) {
        Notation::Yaml => ".flow.yaml",
        Notation::Text => ".flow",
    };
    file.path.push_str(ending);
    Ok(file)
}
