//! From a URL to the database that it names.

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use sqlx::ConnectOptions;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::SqlError;
use super::database::{Durability, PATIENCE};

/// The kinds of databases, by what they are told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// SQLite.
    Sqlite,
    /// MySQL and MariaDB.
    MySql,
    /// PostgreSQL.
    Postgres,
}

/// Which database, and how to reach it. It is shown without the password.
pub(super) enum Target {
    Sqlite(PathBuf, Box<SqliteConnectOptions>),
    MySql(Place, Box<MySqlConnectOptions>),
    Postgres(Place, Box<PgConnectOptions>),
}

/// A server and a database in it, for people.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The URL without password and parameters.
    pub(super) url: String,
    pub(super) user: String,
    pub(super) database: String,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(file, _) => write!(f, "{}", file.display()),
            Self::MySql(place, _) | Self::Postgres(place, _) => f.write_str(&place.url),
        }
    }
}

impl Target {
    /// Reads `sqlite:`, `mysql:`, `mariadb:`, `postgres:` and `postgresql:` URLs.
    pub(super) fn parse(url: &str, durability: Durability) -> Result<Self, SqlError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("mysql" | "mariadb") => mysql(url),
            Some("postgres" | "postgresql") => postgres(url, durability),
            Some(_) | None => sqlite(url, durability),
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Sqlite(..) => Kind::Sqlite,
            Self::MySql(..) => Kind::MySql,
            Self::Postgres(..) => Kind::Postgres,
        }
    }
}

/// The URL without its password.
#[must_use]
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    // A password that was not percent-encoded may hold any of `/?#@`: all up to the last `@` counts as secret.
    match rest.rsplit_once('@') {
        Some((who, place)) => {
            let user = who.split_once(':').map_or(who, |(user, _)| user);
            format!("{scheme}://{user}@{place}")
        }
        None => url.to_owned(),
    }
}

/// What of a URL nobody else may see, as it stands there: `user:password@`. None if it has no password.
#[must_use]
pub fn login(url: &str) -> Option<String> {
    let (who, _) = url.split_once("://")?.1.rsplit_once('@')?;
    who.contains(':').then(|| format!("{who}@"))
}

fn wrong(url: &str, why: &str, form: &str) -> SqlError {
    SqlError::Unavailable {
        what: format!("`{}` {why}: write it as `{form}`", without_password(url)),
        source: None,
    }
}

/// Whether the URL can be made sense of, and the files that it names be read. Nothing is opened.
///
/// # Errors
/// What is wrong with it, in one line with the URL's form.
pub fn check_url(url: &str) -> Result<(), SqlError> {
    Target::parse(url, Durability::Full).map(drop)
}

fn sqlite(url: &str, durability: Durability) -> Result<Target, SqlError> {
    let file = sqlite_file(url)?;
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Relaxed => SqliteSynchronous::Normal,
        })
        .busy_timeout(PATIENCE)
        .disable_statement_logging();
    Ok(Target::Sqlite(file, Box::new(options)))
}

/// The file that `sqlite:///path/jobs.db` or `sqlite://relative.db` names.
fn sqlite_file(url: &str) -> Result<PathBuf, SqlError> {
    let wrong = |why: &str| wrong(url, why, "sqlite:///path/jobs.db");
    let path = url
        .strip_prefix("sqlite:")
        .ok_or_else(|| wrong("does not name a SQLite file"))?;
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.ends_with('/') {
        return Err(wrong("names no file"));
    }
    if path.starts_with(":memory:") {
        return Err(wrong("would be gone with the program"));
    }
    if path.contains('?') {
        return Err(wrong("has parameters, and there are none"));
    }
    let path = percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| wrong("is not UTF-8"))?;
    if path.contains('\0') {
        return Err(wrong("names no file"));
    }
    Ok(PathBuf::from(path.as_ref()))
}

const MYSQL: &str = "mysql://user:password@host:3306/database";
const POSTGRES: &str = "postgres://user:password@host:5432/database";

fn mysql(url: &str) -> Result<Target, SqlError> {
    let parameters = ["ssl-mode", "ssl-ca", "ssl-cert", "ssl-key", "socket"];
    check(url, &parameters, MYSQL)?;
    let options = MySqlConnectOptions::from_str(url)
        .map_err(|why| wrong(url, &format!("makes no sense ({why})"), MYSQL))?
        .disable_statement_logging();
    let place = Place {
        url: bare(url),
        user: options.get_username().to_owned(),
        database: options.get_database().unwrap_or_default().to_owned(),
    };
    if place.database.is_empty() {
        return Err(wrong(url, "names no database", MYSQL));
    }
    Ok(Target::MySql(place, Box::new(options)))
}

fn postgres(url: &str, durability: Durability) -> Result<Target, SqlError> {
    let parameters = ["sslmode", "sslrootcert", "sslcert", "sslkey", "host"];
    check(url, &parameters, POSTGRES)?;
    // What is not asked for here is as the server has it: whoever runs it knows why.
    let mut settings = vec![
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "10s"),
    ];
    if durability == Durability::Relaxed {
        settings.push(("synchronous_commit", "off"));
    }
    let options = PgConnectOptions::from_str(url)
        .map_err(|why| wrong(url, &format!("makes no sense ({why})"), POSTGRES))?
        .application_name("jobrunner")
        .options(settings)
        .disable_statement_logging();
    let place = Place {
        url: bare(url),
        user: options.get_username().to_owned(),
        database: options.get_database().unwrap_or_default().to_owned(),
    };
    if place.database.is_empty() {
        return Err(wrong(url, "names no database", POSTGRES));
    }
    Ok(Target::Postgres(place, Box::new(options)))
}

