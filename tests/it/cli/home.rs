//! A home for the program under test: an empty folder, an empty environment, and what it says as text.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use regex::Regex;
use rustix::process::{Pid, Signal, kill_process};

/// A home with nothing in it.
pub struct Home {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

impl Home {
    /// An empty home.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            environment: Vec::new(),
        }
    }

    /// A home with a file in it.
    pub fn with(path: &str, text: &str) -> Self {
        Self::new().and(path, text)
    }

    /// Another file.
    pub fn and(self, path: &str, text: impl AsRef<[u8]>) -> Self {
        let file = self.path(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
        self
    }

    /// A variable of the environment.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A path in it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Whether there is such a file.
    pub fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The program with these arguments, words with spaces between them, ready to be started.
    pub fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_jobrunner"));
        command
            .args(arguments.split_whitespace())
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("XDG_DATA_HOME", self.path("data"))
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("TMPDIR", self.folder.path())
            .env("TZ", "UTC")
            .env("USER", "tester")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program with these arguments to its end.
    pub fn run(&self, arguments: &str) -> Ran {
        self.ran(self.command(arguments).output().unwrap())
    }

    /// Runs the program with these arguments, each as it stands.
    pub fn run_with(&self, arguments: &[&str]) -> Ran {
        self.ran(self.command("").args(arguments).output().unwrap())
    }

    /// Runs the program with these arguments again and again until it prints `text`.
    pub fn until(&self, arguments: &str, text: &str) {
        let started = Instant::now();
        loop {
            let ran = self.run(arguments).exits(0);
            if ran.stdout.contains(text) {
                return;
            }
            let patience = Duration::from_secs(30);
            assert!(started.elapsed() < patience, "no `{text}`:\n{}", ran.stdout);
        }
    }

    /// Starts the program with these arguments in the background.
    pub fn start(&self, arguments: &str) -> Background {
        let mut command = self.command(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Background(command.spawn().unwrap())
    }

    fn ran(&self, output: Output) -> Ran {
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            folder: self.folder.path().to_owned(),
        }
    }
}

/// A run of the program that goes on until the test ends, or ends it.
pub struct Background(Child);

impl Background {
    /// Asks it to end, and waits until it has.
    pub fn terminate(mut self) -> Option<i32> {
        let pid = Pid::from_child(&self.0);
        kill_process(pid, Signal::TERM).unwrap();
        self.0.wait().unwrap().code()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // Ended already, unless the test has failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A run of the program that has ended.
pub struct Ran {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it said besides.
    pub stderr: String,
    folder: PathBuf,
}

impl Ran {
    /// What it printed, without the line end; it must have succeeded.
    pub fn id(&self) -> String {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self.stdout.trim().to_owned()
    }

    /// It must have ended with this code.
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self
    }

    /// All that it said, for a snapshot: what differs from run to run has a name instead.
    pub fn text(&self) -> String {
        let mut text = format!(
            "exit {}\n",
            self.code
                .map_or("by a signal".to_owned(), |code| code.to_string())
        );
        for (name, stream) in [("out", &self.stdout), ("err", &self.stderr)] {
            if !stream.is_empty() {
                text.push_str(&format!("-- {name}\n{}", steady(stream, &self.folder)));
                if !text.ends_with('\n') {
                    text.push('\n');
                }
            }
        }
        text
    }
}

/// Text in which times, ids, machines and folders have names.
pub fn steady(text: &str, folder: &Path) -> String {
    let host = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let text = text
        .replace(&*folder.to_string_lossy(), "[home]")
        .replace(&host, "[host]");
    let rules = [
        (
            r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b",
            "[id]",
        ),
        (r"\b01[0-9a-f]{6}(-[0-9a-f]{1,4})*\b", "[id]"),
        (r"\[host\]:\d+(:[0-9a-f]+)?", "[conductor]"),
        (r"\d\d-\d\d \d\d:\d\d:\d\d\.\d\d\d", "[clock]"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[time]"),
        (r" *\b\d+\.\ds\b", " [took]"),
        (r"\b\d+[smhd] ago", "[age] ago"),
        (r"(?m)  \d+[smhd]$", "  [age]"),
    ];
    rules.iter().fold(text, |text, (pattern, name)| {
        Regex::new(pattern)
            .unwrap()
            .replace_all(&text, *name)
            .into_owned()
    })
}
