//! Which processes belong together, and their end. Synchronous; the guard and the conductor both use it.
//!
//! A process belongs to what is being ended if it carries its mark in its environment (that survives `setsid`),
//! if it is in one of its process groups, or if its parent belongs and it does not carry another conductor's
//! mark. What has once been found stays found when its parent goes. Where there is no `/proc` only the groups
//! are known.

use std::collections::{BTreeMap, BTreeSet};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// The variable that carries the key of the attempt.
pub const KEY: &str = "JOBRUNNER_KEY";
/// The variable that tells which conductor started a process.
pub const CONDUCTOR: &str = "JOBRUNNER_CONDUCTOR";

/// A process as nothing else can be it: its id, and when it began in ticks since the machine started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Its id.
    pub pid: i32,
    /// Its beginning.
    pub began: u64,
}

/// A process as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Which it is.
    pub identity: Identity,
    /// The id of its parent.
    pub parent: i32,
    /// The id of its group.
    pub group: i32,
    /// Whether it has ended and only waits to be reaped.
    pub ended: bool,
    /// The conductor that its environment names.
    pub conductor: Option<String>,
    /// The key that its environment names.
    pub key: Option<String>,
}

/// All processes of the machine at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot(BTreeMap<i32, Process>);

impl Snapshot {
    /// Looks at the machine. `None` where there is no `/proc` to look at.
    #[must_use]
    pub fn take() -> Option<Self> {
        if !cfg!(target_os = "linux") {
            return None;
        }
        let mut processes = BTreeMap::new();
        for entry in std::fs::read_dir("/proc").ok()?.flatten() {
            let name = entry.file_name();
            if let Some(pid) = name.to_str().and_then(|name| name.parse().ok())
                && let Some(process) = look_at(pid)
            {
                processes.insert(pid, process);
            }
        }
        processes
            .contains_key(&own_pid())
            .then_some(Self(processes))
    }

    /// The living members of a process group.
    pub fn members(&self, group: Pid) -> impl Iterator<Item = Identity> {
        let group = group.as_raw_nonzero().get();
        let alive = self
            .0
            .values()
            .filter(move |p| p.group == group && !p.ended);
        alive.map(|p| p.identity)
    }

    /// Whether that very process is still there.
    #[must_use]
    pub fn has(&self, identity: Identity) -> bool {
        let found = self.0.get(&identity.pid);
        found.is_some_and(|p| p.identity == identity && !p.ended)
    }
}

fn own_pid() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}

fn look_at(pid: i32) -> Option<Process> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may hold any character, so the fields are counted from its end.
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let began = fields.nth(16)?.parse().ok()?;
    let ended = matches!(state, "Z" | "X");
    let mut process = Process {
        identity: Identity { pid, began },
        parent,
        group,
        ended,
        conductor: None,
        key: None,
    };
    // Another user's environment cannot be read; such a process could not be ended either.
    if !ended && let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) {
        process.conductor = value_of(&environment, CONDUCTOR);
        process.key = value_of(&environment, KEY);
    }
    Some(process)
}

fn value_of(environment: &[u8], name: &str) -> Option<String> {
    let mut entries = environment.split(|byte| *byte == 0);
    let value = entries.find_map(|entry| {
        entry
            .strip_prefix(name.as_bytes())
            .and_then(|rest| rest.strip_prefix(b"="))
    })?;
    Some(String::from_utf8_lossy(value).into_owned())
}

/// What the environment of a process that is to be ended holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    /// This conductor.
    Conductor(String),
    /// One of these keys, whichever conductor it was.
    Keys(Vec<String>),
    /// This key, from this conductor.
    Attempt {
        /// The conductor.
        conductor: String,
        /// The key.
        key: String,
    },
}

impl Mark {
    fn is_on(&self, process: &Process) -> bool {
        match self {
            Self::Conductor(wanted) => process.conductor.as_ref() == Some(wanted),
            Self::Keys(wanted) => process.key.as_ref().is_some_and(|key| wanted.contains(key)),
            Self::Attempt { conductor, key } => {
                process.conductor.as_ref() == Some(conductor) && process.key.as_ref() == Some(key)
            }
        }
    }
}

