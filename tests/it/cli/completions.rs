//! `completions`, asked by the shells that are there.

use std::process::Command;

use super::Home;

#[test]
fn each_shell_gets_a_script_that_knows_the_commands() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = home.run(&format!("completions {shell}")).exits(0).stdout;
        for word in ["rehearse", "mark-reverted", "completions", "until-empty"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let refused = home.run("completions tcsh").exits(2).stderr;
    assert!(refused.contains("bash, elvish, fish"), "{refused}");
}

#[test]
fn bash_completes_commands_options_their_values_and_files() {
    let home = Home::with("build.flow.yaml", "tasks: { a: { shell: x } }\n");
    // What bash calls when somebody presses the key, with the words of the line. The last one is completed.
    let completed = |line: &str| -> Vec<String> {
        let script = format!(
            "source <({} completions bash) || exit 1\n\
             read -ra COMP_WORDS <<< '{line}'; [[ '{line}' == *' ' ]] && COMP_WORDS+=('')\n\
             COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 )); COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}\n\
             spec=$(complete -p jobrunner) && [[ $spec == *'-o default'* ]] || exit 2\n\
             call=${{spec##*-F }}; call=${{call%% *}}\n\
             $call jobrunner \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            env!("CARGO_BIN_EXE_jobrunner")
        );
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &script]);
        let ran = bash.current_dir(home.path("")).output().unwrap();
        assert!(
            ran.status.success() || !ran.stdout.is_empty(),
            "{line}: {ran:?}"
        );
        let told = String::from_utf8(ran.stdout).unwrap();
        told.lines()
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(completed("jobrunner reh"), ["rehearse"]);
    assert_eq!(
        completed("jobrunner re"),
        ["resume", "rehearse", "retry"]
            .map(str::to_owned)
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
    assert_eq!(completed("jobrunner check --fo"), ["--format"]);
    assert_eq!(completed("jobrunner check --format s"), ["sarif"]);
    assert_eq!(completed("jobrunner completions z"), ["zsh"]);
    // Nothing of its own: then bash goes on with the names of files.
    assert!(completed("jobrunner check bui").is_empty());
}
