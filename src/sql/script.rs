//! From a script to the statements that a server takes one by one.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use super::{Args, Kind};

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
    /// It sees for itself whether the one that guards it has changed something.
    guarded: bool,
}

impl Statement {
    /// Adds its text to `packet`, with its arguments as literals of MySQL.
    pub(super) fn write(&self, args: &Args, packet: &mut String) {
        let mut pieces = self.text.as_str().split('?');
        packet.push_str(pieces.next().unwrap_or_default());
        for (piece, index) in pieces.zip(&self.args) {
            args.write_literal(*index, packet);
            packet.push_str(piece);
        }
    }
}

/// A script, taken apart.
#[derive(Debug, Default)]
pub(super) struct Script {
    statements: Vec<Statement>,
    /// Whether all of it can be handed over at once, so that nothing is decided between two statements.
    pub(super) at_once: bool,
}

/// Scripts that were taken apart before.
#[derive(Debug, Default)]
pub(super) struct Scripts(Mutex<HashMap<&'static str, Arc<Script>>>);

impl Scripts {
    pub(super) fn script(&self, kind: Kind, script: &'static str) -> Arc<Script> {
        // The map is whole between two statements, whoever panicked.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken_apart = || Arc::new(Script::take_apart(kind, script));
        Arc::clone(known.entry(script).or_insert_with(taken_apart))
    }
}

impl Script {
    fn take_apart(kind: Kind, script: &str) -> Self {
        let statements: Vec<Statement> = script
            .split(';')
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(|text| statement(kind, text))
            .collect();
        let mut after_guard = statements.iter().skip_while(|one| !one.guards).skip(1);
        let at_once = statements.len() > 1
            && after_guard.all(|one| one.guarded || one.text.as_str() == "COMMIT");
        Self {
            statements,
            at_once,
        }
    }

    /// Those of its statements that have something to do.
    pub(super) fn statements_for(&self, args: &Args) -> impl Iterator<Item = &Statement> {
        let busy = |one: &&Statement| one.always || !args.has_empty_batch(&one.args);
        self.statements.iter().filter(busy)
    }
}

fn statement(kind: Kind, script: &str) -> Statement {
    let (guards, script) = marked(script, "GUARD ");
    let (guarded, script) = marked(script, "GUARDED ");
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
        guarded,
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
        let taken_apart = Script::take_apart(kind, script);
        taken_apart
            .statements
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

    #[test]
    fn a_script_goes_at_once_if_nothing_is_decided_on_the_way() {
        let at_once = |script| Script::take_apart(Kind::MySql, script).at_once;
        assert!(at_once("BEGIN; INSERT INTO t VALUES ($1); COMMIT"));
        assert!(at_once(
            "BEGIN; GUARD UPDATE t SET a = 1; GUARDED INSERT INTO u SELECT 1 FROM t; COMMIT"
        ));
        assert!(!at_once("GUARD DELETE FROM t; UPDATE u SET a = 1"));
        assert!(!at_once("SELECT 1"));
    }

    #[test]
    fn a_packet_has_literals_that_no_mode_of_the_server_reads_differently() {
        let script = Script::take_apart(Kind::MySql, "INSERT INTO t VALUES ($2, $1, $3, $4, $5)");
        let args = Args::new()
            .text("it's \\ here")
            .int(-7)
            .maybe_text(None)
            .bytes(vec![0, 255])
            .text("a-b 1");
        let mut packet = String::new();
        script.statements[0].write(&args, &mut packet);
        assert_eq!(
            packet,
            "INSERT INTO t VALUES (-7, _utf8mb4 X'69742773205c2068657265', NULL, X'00ff', 'a-b 1')"
        );
    }
}