/// The end of all processes that belong together: asked first, then killed.
#[derive(Debug)]
pub struct Hunt {
    mark: Mark,
    /// The groups, and whether they have been asked.
    groups: BTreeMap<i32, bool>,
    found: BTreeSet<Identity>,
    asked: BTreeSet<Identity>,
    out_of_reach: BTreeSet<Identity>,
}

impl Hunt {
    /// What carries the mark or is in one of the groups, with all that comes of it.
    ///
    /// `groups` must be process groups that cannot have become another's: that of a leader that is not
    /// reaped yet, or was alive a moment ago.
    #[must_use]
    pub fn new(mark: Mark, groups: impl IntoIterator<Item = Pid>) -> Self {
        let groups = groups.into_iter();
        Self {
            mark,
            groups: groups
                .map(|group| (group.as_raw_nonzero().get(), false))
                .collect(),
            found: BTreeSet::new(),
            asked: BTreeSet::new(),
            out_of_reach: BTreeSet::new(),
        }
    }

    /// Adds processes that are known to belong.
    pub fn include(&mut self, processes: impl IntoIterator<Item = Identity>) {
        self.found.extend(processes);
    }

    /// Looks once more, and asks what is new to end (TERM), or kills all that is there. Returns how many are
    /// still alive.
    pub fn round(&mut self, snapshot: Option<&Snapshot>, kill: bool) -> usize {
        let alive = match snapshot {
            Some(snapshot) => {
                self.groups
                    .retain(|group, _| snapshot.0.values().any(|p| p.group == *group));
                self.select(snapshot)
            }
            None => {
                self.groups.retain(|group, _| {
                    Pid::from_raw(*group).is_some_and(|g| test_kill_process_group(g).is_ok())
                });
                Vec::new()
            }
        };
        let new_groups = self.signal_groups(kill);
        for process in &alive {
            let identity = process.identity;
            self.found.insert(identity);
            let is_new = self.asked.insert(identity);
            // A group gets its signal as a whole, so that nobody in it slips through by forking.
            let sent = if kill {
                match self.groups.contains_key(&process.group) {
                    true => Ok(()),
                    false => send(identity, Signal::KILL),
                }
            } else if is_new && !new_groups.contains(&process.group) {
                ask(|signal| send(identity, signal))
            } else {
                Ok(())
            };
            if sent == Err(Errno::PERM) {
                self.out_of_reach.insert(identity);
            }
        }
        if snapshot.is_none() {
            return self.groups.len();
        }
        let reachable = alive
            .iter()
            .filter(|p| !self.out_of_reach.contains(&p.identity));
        reachable.count()
    }

    /// Kills the groups, or asks those that have not been asked; returns these.
    fn signal_groups(&mut self, kill: bool) -> BTreeSet<i32> {
        let mut new = BTreeSet::new();
        for (raw, asked) in &mut self.groups {
            let Some(group) = Pid::from_raw(*raw) else {
                continue;
            };
            // What cannot be reached is seen in the next round.
            let _ = if kill {
                kill_process_group(group, Signal::KILL)
            } else if std::mem::replace(asked, true) {
                Ok(())
            } else {
                new.insert(*raw);
                ask(|signal| kill_process_group(group, signal))
            };
        }
        new
    }

    fn select<'s>(&self, snapshot: &'s Snapshot) -> Vec<&'s Process> {
        let mut children: BTreeMap<i32, Vec<&Process>> = BTreeMap::new();
        let mut waiting = Vec::new();
        for process in snapshot.0.values() {
            children.entry(process.parent).or_default().push(process);
            if self.mark.is_on(process)
                || self.groups.contains_key(&process.group)
                || self.found.contains(&process.identity)
            {
                waiting.push(process);
            }
        }
        let mut selected = BTreeMap::new();
        while let Some(process) = waiting.pop() {
            let pid = process.identity.pid;
            if pid == own_pid() || selected.insert(pid, process).is_some() {
                continue;
            }
            let own = children.get(&pid).into_iter().flatten();
            waiting.extend(
                own.filter(|child| {
                    child.conductor.is_none() || child.conductor == process.conductor
                }),
            );
        }
        selected.into_values().filter(|p| !p.ended).collect()
    }
}

/// TERM, and CONT for what is stopped and would never see it.
fn ask(send: impl Fn(Signal) -> Result<(), Errno>) -> Result<(), Errno> {
    send(Signal::TERM)?;
    send(Signal::CONT)
}

