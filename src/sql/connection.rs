//! One connection to whichever database.

use std::future::Future;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection as _, Either, Executor};

use super::database::PATIENCE;
use super::error::is_busy;
use super::packet::{Packet, Passed};
use super::script::{Script, Statement};
use super::target::Target;
use super::{Args, Row};

/// How long a server may take for one statement, or to let one in. Locks are waited for half as long.
const SERVER_PATIENCE: Duration = Duration::from_secs(10);

/// What a script may have in arguments, in bytes, to go to MySQL in one packet. A longer one spares nothing by it.
const PACKET: usize = 1 << 20;

/// What every session of MySQL and MariaDB begins with. Whoever writes sees what was committed before each statement,
/// and locks nothing that it does not change. NULL is refused where none may be, in the middle of many rows too: by
/// that a [`Packet`] ends whose guard has changed nothing. A machine that dies in the middle of a transaction must not
/// hold its locks for hours: the server ends a session that says nothing, MariaDB only within a transaction.
const MYSQL_SESSION: &str = "
    SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED;
    SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), innodb_lock_wait_timeout = 5
        /*M!100300 , idle_transaction_timeout = 10 */ /*!80000 , wait_timeout = 60 */";

/// Whether the server is a node of a Galera cluster. Not each build knows the variables that tell.
const IS_GALERA: &str = "SHOW VARIABLES WHERE variable_name = 'wsrep_on' AND value = 'ON'";

/// What was committed on one node is on its way to the others: a transaction waits until it is here.
const GALERA_SESSION: &str = "SET SESSION wsrep_sync_wait = 7";

pub(super) enum Connection {
    Sqlite(Box<SqliteConnection>),
    MySql(Box<MySqlConnection>),
    Postgres(Box<PgConnection>),
}

impl Connection {
    pub(super) async fn open(target: &Target) -> Result<Self, sqlx::Error> {
        match target {
            Target::Sqlite(_, options) => {
                // Of several programs that turn a new file to WAL at once, SQLite makes only one wait in order.
                let until = tokio::time::Instant::now() + PATIENCE;
                loop {
                    match options.connect().await {
                        Err(cause) if is_busy(&cause) && tokio::time::Instant::now() < until => {
                            tokio::time::sleep(Duration::from_millis(2)).await;
                        }
                        other => return other.map(|c| Self::Sqlite(Box::new(c))),
                    }
                }
            }
            Target::MySql(_, options) => {
                let connect = async {
                    let mut connection = options.connect().await?;
                    connection.execute(MYSQL_SESSION).await?;
                    let galera = connection.fetch_optional(IS_GALERA).await?;
                    if galera.is_some() {
                        connection.execute(GALERA_SESSION).await?;
                    }
                    Ok(Self::MySql(Box::new(connection)))
                };
                in_time(connect).await
            }
            Target::Postgres(_, options) => {
                let connect = async { Ok(Self::Postgres(Box::new(options.connect().await?))) };
                in_time(connect).await
            }
        }
    }

    /// Whether the other end is still there.
    pub(super) async fn answers(&mut self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::MySql(connection) => in_time(connection.ping()).await.is_ok(),
            Self::Postgres(connection) => in_time(connection.ping()).await.is_ok(),
        }
    }

    /// Runs a script, whole or taken apart, as this database has it.
    pub(super) async fn run(
        &mut self,
        text: &'static str,
        script: &Script,
        args: Args,
    ) -> Result<Vec<Row>, sqlx::Error> {
        match self {
            Self::Sqlite(connection) => sqlx::query_with(text, args.into_sqlite())
                .fetch_all(connection.as_mut())
                .await
                .map(|rows| rows.into_iter().map(Row::from).collect()),
            Self::MySql(connection) => {
                let mut rows = Vec::new();
                if script.at_once && args.total() <= PACKET {
                    in_time(run_packet(connection, script, &args, &mut rows)).await?;
                    return Ok(rows);
                }
                for statement in script.statements_for(&args) {
                    let run = run_mysql(connection, statement, &args, &mut rows);
                    if !in_time(run).await? {
                        in_time(connection.execute("ROLLBACK")).await?;
                        break;
                    }
                }
                Ok(rows)
            }
            Self::Postgres(connection) => {
                let mut rows = Vec::new();
                for statement in script.statements_for(&args) {
                    in_time(run_postgres(connection, statement, &args, &mut rows)).await?;
                }
                Ok(rows)
            }
        }
    }

    /// Carries out a packet. `None`: something refused itself because of a guard that changed nothing, and nothing of
    /// it took place.
    pub(super) async fn pass(&mut self, packet: &Packet) -> Result<Option<Passed>, sqlx::Error> {
        let Self::MySql(connection) = self else {
            unreachable!("packets are made for MySQL alone");
        };
        in_time(pass(connection, packet)).await
    }
}

