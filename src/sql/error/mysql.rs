//! The errors of MySQL and MariaDB.
//!
//! Numbers: <https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html> and
//! <https://mariadb.com/kb/en/mariadb-error-code-reference/>.

use sqlx::mysql::MySqlDatabaseError;

use super::{Place, Trouble};

pub(super) fn explain(place: &Place, cause: &sqlx::Error) -> Trouble {
    let Place {
        url,
        user,
        database,
    } = place;
    // sqlx: `caching_sha2_password` sends the password itself, unless the server remembers it.
    if matches!(cause, sqlx::Error::Configuration(_)) {
        return Trouble::Away(format!(
            "`{url}` takes the password of the user `{user}` by TLS alone: add ?ssl-mode=REQUIRED to the URL, and let the \
             server speak TLS"
        ));
    }
    let number = cause
        .as_database_error()
        .and_then(|cause| cause.try_downcast_ref::<MySqlDatabaseError>())
        .map(MySqlDatabaseError::number);
    Trouble::Away(match number {
        // ER_UNKNOWN_COM_ERROR, as Galera has it.
        Some(1047) if cause.to_string().contains("WSREP") => format!(
            "`{url}` is a Galera node that has lost the others, or has not yet joined them: see SHOW STATUS LIKE 'wsrep%' \
             there, and wait for it, or name another node"
        ),
        // ER_LOCK_WAIT_TIMEOUT: of rows, and of what a Galera node waits for before it reads.
        Some(1205) => {
            return Trouble::Conflict(format!(
                "`{url}` makes wait too long, again and again: see with SHOW ENGINE INNODB STATUS who holds rows, and, if it \
                 is a Galera node, with SHOW STATUS LIKE 'wsrep%' whether it has lost the others"
            ));
        }
        // ER_LOCK_DEADLOCK, ER_CHECKREAD, ER_XA_RBDEADLOCK
        Some(1213 | 1020 | 1614) => {
            return Trouble::Conflict(format!(
                "`{url}` gives others the rows first, again and again: see with SHOW ENGINE INNODB STATUS who holds them"
            ));
        }
        // ER_ERROR_DURING_COMMIT: of a full disk, and of a Galera node that loses the others at that moment.
        Some(1180) => {
            return Trouble::Lost(format!(
                "`{url}` has not confirmed a commit: see its error log, whether its disk has room, and whether a Galera \
                 node has lost the others"
            ));
        }
        // Shutdown, killed, and what the server says of a connection that breaks.
        Some(
            1053
            | 1077..=1079
            | 1152
            | 1158..=1161
            | 1184
            | 1317
            | 1927
            | 2006
            | 2013
            | 3169
            | 4031,
        ) => {
            return Trouble::Lost(format!(
                "`{url}` has closed the connection: see whether the server is up"
            ));
        }
        // ER_ACCESS_DENIED_ERROR, ER_ACCESS_DENIED_NO_PASSWORD_ERROR, ER_HOST_NOT_PRIVILEGED
        Some(1045 | 1698) => format!(
            "`{url}` refuses the user `{user}` with this password: correct them in the URL, or let this user in from here"
        ),
        Some(1130) => format!(
            "`{url}` lets nobody in from this machine: create the user as `{user}`@`%`, or with this machine's name"
        ),
        // ER_MUST_CHANGE_PASSWORD, ER_ACCOUNT_HAS_BEEN_LOCKED
        Some(1820 | 1862 | 3118 | 4151) => {
            format!(
                "`{url}` does not let the user `{user}` in: unlock it, and set a password that does not expire"
            )
        }
        // ER_BAD_DB_ERROR
        Some(1049) => format!(
            "`{url}`: there is no database `{database}`: CREATE DATABASE {database}, or name another one"
        ),
        // ER_DBACCESS_DENIED_ERROR: the same whether there is one or not.
        Some(1044) => format!(
            "`{url}`: the user `{user}` may not use the database `{database}`, if there is one: CREATE DATABASE {database}, \
             and {}",
            grant(database)
        ),
        // ER_TABLEACCESS_DENIED_ERROR, ER_COLUMNACCESS_DENIED_ERROR,
        // ER_SPECIFIC_ACCESS_DENIED_ERROR
        Some(1142 | 1143 | 1227) => format!(
            "`{url}`: the user `{user}` may not do what is needed: {}",
            grant(database)
        ),
        // ER_OPTION_PREVENTS_STATEMENT (read_only), ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE
        Some(1290 | 1792 | 1836) => format!(
            "`{url}` is read-only: name the primary server, or SET GLOBAL read_only = 0 there"
        ),
        // ER_CON_COUNT_ERROR, ER_TOO_MANY_USER_CONNECTIONS, ER_USER_LIMIT_REACHED
        Some(1040 | 1203 | 1226) => {
            format!(
                "`{url}` has too many connections: raise max_connections there, or run fewer conductors"
            )
        }
        // ER_DISK_FULL, ER_RECORD_FILE_FULL, ER_OUT_OF_RESOURCES
        Some(1021 | 1114 | 1041) => {
            format!("the disk of `{url}` is full: free some space on it")
        }
        // ER_NET_PACKET_TOO_LARGE
        Some(1153) => {
            format!(
                "`{url}` takes no packets of this size: SET GLOBAL max_allowed_packet = 67108864"
            )
        }
        // ER_BINLOG_STMT_MODE_AND_ROW_ENGINE
        Some(1665) => format!("`{url}` cannot replicate this: SET GLOBAL binlog_format = ROW"),
        // ER_SECURE_TRANSPORT_REQUIRED
        Some(3159) => format!("`{url}` wants TLS: add ?ssl-mode=REQUIRED to the URL"),
        // ER_BAD_FIELD_ERROR, ER_NO_SUCH_TABLE
        Some(1054 | 1146) => format!(
            "the tables in `{url}` are not those of any released version: choose another database"
        ),
        // ER_SYNTAX_ERROR and unknown functions: JSON_TABLE, SKIP LOCKED.
        Some(1064 | 1305) => format!(
            "`{url}` does not understand what it is asked: it must be MySQL 8.0 or MariaDB 10.6, or later"
        ),
        Some(_) | None => format!("`{url}` does not answer as it should: report this"),
    })
}

/// What the user needs.
fn grant(database: &str) -> String {
    format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX ON {database}.* TO this user"
    )
}
