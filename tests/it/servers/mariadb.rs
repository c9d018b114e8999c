//! MariaDB, of a package of the distribution.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Executor, Row as _};

/// The server's program, and what comes first.
fn program() -> Vec<String> {
    vec![
        super::installed("usr/sbin/mariadbd").display().to_string(),
        "--no-defaults".to_owned(),
        format!("--basedir={}", super::installed("usr").display()),
        "--innodb-log-file-size=8M".to_owned(),
        "--innodb-buffer-pool-size=32M".to_owned(),
    ]
}

/// Beside the root of the socket, an administrator who comes over TCP.
const USERS: &str = "CREATE USER IF NOT EXISTS admin@'%' IDENTIFIED BY 'adm1n';\n\
     GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION;\n\
     CREATE USER IF NOT EXISTS jobrunner@'%' IDENTIFIED BY 's3cret@/:';\n";

/// What `mariadb-install-db` does, without its pauses.
pub(super) fn install(data: &Path) {
    fs::create_dir_all(data.join("mysql")).unwrap();
    let mut sql = "USE mysql;\n".to_owned();
    for file in [
        "system_tables.sql",
        "performance_tables.sql",
        "system_tables_data.sql",
    ] {
        // MariaDB 11 has them by its own name.
        let file = ["mariadb", "mysql"]
            .map(|name| super::installed(&format!("usr/share/{name}/{name}_{file}")))
            .into_iter()
            .find(|file| file.exists());
        sql.push_str(&fs::read_to_string(file.unwrap()).unwrap());
    }
    let script = data.with_extension("sql");
    fs::write(&script, sql).unwrap();
    super::must_succeed(
        Command::new(&program()[0])
            .args(&program()[1..])
            .args(super::as_root())
            .args(["--bootstrap", "--innodb-flush-log-at-trx-commit=0"])
            .arg(format!("--datadir={}", data.display()))
            // A server that starts removes what it takes for temporary tables of its own.
            .arg(format!("--tmpdir={}", data.with_file_name("").display()))
            .stdin(File::open(script).unwrap())
            .stdout(Stdio::null()),
    );
}

pub(super) fn command(folder: &Path, data: &Path, port: u16, options: Vec<String>) -> Vec<String> {
    served(program(), folder, data, port, options)
}

/// The command of a server of this family: its program with what is its own, then what all of them get.
pub(super) fn served(
    mut command: Vec<String>,
    folder: &Path,
    data: &Path,
    port: u16,
    options: Vec<String>,
) -> Vec<String> {
    let init = folder.join("init.sql");
    fs::write(&init, USERS).unwrap();
    command.extend(super::as_root().map(str::to_owned));
    command.extend([
        format!("--datadir={}", data.display()),
        format!("--socket={}", folder.join("socket").display()),
        format!("--pid-file={}", folder.join("pid").display()),
        format!("--init-file={}", init.display()),
        // A server that starts removes what others of its kind have in the same folder.
        format!("--tmpdir={}", folder.display()),
        format!("--port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--skip-name-resolve".to_owned(),
        "--max-connections=500".to_owned(),
    ]);
    command.extend(options);
    command
}

async fn connect(port: u16) -> Result<MySqlConnection, sqlx::Error> {
    MySqlConnectOptions::new()
        .host("127.0.0.1")
        .port(port)
        .username("admin")
        .password("adm1n")
        .connect()
        .await
}

pub(super) async fn answers(port: u16) -> Result<(), sqlx::Error> {
    connect(port).await.map(|_| ())
}

/// Runs statements as the administrator.
pub(super) async fn run(port: u16, sql: &str) {
    let mut connection = connect(port).await.unwrap();
    let sql = AssertSqlSafe(sql.to_owned());
    connection.execute(sql).await.unwrap();
}

pub(super) async fn create(port: u16, name: &str) {
    let create = format!("CREATE DATABASE {name}; GRANT ALL ON {name}.* TO jobrunner@'%'");
    run(port, &create).await;
}

/// Returns when a node of a Galera cluster has what was committed on the others before.
pub(super) async fn has_what_others_have(port: u16) {
    run(port, "SET wsrep_sync_wait = 1; BEGIN; COMMIT").await;
}

/// Whether a connection that asks for nothing goes by TLS.
pub(super) async fn speaks_tls(url: &str) -> bool {
    let mut connection = MySqlConnection::connect(url).await.unwrap();
    let told = sqlx::query("SHOW STATUS LIKE 'Ssl_cipher'").fetch_one(&mut connection);
    !told.await.unwrap().get::<String, _>(1).is_empty()
}
