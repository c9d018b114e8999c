//! The same on a cluster: what Redis, MariaDB and PostgreSQL hold, were told and have written down is searched, beside
//! all that is printed.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::{self, JoinHandle};

use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer};

use super::{Mirror, home, leaks, said};
use crate::lsp::{Editor, YAML};
use crate::servers::redis::Redis;
use crate::servers::{Kind, Server};

/// What is no secret, and is put out by a task of the flow: whatever is searched must hold it.
const OPEN: &[u8] = b"it is kind";

/// All commands that a server of Redis carries out, those of its scripts and what is published included.
fn monitored(redis: &Redis) -> JoinHandle<Vec<u8>> {
    let mut monitor = TcpStream::connect(("127.0.0.1", redis.port())).unwrap();
    monitor.write_all(b"MONITOR\r\n").unwrap();
    let mut ready = [0; 5];
    monitor.read_exact(&mut ready).unwrap();
    assert_eq!(&ready, b"+OK\r\n");
    thread::spawn(move || {
        let mut seen = Vec::new();
        // It ends when the server does.
        let _ = monitor.read_to_end(&mut seen);
        seen
    })
}

/// Every row of every table of a database, as text.
async fn rows(kind: Kind, url: &str) -> Vec<(String, Vec<u8>)> {
    // The scheme of a database is its name, or `public`.
    let (cast, quote, schema) = match kind {
        Kind::MariaDb | Kind::MySql => ("CAST(%c AS BINARY)", '`', "DATABASE()"),
        Kind::Postgres => ("convert_to(%c::text, 'UTF8')", '"', "'public'"),
    };
    let columns = format!(
        "SELECT CAST(table_name AS CHAR(64)) AS t, CAST(column_name AS CHAR(64)) AS c, CAST(data_type AS CHAR(64)) AS d \
         FROM information_schema.columns WHERE table_schema = {schema}"
    );
    let mut found = Vec::new();
    let value = |column: &str, ty: &str| {
        let column = format!("{quote}{}{quote}", column.trim());
        match ty.trim() {
            // Bytes that are letters stay as they are.
            "bytea" => cast.replace("%c", &format!("encode({column}, 'escape')")),
            _ => cast.replace("%c", &column),
        }
    };
    macro_rules! read {
        ($connection:expr) => {{
            let mut connection = $connection;
            let columns = sqlx::query(AssertSqlSafe(columns))
                .fetch_all(&mut connection)
                .await
                .unwrap();
            for column in columns {
                let [table, column, ty] = ["t", "c", "d"].map(|name| column.get::<String, _>(name));
                let table = table.trim();
                let select = format!("SELECT {} FROM {quote}{table}{quote}", value(&column, &ty));
                let cells = sqlx::query(AssertSqlSafe(select))
                    .fetch_all(&mut connection)
                    .await
                    .unwrap();
                let cells = cells
                    .iter()
                    .filter_map(|row| row.get::<Option<Vec<u8>>, _>(0));
                found.push((
                    format!("{table}.{}", column.trim()),
                    cells.flatten().collect(),
                ));
            }
            connection.close().await.unwrap();
        }};
    }
    match kind {
        Kind::MariaDb | Kind::MySql => {
            read!(
                url.parse::<sqlx::mysql::MySqlConnectOptions>()
                    .unwrap()
                    .connect()
                    .await
                    .unwrap()
            );
        }
        Kind::Postgres => {
            read!(
                url.parse::<sqlx::postgres::PgConnectOptions>()
                    .unwrap()
                    .connect()
                    .await
                    .unwrap()
            );
        }
    }
    found
}