/// Sends a signal to that very process, even if its id goes to another meanwhile.
#[cfg(target_os = "linux")]
fn send(process: Identity, signal: Signal) -> Result<(), Errno> {
    use rustix::process::{PidfdFlags, kill_process, pidfd_open, pidfd_send_signal};

    let pid = Pid::from_raw(process.pid).ok_or(Errno::SRCH)?;
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        // Before Linux 5.3.
        Err(Errno::NOSYS) => return kill_process(pid, signal),
        Err(gone) => return Err(gone),
    };
    match look_at(process.pid) {
        Some(now) if now.identity == process => pidfd_send_signal(handle, signal),
        Some(_) | None => Err(Errno::SRCH),
    }
}

#[cfg(not(target_os = "linux"))]
fn send(_: Identity, _: Signal) -> Result<(), Errno> {
    Err(Errno::SRCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, parent: i32, group: i32, conductor: &str, key: &str) -> Process {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Process {
            identity: Identity { pid, began: 1 },
            parent,
            group,
            ended: false,
            conductor: text(conductor),
            key: text(key),
        }
    }

    fn snapshot(processes: &[Process]) -> Snapshot {
        Snapshot(
            processes
                .iter()
                .map(|p| (p.identity.pid, p.clone()))
                .collect(),
        )
    }

    fn hunt(mark: Mark) -> Hunt {
        Hunt::new(mark, [])
    }

    fn conductor(name: &str) -> Mark {
        Mark::Conductor(name.to_owned())
    }

    fn attempt(key: &str) -> Mark {
        Mark::Attempt {
            conductor: "a".to_owned(),
            key: key.to_owned(),
        }
    }

    fn pids(hunt: &Hunt, snapshot: &Snapshot) -> Vec<i32> {
        let selected = hunt.select(snapshot);
        selected.iter().map(|p| p.identity.pid).collect()
    }

    #[test]
    fn marks_groups_and_children_belong() {
        let seen = snapshot(&[
            process(100_001, 1, 100_001, "a", "k1"),
            process(100_002, 100_001, 100_002, "", ""),
            process(100_003, 1, 100_003, "a", "k2"),
            process(100_004, 1, 100_009, "", ""),
            process(100_005, 1, 100_005, "b", "k1"),
        ]);
        assert_eq!(pids(&hunt(attempt("k1")), &seen), [100_001, 100_002]);
        assert_eq!(
            pids(&hunt(conductor("a")), &seen),
            [100_001, 100_002, 100_003]
        );
        let keys = Mark::Keys(vec!["k1".to_owned()]);
        assert_eq!(pids(&hunt(keys), &seen), [100_001, 100_002, 100_005]);
        let mut with_group = hunt(attempt("k2"));
        with_group.groups.insert(100_009, false);
        assert_eq!(pids(&with_group, &seen), [100_003, 100_004]);
    }

    #[test]
    fn another_conductor_below_is_asked_but_its_tasks_and_its_guard_are_left_to_it() {
        let seen = snapshot(&[
            process(100_001, 1, 100_001, "outer", "k"),
            process(100_002, 100_001, 100_001, "outer", "k"),
            process(100_003, 100_002, 100_003, "inner", "k/inner"),
            process(100_004, 100_003, 100_003, "", ""),
            process(100_005, 100_002, 100_005, "inner#guard", ""),
        ]);
        assert_eq!(pids(&hunt(conductor("outer")), &seen), [100_001, 100_002]);
    }

    #[test]
    fn what_was_found_stays_found_when_its_parent_is_gone() {
        let child = process(100_002, 100_001, 100_002, "", "");
        let mut hunt = hunt(conductor("a"));
        hunt.found.insert(child.identity);
        let orphan = Process { parent: 1, ..child };
        assert_eq!(pids(&hunt, &snapshot(&[orphan])), [100_002]);
    }

    #[test]
    fn a_value_is_read_from_an_environment() {
        let environment = b"A=1\0XJOBRUNNER_KEY=no\0JOBRUNNER_KEY=job/1/2\0";
        assert_eq!(value_of(environment, KEY), Some("job/1/2".to_owned()));
        assert_eq!(value_of(environment, CONDUCTOR), None);
    }
}
