//! What is wrong with Redis, in one line with what to do about it. No line has a password in it.

use redis::{ErrorKind, RedisError};

use super::address::RedisAddress;
use crate::ports::BoardError;

/// What can go wrong, by what the caller does next.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// It has lost what it held.
    #[error("the board was lost")]
    Lost,
    /// It holds something that makes no sense.
    #[error("{0}")]
    Unreadable(String),
    /// It cannot be reached, or does not do what is asked.
    #[error("{what}")]
    Away { what: String },
}

/// The oldest version that has all that is needed.
const OLDEST: (u32, u32) = (6, 2);

/// What the scripts need to be allowed.
const COMMANDS: &str = "+evalsha +script|load +info +subscribe +publish +time +get +set +incr +exists +del +pexpire \
     +hset +hget +hmget +hexists +hdel +sadd +srem +smembers +zadd +zscore +zrange +zrangebyscore +zrem";

pub(super) fn unreadable(what: String) -> BoardError {
    BoardError::Unreadable(what)
}

fn away(address: &RedisAddress, what: impl AsRef<str>) -> Trouble {
    Trouble::Away {
        what: format!("`{}` {}", address.shown(), what.as_ref()),
    }
}

/// Says what happened; `moved` is the node of a cluster that was asked instead of the one in the URL.
pub(super) fn explain(
    address: &RedisAddress,
    moved: Option<&(String, u16)>,
    error: &RedisError,
) -> Trouble {
    let detail = error.detail().unwrap_or_default();
    let text = error.to_string();
    let code = code(error);
    let what = match &*code {
        "LOST" => return Trouble::Lost,
        "WRONGTYPE" => {
            return Trouble::Unreadable(format!(
                "the keys that begin with `{}` are not a board's: choose another prefix, as in `?prefix=name`",
                address.board()
            ));
        }
        "NOPERM" => return forbidden(address, detail),
        "NOAUTH" => {
            "asks for a password: write it into the URL, redis://user:password@host".to_owned()
        }
        "WRONGPASS" => wrong_password(address),
        "READONLY" => REPLICA.to_owned(),
        "MASTERDOWN" => "is a replica that has lost its primary: name the primary".to_owned(),
        "MOVED" | "ASK" | "TRYAGAIN" | "CLUSTERDOWN" | "CROSSSLOT" => format!(
            "is a cluster that does not serve the board's slot ({code} {detail}): see `CLUSTER INFO`, and name a node \
             that can be reached from here"
        ),
        "LOADING" => "is reading its data from disk: try again when it is ready".to_owned(),
        "BUSY" => "is busy with somebody's script: end that with `SCRIPT KILL`".to_owned(),
        "MISCONF" => {
            "takes no writes, since it cannot save to its disk: see its log, and free some space"
                .to_owned()
        }
        "OOM" => "has used up its memory: raise `maxmemory`, or give the board a server of its own"
            .to_owned(),
        "NOREPLICAS" => {
            "takes no writes, since it has too few replicas: see `min-replicas-to-write`".to_owned()
        }
        "NOTBUSY" | "NOSCRIPT" | "EXECABORT" | "NOSUB" => odd(&text),
        _ if error.kind() == ErrorKind::RESP3NotSupported || text.contains("unknown command") => {
            too_old("this one")
        }
        _ if text.contains("invalid username-password") || text.contains("WRONGPASS") => {
            wrong_password(address)
        }
        _ if error.kind() == ErrorKind::AuthenticationFailed => wrong_password(address),
        _ if text.contains("max number of clients") => {
            "has no room for another connection: raise `maxclients`".to_owned()
        }
        _ if text.contains("SELECT is not allowed in cluster mode") => format!(
            "is a cluster, which has no database but 0: leave it out, and tell boards apart by `?prefix=`, not by `/{}`",
            address.info().redis_settings().db()
        ),
        _ if text.contains("DB index is out of range") => {
            "has no database of that number: choose another one, as in redis://host:6379/0"
                .to_owned()
        }
        _ if is_forbidden(&text) => return forbidden(address, &text),
        _ if error.is_timeout() && address.is_tls() => {
            "does not answer: is TLS spoken at that port, and is the server running?".to_owned()
        }
        _ if error.is_timeout() => {
            "does not answer: is it overloaded or stopped, or does a firewall drop what is sent?"
                .to_owned()
        }
        _ if error.is_io_error() || error.is_connection_dropped() => unreachable(&text),
        _ => odd(&text),
    };
    match moved {
        Some((host, port)) => away(
            address,
            format!("leads to {host}:{port}, which has the board's slot and {what}"),
        ),
        None => away(address, what),
    }
}

