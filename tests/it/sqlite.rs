//! SQLite files as stores and boards: opening them, whoever else does, and what is said when that fails.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use jobrunner::boards::sql::SqlBoard;
use jobrunner::model::{ConductorId, Epoch, JobId};
use jobrunner::ports::{
    BoardError, Created, JobBoard, LogBatch, Notice, Store, StoreError, SystemClock,
};
use jobrunner::stores::sql::SqlStore;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions};

use super::store_contract::{job, who};

fn url(file: &Path) -> String {
    format!("sqlite://{}", file.display())
}

async fn board(url: &str) -> Result<SqlBoard, BoardError> {
    SqlBoard::open(url, Arc::new(SystemClock)).await
}

async fn raw(file: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(file);
    options.connect().await.unwrap()
}

async fn run(file: &Path, sql: &str) {
    let mut connection = raw(file).await;
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
}

/// What the store and the board say of a file that cannot be opened.
async fn refusal(url: &str) -> String {
    let store = SqlStore::open(url).await.unwrap_err();
    let StoreError::Unavailable { what, .. } = store else {
        panic!("{store:?}");
    };
    let board = board(url).await.err().expect("the board refuses it too");
    let source = std::error::Error::source(&board).expect("a source");
    assert_eq!(source.to_string(), what);
    what
}

#[tokio::test]
async fn one_file_is_store_and_board_and_stays_after_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(&folder.path().join("jobs.db"));
    let new = job(1);
    {
        let store = SqlStore::open(&url).await.unwrap();
        let board = board(&url).await.unwrap();
        assert_eq!(store.create(&new).await.unwrap(), Created::New);
        let notice = Notice {
            job: new.id,
            priority: new.priority,
            requires: new.requires.clone(),
        };
        board.post(&notice, None).await.unwrap();
    }
    let board = board(&url).await.unwrap();
    let store = SqlStore::open(&url).await.unwrap();
    let found = store.load(new.id).await.unwrap().unwrap();
    assert_eq!(found.job.name, new.name);
    assert_eq!(board.snapshot(10).await.unwrap()[0].notice.job, new.id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_file_is_opened_by_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = url(&folder.path().join("jobs.db"));
    let mut opening = tokio::task::JoinSet::new();
    for n in 0..8_u64 {
        let url = url.clone();
        opening.spawn(async move {
            let store = SqlStore::open(&url).await.unwrap();
            board(&url).await.unwrap();
            store.create(&job(n)).await.unwrap();
        });
    }
    while let Some(opened) = opening.join_next().await {
        opened.unwrap();
    }
    let store = SqlStore::open(&url).await.unwrap();
    assert_eq!(store.jobs(true, 100).await.unwrap().len(), 8);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobs.db");
    SqlStore::open(&url(&file)).await.unwrap();
    board(&url(&file)).await.unwrap();
    for table in ["store_migrations", "board_migrations"] {
        let newer = format!(
            "INSERT INTO {table} (version, description, success, checksum, execution_time)
             VALUES (7, 'later', true, x'00', 0)"
        );
        run(&file, &newer).await;
    }
    let refused = SqlStore::open(&url(&file)).await.unwrap_err();
    assert!(matches!(
        refused,
        StoreError::Newer {
            found: 7,
            known: 1..
        }
    ));
    let refused = board(&url(&file)).await.err().unwrap();
    let why = std::error::Error::source(&refused).unwrap().to_string();
    let newer = "it has schema version 7, this program knows up to ";
    assert!(why.starts_with(newer), "{why}");
}

#[tokio::test]
async fn tables_of_another_making_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobs.db");
    SqlStore::open(&url(&file)).await.unwrap();
    run(&file, "UPDATE store_migrations SET version = version - 1").await;
    let StoreError::Unavailable { what, .. } = SqlStore::open(&url(&file)).await.unwrap_err()
    else {
        panic!();
    };
    assert!(what.contains("not those of any released version"), "{what}");
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no/where");
    let what = refusal(&url(&missing.join("jobs.db"))).await;
    let create = format!("create `{}`", missing.display());
    assert!(what.contains("jobs.db` cannot be opened"), "{what}");
    assert!(what.ends_with(&create), "{what}");
}

#[tokio::test]
async fn what_is_not_a_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("notes.txt");
    let text = "these are my notes, and they are long enough. ".repeat(100);
    fs::write(&file, &text).unwrap();
    let what = refusal(&url(&file)).await;
    assert!(
        what.contains("notes.txt` is not a SQLite database"),
        "{what}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), text);

    let what = refusal(&url(folder.path())).await;
    assert!(what.ends_with("is a folder: choose a file"), "{what}");

    let what = refusal(&url(&file.join("jobs.db"))).await;
    assert!(
        what.contains("is not a folder: choose another file"),
        "{what}"
    );

    let what = refusal("oracle://host/jobs").await;
    assert!(what.contains("sqlite:///path/jobs.db"), "{what}");
}

#[tokio::test]
async fn a_relative_url_names_a_file_in_the_present_folder() {
    let here = tempfile::tempdir_in(".").unwrap();
    let file = here.path().join("jobs.db");
    let relative = file.strip_prefix(fs::canonicalize(".").unwrap());
    let relative = relative.unwrap_or(&file);
    SqlStore::open(&url(relative)).await.unwrap();
    assert!(file.exists());
}

