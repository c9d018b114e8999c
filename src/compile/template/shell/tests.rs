//! Held against the real `sh` (and `bash`, where it is installed): output equals the value, and nothing else ran.

use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::model::Span;

const NASTY: &[&str] = &[
    "a\"; touch pwned; $(touch pwned) 'b",
    "`touch pwned`",
    "a\nb\n\nc",
    "*",
    "-n",
    "-e",
    "",
    " ",
    " a  b ",
    "\\",
    "\\\\n",
    "a\\",
    "$HOME",
    "${x:-y}",
    "$(touch pwned)",
    "$((1+1))",
    "'",
    "\"",
    "EOF",
    "EOF\ntouch pwned\n",
    "a}b",
    "!!",
    "~",
    "#x",
    "; touch pwned",
    "| touch pwned",
    "a[$(touch pwned)]",
    "é ü 漢",
    "\t",
    "x=1",
    "[a-z]",
    "%s",
];

fn compiled(script: &str, dialect: Dialect) -> Result<Template, Vec<&'static str>> {
    let mut found = Found::default();
    let template = read(
        Source::new(script, Span::default()),
        Some(dialect),
        &mut found,
    );
    match found.problems.is_empty() {
        true => Ok(template),
        false => Err(found
            .problems
            .into_iter()
            .map(|problem| problem.code.as_str())
            .collect()),
    }
}

