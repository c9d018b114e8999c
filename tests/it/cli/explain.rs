//! The pages of problems: each is what the program really says.

use std::collections::BTreeMap;
use std::process::Command;

use jobrunner::explain;
use serde_json::Value;

use super::Home;

/// A page's example: in which language it is written, and its text.
type Example = (String, String);

/// The examples behind `Wrong:` and `Right:`, each as the files that it is made of.
fn examples(text: &str, title: &str) -> Vec<Example> {
    let Some((_, behind)) = text.split_once(&format!("\n{title}:\n\n")) else {
        return Vec::new();
    };
    let mut examples = Vec::new();
    let mut rest = behind;
    // Blocks that follow each other directly belong together.
    while let Some(block) = rest.strip_prefix("```") {
        let (info, block) = block.split_once('\n').unwrap();
        let (text, behind) = block.split_once("\n```\n").unwrap();
        examples.push((info.to_owned(), format!("{text}\n")));
        rest = behind.trim_start_matches('\n');
    }
    examples
}

/// Writes an example into its folder; the path of its flow.
fn write(home: Home, folder: &str, examples: &[Example]) -> (Home, String) {
    let mut home = home;
    let mut path = None;
    for (info, text) in examples {
        match info.split_once(' ') {
            Some((_, name)) => home = home.and(&format!("{folder}/{name}"), text),
            None if info == "sh" => {
                std::fs::create_dir_all(home.path(folder)).unwrap();
                let ran = Command::new("sh")
                    .args(["-eu", "-c", text])
                    .current_dir(home.path(folder))
                    .status();
                assert!(ran.unwrap().success(), "{text}");
                path = Some(format!("{folder}/wrong.flow.yaml"));
            }
            None => {
                let name = match info.as_str() {
                    "yaml" => "page.flow.yaml",
                    "flow" => "page.flow",
                    other => panic!("`{other}` is no notation"),
                };
                home = home.and(&format!("{folder}/{name}"), text);
                path = Some(format!("{folder}/{name}"));
            }
        }
    }
    let path = path.unwrap_or_else(|| panic!("{folder}: no block is the flow itself"));
    (home, path)
}

/// The codes and severities of the problems of some flows, as `check` tells them.
fn problems(home: &Home, paths: &[String]) -> BTreeMap<String, Vec<(String, String)>> {
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let ran = home.run_with(&[&["check", "--format", "json"], paths.as_slice()].concat());
    let told: Value = serde_json::from_str(&ran.stdout).unwrap();
    let flows = told["flows"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let codes = |flow: &Value| {
        let all = flow["problems"].as_array().unwrap();
        all.iter()
            .map(|problem| (text(&problem["code"]), text(&problem["severity"])))
            .collect()
    };
    flows
        .iter()
        .map(|flow| (text(&flow["flow"]), codes(flow)))
        .collect()
}

/// Codes that no file has: only a program that reads flows with other kinds than it compiles them with meets them.
const NOT_IN_FILES: [&str; 1] = ["unknown-kind"];

#[test]
fn the_wrong_example_of_each_page_has_its_problem_and_the_right_one_has_none() {
    let mut home = Home::new();
    let mut paths = Vec::new();
    let mut wrong = BTreeMap::new();
    for (code, _) in explain::codes() {
        let page = explain::page(code).unwrap();
        let bad = examples(page.text, "Wrong");
        assert_eq!(bad.is_empty(), NOT_IN_FILES.contains(&code), "{code}");
        if !bad.is_empty() {
            let path;
            (home, path) = write(home, &format!("{code}/wrong"), &bad);
            paths.push(path.clone());
            wrong.insert(path, (code, page.warning));
        }
        let path;
        (home, path) = write(
            home,
            &format!("{code}/right"),
            &examples(page.text, "Right"),
        );
        paths.push(path);
    }
    let mut differences = Vec::new();
    for (path, found) in problems(&home, &paths) {
        match wrong.get(&path) {
            Some((code, warning)) => {
                let severity = if *warning { "warning" } else { "error" };
                let expected = (code.to_string(), severity.to_owned());
                if !found.contains(&expected) {
                    differences.push(format!("{path} has {found:?}, not {expected:?}"));
                }
                if found.iter().any(|(other, _)| other != code) && *code != "too-many-problems" {
                    differences.push(format!("{path} has others too: {found:?}"));
                }
            }
            None if found.is_empty() => {}
            None => differences.push(format!("{path} has {found:?}")),
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn a_page_says_what_why_and_how_to_write_it() {
    let home = Home::new();
    insta::assert_snapshot!(home.run("explain error[duplicate-key]:").text(), @r"
    exit 0
    -- out
    duplicate-key

    A key stands twice in one mapping.

    Many readers of YAML silently let the last of two equal keys win: of two tasks with one name, one
    would never run, and nobody would be told. Here both places are named.

    Wrong:

        tasks:
          build: { shell: make }
          build: { shell: make install }

    Right:

        tasks:
          build: { shell: make }
          install: { needs: [build], shell: make install }
    ");
    insta::assert_snapshot!(home.run("explain duplicat-key").text(), @r"
    exit 2
    -- err
    error: there is no problem `duplicat-key`
      = help: did you mean `duplicate-key`?
      = help: `jobrunner explain` lists all codes
    ");
    let listed = home.run("explain").exits(0).stdout;
    for (code, _) in explain::codes() {
        let line = format!("\n{code} ");
        assert!(format!("\n{listed}").contains(&line), "{code}");
    }
    assert!(listed.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn the_way_to_more_is_told_once_however_many_problems_there_are() {
    let home = Home::with("a.flow.yaml", "tasks: { a: { shel: x, tiemout: 3 } }\n")
        .and(
            "b.flow.yaml",
            "store: { x: 1 }\ntasks: { b: { shell: x } }\n",
        )
        .and("fine.flow.yaml", "tasks: { b: { shell: x } }\n");
    for command in [
        "check a.flow.yaml b.flow.yaml",
        "post a.flow.yaml",
        "check b.flow.yaml",
    ] {
        let ran = home.run(command);
        assert_eq!(
            ran.stderr.matches("jobrunner explain").count(),
            1,
            "{}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains("explain unknown-key")
                || ran.stderr.contains("explain unused-name")
        );
    }
    assert!(home.run("check fine.flow.yaml").stderr.is_empty());
}
