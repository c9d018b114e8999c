//! What cannot be worked with is said in one line, with what to do, before anything is begun.

use super::{as_admin, database};
use crate::cli::Home;
use crate::servers::{Kind, Server};

each_server! {
    an_empty_database_is_enough,
    a_wrong_password_is_told_from_a_missing_database,
    a_missing_grant_says_what_to_grant,
    a_newer_schema_is_refused,
    tls_is_used_and_certificates_are_checked;
    a_migration_that_was_cut_off_is_run_again,
    a_read_only_server_is_refused_and_a_forgetful_one_is_warned_of,
}

/// What `jobrunner show` says of a store, and with which code it ends.
async fn show(url: &str) -> (i32, String) {
    said("show", url).await
}

/// The same for a conductor that finds nothing to do.
async fn conduct(url: &str) -> (i32, String) {
    said("run --until-empty", url).await
}

async fn said(command: &'static str, url: &str) -> (i32, String) {
    let url = url.to_owned();
    tokio::task::spawn_blocking(move || {
        let home = Home::new().set("JOBRUNNER_STORE", &url);
        let text = home.run(command).text();
        let (exit, said) = text.split_once('\n').unwrap();
        let code = exit.strip_prefix("exit ").unwrap().parse().unwrap();
        assert!(!said.contains("s3cret"), "{said}");
        (code, said.to_owned())
    })
    .await
    .unwrap()
}

/// The one line that matters.
pub(super) async fn refusal(url: &str) -> String {
    let (code, said) = show(url).await;
    assert_eq!(code, 4, "{said}");
    let line = said.lines().find(|line| line.starts_with("error: "));
    line.unwrap_or_else(|| panic!("{said}")).to_owned()
}