#[tokio::test]
async fn a_script_that_fails_halfway_is_rolled_back_and_holds_nobody_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jobs.db");
    let store = SqlStore::open(&url(&file)).await.unwrap();
    run(&file, "DROP TABLE jobs").await;
    let failed = store.own(job(1).id, &who("x")).await.unwrap_err();
    assert!(
        matches!(failed, StoreError::Unavailable { .. }),
        "{failed:?}"
    );
    let failed = store.create(&job(1)).await.unwrap_err();
    assert!(
        matches!(failed, StoreError::Unavailable { .. }),
        "{failed:?}"
    );
    run(
        &file,
        "INSERT INTO requests (job, kind, at, form, body) VALUES ('', '', 0, 1, '')",
    )
    .await;
    let mut connection = raw(&file).await;
    let sources: i64 = sqlx::query_scalar("SELECT count(*) FROM sources")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(sources, 0);
}

/// A store whose one job has an owner and one atom, and the file of it.
async fn spoilt(folder: &Path, sql: &str) -> (SqlStore, JobId, ConductorId, Epoch) {
    let file = folder.join("jobs.db");
    let store = SqlStore::open(&url(&file)).await.unwrap();
    let new = job(1);
    store.create(&new).await.unwrap();
    let me = who("x");
    let epoch = store.own(new.id, &me).await.unwrap().unwrap();
    let step = jobrunner::ports::Commit {
        job: new.id,
        owner: me.clone(),
        epoch,
        seq: 0,
        records: Vec::new(),
        atoms: vec![super::store_contract::atom(
            3,
            jobrunner::model::AtomState::Running,
        )],
        flow: None,
        answered: Vec::new(),
    };
    store.commit(&[step], &LogBatch::default()).await.unwrap();
    run(&file, sql).await;
    (store, new.id, me, epoch)
}

#[tokio::test]
async fn a_corrupt_checkpoint_names_its_place_and_can_be_stalled() {
    for (sql, place) in [
        ("UPDATE atoms SET content = '{'", "atom 3"),
        ("UPDATE atoms SET form = 2", "form 2"),
        ("UPDATE atoms SET atom = -1", "atom -1"),
        ("UPDATE jobs SET state = 'LOST'", "`LOST`"),
        ("UPDATE jobs SET cause = 'because'", "job "),
        ("UPDATE jobs SET priority = 'urgent'", "`urgent`"),
        ("UPDATE sources SET bundle = 'x'", "job "),
        ("UPDATE jobs SET since = 'noon'", ""),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (store, id, me, epoch) = spoilt(folder.path(), sql).await;
        let StoreError::Corrupt(why) = store.load(id).await.unwrap_err() else {
            panic!("{sql}");
        };
        assert!(why.contains(place), "{sql}: {why}");
        let at = job(1).created_at;
        assert!(
            store.stall(id, &me, epoch, &why, at).await.unwrap(),
            "{sql}"
        );
        let listed = &store.jobs(false, 10).await.unwrap()[0];
        assert_eq!(listed.flow.state, jobrunner::model::FlowState::Stuck);
        let cause = listed.flow.cause.clone().unwrap();
        assert_eq!(cause.message, why, "{sql}");
    }
}

#[tokio::test]
async fn one_unreadable_job_does_not_hide_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let (store, id, ..) = spoilt(folder.path(), "UPDATE jobs SET state = 'LOST'").await;
    store.create(&job(2)).await.unwrap();
    let listed = store.jobs(true, 10).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[1].id, id);
    assert_eq!(listed[1].flow.state, jobrunner::model::FlowState::Stuck);
    assert!(
        listed[1]
            .flow
            .cause
            .clone()
            .unwrap()
            .message
            .contains("`LOST`")
    );
}

#[tokio::test]
async fn a_posting_that_cannot_be_read_is_set_aside_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("board.db");
    let board = board(&url(&file)).await.unwrap();
    let good = Notice {
        job: job(1).id,
        priority: Default::default(),
        requires: "[]".to_owned(),
    };
    board.post(&good, None).await.unwrap();
    // It would be claimed first.
    let nonsense = "INSERT INTO postings (job, requires, priority, leased, until, expired)
                    VALUES ('nonsense', '[]', 0, 0, 0, 0)";
    run(&file, nonsense).await;
    let able = ["[]".to_owned()];
    let ttl = std::time::Duration::from_secs(60);
    let claim = board.claim(&who("x"), &able, ttl).await.unwrap();
    assert_eq!(claim.map(|claim| claim.job), Some(good.job));
    assert_eq!(board.claim(&who("x"), &able, ttl).await.unwrap(), None);
    assert_eq!(board.snapshot(10).await.unwrap().len(), 1);
    let kept = "SELECT count(*) FROM postings WHERE job = 'nonsense' AND leased = 2";
    let mut raw = raw(&file).await;
    let kept: i64 = sqlx::query_scalar(kept).fetch_one(&mut raw).await.unwrap();
    assert_eq!(kept, 1);
}
