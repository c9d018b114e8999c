//! MySQL, as `tests/mysql/run` unpacks it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// With its binary log and its TLS, as it is when nothing is said.
const SMALL: [&str; 4] = [
    "--innodb-redo-log-capacity=16M",
    "--innodb-buffer-pool-size=32M",
    "--mysqlx=OFF",
    "--secure-file-priv=NULL",
];

/// The server's program.
fn program() -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/mysql/mysqld");
    assert!(
        program.exists(),
        "there is no {}: run tests/mysql/run",
        program.display()
    );
    program
}

pub(super) fn install(data: &Path) {
    super::must_succeed(
        Command::new(program())
            .args(SMALL)
            .args(super::as_root())
            .arg("--initialize-insecure")
            .arg(format!("--datadir={}", data.display())),
    );
}

pub(super) fn command(
    folder: &Path,
    data: &Path,
    port: u16,
    options: Vec<String>,
) -> (Option<&'static str>, Vec<String>) {
    let mut command = vec![program().display().to_string()];
    command.extend(SMALL.map(str::to_owned));
    let command = super::mariadb::served(command, folder, data, port, options);
    (None, command)
}