async fn pass(
    connection: &mut MySqlConnection,
    packet: &Packet,
) -> Result<Option<Passed>, sqlx::Error> {
    let (mut told, mut rows) = (Vec::new(), Vec::new());
    let mut statements = packet.guards().iter();
    let text = AssertSqlSafe(packet.as_str().to_owned());
    let mut found = connection.fetch_many(sqlx::raw_sql(text));
    loop {
        match found.try_next().await {
            Ok(Some(Either::Left(done))) => {
                if statements.next() == Some(&true) {
                    let changed = done.rows_affected() > 0;
                    told.push(changed.then(|| done.last_insert_id().cast_signed()));
                }
            }
            Ok(Some(Either::Right(row))) => rows.push(row.into()),
            Ok(None) => return Ok(Some(Passed { told, rows })),
            Err(sqlx::Error::Database(_)) if told.contains(&None) => break,
            Err(error) => return Err(error),
        }
    }
    drop(found);
    connection.execute("ROLLBACK").await?;
    Ok(None)
}

/// Runs a whole script in one round trip.
async fn run_packet(
    connection: &mut MySqlConnection,
    script: &Script,
    args: &Args,
    rows: &mut Vec<Row>,
) -> Result<(), sqlx::Error> {
    let mut packet = String::new();
    for statement in script.statements_for(args) {
        statement.write(args, &mut packet);
        packet.push(';');
    }
    if packet.is_empty() {
        // A server refuses to do nothing.
        return Ok(());
    }
    let mut statements = script.statements_for(args);
    let mut found = connection.fetch_many(sqlx::raw_sql(AssertSqlSafe(packet)));
    while let Some(one) = found.try_next().await? {
        match one {
            Either::Right(row) => rows.push(row.into()),
            Either::Left(done) => {
                let statement = statements.next();
                if statement.is_some_and(|one| one.guards) && done.rows_affected() > 0 {
                    rows.push(Row::told(done.last_insert_id().cast_signed()));
                }
            }
        }
    }
    Ok(())
}

/// Runs one statement; whether the script goes on.
async fn run_mysql(
    connection: &mut MySqlConnection,
    statement: &Statement,
    args: &Args,
    rows: &mut Vec<Row>,
) -> Result<bool, sqlx::Error> {
    let text = statement.text.clone();
    if statement.guards {
        let bound = args.mysql(&statement.args);
        let done = sqlx::query_with(text, bound).execute(connection).await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        rows.push(Row::told(done.last_insert_id().cast_signed()));
        return Ok(true);
    }
    // Some statements, BEGIN among them, cannot be prepared.
    let mut found = if statement.args.is_empty() {
        connection.fetch(sqlx::raw_sql(text))
    } else {
        connection.fetch(sqlx::query_with(text, args.mysql(&statement.args)))
    };
    while let Some(row) = found.try_next().await? {
        rows.push(row.into());
    }
    Ok(true)
}

async fn run_postgres(
    connection: &mut PgConnection,
    statement: &Statement,
    args: &Args,
    rows: &mut Vec<Row>,
) -> Result<(), sqlx::Error> {
    let text = statement.text.clone();
    let mut found = if statement.args.is_empty() {
        connection.fetch(sqlx::raw_sql(text))
    } else {
        connection.fetch(sqlx::query_with(text, args.postgres(&statement.args)))
    };
    while let Some(row) = found.try_next().await? {
        rows.push(row.into());
    }
    Ok(())
}

async fn in_time<T>(
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(SERVER_PATIENCE, answer).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(sqlx::Error::Io(std::io::Error::new(
            std::io::ErrorKind::TimedOut,
            elapsed,
        ))),
    }
}
