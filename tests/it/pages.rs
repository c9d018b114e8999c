//! The pages that a newcomer types from: each command is run, and prints what the page says.
//!
//! A block that begins with three backticks and `console` holds commands behind `$ `, each followed by what it prints;
//! one whose first line names a file (`yaml site.flow.yaml`) is written to it. A command that ends in `&` is a server.
//! The commands of a page share a shell, in a folder of their own.
//!
//! `BLESS=1 tests/run pages` writes what is printed into the pages, where it differs; read the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use indexmap::IndexMap;
use jobrunner::compile::Expression;
use jobrunner::model::Span;
use jobrunner::syntax::{Level, Node, NodeValue, tree};
use regex::Regex;

use crate::cli::{Home, steady};
use crate::servers::redis::{bound_to_us, free_port, start};
use crate::suite::bundle_of;

/// What the folder is called on the pages.
const FOLDER: &str = "/home/me/examples";

/// A piece of a page.
enum Piece {
    /// Lines that stay as they are.
    Text(String),
    /// A file that is written.
    File { name: String, text: String },
    /// A command, and what it prints.
    Command { line: String, printed: String },
}

/// The pieces of a page, in order; all of it is in one of them.
fn pieces(page: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        pieces.push(Piece::Text(format!("{line}\n")));
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let text = block
            .iter()
            .map(|line| format!("{line}\n"))
            .collect::<String>();
        if let Some((_, name)) = info.split_once(' ') {
            let name = name.to_owned();
            pieces.push(Piece::File { name, text });
        } else if info == "console" {
            for line in block {
                match (line.strip_prefix("$ "), pieces.last_mut()) {
                    (Some(line), _) => pieces.push(Piece::Command {
                        line: line.to_owned(),
                        printed: String::new(),
                    }),
                    (None, Some(Piece::Command { printed, .. })) => {
                        printed.push_str(line);
                        printed.push('\n');
                    }
                    (None, _) => panic!("a console begins with `$ `: {line}"),
                }
            }
        } else {
            pieces.push(Piece::Text(text));
        }
        pieces.push(Piece::Text("```\n".to_owned()));
    }
    pieces
}

fn written(pieces: &[Piece]) -> String {
    let mut page = String::new();
    for piece in pieces {
        let _ = match piece {
            Piece::Text(text) | Piece::File { text, .. } => write!(page, "{text}"),
            Piece::Command { line, printed } => write!(page, "$ {line}\n{printed}"),
        };
    }
    page
}

/// The ports that a page names, each with one that is free here.
fn ports(page: &str) -> BTreeMap<String, String> {
    let named = Regex::new(r"\b877\d\b").unwrap();
    let named = named.find_iter(page).map(|port| port.as_str().to_owned());
    named.map(|port| (port, free_port().to_string())).collect()
}

fn replaced(text: &str, ports: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (from, to) in ports {
        text = text.replace(from, to);
    }
    text
}

/// A copy of a folder, with other ports.
fn copy(from: &Path, to: &Path, ports: &BTreeMap<String, String>) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target, ports);
            continue;
        }
        fs::copy(&path, &target).unwrap();
        if path.extension().is_some_and(|end| end == "py") {
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&target, replaced(&text, ports)).unwrap();
        }
    }
}

/// A script that runs the commands and says where the output of each ends.
fn script(pieces: &[Piece], ports: &BTreeMap<String, String>) -> String {
    let mut script = "servers=\ntrap 'kill $servers 2>/dev/null' EXIT\n".to_owned();
    for piece in pieces {
        let _ = match piece {
            Piece::Text(_) => Ok(()),
            Piece::File { name, text } => {
                write!(script, "cat > {name} <<'[[end]]'\n{text}[[end]]\n")
            }
            Piece::Command { line, .. } => {
                let line = replaced(line, ports);
                match line.strip_suffix(" &") {
                    None => writeln!(script, "{line}\necho; echo '[[end]]'"),
                    Some(server) => {
                        let port = ports.values().find(|port| server.contains(*port));
                        let port = port.or(ports.values().next()).expect("servers have ports");
                        writeln!(
                            script,
                            "setpriv --pdeathsig KILL {server} &\nservers=\"$servers $!\"\n\
                             python3 -c '{WAIT}' {port}\necho; echo '[[end]]'"
                        )
                    }
                }
            }
        };
    }
    script
}