/// A cluster runs the flow that does all it can to tell its secrets; what is kept, said and shown of it is searched.
async fn search(kind: Kind, options: &[&str]) {
    let api = MockServer::start().await;
    Mock::given(any()).respond_with(Mirror).mount(&api).await;
    let redis = Redis::start(&["--appendonly", "yes"]);
    let monitor = monitored(&redis);
    let server = Server::start(kind, options).await;
    let url = server.database().await;
    let home = home(&api.uri())
        .set("JOBRUNNER_STORE", &url)
        .set("JOBRUNNER_BOARD", &redis.url());
    let values = format!(
        "telling.flow.yaml --api {} --secret key=file:key.pem",
        api.uri()
    );
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut say = |arguments: &str, code: i32| said(&home, arguments, code, &mut all);
    say("check --format json telling.flow.yaml", 0);
    say("check --format sarif telling.flow.yaml", 0);
    say("graph telling.flow.yaml", 0);
    say(&format!("rehearse {values}"), 0);
    say(&format!("rehearse {values} --fail last"), 0);
    let id = say(&format!("-vvv post {values}"), 0).trim().to_owned();
    say(&format!("show --why {id}"), 0);
    say("-vvv run --until-empty --log-format json", 0);
    say(&format!("-vvv run {values}"), 1);
    for arguments in ["show --all", "show --format json", "logs", "graph"] {
        say(&format!("{arguments} {id}"), 0);
    }
    say("show --all --format json", 0);
    say("conductors --format json", 0);
    // What cannot be done is told without it as well.
    say(&format!("cancel {id}"), 2);
    say(&format!("post {values} --set token=Wq"), 2);
    let printed = all.len();
    all.push(("what an editor is told".to_owned(), hovered(&home)));
    let tables = rows(kind, &url).await;
    let held: Vec<u8> = tables.iter().flat_map(|(_, cells)| cells.clone()).collect();
    all.extend(tables);
    all.push(("what Redis has saved".to_owned(), redis.saved()));
    drop(redis);
    let seen = monitor.join().unwrap();
    let written = server.written();
    // It was there to be found, in the tables, in what the board was told, and in the server's log of statements.
    let holds = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|part| part == what);
    assert!(holds(&held, OPEN), "the tables do not hold it");
    assert!(
        holds(&seen, id.as_bytes()),
        "{}",
        String::from_utf8_lossy(&seen)
    );
    let log = written.iter().find(|(name, _)| name.ends_with("log"));
    let (_, log) = log.expect("the server keeps a log");
    assert!(
        holds(log, OPEN),
        "the log has no statements with their values"
    );
    all.push(("what Redis was told".to_owned(), seen));
    all.extend(written);
    let leaks = leaks(&all);
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
    // Nor does anybody read the password of the store, but where a task prints the environment that it is in.
    let of_tasks = ["-vvv run", "show --all", "show --format", "logs"];
    for (name, bytes) in &all[..printed] {
        if of_tasks.iter().all(|command| !name.starts_with(command)) {
            assert!(
                !holds(bytes, b"s3cret"),
                "{name} tells the store's password"
            );
        }
    }
}

/// What hovering over the name of a secret tells, and what is proposed there.
fn hovered(home: &crate::cli::Home) -> Vec<u8> {
    let beside = crate::cli::Home::new();
    let beside = ["THE_TOKEN", "THE_PAUSE"]
        .into_iter()
        .fold(beside, |beside, name| {
            let value = home.command("").get_envs().find_map(|(key, value)| {
                (key == name).then(|| value.unwrap().to_str().unwrap().to_owned())
            });
            beside.set(name, &value.unwrap())
        });
    let mut editor = Editor::start(beside, &json!({}));
    let flow = "store:\n  token: { type: string, secret: true, from: env:THE_TOKEN }\n\
                tasks:\n  a: { shell: \"echo {{ to¦ken }}\" }\n";
    let mut told = String::new();
    for method in [
        "textDocument/hover",
        "textDocument/completion",
        "textDocument/definition",
    ] {
        told += &editor.ask_at(YAML, flow, method, json!({})).to_string();
    }
    assert!(
        told.contains("THE_TOKEN") || told.contains("token"),
        "{told}"
    );
    told.into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_reaches_redis_or_mariadb_or_their_logs() {
    let options = [
        "--general-log=1",
        "--general-log-file=statements.log",
        "--log-bin=changes",
        "--binlog-format=ROW",
        "--sync-binlog=1",
        "--server-id=1",
    ];
    search(Kind::MariaDb, &options).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_reaches_postgres_or_its_log() {
    search(
        Kind::Postgres,
        &["log_statement=all", "log_parameter_max_length=-1"],
    )
    .await;
}