/// The code of an error, of one within a script too.
pub(super) fn code(error: &RedisError) -> String {
    let text = error.to_string();
    let code = within_script(&text).or_else(|| error.code());
    code.unwrap_or_default().to_owned()
}

/// The code of what went wrong within a script, where Redis 6.2 wraps it into an error of its own:
/// `Error running script (…): @user_script:141: @user_script: 141: -OOM command not allowed …`.
fn within_script(text: &str) -> Option<&str> {
    let (_, within) = text.rsplit_once("@user_script:")?;
    let (line, said) = within.trim_start().split_once(": ")?;
    let word = said.trim_start_matches('-').split(' ').next()?;
    let is_code = word.len() > 2 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    (is_code && line.bytes().all(|byte| byte.is_ascii_digit())).then_some(word)
}

const REPLICA: &str = "is a read-only replica: name the primary";

fn odd(text: &str) -> String {
    format!("does not answer as it should ({text}): report this")
}

fn too_old(found: &str) -> String {
    let (major, minor) = OLDEST;
    format!("is too old: Redis {major}.{minor} or later, or Valkey, is needed, and {found} is not")
}

fn wrong_password(address: &RedisAddress) -> String {
    format!(
        "refuses the user `{}` or its password: correct the URL",
        address.user()
    )
}

fn unreachable(text: &str) -> String {
    let lower = text.to_lowercase();
    if lower.contains("certificate") {
        format!(
            "has a certificate that is not trusted ({text}): put its authority's into the file that SSL_CERT_FILE names"
        )
    } else if lower.contains("tls")
        || lower.contains("corrupt message")
        || lower.contains("handshake")
    {
        format!("does not speak TLS there ({text}): write redis://, or the port that has TLS")
    } else if lower.contains("lookup")
        || lower.contains("resolve")
        || lower.contains("name or service")
    {
        format!("has a host that is not known ({text}): correct its name")
    } else {
        format!("cannot be reached ({text}): is it running, and are host and port right?")
    }
}

/// What servers of different versions say inside a script to what the user may not do.
fn is_forbidden(text: &str) -> bool {
    [
        "can't run this",
        "can't access at least one",
        "can't publish",
        "NOPERM",
        "ACL failure",
        "no permissions",
    ]
    .iter()
    .any(|said| text.contains(said))
}

fn forbidden(address: &RedisAddress, detail: &str) -> Trouble {
    let (user, board) = (address.user(), address.board());
    let prefix = board.rsplit_once(':').map_or(board, |(prefix, _)| prefix);
    away(
        address,
        format!(
            "does not let the user `{user}` do what is needed ({}): \
             ACL SETUSER {user} ~{prefix}:* resetchannels &{prefix}:* {COMMANDS}",
            detail.trim_end_matches('.')
        ),
    )
}

/// What is wrong with a command that the probe has tried.
pub(super) fn refused(address: &RedisAddress, command: &str, why: &str) -> Trouble {
    if is_forbidden(why) {
        forbidden(address, &format!("{command}: {why}"))
    } else if why.to_lowercase().contains("unknown") {
        away(address, too_old(&format!("one without {command}")))
    } else if why.contains("READONLY") || why.contains("read only replica") {
        away(address, REPLICA)
    } else if why.contains("OOM") {
        away(
            address,
            "has used up its memory: raise `maxmemory`, or give the board a server of its own",
        )
    } else {
        away(address, odd(&format!("{command}: {why}")))
    }
}

/// What is wrong with a server that introduces itself so. In a cluster, a replica knows where the primary is.
pub(super) fn unfit(
    address: &RedisAddress,
    version: &str,
    role: &str,
    mode: &str,
) -> Option<Trouble> {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().ok());
    let found = (
        numbers.next().flatten().unwrap_or(u32::MAX),
        numbers.next().flatten().unwrap_or(0),
    );
    if found < OLDEST {
        Some(away(address, too_old(version)))
    } else if mode != "cluster" && (role == "replica" || role == "slave") {
        Some(away(address, REPLICA))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::within_script;

    #[test]
    fn what_goes_wrong_within_a_script_has_its_own_code() {
        for (said, code) in [
            (
                "@user_script:141: @user_script: 141: -OOM command not allowed when used memory > 'maxmemory'.",
                Some("OOM"),
            ),
            (
                "@user_script:114: WRONGTYPE Operation against a key holding the wrong kind of value",
                Some("WRONGTYPE"),
            ),
            (
                "@user_script: 7: -READONLY You can't write against a read only replica.",
                Some("READONLY"),
            ),
            ("@user_script:1: attempt to index a nil value", None),
        ] {
            let text = format!("ResponseError: Error running script (call to f_17): {said}");
            assert_eq!(within_script(&text), code, "{said}");
        }
        assert_eq!(within_script("OOM command not allowed"), None);
    }
}