/// Waits until somebody listens at a port.
const WAIT: &str = "
import socket, sys, time
until = time.monotonic() + 30
while time.monotonic() < until:
    with socket.socket() as probe:
        if probe.connect_ex((\"127.0.0.1\", int(sys.argv[1]))) == 0: break
";

/// What each command prints.
fn printed(
    pieces: &[Piece],
    home: &Home,
    folder: &Path,
    ports: &BTreeMap<String, String>,
) -> Vec<String> {
    let program = Path::new(env!("CARGO_BIN_EXE_jobrunner")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let of_home = home.command("");
    let mut command = bound_to_us("sh");
    command.args(["-c", &script(pieces, ports)]);
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    for (name, value) in of_home.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.env("PATH", format!("{}:{path}", program.display()));
    let output = home.path("output");
    let file = fs::File::create(&output).unwrap();
    command.stdout(file.try_clone().unwrap()).stderr(file);
    start(command).wait().unwrap();
    let back: BTreeMap<_, _> = ports.iter().map(|(a, b)| (b.clone(), a.clone())).collect();
    let output = String::from_utf8(fs::read(output).unwrap()).unwrap();
    let output = replaced(&output, &back).replace(&*folder.to_string_lossy(), FOLDER);
    let mut all: Vec<String> = output
        .split("\n[[end]]\n")
        // The last line end of what is printed; what printed nothing has only ours.
        .map(str::to_owned)
        .collect();
    assert_eq!(all.pop().as_deref(), Some(""), "{output}");
    all
}

/// What has to be the same: of a run, the lines; in what order those of tasks come that run side by side is chance.
fn essence(line: &str, text: &str) -> Vec<String> {
    let text = steady(text, Path::new(FOLDER));
    // How wide a column is depends on the ids in it.
    let gaps = Regex::new("  +").unwrap();
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| gaps.replace_all(line.trim_end(), "  ").into_owned())
        .collect();
    if line.contains("jobrunner run") {
        lines.sort();
        // Which of those that ran side by side is undone first is chance too.
        for line in &mut lines {
            if let Some((what, names)) = line.split_once(": ").filter(|(what, _)| *what == "undone")
            {
                let mut names: Vec<&str> = names.split(", ").collect();
                names.sort_unstable();
                *line = format!("{what}: {}", names.join(", "));
            }
        }
    }
    lines
}

fn run(page: &str, folder: Option<&str>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join(page);
    let text = fs::read_to_string(&path).unwrap();
    let mut pieces = pieces(&text);
    assert_eq!(written(&pieces), text, "all of {page} is read");
    let ports = ports(&text);
    let home = Home::new();
    let place = home.path("place");
    match folder {
        Some(folder) => copy(&root.join(folder), &place, &ports),
        None => fs::create_dir(&place).unwrap(),
    }
    let mut all = printed(&pieces, &home, &place, &ports).into_iter();
    let mut differences = String::new();
    for piece in &mut pieces {
        let Piece::Command { line, printed } = piece else {
            continue;
        };
        let now = all.next().expect("each command prints");
        let (before, after) = (essence(line, printed), essence(line, &now));
        if before != after {
            let _ = writeln!(
                differences,
                "$ {line}\n-- the page:\n{printed}-- is printed:\n{now}"
            );
            *printed = now;
        }
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, written(&pieces)).unwrap();
    } else {
        assert!(
            differences.is_empty(),
            "{page}: BLESS=1 writes it anew\n{differences}"
        );
    }
}

#[test]
fn the_tutorial_prints_what_it_says() {
    run("docs/tutorial.md", None);
}

#[test]
fn the_page_of_vm_prints_what_it_says() {
    run("examples/vm.md", Some("examples"));
}

#[test]
fn the_page_of_deploy_prints_what_it_says() {
    run("examples/deploy.md", Some("examples"));
}

#[test]
fn the_page_of_etl_prints_what_it_says() {
    run("examples/etl.md", Some("examples"));
}

#[test]
fn the_page_of_ci_prints_what_it_says() {
    run("examples/ci.md", Some("examples"));
}

#[test]
fn the_page_of_http_server_prints_what_it_says() {
    run("examples/http_server.md", Some("examples"));
}

/// What stands in a graph that is to be drawn.
fn texts_of_dot(dot: &str) -> BTreeSet<String> {
    let tags = Regex::new("<[^>]*>").unwrap();
    let labels = Regex::new(r"label=<(.*)>[,;\]]").unwrap();
    let on_edges = Regex::new(r#"label="([^"]+)""#).unwrap();
    let mut texts = BTreeSet::new();
    for found in labels.captures_iter(dot) {
        let text = tags.replace_all(&found[1], "\n").into_owned();
        texts.extend(text.lines().map(|line| line.trim().to_owned()));
    }
    texts.extend(
        on_edges
            .captures_iter(dot)
            .map(|found| found[1].trim().to_owned()),
    );
    texts.remove("");
    texts
}

/// What stands in a graph that was drawn.
fn texts_of_svg(svg: &str) -> BTreeSet<String> {
    let texts = Regex::new("<text[^>]*>([^<]*)</text>").unwrap();
    let plain = |text: &str| {
        text.replace("&#45;", "-")
            .replace("&#160;", " ")
            .trim()
            .to_owned()
    };
    texts
        .captures_iter(svg)
        .map(|found| plain(&found[1]))
        .collect()
}

#[test]
fn each_graph_on_a_page_is_the_one_that_is_drawn_now() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["vm", "deploy", "etl", "ci", "http_server"] {
        let folder = if name == "http_server" {
            "flows"
        } else {
            "examples"
        };
        let home = Home::new();
        copy(&root.join(folder), &home.path(""), &BTreeMap::new());
        let dot = home.run(&format!("graph {name}.flow.yaml")).exits(0).stdout;
        let drawn = fs::read_to_string(root.join(format!("examples/images/{name}.svg"))).unwrap();
        assert_eq!(
            texts_of_svg(&drawn),
            texts_of_dot(&dot),
            "{name}.svg: examples/draw"
        );
        let nodes = |text: &str| text.matches(" -> ").count();
        let edges = drawn.matches("class=\"edge\"").count();
        assert_eq!(nodes(&dot), edges, "{name}.svg: examples/draw");
    }
}

#[test]
fn a_program_of_ones_own_runs_a_flow_with_a_kind_of_its_own() {
    let program = Path::new(env!("CARGO_BIN_EXE_jobrunner")).with_file_name("examples/embedded");
    let home = Home::new();
    let said = |arguments: &[&str]| {
        let mut command = bound_to_us(program.to_str().unwrap());
        command
            .args(arguments)
            .current_dir(home.path(""))
            .stdout(Stdio::piped());
        let output = start(command).wait_with_output().unwrap();
        assert!(output.status.success(), "`cargo build --examples` makes it");
        steady(&String::from_utf8(output.stdout).unwrap(), &home.path(""))
    };
    insta::assert_snapshot!(said(&[]), @r#"
    SUCCESS
    said: "booking 1"
    calendar: ["blue for [id]", "green for [id]"]
    "#);
    insta::assert_snapshot!(said(&["boom"]), @r"
    REVERTED
    `second` failed: there is no such room
    calendar: []
    ");
}

#[test]
fn every_example_of_an_expression_gives_what_the_reference_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/language.md")).unwrap();
    let begin = "### Operators, filters, tests and functions";
    let section = page.split_once(begin).unwrap().1;
    let section = section.split("\n## ").next().unwrap();
    let row = Regex::new(r"(?m)^\| (.*) \| `(.*)` \| `(.*)` \|$").unwrap();
    let mut rows = 0;
    for found in row.captures_iter(section) {
        let [text, expected] = [2, 3].map(|n| found[n].replace("\\|", "|"));
        let expression = Expression::parse(&text, Span::default()).unwrap();
        let value = expression.evaluate(&IndexMap::new());
        let value = value.unwrap_or_else(|error| panic!("{text}: {error}"));
        let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
        assert_eq!(value, expected, "{text}");
        rows += 1;
    }
    assert!(rows > 50, "{rows} rows");
}

/// What a tree says, whatever its notation.
fn plain(node: &Node) -> serde_json::Value {
    match &node.value {
        NodeValue::Null => serde_json::Value::Null,
        // A name that stands there bare in the text notation is either a value or a word, which is told later.
        NodeValue::Scalar { text, .. } => {
            let bare = text
                .strip_prefix("{{ ")
                .and_then(|text| text.strip_suffix(" }}"));
            bare.unwrap_or(text).into()
        }
        NodeValue::List(items) => items.iter().map(plain).collect(),
        NodeValue::Map(entries) => {
            let entries = entries.iter();
            let entries = entries.map(|(key, node)| (key.text.clone(), plain(node)));
            serde_json::Value::Object(entries.collect())
        }
    }
}

#[test]
fn the_reference_has_every_key_in_both_notations() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/language.md")).unwrap();
    let section = page.split_once("## All keys").unwrap().1;
    let section = section.split("\n## ").next().unwrap();
    let tables: Vec<&str> = section
        .split("| --- | --- | --- | --- | --- |\n")
        .skip(1)
        .collect();
    assert_eq!(tables.len(), Level::ALL.len());
    let row = Regex::new(r"^\| `(\w+)` \| .* \| .* \| `(.*)` \| `(.*)` \|$").unwrap();
    for (level, table) in Level::ALL.into_iter().zip(tables) {
        let rows = table.lines().take_while(|line| line.starts_with('|'));
        let rows: Vec<_> = rows
            .map(|line| row.captures(line).unwrap_or_else(|| panic!("{line}")))
            .collect();
        let keys: BTreeSet<&str> = rows
            .iter()
            .map(|row| row.get(1).unwrap().as_str())
            .collect();
        let expected: BTreeSet<&str> = level.keys().iter().map(|key| key.name).collect();
        assert_eq!(keys, expected, "{level:?}");
        for row in rows {
            let wrapped = match level {
                Level::Store => [
                    format!("store: {{ {} }}\n", &row[2]),
                    format!("flow {{ store {{ {} }} }}", &row[3]),
                ],
                _ => [format!("{}\n", &row[2]), format!("flow {{ {} }}", &row[3])],
            };
            let [yaml, text] = [("a.flow.yaml", &wrapped[0]), ("a.flow", &wrapped[1])]
                .map(|(name, text)| plain(&tree(&bundle_of(name, text)).unwrap()));
            assert_eq!(yaml, text, "{level:?} {}", &row[1]);
        }
    }
}
