//! Capabilities: what a job asks of a machine, and whether this one has it.
//!
//! The canonical text of a job's requirements enters; the first that does not hold leaves. Nothing is ever found to
//! be had by waiting: what takes too long is not had, and neither is what is not known.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::net::TcpSocket;
use tokio_util::sync::CancellationToken;

use super::Settings;
use crate::model::{Duration, Timestamp, Value, parse_size};
use crate::ports::{Clock, within};

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How long an answer is believed.
const BELIEVED: Duration = Duration::from_secs(10);
/// How many answers are remembered.
const REMEMBERED: usize = 1024;

/// The names of the built-in capabilities.
pub const BUILT_IN: [&str; 9] = [
    "os",
    "arch",
    "has_command",
    "port_is_free",
    "min_memory",
    "min_cpus",
    "file_exists",
    "host",
    "label",
];

/// What one machine can do.
pub struct Capabilities {
    clock: Arc<dyn Clock>,
    host: String,
    labels: BTreeSet<String>,
    own: BTreeMap<String, String>,
    answers: Mutex<HashMap<String, (Timestamp, bool)>>,
    ended: CancellationToken,
}

impl Capabilities {
    /// The capabilities of this machine, and those that the settings define.
    #[must_use]
    pub fn new(settings: &Settings, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            host: settings.host.clone(),
            labels: settings.labels.clone(),
            own: settings.capabilities.clone(),
            answers: Mutex::default(),
            ended: CancellationToken::new(),
        }
    }

    /// Ends what is being asked; nothing is had any more.
    pub(super) fn end(&self) {
        self.ended.cancel();
    }

    /// Asks for each requirement in order, and stops at the first that does not hold: it is given back as text.
    /// `requires` is a JSON list of `"name"` and `{"name": argument}`.
    pub async fn lacking(&self, requires: &str) -> Option<String> {
        let Ok(Value::Array(wanted)) = serde_json::from_str(requires) else {
            return Some(requires.to_owned());
        };
        for one in wanted {
            let holds = match &one {
                Value::String(name) => self.has(name, &Value::Null).await,
                Value::Object(named) if named.len() == 1 => {
                    let mut holds = false;
                    for (name, argument) in named {
                        holds = self.has(name, argument).await;
                    }
                    holds
                }
                Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::Array(_)
                | Value::Object(_) => false,
            };
            if !holds {
                return Some(match one {
                    Value::String(name) => name,
                    other => other.to_string(),
                });
            }
        }
        None
    }

    async fn has(&self, name: &str, argument: &Value) -> bool {
        let lasting = name != "port_is_free";
        let question = format!("{name} {argument}");
        let now = self.clock.now();
        if lasting && let Some(answer) = self.remembered(&question, now) {
            return answer;
        }
        let answer = self.ask(name, argument).await;
        if lasting {
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            if answers.len() >= REMEMBERED {
                answers.clear();
            }
            answers.insert(question, (now, answer));
        }
        answer
    }

    fn remembered(&self, question: &str, now: Timestamp) -> Option<bool> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, answer) = answers.get(question)?;
        (now.since(*since) < BELIEVED).then_some(*answer)
    }

    async fn ask(&self, name: &str, argument: &Value) -> bool {
        if let Some(command) = self.own.get(name) {
            return self.succeeds(command, argument).await;
        }
        let words = words(argument);
        match name {
            "os" => any_or_none(&words, |word| word == std::env::consts::OS),
            "arch" => any_or_none(&words, is_arch),
            "host" => any_or_none(&words, |word| word == self.host),
            "label" if words.is_empty() => !self.labels.is_empty(),
            "label" => words.iter().all(|word| self.labels.contains(word)),
            "has_command" => !words.is_empty() && words.iter().all(|word| has_command(word)),
            "file_exists" => {
                let exists = |word: &String| std::path::Path::new(word).exists();
                !words.is_empty() && words.iter().all(exists)
            }
            "min_cpus" => {
                let cpus = std::thread::available_parallelism().map_or(1, usize::from);
                single(&words).is_some_and(|word| word.parse().is_ok_and(|n: usize| n <= cpus))
            }
            "min_memory" => {
                let wanted = single(&words).and_then(parse_size);
                wanted.is_some_and(|bytes| memory().is_some_and(|there| bytes <= there))
            }
            "port_is_free" => {
                let ports = words.iter().map(|word| word.parse::<u16>());
                let ports: Result<Vec<u16>, _> = ports.collect();
                ports.is_ok_and(|ports| !ports.is_empty() && ports.into_iter().all(port_is_free))
            }
            _ => false,
        }
    }

    /// Whether a command of one's own succeeds; the argument is its `$1`. Afterwards nothing is left of it, unless it
    /// has ended by itself.
    async fn succeeds(&self, command: &str, argument: &Value) -> bool {
        let mut process = tokio::process::Command::new("/bin/sh");
        process
            .args(["-c", command, "sh"])
            .args(words(argument))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        let Ok(mut child) = process.spawn() else {
            return false;
        };
        tokio::select! {
            status = child.wait() => return status.is_ok_and(|status| status.success()),
            () = self.clock.sleep(LIMIT) => {}
            () = self.ended.cancelled() => {}
        }
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        // One that the system does not let go is not awaited for ever.
        within(self.clock.as_ref(), LIMIT, child.wait()).await;
        false
    }
}

