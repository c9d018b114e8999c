//! A program to be run: found, checked against the kernel's limits, and made into a command.

use std::fmt;
use std::fs::File;
use std::io::{Seek, Write};
#[cfg(not(target_os = "linux"))]
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{Access, access};
use rustix::io::Errno;

use crate::model::{Failure, FailureKind};

/// The longest argument or environment entry that Linux takes, its final zero included (`MAX_ARG_STRLEN`).
const LONGEST_WORD: usize = 128 * 1024;

/// What is to be run, and with what.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// What is set in its environment, beside what the conductor has in its own; later ones win.
    pub env: Vec<(String, String)>,
    /// Where it runs; where the conductor runs if `None`.
    pub dir: Option<PathBuf>,
    /// What it can read on standard input.
    pub stdin: Option<String>,
}

impl fmt::Debug for Program {
    /// Its name alone: arguments and environment may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.argv.first();
        f.debug_tuple("Program").field(&name).finish()
    }
}

impl Program {
    /// Finds the program and makes a command of it, in a process group of its own.
    ///
    /// # Errors
    /// `missing_tool` if the program is not there, `system` if the folder is not there, if the program may not
    /// be run or if a text holds a zero byte, `too_large` if a text is longer than the kernel takes.
    pub fn command(&self) -> Result<Command, Failure> {
        let Some((name, arguments)) = self.argv.split_first() else {
            return Err(system(
                "there is no program to run: `argv` is empty".to_owned(),
            ));
        };
        self.check_words()?;
        let dir = self.checked_dir()?;
        let mut command = Command::new(self.find(name)?);
        command
            .arg0(name)
            .args(arguments)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(self.input()?)
            .process_group(0);
        if let Some(dir) = dir {
            command.current_dir(dir);
        }
        Ok(command)
    }

    fn input(&self) -> Result<Stdio, Failure> {
        let Some(text) = &self.stdin else {
            return Ok(Stdio::null());
        };
        let file = nameless_file().and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.rewind()?;
            Ok(file)
        });
        file.map(Stdio::from).map_err(|error| {
            system(format!(
                "what is for standard input cannot be handed over: {error}"
            ))
        })
    }

    /// Whether other programs are there, which this one is going to run.
    ///
    /// # Errors
    /// `missing_tool` names the first that is not.
    pub fn check_others(&self, names: &[String]) -> Result<(), Failure> {
        names
            .iter()
            .try_for_each(|name| self.find(name).map(|_| ()))
    }

    /// What an error of starting it means.
    #[must_use]
    pub fn not_started(&self, error: &std::io::Error) -> Failure {
        let name = self.argv.first().map_or("", String::as_str);
        match error.kind() {
            // The file was there a moment ago, so it is what its first line names that is not.
            std::io::ErrorKind::NotFound => Failure::new(
                FailureKind::MissingTool,
                match self.find(name).ok().and_then(|path| interpreter(&path)) {
                    Some(interpreter) => {
                        format!("`{name}` needs `{interpreter}`, which is not there")
                    }
                    None => format!("`{name}`, or what it needs to run, is not there"),
                },
            ),
            std::io::ErrorKind::ArgumentListTooLong => Failure::new(
                FailureKind::TooLarge,
                format!(
                    "the arguments and the environment of `{name}` together are more than the system takes"
                ),
            ),
            _ => system(format!("`{name}` cannot be run: {error}")),
        }
    }

    fn check_words(&self) -> Result<(), Failure> {
        for (place, argument) in self.argv.iter().enumerate() {
            let shown = || match place {
                0 => "the program's name".to_owned(),
                _ => format!("argument {place} of `{}`", self.argv[0]),
            };
            check_word(argument.len(), argument.contains('\0'), shown)?;
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) {
                return Err(system(format!(
                    "`{}` cannot be the name of an environment variable",
                    name.escape_debug()
                )));
            }
            let shown = || format!("the environment variable `{name}`");
            check_word(name.len() + 1 + value.len(), value.contains('\0'), shown)?;
        }
        Ok(())
    }

    fn checked_dir(&self) -> Result<Option<&Path>, Failure> {
        let Some(dir) = self.dir.as_deref() else {
            return Ok(None);
        };
        let why = match std::fs::metadata(dir) {
            Ok(found) if found.is_dir() => return Ok(Some(dir)),
            Ok(_) => "is not a folder".to_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => "is not there".to_owned(),
            Err(error) => format!("cannot be entered: {error}"),
        };
        Err(system(format!("the folder `{}` {why}", dir.display())))
    }

    /// A name with a slash is a path, from `dir`; any other is looked for in `PATH`.
    fn find(&self, name: &str) -> Result<PathBuf, Failure> {
        if name.contains('/') {
            let path = self.in_dir(Path::new(name));
            return match look(&path) {
                Found::Program => Ok(path),
                Found::Nothing => Err(missing(name, &format!("at `{}`", path.display()))),
                Found::NotToBeRun => Err(not_executable(&path)),
            };
        }
        let set = self.env.iter().rev().find(|(key, _)| key == "PATH");
        let path = match set {
            Some((_, value)) => value.into(),
            None => std::env::var_os("PATH").unwrap_or_else(|| "/usr/bin:/bin".into()),
        };
        let mut refused = None;
        for folder in std::env::split_paths(&path) {
            let candidate = self.in_dir(&folder).join(name);
            match look(&candidate) {
                Found::Program => return Ok(candidate),
                Found::NotToBeRun => refused = refused.or(Some(candidate)),
                Found::Nothing => {}
            }
        }
        Err(match refused {
            Some(path) => not_executable(&path),
            None => missing(name, &format!("in `PATH`, {}", path.to_string_lossy())),
        })
    }

    fn in_dir(&self, path: &Path) -> PathBuf {
        match &self.dir {
            Some(dir) if path.is_relative() => absolute(&dir.join(path)),
            Some(_) => path.to_owned(),
            None if path.as_os_str().is_empty() => PathBuf::from("."),
            None => path.to_owned(),
        }
    }
}

