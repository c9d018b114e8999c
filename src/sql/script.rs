//! From a script to the statements that a server takes one by one.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::Kind;

/// One statement of a script, as a server takes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    /// Its text, with the server's own placeholders.
    pub(super) text: SqlStr,
    /// Which of the script's arguments it takes (from 0), in its own order.
    pub(super) args: Vec<usize>,
    /// It must change something, or the script ends there.
    pub(super) guards: bool,
    /// It does something even if a batch of it is empty.
    pub(super) always: bool,
}

/// Scripts that were taken apart before.
#[derive(Debug, Default)]
pub(super) struct Scripts(Mutex<HashMap<&'static str, Arc<[Statement]>>>);

impl Scripts {
    pub(super) fn statements(&self, kind: Kind, script: &'static str) -> Arc<[Statement]> {
        // The map is whole between two statements, whoever panicked.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            known
                .entry(script)
                .or_insert_with(|| take_apart(kind, script).into()),
        )
    }
}

fn take_apart(kind: Kind, script: &str) -> Vec<Statement> {
    script
        .split(';')
        .map(str::trim)
        .filter(|text| !text.is_empty())
        .map(|text| statement(kind, text))
        .collect()
}

fn statement(kind: Kind, script: &str) -> Statement {
    let (guards, script) = marked(script, "GUARD ");
    let (always, script) = marked(script, "ALWAYS ");
    let mut text = String::with_capacity(script.len());
    let mut args = Vec::new();
    let mut rest = script;
    while let Some(at) = rest.find('$') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        text.push_str(before);
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        rest = &after[digits..];
        let Ok(number) = after[..digits].parse::<usize>() else {
            text.push('$');
            continue;
        };
        let index = number - 1;
        match kind {
            Kind::Sqlite | Kind::MySql => {
                args.push(index);
                text.push('?');
            }
            Kind::Postgres => {
                let place = args.iter().position(|known| *known == index);
                let place = place.unwrap_or_else(|| {
                    args.push(index);
                    args.len() - 1
                });
                write!(text, "${}", place + 1).expect("a string takes everything");
            }
        }
    }
    text.push_str(rest);
    Statement {
        text: AssertSqlSafe(text).into_sql_str(),
        args,
        guards,
        always,
    }
}

fn marked<'a>(script: &'a str, mark: &str) -> (bool, &'a str) {
    match script.strip_prefix(mark) {
        Some(rest) => (true, rest),
        None => (false, script),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: Kind, script: &str) -> Vec<(String, Vec<usize>, bool)> {
        take_apart(kind, script)
            .into_iter()
            .map(|s| (s.text.as_str().to_owned(), s.args, s.guards))
            .collect()
    }

    #[test]
    fn placeholders_are_the_servers_own() {
        let script = "BEGIN; GUARD UPDATE t SET a = $3 WHERE b = $1 AND c = $3 AND d = '$[0]';\n";
        let begin = ("BEGIN".to_owned(), vec![], false);
        let mysql = "UPDATE t SET a = ? WHERE b = ? AND c = ? AND d = '$[0]'".to_owned();
        assert_eq!(
            shown(Kind::MySql, script),
            [begin.clone(), (mysql, vec![2, 0, 2], true)]
        );
        let postgres = "UPDATE t SET a = $1 WHERE b = $2 AND c = $1 AND d = '$[0]'".to_owned();
        assert_eq!(
            shown(Kind::Postgres, script),
            [begin, (postgres, vec![2, 0], true)]
        );
    }
}
