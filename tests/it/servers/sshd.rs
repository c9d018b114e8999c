//! `sshd`, of the distribution's package: on a free port, with keys that are thrown away, for whoever runs the tests.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use super::{Daemon, START, free_port, must_succeed};

/// A running server. It ends when this is dropped, or this process ends.
pub struct Sshd {
    folder: PathBuf,
    pub port: u16,
    _daemon: Daemon,
}

impl Sshd {
    pub fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("jobrunner-test-sshd-")
            .tempdir()
            .unwrap()
            .keep();
        for name in ["host", "key"] {
            must_succeed(
                Command::new("ssh-keygen")
                    .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                    .arg(folder.join(name)),
            );
        }
        let port = free_port();
        let host = fs::read_to_string(folder.join("host.pub")).unwrap();
        let known = format!("[127.0.0.1]:{port} {host}");
        fs::write(folder.join("known"), known).unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        let options = [
            format!("Port={port}"),
            "ListenAddress=127.0.0.1".to_owned(),
            format!("HostKey={}", at("host")),
            format!("AuthorizedKeysFile={}", at("key.pub")),
            "StrictModes=no".to_owned(),
            "UsePAM=no".to_owned(),
            "PidFile=none".to_owned(),
        ];
        let mut command: Vec<String> = ["/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null"]
            .map(str::to_owned)
            .into();
        command.extend(
            options
                .into_iter()
                .flat_map(|option| ["-o".to_owned(), option]),
        );
        let daemon = Daemon::start(&folder, None, &command);
        let until = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
            // Root's sshd wants a folder that its service would make: `tests/run` does.
            assert!(Instant::now() < until && !log.contains("Missing"), "{log}");
            std::thread::yield_now();
        }
        Self {
            folder,
            port,
            _daemon: daemon,
        }
    }

    /// The parameters by which a task reaches it.
    pub fn parameters(&self) -> String {
        let at = |name: &str| self.folder.join(name).display().to_string();
        format!(
            "host: 127.0.0.1, port: {}, identity: {}, known_hosts: {}",
            self.port,
            at("key"),
            at("known")
        )
    }

    /// The command that reaches it.
    pub fn command(&self) -> String {
        let at = |name: &str| self.folder.join(name).display().to_string();
        format!(
            "ssh -p {} -i {} -o IdentitiesOnly=yes -o UserKnownHostsFile={}",
            self.port,
            at("key"),
            at("known")
        )
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