async fn an_empty_database_is_enough(kind: Kind) {
    let url = Server::shared(kind).await.database().await;
    for _ in 0..2 {
        let (code, said) = show(&url).await;
        assert_eq!(code, 0, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_makes_no_sense_is_bad_input() {
    for (url, says) in [
        ("mysql://me:s3cret@h/jobs?sslmode=REQUIRED", "`sslmode`"),
        ("mysql://me:s3cret@h/jobs?ssl-mode=YES", "makes no sense"),
        ("mysql://me:s3cret@h", "names no database"),
        (
            "mysql://me:s3cret@h/jobs?ssl-ca=/no/ca.pem",
            "the file `/no/ca.pem`, which cannot be read",
        ),
        (
            "postgres://me:s3cret@h/jobs?sslrootcert=/no/ca%2Epem",
            "the file `/no/ca.pem`, which cannot be read",
        ),
        (
            "postgres://me:s3cret@h/jobs?sslmode=always",
            "makes no sense",
        ),
    ] {
        let (code, said) = show(url).await;
        assert_eq!(code, 2, "{said}");
        let line = said
            .lines()
            .find(|line| line.starts_with("error: "))
            .unwrap();
        assert!(
            line.starts_with("error: the store `") && line.contains(says),
            "{line}"
        );
    }
    let line = refusal("mysql://me:s3cret@h/jobs?socket=/no/socket").await;
    assert!(line.contains("has no such socket"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_named_without_the_password() {
    for scheme in ["mysql", "mariadb", "postgres", "postgresql"] {
        let line = refusal(&format!("{scheme}://me:s3cret@127.0.0.1:1/jobs")).await;
        assert_eq!(
            line,
            format!(
                "error: the store is not available: `{scheme}://me@127.0.0.1:1/jobs` cannot be reached: start the server, \
                 or correct the host and the port"
            )
        );
    }
}

async fn a_wrong_password_is_told_from_a_missing_database(kind: Kind) {
    let server = Server::shared(kind).await;
    let url = server.database().await;
    let line = refusal(&url.replace("s3cret", "s3cretly")).await;
    assert!(
        line.contains("refuses the user `jobrunner` with this password: correct them in the URL"),
        "{line}"
    );
    if kind != Kind::Postgres {
        // Whoever may not use it is not told whether there is one.
        let line = refusal(&url.replace(database(&url), "nowhere")).await;
        assert!(
            line.contains("may not use the database `nowhere`, if there is one: CREATE DATABASE nowhere, and GRANT SELECT"),
            "{line}"
        );
    }
    let line = refusal(&server.admin("nowhere")).await;
    assert!(
        line.contains(
            "there is no database `nowhere`: CREATE DATABASE nowhere, or name another one"
        ),
        "{line}"
    );
}

async fn a_missing_grant_says_what_to_grant(kind: Kind) {
    let server = Server::shared(kind).await;
    let url = server.database().await;
    let (code, said) = show(&url).await;
    assert_eq!(code, 0, "{said}");
    let name = database(&url);
    let reader = url.replace("jobrunner:s3cret%40%2F%3A", &format!("r_{name}:s3cret"));
    let grant = match kind {
        Kind::MariaDb | Kind::MySql => format!(
            "CREATE USER r_{name}@'%' IDENTIFIED BY 's3cret'; GRANT SELECT ON {name}.* TO r_{name}@'%'"
        ),
        Kind::Postgres => format!(
            "CREATE ROLE r_{name} LOGIN PASSWORD 's3cret'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO r_{name}"
        ),
    };
    as_admin(kind, server, &url, &grant).await;
    let line = refusal(&reader).await;
    assert!(
        line.contains(&format!("the user `r_{name}` may not do what is needed: ")),
        "{line}"
    );
    assert!(line.contains("SELECT, INSERT, UPDATE, DELETE"), "{line}");
}

async fn a_newer_schema_is_refused(kind: Kind) {
    let server = Server::shared(kind).await;
    let url = server.database().await;
    show(&url).await;
    let newer =
        "INSERT INTO store_migrations (version, description, success, checksum, execution_time)
                 VALUES (7, 'later', true, '', 0)";
    as_admin(kind, server, &url, newer).await;
    // Whoever may no longer change tables is told the same.
    let name = database(&url);
    let (user, grants) = match kind {
        Kind::MariaDb | Kind::MySql => (
            format!("n_{name}"),
            format!(
                "CREATE USER n_{name}@'%' IDENTIFIED BY 's3cret';
                 GRANT SELECT, INSERT, UPDATE, DELETE ON {name}.* TO n_{name}@'%'"
            ),
        ),
        Kind::Postgres => (
            format!("n_{name}"),
            format!(
                "CREATE ROLE n_{name} LOGIN PASSWORD 's3cret';
                 GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO n_{name}"
            ),
        ),
    };
    as_admin(kind, server, &url, &grants).await;
    let other = url.replace("jobrunner:s3cret%40%2F%3A", &format!("{user}:s3cret"));
    let known = match kind {
        Kind::MariaDb | Kind::MySql => 2,
        Kind::Postgres => 1,
    };
    for url in [url, other] {
        let line = refusal(&url).await;
        assert_eq!(
            line,
            format!("error: the store has schema version 7, this program knows up to {known}")
        );
    }
}

async fn a_migration_that_was_cut_off_is_run_again(kind: Kind) {
    // In PostgreSQL it is one transaction.
    let server = Server::shared(kind).await;
    let url = server.database().await;
    show(&url).await;
    for table in ["store_migrations", "board_migrations"] {
        let cut =
            format!("UPDATE {table} SET success = FALSE; DROP TABLE IF EXISTS events, queues");
        as_admin(kind, server, &url, &cut).await;
    }
    let (code, said) = show(&url).await;
    assert_eq!(code, 0, "{said}");
    let there = "INSERT INTO events (job, seq, epoch, form, record) VALUES ('', 1, 1, 1, '');
                 INSERT INTO queues (queue, requires) VALUES ('', '')";
    as_admin(kind, server, &url, there).await;
}

async fn a_read_only_server_is_refused_and_a_forgetful_one_is_warned_of(kind: Kind) {
    let options = [
        "--innodb-flush-log-at-trx-commit=2",
        "--log-bin",
        "--sync-binlog=0",
    ];
    let server = Server::start(kind, &options).await;
    let url = server.database().await;
    let (code, said) = conduct(&url).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("innodb_flush_log_at_trx_commit=2"), "{said}");
    assert!(said.contains("sync_binlog=0"), "{said}");
    as_admin(kind, &server, &url, "SET GLOBAL read_only = 1").await;
    let line = refusal(&url).await;
    assert!(
        line.ends_with("is read-only: name the primary server, or SET GLOBAL read_only = 0 there"),
        "{line}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_postgres_is_refused_and_a_forgetful_one_is_warned_of() {
    let server = Server::shared(Kind::Postgres).await;
    let url = server.database().await;
    let (code, said) = conduct(&url).await;
    assert_eq!((code, said.contains("durable")), (0, false), "{said}");
    let name = database(&url);
    let off = format!("ALTER DATABASE {name} SET synchronous_commit = off");
    as_admin(Kind::Postgres, server, &url, &off).await;
    let (code, said) = conduct(&url).await;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("synchronous_commit=off"), "{said}");
    let off = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    as_admin(Kind::Postgres, server, &url, &off).await;
    let line = refusal(&url).await;
    assert!(line.contains("is read-only"), "{line}");
}

async fn tls_is_used_and_certificates_are_checked(kind: Kind) {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, include_str!("../http/ca.pem")).unwrap();
    let ca = ca.display();
    let mut server = Server::start(kind, &[]).await;
    let url = server.database().await;
    let certificate = server.file("server.pem", include_str!("../http/server.pem"));
    let key = server.file("server.key", include_str!("../http/server.key"));
    let (certificate, key) = (certificate.display(), key.display());
    let (options, checked, unchecked, untrusted) = match kind {
        Kind::MariaDb | Kind::MySql => (
            vec![
                format!("--ssl-cert={certificate}"),
                format!("--ssl-key={key}"),
                "--require-secure-transport=1".to_owned(),
            ],
            format!("ssl-mode=VERIFY_IDENTITY&ssl-ca={ca}"),
            "ssl-mode=REQUIRED",
            "ssl-mode=VERIFY_IDENTITY",
        ),
        Kind::Postgres => (
            vec![
                "ssl=on".to_owned(),
                format!("ssl_cert_file={certificate}"),
                format!("ssl_key_file={key}"),
            ],
            format!("sslmode=verify-full&sslrootcert={ca}"),
            "sslmode=require",
            "sslmode=verify-full",
        ),
    };
    let required = format!("{url}?{unchecked}");
    // MySQL, and MariaDB from 11.4 on, make themselves a certificate that nobody knows.
    if !server.speaks_tls(&url).await {
        let line = refusal(&required).await;
        assert!(line.contains("cannot be reached by TLS"), "{line}");
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    server.start_again(&options).await;
    if kind == Kind::MySql {
        let line = refusal(&format!("{url}?ssl-mode=DISABLED")).await;
        assert!(line.contains("by TLS alone"), "{line}");
    }
    for url in [required, format!("{url}?{checked}")] {
        let (code, said) = show(&url).await;
        assert_eq!(code, 0, "{said}");
    }
    let line = refusal(&format!("{url}?{untrusted}")).await;
    assert!(
        line.contains("a certificate that is trusted here"),
        "{line}"
    );
}
