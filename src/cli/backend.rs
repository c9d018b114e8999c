//! The store and the board that the configuration names, opened. The only place that names concrete ones.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::config::Config;
use super::report::{Error, Exit, Result};
use crate::boards::redis::{RedisAddress, RedisBoard};
use crate::boards::sql::SqlBoard;
use crate::model::{ConductorId, Duration};
use crate::ports::{JobBoard, Notice, Store, SystemClock};
use crate::sql::{check_url, without_password};
use crate::stores::sql::SqlStore;

/// The store and the board.
#[derive(Clone)]
pub struct Backend {
    /// The truth.
    pub store: Arc<dyn Store>,
    /// Who works on what.
    pub board: Arc<dyn JobBoard>,
    /// The board, if it is in Redis, and its URL.
    redis: Option<(Arc<RedisBoard>, String)>,
}

impl Backend {
    /// Opens the store and the board; makes the default file and its folder if they are not there.
    ///
    /// # Errors
    /// A URL makes no sense or names what this build does not have; something cannot be opened.
    pub async fn open(config: &Config) -> Result<Self> {
        let backend = Self::open_store(config).await?;
        backend.reach_board().await?;
        Ok(backend)
    }

    /// Whether the board can be worked with.
    ///
    /// # Errors
    /// It is away, or refuses something that is needed.
    pub async fn reach_board(&self) -> Result<()> {
        let Some((board, url)) = &self.redis else {
            return Ok(());
        };
        let reached = board.probe().await;
        reached.map_err(|error| {
            let at = without_password(url);
            Error::from(error).help(format!("it is at {at}; `--board` names another"))
        })
    }

    /// Puts a job on the board, and wakes those who wait for one.
    ///
    /// # Errors
    /// The board is away, or refuses it.
    pub async fn offer(
        &self,
        notice: &Notice,
        lease: Option<(&ConductorId, Duration)>,
    ) -> Result<()> {
        self.reach_board().await?;
        self.board.post(notice, lease).await?;
        Ok(self.board.wake().await?)
    }

    /// The same as [`Self::open`] for what needs the store alone: a board in Redis is connected to when it is used, so
    /// it may be away.
    ///
    /// # Errors
    /// As for [`Self::open`], except that Redis is away.
    pub async fn open_store(config: &Config) -> Result<Self> {
        let store_url = match &config.store {
            Some(url) => checked(url, "store")?,
            None => default_url()?,
        };
        let board_url = match &config.board {
            Some(url) => checked(url, "board")?,
            None => store_url.clone(),
        };
        // Before anything is opened: a URL that makes no sense is bad input.
        let redis = redis_address(&board_url)?;
        let store = SqlStore::open(&store_url)
            .await
            .map_err(|error| at(error.into(), &store_url))?;
        let redis = redis.map(|address| (Arc::new(RedisBoard::new(address)), board_url.clone()));
        let board: Arc<dyn JobBoard> = match &redis {
            Some((board, _)) => Arc::clone(board) as Arc<dyn JobBoard>,
            None => Arc::new(
                SqlBoard::open_on_server_time(&board_url, Arc::new(SystemClock))
                    .await
                    .map_err(|error| at(error.into(), &board_url))?,
            ),
        };
        Ok(Self {
            store: Arc::new(store),
            board,
            redis,
        })
    }
}

/// Where Redis is, if it is Redis that the URL names.
fn redis_address(url: &str) -> Result<Option<RedisAddress>> {
    if !url.starts_with("redis") {
        return Ok(None);
    }
    let address = RedisAddress::parse(url).map_err(|why| {
        Error::input(format!("the board `{}`: {why}", without_password(url)))
            .help("write redis://user:password@host:6379/0, or rediss:// for TLS")
    })?;
    Ok(Some(address))
}

fn at(error: Error, url: &str) -> Error {
    error.help(format!(
        "it is at {}; `--store` and `--board` name others",
        without_password(url)
    ))
}

/// The URL, if this build can open it; a bare path is one of SQLite.
fn checked(url: &str, what: &str) -> Result<String> {
    let Some((scheme, _)) = url.split_once(':') else {
        return Err(Error::input(format!("the {what} `{url}` is not a URL"))
            .help(format!("write {}", url_of(&absolute(url)))));
    };
    match scheme {
        "sqlite" | "mysql" | "mariadb" | "postgres" | "postgresql" => match check_url(url) {
            Ok(()) => Ok(url.to_owned()),
            Err(why) => Err(Error::input(format!("the {what} {why}")).because(&why)),
        },
        "redis" | "rediss" if what == "board" => Ok(url.to_owned()),
        "redis" | "rediss" => Err(Error::input(format!(
            "the {what} `{}`: Redis can be the board, not the store",
            without_password(url)
        ))
        .help("write --board for it, and another URL for the store")),
        other => Err(Error::input(format!(
            "the {what} `{}`: `{other}` is not known",
            without_password(url)
        ))
        .help(FORMS)),
    }
}

const FORMS: &str = "write sqlite:///path/jobs.db, mysql://user:password@host:3306/database or \
                     postgres://user:password@host:5432/database";

fn absolute(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path))
}

fn default_url() -> Result<String> {
    let folder = dirs::data_dir()
        .ok_or_else(|| {
            Error::input(
                "there is no folder for the user's data: neither HOME nor XDG_DATA_HOME is set",
            )
            .help("say where jobs are kept: --store sqlite:///path/jobs.db")
        })?
        .join("jobrunner");
    create(&folder)?;
    Ok(url_of(&folder.join("jobs.db")))
}

/// The URL of a file: what would end the path in a URL is percent-encoded.
fn url_of(file: &Path) -> String {
    const ENDS: AsciiSet = CONTROLS.add(b'%').add(b'?').add(b'#');
    format!(
        "sqlite://{}",
        percent_encode(file.as_os_str().as_bytes(), &ENDS)
    )
}

/// Inputs and output of jobs are nobody else's business: the folder is the user's alone.
fn create(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|error| {
        Error::said(
            Exit::Unreachable,
            format!("the folder `{}` cannot be made", folder.display()),
        )
        .because(&error)
        .help("say where jobs are kept instead: --store sqlite:///path/jobs.db")
    })
}
