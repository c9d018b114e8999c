//! MySQL, as `tests/servers/run mysql` unpacks it.

use std::path::Path;
use std::process::Command;

/// With its binary log and its TLS, as it is when nothing is said.
const SMALL: [&str; 4] = [
    "--innodb-redo-log-capacity=16M",
    "--innodb-buffer-pool-size=32M",
    "--mysqlx=OFF",
    "--secure-file-priv=NULL",
];

/// The server's program, and what comes first.
fn program() -> Vec<String> {
    let (program, base) = (super::installed("usr/sbin/mysqld"), super::installed("usr"));
    assert!(
        program.exists(),
        "there is no {}: run tests/servers/run mysql",
        program.display()
    );
    vec![
        program.display().to_string(),
        "--no-defaults".to_owned(),
        format!("--basedir={}", base.display()),
    ]
}

pub(super) fn install(data: &Path) {
    super::must_succeed(
        Command::new(&program()[0])
            .args(&program()[1..])
            .args(SMALL)
            .args(super::as_root())
            .arg("--initialize-insecure")
            .arg(format!("--datadir={}", data.display())),
    );
}

pub(super) fn command(folder: &Path, data: &Path, port: u16, options: Vec<String>) -> Vec<String> {
    let mut command = program();
    command.extend(SMALL.map(str::to_owned));
    super::mariadb::served(command, folder, data, port, options)
}