/// Runs a script whose templates hold `value`, in an empty folder. What it put out; nothing may be left behind.
fn run(shell: &[&str], script: &str, dialect: Dialect, value: &str) -> String {
    let template = compiled(script, dialect).unwrap_or_else(|codes| panic!("{script}: {codes:?}"));
    let names = IndexMap::from([("v".to_owned(), Value::from(value))]);
    let rendered = template.render(&names).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(shell[0]);
    command
        .args(&shell[1..])
        .arg("-c")
        .arg(rendered["script"].as_str().unwrap());
    command.current_dir(folder.path());
    for (name, text) in rendered["vars"].as_object().unwrap() {
        command.env(name, text.as_str().unwrap());
    }
    let output = command.output().unwrap();
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert!(left.is_empty(), "{script} left something: {left:?}");
    assert!(
        output.status.success(),
        "{script} with {value:?}: {}\n{rendered}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn shells() -> Vec<(&'static [&'static str], Dialect)> {
    let all: [(&[&str], Dialect); 3] = [
        (&["sh", "-eu"], Dialect::Sh),
        (&["dash", "-eu"], Dialect::Dash),
        (&["bash", "-eu"], Dialect::Extended),
    ];
    all.into_iter()
        .filter(|(shell, _)| Command::new(shell[0]).args(["-c", ":"]).status().is_ok())
        .collect()
}

/// Scripts that put out the value between `<` and `>`, with a template in each place where one may stand.
const PLACES: &[(&str, &str)] = &[
    ("bare", "printf '<%s>' {{ v }}"),
    ("double quotes", "printf '<%s>' \"{{ v }}\""),
    ("here-document", "printf '<'; cat <<EOF\n{{ v }}>\nEOF\n"),
    (
        "here-document that is indented",
        "printf '<'; cat <<-  EOF\n\t{{ v }}>\n\tEOF\n",
    ),
    (
        "several here-documents",
        "cat - /dev/fd/3 <<A 3<<'B'\n<{{ v }}>\nA\nb\nB\n",
    ),
    (
        "$()",
        "x=$(printf '<%s>' {{ v }}; echo .); printf '%s' \"${x%?}\"",
    ),
    (
        "quotes in $() in quotes",
        "printf '%s' \"$(printf '<%s>' \"{{ v }}\"; echo .)\" | sed '$s/.$//'",
    ),
    (
        "here-document in $()",
        "x=$(cat <<EOF\n<{{ v }}>\nEOF\n); printf '%s' \"$x\"",
    ),
    (
        "$() in a here-document",
        "cat <<EOF\n$(printf '<%s>' \"{{ v }}\")\nEOF\n",
    ),
    ("backticks", "x=`printf '<%s>' {{ v }}`; printf '%s' \"$x\""),
    ("${} default", "printf '<%s>' ${nothing:-{{ v }}}"),
    (
        "${} default in quotes",
        "printf '<%s>' \"${nothing-{{ v }}}\"",
    ),
    (
        "${} default in quotes, quoted",
        "printf '<%s>' ${nothing:-\"{{ v }}\"}",
    ),
    (
        "${} default in a here-document",
        "printf '<'; cat <<EOF\n${nothing:-{{ v }}}>\nEOF\n",
    ),
    (
        "${} assigned",
        ": \"${nothing:={{ v }}}\"; printf '<%s>' \"$nothing\"",
    ),
    (
        "${} pattern",
        "x={{ v }}y; printf '<%s>' \"${x#{{ v }}}\" | sed 's/<y>/ok/'",
    ),
    ("assignment", "x={{ v }}; printf '<%s>' \"$x\""),
    (
        "assignment before a command",
        "x={{ v }} sh -c 'printf \"<%s>\" \"$x\"'",
    ),
    (
        "argument of a function",
        "f() { printf '<%s>' \"$1\"; }; f {{ v }}",
    ),
    ("subshell", "(printf '<%s>' {{ v }})"),
    ("for", "for x in {{ v }}; do printf '<%s>' \"$x\"; done"),
    (
        "case pattern",
        "case {{ v }} in {{ v }}) printf '<%s>' {{ v }};; *) exit 1;; esac",
    ),
    (
        "case in $()",
        "x=$(case {{ v }} in (x) echo x;; {{ v }} | z) printf '<%s>' {{ v }};; esac; echo .); printf '%s' \"${x%?}\"",
    ),
    (
        "comment",
        "# {{ unknown }} it's a \" comment\nprintf '<%s>' {{ v }} # {{ v }}",
    ),
    (
        "beside text",
        "printf '<%s>' \"$(printf %s x{{ v }}y{{ v }}\"{{ v }}\"'z')\" | cat",
    ),
    (
        "test",
        "if [ {{ v }} = \"{{ v }}\" ]; then printf '<%s>' {{ v }}; fi",
    ),
    ("continued line", "printf \\\n '<%s>' \\\n {{ v }}"),
    ("behind $name", "x=; printf '<%s>' $x{{ v }}"),
    (
        "quotes that are closed around it",
        "printf '<%s>' ''{{ v }}''",
    ),
    ("set", "set -- {{ v }}; printf '<%s>' \"$1\""),
    ("export", "export X={{ v }}; printf '<%s>' \"$X\""),
];

fn expected(place: &str, value: &str) -> String {
    match place {
        "here-document" | "here-document that is indented" | "${} default in a here-document" => {
            format!("<{value}>\n")
        }
        "several here-documents" => format!("<{value}>\nb\n"),
        "quotes in $() in quotes" => format!("<{value}>"),
        "$() in a here-document" => format!("<{value}>\n"),
        "${} pattern" => "ok".to_owned(),
        "beside text" => format!("<x{value}y{value}{value}z>"),
        _ => format!("<{value}>"),
    }
}

#[test]
fn values_reach_every_place_as_they_are() {
    for (shell, dialect) in shells() {
        for (place, script) in PLACES {
            for value in NASTY {
                let output = run(shell, script, dialect, value);
                assert_eq!(
                    output,
                    expected(place, value),
                    "{place}, {shell:?}, {value:?}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_value_reaches_any_place_as_it_is(
        place in 0..PLACES.len(),
        value in "([ \\t\\n'\"`$(){}\\[\\]*?\\\\#;&|<>!~=%a-c0-9-]|touch pwned|EOF|é){0,12}",
    ) {
        let (place, script) = PLACES[place];
        for (shell, dialect) in shells() {
            let output = run(shell, script, dialect, &value);
            prop_assert_eq!(&output, &expected(place, &value), "{} {:?}", place, shell);
        }
    }

    #[test]
    fn any_text_is_read_to_its_end(script in "([ \\n'\"`$(){}\\\\#;<>|&a-]|\\$\\(\\(|<<E\\n|case |in |esac|\\{\\{ v \\}\\}|\\[\\[){0,40}") {
        for dialect in [Dialect::Sh, Dialect::Dash, Dialect::Extended] {
            let _ = compiled(&script, dialect);
        }
    }
}

/// A place that the lexer accepts is safe, whatever the script around it: nothing but the script's own words runs.
#[test]
fn random_scripts_never_run_a_value() {
    use proptest::test_runner::{Config, TestRunner};
    let mut runner = TestRunner::new(Config {
        cases: 400,
        failure_persistence: None,
        ..Config::default()
    });
    let pieces = "(echo |echo \\$\\(\\(1\\+\\{\\{ v \\}\\}\\)\\)|\\[\\[ \\{\\{ v \\}\\} -eq 1 \\]\\]|b\\[\\{\\{ v \\}\\}\\]=1|\\{\\{ v \\}\\}|\"|'|`|\\$\\(|\\)|\\$\\{x:-|\\}| |\\n|;|#|\\\\|case a in |a\\)|esac|;;|\\$\\(\\(1\\+|\\)\\)|<<E\\n|E\\n|\\[\\[ | \\]\\]| -eq |\\$|a=|\\(|&&|\\|){1,14}";
    runner
        .run(&pieces, |script| {
            for (shell, dialect) in shells() {
                let Ok(template) = compiled(&script, dialect) else {
                    continue;
                };
                for value in [
                    "$(touch pwned)",
                    "`touch pwned`",
                    "';touch pwned;'",
                    "\";touch pwned;\"",
                    "\n touch pwned\n",
                    "PATH[$(touch pwned)]",
                ] {
                    let names = IndexMap::from([("v".to_owned(), Value::from(value))]);
                    let Ok(rendered) = template.render(&names) else {
                        continue;
                    };
                    let folder = tempfile::tempdir().unwrap();
                    let mut command = Command::new(shell[0]);
                    command
                        .args(&shell[1..])
                        .arg("-c")
                        .arg(rendered["script"].as_str().unwrap());
                    command
                        .stdin(std::process::Stdio::null())
                        .current_dir(folder.path());
                    for (name, text) in rendered["vars"].as_object().unwrap() {
                        command.env(name, text.as_str().unwrap());
                    }
                    command.output().unwrap();
                    prop_assert!(
                        !folder.path().join("pwned").exists(),
                        "{:?} {} {}",
                        shell,
                        script,
                        rendered
                    );
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn numbers_alone_reach_arithmetic() {
    for (shell, dialect) in shells() {
        for script in [
            "echo $(({{ v }} + 1))",
            "echo $(( 1 +{{ v }} ))",
            "x=5; echo $((x - x + {{ v }} - -1))",
            "echo \"$(( $(printf %s {{ v }}) + ${nothing:-{{ v }}} - {{ v }} + 1 ))\"",
            "cat <<E\n$((1+{{ v }}))\nE\n",
            "if [ {{ v }} -lt 100 ]; then echo $(({{v}}+1)); fi",
        ] {
            assert_eq!(run(shell, script, dialect, "-3"), "-2\n", "{script}");
            let template = compiled(script, dialect).unwrap();
            for value in NASTY {
                let names = IndexMap::from([("v".to_owned(), Value::from(*value))]);
                let error = template.render(&names).unwrap_err();
                assert!(error.0.contains("whole number"), "{script}: {error}");
            }
        }
    }
}

#[test]
fn places_where_a_template_cannot_stand_are_told() {
    const SINGLE: &str = "template-in-single-quotes";
    const QUOTED: &str = "template-in-quoted-here-document";
    const DOLLAR: &str = "template-after-dollar";
    const UNCLEAR: &str = "template-place-unclear";
    for (script, code) in [
        ("echo 'it is {{ v }}'", SINGLE),
        ("awk '{ print {{ v }} }'", SINGLE),
        ("echo \"$(echo '{{ v }}')\"", SINGLE),
        ("echo $'{{ v }}'", SINGLE),
        ("cat <<'EOF'\n{{ v }}\nEOF\n", QUOTED),
        ("cat <<A <<\\B\nx\nA\n{{ v }}\nB\n", QUOTED),
        ("cat <<\"EOF\"\n{{ v }}\nEOF\n", QUOTED),
        ("echo ${{ v }}", DOLLAR),
        ("echo \"${{ v }}\"", DOLLAR),
        ("cat <<{{ v }}\nx\n", UNCLEAR),
        ("cat <<EOF\n{{ v }}\n", UNCLEAR),
        ("echo \"`echo {{ v }}`\"", UNCLEAR),
        ("echo `echo \\`echo {{ v }}\\``", UNCLEAR),
        ("docker ps --format '{{.Names}}'", "bad-expression"),
        ("echo ${x/{{ v }}/y}", UNCLEAR),
        ("echo ${a[{{ v }}]}", UNCLEAR),
        ("echo ${x:{{ v }}}", UNCLEAR),
        ("echo ${x:={{ v }}}", UNCLEAR),
        ("echo \"${x:-\"{{ v }}\"}\"", UNCLEAR),
        ("a[{{ v }}]=1", UNCLEAR),
        ("((x = {{ v }}))", UNCLEAR),
        ("let x={{ v }}", UNCLEAR),
        ("declare -i n; n={{ v }}", UNCLEAR),
        ("read {{ v }}", UNCLEAR),
        ("[[ -v {{ v }} ]]", UNCLEAR),
        ("echo $'it\\'s' {{ v }}", UNCLEAR),
        ("echo {{ v }} \"", UNCLEAR),
        ("echo {{ v }} $(", UNCLEAR),
        ("echo {{ v }} )", UNCLEAR),
        ("case {{ v }} in x", UNCLEAR),
    ] {
        assert_eq!(compiled(script, Dialect::Sh), Err(vec![code]), "{script}");
    }
    let mut found = Found::default();
    read(
        Source::new("print({{ v }})", Span::default()),
        None,
        &mut found,
    );
    assert_eq!(found.problems[0].code, "template-in-script");
}

#[test]
fn scripts_become_expansions() {
    for (script, expected) in [
        ("a{{ v }}b", "a\"${JR_1}\"b"),
        (
            "{{ v }} \"x{{ v }}y\" {{ w }}",
            "\"${JR_1}\" \"x${JR_1}y\" \"${JR_2}\"",
        ),
        ("{{ v }} x", "\"${JR_1}\" x"),
        (
            "docker ps --format '\\{{.Names}}'",
            "docker ps --format '{{.Names}}'",
        ),
        ("echo $(({{ v }}))", "echo $(((${JR_1})))"),
        ("# {{ v }}", "# "),
        ("echo $JR_1 {{ v }}", "echo $JR_1 \"${JR__1}\""),
        ("eval {{ v }}", "eval \"${JR_1}\""),
    ] {
        match compiled(script, Dialect::Sh) {
            Ok(Template::Script { script: found, .. }) => assert_eq!(found, expected),
            other => panic!("{script}: {other:?}"),
        }
    }
}

#[test]
fn long_and_deep_scripts_are_read_in_no_time() {
    let long = "echo {{ v }} \"$(echo {{ v }})\"\n".repeat(20_000);
    assert!(compiled(&long, Dialect::Sh).is_ok());
    for open in [
        "$(",
        "\"$(",
        "${x:-",
        "$((",
        "(",
        "\"`",
        "$(( $( ",
        "case x in (",
        "\"${x:-\"",
        "<<E $(",
    ] {
        let deep = format!("{} {{{{ v }}}}", open.repeat(5_000));
        assert!(compiled(&deep, Dialect::Sh).is_err(), "{open}");
    }
}