/// A file without a name: it is gone when nobody has it open any more.
#[cfg(target_os = "linux")]
fn nameless_file() -> std::io::Result<File> {
    let file = rustix::fs::memfd_create("stdin", rustix::fs::MemfdFlags::CLOEXEC)?;
    Ok(File::from(file))
}

/// A file without a name: it is gone when nobody has it open any more.
#[cfg(not(target_os = "linux"))]
fn nameless_file() -> std::io::Result<File> {
    let path = std::env::temp_dir().join(format!("jobrunner-{:016x}", fastrand::u64(..)));
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// The child looks for its program after it has entered `dir`, so a path from here must not depend on that.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn check_word(length: usize, has_zero: bool, shown: impl Fn() -> String) -> Result<(), Failure> {
    if has_zero {
        return Err(system(format!("{} holds a zero byte", shown())));
    }
    if cfg!(target_os = "linux") && length >= LONGEST_WORD {
        return Err(Failure::new(
            FailureKind::TooLarge,
            format!(
                "{} is {length} bytes long; the system takes {} at most",
                shown(),
                LONGEST_WORD - 1
            ),
        ));
    }
    Ok(())
}

/// Whether a text can be an argument of a process.
#[must_use]
pub fn fits_an_argument(text: &str) -> bool {
    text.len() < LONGEST_WORD
}

enum Found {
    Program,
    NotToBeRun,
    Nothing,
}

fn look(path: &Path) -> Found {
    match access(path, Access::EXEC_OK) {
        Ok(()) => match std::fs::metadata(path) {
            Ok(found) if found.is_file() => Found::Program,
            Ok(_) | Err(_) => Found::NotToBeRun,
        },
        // What most folders of `PATH` answer.
        Err(Errno::NOENT | Errno::NOTDIR) => Found::Nothing,
        Err(_) => match std::fs::symlink_metadata(path) {
            Ok(_) => Found::NotToBeRun,
            Err(_) => Found::Nothing,
        },
    }
}

/// What the first line of a script names after `#!`.
fn interpreter(path: &Path) -> Option<String> {
    use std::io::Read;

    let mut start = Vec::new();
    let file = File::open(path).ok()?;
    file.take(256).read_to_end(&mut start).ok()?;
    let line = start
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    let text = String::from_utf8_lossy(line);
    text.split_whitespace().next().map(str::to_owned)
}

fn missing(name: &str, place: &str) -> Failure {
    Failure::new(
        FailureKind::MissingTool,
        format!("`{name}` is not there: looked for it {place}"),
    )
}

fn not_executable(path: &Path) -> Failure {
    system(format!(
        "`{}` may not be run: it is not executable",
        path.display()
    ))
}

fn system(message: String) -> Failure {
    Failure::new(FailureKind::System, message)
}
