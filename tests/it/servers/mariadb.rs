//! MariaDB, of the distribution's package.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

const SMALL: [&str; 3] = [
    "--no-defaults",
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=32M",
];

/// Beside the root of the socket, an administrator who comes over TCP.
const USERS: &str = "CREATE USER IF NOT EXISTS admin@'%' IDENTIFIED BY 'adm1n';\n\
     GRANT ALL ON *.* TO admin@'%' WITH GRANT OPTION;\n\
     CREATE USER IF NOT EXISTS jobrunner@'%' IDENTIFIED BY 's3cret@/:';\n";

/// What `mariadb-install-db` does, without its pauses.
pub(super) fn install(data: &Path) {
    fs::create_dir_all(data.join("mysql")).unwrap();
    let mut sql = "USE mysql;\n".to_owned();
    for file in [
        "mysql_system_tables.sql",
        "mysql_performance_tables.sql",
        "mysql_system_tables_data.sql",
    ] {
        let file = Path::new("/usr/share/mysql").join(file);
        sql.push_str(&fs::read_to_string(&file).unwrap());
    }
    let script = data.with_extension("sql");
    fs::write(&script, sql).unwrap();
    super::must_succeed(
        Command::new("/usr/sbin/mariadbd")
            .args(SMALL)
            .args(super::as_root())
            .args(["--bootstrap", "--innodb-flush-log-at-trx-commit=0"])
            .arg(format!("--datadir={}", data.display()))
            // A server that starts removes what it takes for temporary tables of its own.
            .arg(format!("--tmpdir={}", data.with_file_name("").display()))
            .stdin(File::open(script).unwrap())
            .stdout(Stdio::null()),
    );
}

pub(super) fn command(
    folder: &Path,
    data: &Path,
    port: u16,
    options: Vec<String>,
) -> (Option<&'static str>, Vec<String>) {
    let mut command = vec!["/usr/sbin/mariadbd".to_owned()];
    command.extend(SMALL.map(str::to_owned));
    (None, served(command, folder, data, port, options))
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

pub(super) async fn create(port: u16, name: &str) {
    let create = format!("CREATE DATABASE {name}; GRANT ALL ON {name}.* TO jobrunner@'%'");
    let mut connection = connect(port).await.unwrap();
    connection.execute(AssertSqlSafe(create)).await.unwrap();
}
