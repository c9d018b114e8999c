//! The errors of PostgreSQL. Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.

use super::{Place, Trouble};

pub(super) fn explain(place: &Place, cause: &sqlx::Error) -> Trouble {
    let Place {
        url,
        user,
        database,
    } = place;
    let code = cause.as_database_error().and_then(|cause| cause.code());
    Trouble::Away(match code.as_deref() {
        // serialization_failure, deadlock_detected, lock_not_available
        Some("40001" | "40P01" | "55P03") => {
            return Trouble::Conflict(format!(
                "`{url}` gives others the rows first, again and again: see in pg_locks who holds them"
            ));
        }
        // admin_shutdown, crash_shutdown, idle sessions, connection exceptions
        Some("57P01" | "57P02" | "57P05" | "25P03" | "08000" | "08003" | "08006") => {
            return Trouble::Lost(format!(
                "`{url}` has closed the connection: see whether the server is up"
            ));
        }
        // cannot_connect_now
        Some("57P03") => format!("`{url}` is starting or stopping: wait for it"),
        Some("28P01" | "28000") => format!(
            "`{url}` refuses the user `{user}` with this password: correct them in the URL, or let this user in from here \
             in pg_hba.conf"
        ),
        // invalid_catalog_name
        Some("3D000") => format!(
            "`{url}`: there is no database `{database}`: CREATE DATABASE {database}, or name another one"
        ),
        // insufficient_privilege
        Some("42501") => format!(
            "`{url}`: the user `{user}` may not do what is needed: make it the owner of the database {database}, or GRANT \
             CREATE, USAGE ON SCHEMA public and SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public to it"
        ),
        // read_only_sql_transaction
        Some("25006") => format!(
            "`{url}` is read-only (a standby, or default_transaction_read_only): name the primary server, or promote this one"
        ),
        // too_many_connections
        Some("53300") => {
            format!(
                "`{url}` has too many connections: raise max_connections there, or run fewer conductors"
            )
        }
        // disk_full
        Some("53100") => format!("the disk of `{url}` is full: free some space on it"),
        // invalid_schema_name
        Some("3F000") => {
            format!("`{url}`: there is no schema to make tables in: CREATE SCHEMA public")
        }
        // undefined_table, undefined_column
        Some("42P01" | "42703") => format!(
            "the tables in `{url}` are not those of any released version: choose another database"
        ),
        Some(_) | None => format!("`{url}` does not answer as it should: report this"),
    })
}
