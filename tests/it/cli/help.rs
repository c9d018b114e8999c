//! What the program says about itself.

use super::Home;

#[test]
fn post_help_lists_the_flows_that_are_known_with_what_they_are_about() {
    let home = Home::with(
        "flows/greet.flow.yaml",
        "about: Say hello\ntasks: { a: { shell: echo hello } }\n",
    )
    .and("flows/broken.flow.yaml", "tasks: { a: { shel: x } }\n");
    let text = home.run("post --help").exits(0).stdout;
    let known = text.split("Flows that can be named:").nth(1).unwrap();
    insta::assert_snapshot!(known, @r"
      broken       (does not compile: jobrunner check broken)
      greet        Say hello
      hello        Greet somebody, and show what a flow can do
      http_server  Serve a directory over HTTP and restart the server when it dies

    FLOW --help lists what can be set.
    ");
}

#[test]
fn the_store_of_a_flow_is_a_set_of_options() {
    let flow = "\
about: Take all kinds of values
store:
  port: { type: port, default: 8080, about: The port to listen on }
  image: string
  document_root: { type: path, default: . }
  stage: { one_of: [test, prod], default: test, about: Where to }
  publish: false
  key: { type: string, default: x }
  token: { type: string, secret: true, from: env:TOKEN, about: Who we are }
tasks:
  a:
    shell: echo {{ port }} {{ image }} {{ document_root }} {{ stage }} {{ publish }} {{ key }}
    env: { TOKEN: '{{ token }}' }
";
    let home = Home::with("all.flow.yaml", flow);
    let text = home.run("post all.flow.yaml --help").exits(0).stdout;
    let store = text
        .split("Store of")
        .nth(1)
        .unwrap()
        .split("Global options")
        .next()
        .unwrap();
    let notes = text
        .split("whatever")
        .last()
        .map(|_| text.lines().last().unwrap())
        .unwrap();
    insta::assert_snapshot!(format!("Store of{store}{notes}"), @r"
    Store of all:
          --port <port>                 The port to listen on [default: 8080]
          --image <string>              [required]
          --document-root <path>        [default: .]
          --stage <string>              Where to [one of: test, prod] [default: test]
          --publish [<bool>]            [default: false]
          --token <env:NAME|file:PATH>  Who we are [default: env:TOKEN]

    Values:
          --set <NAME=VALUE>      Set a name of the flow's store, read as its type
          --set-json <NAME=JSON>  Set a name to a JSON value
          --set-file <NAME=FILE>  Set a name to the text of a file, without its last newline
          --secret <NAME=SOURCE>  Say where the conductor reads a secret when it needs it: env:NAME or
                                  file:PATH

    Set `key` with `--set NAME=VALUE`: an option of that name means something else.
    ");
}

#[test]
fn help_and_version_are_no_errors_and_usage_errors_are_bad_input() {
    let home = Home::new();
    for arguments in [
        "--help",
        "-h",
        "--version",
        "help run",
        "run --help",
        "logs --help",
    ] {
        let ran = home.run(arguments).exits(0);
        assert!(
            ran.stderr.is_empty() && !ran.stdout.is_empty(),
            "{arguments}"
        );
    }
    for arguments in [
        "",
        "shwo",
        "post",
        "show --format xml",
        "run --max-jobs 0",
        "run --until-empty x",
    ] {
        let ran = home.run(arguments).exits(2);
        assert!(
            ran.stdout.is_empty() && !ran.stderr.is_empty(),
            "{arguments}"
        );
    }
}

#[test]
fn each_command_says_what_it_is_for_and_which_exit_codes_there_are() {
    let text = Home::new().run("--help").exits(0).stdout;
    for command in [
        "run",
        "post",
        "show",
        "logs",
        "graph",
        "check",
        "cancel",
        "suspend",
        "resume",
        "retry",
        "mark-reverted",
        "abandon",
        "approve",
        "deny",
    ] {
        assert!(text.contains(&format!("\n  {command} ")), "{command}");
    }
    assert!(
        text.contains(
            "0 success, 1 the flow was reverted, 2 the input was bad, 3 a person is needed"
        )
    );
}
