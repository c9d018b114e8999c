//! PostgreSQL, of a package of the distribution. It refuses to run as root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

/// Whom its processes belong to when root runs the tests: the package has made this user.
pub(super) const USER: &str = "postgres";

/// The distribution keeps the programs of each version apart, and only some of them on the path.
fn program(name: &str) -> PathBuf {
    let installed = fs::read_dir(super::installed("usr/lib/postgresql"))
        .into_iter()
        .flatten();
    let newest = installed
        .filter_map(|version| Some(version.ok()?.path().join("bin").join(name)))
        .filter(|program| program.exists())
        .max();
    newest.unwrap_or_else(|| name.into())
}

pub(super) fn install(data: &Path) {
    let password = data.with_extension("password");
    fs::write(&password, "adm1n").unwrap();
    let mut command = super::as_user(Some(USER));
    command.push(program("initdb").display().to_string());
    super::must_succeed(
        Command::new(&command[0])
            .args(&command[1..])
            .args(["--username=admin", "--auth=scram-sha-256", "--no-sync"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8"])
            .arg(format!("--pwfile={}", password.display()))
            .arg("-D")
            .arg(data),
    );
}

pub(super) fn command(data: &Path, port: u16, options: Vec<String>) -> Vec<String> {
    // What a server that was killed has left is not there for the next one to stumble over.
    let _ = fs::remove_file(data.join("postmaster.pid"));
    let mut command = vec![program("postgres").display().to_string()];
    command.extend(["-D".to_owned(), data.display().to_string()]);
    let settings = [
        format!("port={port}"),
        "listen_addresses=127.0.0.1".to_owned(),
        // No socket but TCP: the folder of the data is not the server's.
        "unix_socket_directories=".to_owned(),
        "max_connections=400".to_owned(),
        "shared_buffers=32MB".to_owned(),
    ];
    for setting in settings.into_iter().chain(options) {
        command.extend(["-c".to_owned(), setting]);
    }
    command
}

async fn connect(port: u16) -> Result<PgConnection, sqlx::Error> {
    PgConnectOptions::new_without_pgpass()
        .host("127.0.0.1")
        .port(port)
        .username("admin")
        .password("adm1n")
        .database("postgres")
        .ssl_mode(PgSslMode::Disable)
        .connect()
        .await
}

pub(super) async fn answers(port: u16) -> Result<(), sqlx::Error> {
    let mut connection = connect(port).await?;
    let user = "DO $$ BEGIN \
                IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'jobrunner') THEN \
                CREATE ROLE jobrunner LOGIN PASSWORD 's3cret@/:'; END IF; END $$";
    let standby: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()")
        .fetch_one(&mut connection)
        .await?;
    if !standby {
        connection.execute(user).await?;
    }
    Ok(())
}

pub(super) async fn create(port: u16, name: &str) {
    let mut connection = connect(port).await.unwrap();
    let create = format!("CREATE DATABASE {name} OWNER jobrunner");
    connection.execute(AssertSqlSafe(create)).await.unwrap();
}

/// Copies the data of a running server into what becomes its standby.
pub(super) fn copy(primary: u16, data: &Path) {
    let connection = format!("host=127.0.0.1 port={primary} user=admin password=adm1n");
    let mut command = super::as_user(Some(USER));
    command.push(program("pg_basebackup").display().to_string());
    super::must_succeed(
        Command::new(&command[0])
            .args(&command[1..])
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"])
            .args(["--dbname", &connection, "-D"])
            .arg(data),
    );
}
