//! From a URL to where Redis is, as whom, and under which keys.

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

/// Where a board is: `redis://user:password@host:6379/0?prefix=name`, or `rediss://` with TLS.
#[derive(Clone)]
pub struct RedisAddress {
    info: ConnectionInfo,
    /// With no password in it.
    shown: String,
    user: Option<String>,
    board: String,
}

/// What the keys begin with, unless the URL says otherwise.
const PREFIX: &str = "jobrunner";

/// The form of what is kept. Another form has other keys, which are filled from the store.
const VERSION: u32 = 1;

impl RedisAddress {
    /// Reads the URL.
    ///
    /// # Errors
    /// What is wrong with it, in words, without the password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let mut parsed = redis::parse_redis_url(url)
            .filter(|url| matches!(url.scheme(), "redis" | "rediss"))
            .ok_or("it is not a URL such as redis://host:6379/0")?;
        let mut prefix = PREFIX.to_owned();
        for (name, value) in parsed.query_pairs() {
            match &*name {
                "prefix" => prefix = value.into_owned(),
                other => return Err(format!("`{other}` is not known: there is only `prefix`")),
            }
        }
        let plain = |c: char| c.is_alphanumeric() || "-_.:/".contains(c);
        if prefix.is_empty() || !prefix.chars().all(plain) {
            return Err(format!(
                "the prefix `{prefix}` is not made of letters, digits and any of `-_.:/`"
            ));
        }
        parsed.set_query(None);
        let user = Some(parsed.username()).filter(|user| !user.is_empty());
        let user = user.map(str::to_owned);
        let mut shown = parsed.clone();
        if shown.password().is_some() {
            // A URL with a host, which the server's is, can have one.
            let _ = shown.set_password(Some("…"));
        }
        let info = parsed.into_connection_info().map_err(|error| {
            let what = error.to_string();
            // The library puts the name of its own kind behind what it says.
            let what = what.split(" - ").next().unwrap_or_default();
            what.to_lowercase()
        })?;
        let settings = info
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP3);
        Ok(Self {
            info: info.set_redis_settings(settings),
            shown: shown.to_string().replace("%E2%80%A6", "…"),
            user,
            board: format!("{{{prefix}}}:{VERSION}"),
        })
    }

    pub(super) fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    /// As people may see it.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    /// Whether it is TLS that is spoken.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }

    /// Who this is for the server.
    pub(super) fn user(&self) -> &str {
        self.user.as_deref().unwrap_or("default")
    }

    /// What the keys begin with.
    pub(super) fn board(&self) -> &str {
        &self.board
    }

    /// One of the board's keys.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}:{name}", self.board)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_under_which_keys() {
        let address = RedisAddress::parse("rediss://me:s%40cret@h:7000/3?prefix=team.a").unwrap();
        assert_eq!(address.board(), "{team.a}:1");
        assert_eq!(address.user(), "me");
        assert_eq!(address.shown(), "rediss://me:…@h:7000/3");
        assert_eq!(address.info().redis_settings().db(), 3);
        assert_eq!(address.info().redis_settings().password(), Some("s@cret"));
        let address = RedisAddress::parse("redis://:secret@localhost").unwrap();
        assert_eq!(address.shown(), "redis://:…@localhost");
        assert_eq!(address.key("jobs"), "{jobrunner}:1:jobs");
        assert_eq!(address.user(), "default");
    }

    #[test]
    fn what_makes_no_sense_is_said_without_the_password() {
        for (url, why) in [
            ("redis://:secret@h/x", "database number"),
            ("redis://:secret@h/0?prefx=a", "`prefx` is not known"),
            ("redis://:secret@h/0?prefix=a%7Bb", "letters, digits"),
            ("redis://:secret@h/0?prefix=", "letters, digits"),
            ("redis://:secret@", "not a URL"),
            ("redis:nonsense", "host"),
        ] {
            let said = RedisAddress::parse(url).err().unwrap_or_default();
            assert!(said.contains(why), "{url}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
