//! The table of what runs, in memory that the conductor writes and its guard reads.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::Pid;

use crate::tasks::process::tree::{Identity, Snapshot};

const WIDTH: usize = 16;

/// What a place in the table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// A process group whose leader the conductor has not reaped.
    Group(Pid),
    /// A process that a task left behind when it ended.
    Left(Identity),
}

impl Entry {
    fn write(entry: Option<Self>) -> [u8; WIDTH] {
        let (pid, began) = match entry {
            None => (0, 0),
            Some(Self::Group(group)) => (group.as_raw_nonzero().get(), 0),
            Some(Self::Left(process)) => (process.pid, process.began),
        };
        let mut bytes = [0; WIDTH];
        bytes[..4].copy_from_slice(&pid.to_le_bytes());
        bytes[8..].copy_from_slice(&began.to_le_bytes());
        bytes
    }

    fn read(bytes: [u8; WIDTH]) -> Option<Self> {
        let [a, b, c, d, _, _, _, _, began @ ..] = bytes;
        let pid = i32::from_le_bytes([a, b, c, d]);
        match (pid, u64::from_le_bytes(began)) {
            (..=0, _) => None,
            (_, 0) => Pid::from_raw(pid).map(Self::Group),
            (_, began) => Some(Self::Left(Identity { pid, began })),
        }
    }
}

/// The conductor's side of the table.
#[derive(Debug)]
pub struct Table {
    file: File,
    places: Mutex<Places>,
    /// What tasks left behind, and where it stands. It stays there when this side ends: that is its purpose.
    left: Mutex<Vec<(Identity, u64)>>,
}

#[derive(Debug, Default)]
struct Places {
    free: Vec<u64>,
    used: u64,
}

/// A place in the table; it is free again when dropped.
#[derive(Debug)]
pub struct Slot {
    table: Arc<Table>,
    place: u64,
}

impl Table {
    /// An empty table.
    ///
    /// # Errors
    /// No memory, or no file descriptor.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            file: memory()?,
            places: Mutex::default(),
            left: Mutex::default(),
        })
    }

    /// A handle for the guard's standard output.
    ///
    /// # Errors
    /// No file descriptor is left.
    pub fn share(&self) -> io::Result<Stdio> {
        self.file.try_clone().map(Stdio::from)
    }

    /// A place, empty for now.
    pub fn reserve(table: &Arc<Self>) -> Slot {
        Slot {
            table: Arc::clone(table),
            place: table.occupy(),
        }
    }

    fn leave(&self, group: Pid, seen: &Snapshot) {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain(|(process, place)| {
            let stays = seen.has(*process);
            if !stays {
                self.vacate(*place);
            }
            stays
        });
        for process in seen.members(group) {
            let place = self.occupy();
            if self.set(place, Some(Entry::Left(process))).is_ok() {
                left.push((process, place));
            }
        }
    }

    fn occupy(&self) -> u64 {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.free.pop().unwrap_or_else(|| {
            places.used += 1;
            places.used - 1
        })
    }

    /// Overwriting what has been written needs no memory; if it fails all the same, the place is lost, and the
    /// guard looks at something that is gone.
    fn vacate(&self, place: u64) {
        if self.set(place, None).is_ok() {
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            places.free.push(place);
        }
    }

    fn set(&self, place: u64, entry: Option<Entry>) -> io::Result<()> {
        self.file
            .write_all_at(&Entry::write(entry), place * WIDTH as u64)
    }
}

impl Slot {
    /// Says which group runs.
    ///
    /// # Errors
    /// No memory is left for the table.
    pub fn set(&self, group: Pid) -> io::Result<()> {
        self.table.set(self.place, Some(Entry::Group(group)))
    }

    /// Enters what a task left behind in its group instead, and strikes out what has ended since.
    pub fn leave(self, group: Pid, seen: &Snapshot) {
        self.table.leave(group, seen);
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.table.vacate(self.place);
    }
}

/// Reads a whole table, as the guard does.
///
/// # Errors
/// It is no file that can be read.
pub fn read(file: &File) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut place = 0;
    let mut bytes = [0; WIDTH];
    loop {
        match file.read_exact_at(&mut bytes, place) {
            Ok(()) => entries.extend(Entry::read(bytes)),
            Err(end) if end.kind() == io::ErrorKind::UnexpectedEof => return Ok(entries),
            Err(error) => return Err(error),
        }
        place += WIDTH as u64;
    }
}

#[cfg(target_os = "linux")]
fn memory() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};

    Ok(File::from(memfd_create(
        "jobrunner-table",
        MemfdFlags::CLOEXEC,
    )?))
}

#[cfg(not(target_os = "linux"))]
fn memory() -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    let name = format!("jobrunner-table-{:016x}", fastrand::u64(..));
    let path = std::env::temp_dir().join(name);
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_read_and_what_is_dropped_is_gone() {
        let table = Arc::new(Table::new().unwrap());
        let groups = [41, 42].map(|raw| Pid::from_raw(raw).unwrap());
        let first = Table::reserve(&table);
        let second = Table::reserve(&table);
        first.set(groups[0]).unwrap();
        second.set(groups[1]).unwrap();
        let entries = groups.map(Entry::Group);
        assert_eq!(read(&table.file).unwrap(), entries);
        drop(first);
        assert_eq!(read(&table.file).unwrap(), [entries[1]]);
        let third = Table::reserve(&table);
        third.set(groups[0]).unwrap();
        assert_eq!(read(&table.file).unwrap(), entries);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_was_left_behind_stays_until_it_has_ended() {
        let table = Table::new().unwrap();
        let seen = Snapshot::take().unwrap();
        let group = rustix::process::getpgrp();
        table.leave(group, &seen);
        let entries = read(&table.file).unwrap();
        assert!(!entries.is_empty());
        assert!(entries.iter().all(|entry| matches!(entry, Entry::Left(_))));
        table.leave(group, &Snapshot::default());
        assert_eq!(read(&table.file).unwrap(), []);
    }
}