/// An argument as words: of a list each element, of a single value its text, of nothing none.
fn words(argument: &Value) -> Vec<String> {
    match argument {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().flat_map(words).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => vec![argument.to_string()],
    }
}

fn single(words: &[String]) -> Option<&str> {
    match words {
        [word] => Some(word),
        _ => None,
    }
}

fn any_or_none(words: &[String], fits: impl Fn(&str) -> bool) -> bool {
    words.is_empty() || words.iter().any(|word| fits(word))
}

fn is_arch(word: &str) -> bool {
    let known = match word {
        "amd64" | "x64" => "x86_64",
        "arm64" => "aarch64",
        other => other,
    };
    known == std::env::consts::ARCH
}

fn has_command(name: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let runs = |path: &std::path::Path| {
        path.metadata()
            .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
    };
    if name.contains('/') {
        return runs(std::path::Path::new(name));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    !name.is_empty() && std::env::split_paths(&path).any(|folder| runs(&folder.join(name)))
}

/// Whether a server could listen on the port, on all addresses. Nothing listens for it: two conductors that ask at
/// the same moment do not disturb each other.
fn port_is_free(port: u16) -> bool {
    let binds = |socket: std::io::Result<TcpSocket>, address: SocketAddr| {
        let bound = socket.and_then(|socket| {
            socket.set_reuseaddr(true)?;
            socket.bind(address)
        });
        match bound {
            Ok(()) => true,
            // Without IPv6 there is nobody to be in the way.
            Err(error) => address.is_ipv6() && error.kind() != std::io::ErrorKind::AddrInUse,
        }
    };
    port != 0
        && binds(TcpSocket::new_v4(), (Ipv4Addr::UNSPECIFIED, port).into())
        && binds(TcpSocket::new_v6(), (Ipv6Addr::UNSPECIFIED, port).into())
}

/// The machine's memory in bytes, as `/proc/meminfo` has it.
fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::SystemClock;

    fn here() -> Capabilities {
        let mut settings = Settings::new(Some("test".to_owned()), 1);
        settings.host = "anvil".to_owned();
        settings.labels.insert("fast".to_owned());
        let own = [
            ("yes", "exit 0"),
            ("no", "exit 1"),
            ("is_two", r#"test "$1" = 2"#),
        ];
        let own = own.map(|(name, command)| (name.to_owned(), command.to_owned()));
        settings.capabilities.extend(own);
        Capabilities::new(&settings, Arc::new(SystemClock))
    }

    #[tokio::test]
    async fn what_is_there_is_had() {
        let wanted = r#"["os", {"os": "linux"}, {"has_command": ["sh", "/bin/sh"]}, {"min_memory": "1MiB"},
            {"min_cpus": 1}, {"file_exists": "/proc"}, {"host": ["anvil", "hammer"]}, "label", {"label": "fast"},
            "yes", {"is_two": 2}]"#;
        assert_eq!(here().lacking(wanted).await, None);
        assert_eq!(here().lacking("[]").await, None);
    }

    #[tokio::test]
    async fn what_is_not_there_or_not_known_is_lacking() {
        for one in [
            r#"{"os":"plan9"}"#,
            r#"{"arch":"pdp11"}"#,
            r#"{"has_command":"no-such-command"}"#,
            r#"{"min_memory":"900TiB"}"#,
            r#"{"min_cpus":100000}"#,
            r#"{"file_exists":"/no/such/file"}"#,
            r#"{"host":"hammer"}"#,
            r#"{"label":["fast","large"]}"#,
            r#"{"teleports":true}"#,
            r#"{"is_two":3}"#,
        ] {
            let lacking = here().lacking(&format!("[{one}]")).await;
            assert_eq!(lacking.as_deref(), Some(one));
        }
        assert_eq!(here().lacking(r#"["no"]"#).await.as_deref(), Some("no"));
        assert!(here().lacking("nonsense").await.is_some());
    }

    #[tokio::test]
    async fn the_first_that_does_not_hold_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let mark = folder.path().join("asked");
        let mut settings = Settings::new(None, 1);
        let touch = format!("touch '{}'", mark.display());
        settings.capabilities.insert("touches".to_owned(), touch);
        let here = Capabilities::new(&settings, Arc::new(SystemClock));
        assert!(here.lacking(r#"["teleports", "touches"]"#).await.is_some());
        assert!(!mark.exists());
        assert!(here.lacking(r#"["touches"]"#).await.is_none());
        assert!(mark.exists());
    }

    #[tokio::test]
    async fn a_port_is_free_until_somebody_listens() {
        let here = here();
        // Somebody else on this machine may take the port as soon as it is let go.
        for _ in 0..20 {
            let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = server.local_addr().unwrap().port();
            let wanted = format!(r#"[{{"port_is_free":"{port}"}}]"#);
            assert!(here.lacking(&wanted).await.is_some());
            drop(server);
            if here.lacking(&wanted).await.is_none() {
                return;
            }
        }
        panic!("no port was ever free");
    }
}