fn bare(url: &str) -> String {
    let shown = without_password(url);
    match shown.split_once('?') {
        Some((url, _)) => url.to_owned(),
        None => shown,
    }
}

/// What stands between the user and the database.
fn hosts(url: &str) -> &str {
    let place = url.split('?').next().unwrap_or(url);
    let place = place.split_once("://").map_or(place, |(_, place)| place);
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    place.split('/').next().unwrap_or(place)
}

/// A parameter that is not known would be passed over in silence, and with it what it was to protect.
fn check(url: &str, known: &[&str], form: &str) -> Result<(), SqlError> {
    if hosts(url).contains(',') {
        return Err(wrong(
            url,
            "names several hosts, and one is taken: name an address that follows the primary",
            form,
        ));
    }
    let Some((_, parameters)) = url.split_once('?') else {
        return Ok(());
    };
    for parameter in parameters.split('&') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !known.contains(&name) {
            let known = known.join("`, `");
            let why = format!("has the parameter `{name}`, and those known are `{known}`");
            return Err(wrong(url, &why, form));
        }
        if FILES.contains(&name) {
            let file = percent_decode_str(value).decode_utf8_lossy();
            File::open(&*file).map_err(|cause| SqlError::Unavailable {
                what: format!(
                    "`{}` names with `{name}` the file `{file}`, which cannot be read: correct the path, or let this user \
                     read it",
                    bare(url)
                ),
                source: Some(Box::new(cause)),
            })?;
        }
    }
    Ok(())
}

/// The parameters that name files, which would be missed without a word about which.
const FILES: [&str; 6] = [
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "sslrootcert",
    "sslcert",
    "sslkey",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_absolute_and_relative_files() {
        for (url, file) in [
            ("sqlite:///path/jobs.db", "/path/jobs.db"),
            ("sqlite://relative.db", "relative.db"),
            ("sqlite:relative.db", "relative.db"),
            ("sqlite://a%20b%3F.db", "a b?.db"),
        ] {
            assert_eq!(sqlite_file(url).unwrap(), PathBuf::from(file), "{url}");
        }
        for url in [
            "jobs.db",
            "oracle://host/db",
            "sqlite://",
            "sqlite:///folder/",
            "sqlite::memory:",
            "sqlite://a.db?mode=ro",
            "sqlite://%ff.db",
            "sqlite://a%00.db",
        ] {
            assert!(Target::parse(url, Durability::Full).is_err(), "{url}");
        }
    }

    #[test]
    fn urls_name_servers_and_are_shown_without_the_password() {
        for (url, kind, shown) in [
            (
                "mysql://ann:s3cret@db:3307/jobs",
                Kind::MySql,
                "mysql://ann@db:3307/jobs",
            ),
            (
                "mariadb://ann:s3cret%40%2F@db/jobs?ssl-mode=REQUIRED",
                Kind::MySql,
                "mariadb://ann@db/jobs",
            ),
            (
                "postgres://ann:s3cret@[::1]:5432/jobs?sslmode=verify-full",
                Kind::Postgres,
                "postgres://ann@[::1]:5432/jobs",
            ),
            (
                "postgresql://ann:s3cret@db/jobs",
                Kind::Postgres,
                "postgresql://ann@db/jobs",
            ),
        ] {
            let target = Target::parse(url, Durability::Full).unwrap();
            assert_eq!(target.kind(), kind);
            assert_eq!(format!("{target:?}"), shown);
        }
    }

    #[test]
    fn hosts_are_told_from_all_else() {
        for (url, hosts) in [
            ("postgres://db1,db2:5432/jobs", "db1,db2:5432"),
            ("mysql://a,b:c,d@db/jobs,new?socket=/run/a,b", "db"),
            ("mysql://ann:s3c/ret@db/jobs", "db"),
        ] {
            assert_eq!(super::hosts(url), hosts);
        }
    }

    #[test]
    fn a_wrong_url_says_what_is_wrong_and_keeps_the_password() {
        for (url, says) in [
            ("mysql://ann:s3cret@db:3306", "names no database"),
            ("mysql://ann:s3cret@db:x/jobs", "makes no sense"),
            ("mysql://ann:s3cret@db/jobs?sslmode=REQUIRED", "`sslmode`"),
            (
                "postgres://ann:s3cret@db/jobs?ssl-mode=require",
                "`ssl-mode`",
            ),
            ("postgres://ann:s3cret@db/jobs?password=x", "`password`"),
            ("postgres://ann:s3c/ret@db/jobs", "makes no sense"),
            (
                "postgres://ann:s3cret@db1,db2:5432/jobs",
                "names several hosts, and one is taken",
            ),
        ] {
            let said = Target::parse(url, Durability::Full)
                .unwrap_err()
                .to_string();
            assert!(said.contains(says), "{said}");
            assert!(!said.contains("s3c"), "{said}");
        }
    }
}
