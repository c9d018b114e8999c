//! What makes no sense: an answer that helps, exit 2, nothing posted.

use super::Home;

const GREET: &str = "\
store:
  name: { type: string, default: world }
  times: { type: int, default: 1, max: 3 }
  port: port
tasks:
  greet: { shell: 'echo {{ name }} {{ times }} {{ port }}' }
";

#[test]
fn all_problems_of_a_flow_are_told_at_once_and_nothing_is_posted() {
    let flow = "\
stor:
  port: prot
tasks:
  build:
    shel: make
  test:
    needs: [biuld]
    shell: make test
    timeout: 10
";
    let home = Home::with("ci.flow.yaml", flow);
    insta::assert_snapshot!(home.run("post ci.flow.yaml").text(), @r"
    exit 2
    -- err
    error[unknown-key]: a flow has no key `stor`
     --> ci.flow.yaml:1:1
      |
    1 | stor:
      | ^^^^ unknown
      |
      = help: did you mean `store`? write: store:

    warning[unused-name]: nothing uses `port`
     --> ci.flow.yaml:2:3
      |
    2 |   port: prot
      |   ^^^^
      |
      = help: use it in a task, or leave it out of the store

    error[unknown-type]: `prot` is no type
     --> ci.flow.yaml:2:9
      |
    2 |   port: prot
      |         ^^^^
      |
      = help: did you mean `port`? write: port: port; for a default text, write: port: { default: prot }

    error[unknown-key]: a task has no key `shel`
     --> ci.flow.yaml:5:5
      |
    5 |     shel: make
      |     ^^^^ unknown
      |
      = help: did you mean `shell`? write: shell: make

    error[unknown-task]: there is no task `biuld` here
     --> ci.flow.yaml:7:13
      |
    7 |     needs: [biuld]
      |             ^^^^^
      |
      = help: did you mean `build`? write: needs: [build]

    error[bad-duration]: `10` is not a duration
     --> ci.flow.yaml:9:14
      |
    9 |     timeout: 10
      |              ^^
      |
      = help: a duration has a unit (ms, s, m, h, d): timeout: 10s

    ci.flow.yaml: 5 errors, 1 warning
    more about a problem: jobrunner explain unknown-key
    ");
    assert_eq!(home.run("run ci.flow.yaml").code, Some(2));
    assert_eq!(
        home.run("check ci.flow.yaml").text(),
        home.run("post ci.flow.yaml").text()
    );
    assert!(!home.has("data"), "the store was not even made");
}

#[test]
fn check_tells_programs_where_each_problem_is() {
    let home = Home::with("a.flow.yaml", "tasks:\n  a: { shel: x }\n")
        .and("b.flow.yaml", "tasks: { b: { shell: x } }\n");
    let ran = home
        .run("check --format json a.flow.yaml b.flow.yaml missing.flow.yaml")
        .exits(2);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["version"], 1);
    let problem = &told["flows"][0]["problems"][0];
    assert_eq!(problem["code"], "unknown-key");
    assert_eq!(
        (&problem["line"], &problem["column"]),
        (&2.into(), &8.into())
    );
    assert_eq!(told["flows"][1]["ok"], true);
    assert_eq!(told["flows"][2]["problems"][0]["code"], "unreadable-file");
}

#[test]
fn values_that_do_not_fit_say_what_was_meant() {
    let home = Home::with("greet.flow.yaml", GREET).and("notes.txt", "x\n");
    let cases = [
        "post greet.flow.yaml",
        "post greet.flow.yaml --set nmae=x --set port=1",
        "post greet.flow.yaml --port http",
        "post greet.flow.yaml --port 80 --times 4",
        "post greet.flow.yaml --set port",
        "post greet.flow.yaml --set port=1 --port 2",
        "post greet.flow.yaml --set-json port={",
        "post greet.flow.yaml --set-file port=nots.txt",
        "post greet.flow.yaml --secret name=env:X --port 1",
        "post greet.flow.yaml --prot 80",
        "post --port 80 greet.flow.yaml",
        "run --set a=b",
    ];
    let told: String = cases
        .iter()
        .map(|case| format!("$ jobrunner {case}\n{}\n", home.run(case).exits(2).stderr))
        .collect();
    insta::assert_snapshot!(told, @r#"
    $ jobrunner post greet.flow.yaml
    error: `port` must be set
      = help: add `--set port=…`: a number from 1 to 65535
      = help: `jobrunner post greet.flow.yaml --help` lists what can be set

    $ jobrunner post greet.flow.yaml --set nmae=x --set port=1
    error: `greet` has no `nmae` in its store
      = help: did you mean `name`?
      = help: `jobrunner post greet.flow.yaml --help` lists what can be set

    $ jobrunner post greet.flow.yaml --port http
    error: `port`: `http` is not a port: a number from 1 to 65535
      = help: `jobrunner post greet.flow.yaml --help` lists what can be set

    $ jobrunner post greet.flow.yaml --port 80 --times 4
    error: `times`: `4` is above the maximum 3
      = help: `jobrunner post greet.flow.yaml --help` lists what can be set

    $ jobrunner post greet.flow.yaml --set port
    error: `--set port` says no value
      = help: write a name, `=` and the value: --set port=8080

    $ jobrunner post greet.flow.yaml --set port=1 --port 2
    error: `port` is set twice

    $ jobrunner post greet.flow.yaml --set-json port={
    error: `--set-json port=…` is not JSON
      = cause: EOF while parsing an object at line 1 column 1
      = help: text is in quotes in JSON: --set-json name='"text"'

    $ jobrunner post greet.flow.yaml --set-file port=nots.txt
    error: `--set-file port=nots.txt`: the file cannot be read
      = cause: No such file or directory (os error 2)

    $ jobrunner post greet.flow.yaml --secret name=env:X --port 1
    error: `name` is not a secret
      = help: write `--set name=…`
      = help: `jobrunner post greet.flow.yaml --help` lists what can be set

    $ jobrunner post greet.flow.yaml --prot 80
    error: unexpected argument '--prot' found

      tip: a similar argument exists: '--port'

    Usage: jobrunner post greet.flow.yaml [OPTIONS]

    For more information, try '--help'.

    $ jobrunner post --port 80 greet.flow.yaml
    error: `--port` is not known before FLOW
      = help: what a flow's store takes comes after the flow: jobrunner post FLOW --port …

    $ jobrunner run --set a=b
    error: there is no flow to set anything for
      = help: jobrunner run FLOW --set name=value
    "#);
    assert_eq!(
        home.run("show --all").stdout,
        "No jobs. `jobrunner post hello` posts one.\n"
    );
}

#[test]
fn a_flow_that_is_not_there_says_what_was_meant() {
    let home = Home::with("flows/deploy.flow.yaml", GREET).and("build.flow.yaml", GREET);
    let cases = [
        "run deplyo",
        "run ./biuld.flow.yaml",
        "run nothing_like_it",
        "check flows",
        "graph hellp",
    ];
    let told: String = cases
        .iter()
        .map(|case| format!("$ jobrunner {case}\n{}\n", home.run(case).exits(2).stderr))
        .collect();
    insta::assert_snapshot!(told, @r"
    $ jobrunner run deplyo
    error: there is no flow `deplyo`
      = help: did you mean `deploy`?
      = help: a flow is a path, such as ./build.flow.yaml, or a name in the flows path (`--flows`)

    $ jobrunner run ./biuld.flow.yaml
    error: there is no file `./biuld.flow.yaml`
      = help: did you mean `./build.flow.yaml`?

    $ jobrunner run nothing_like_it
    error: there is no flow `nothing_like_it`
      = help: the flows are `deploy`, `hello` and `http_server`
      = help: a flow is a path, such as ./build.flow.yaml, or a name in the flows path (`--flows`)

    $ jobrunner check flows
    error: the flow `flows` is a folder, not a file
      = help: it holds `deploy`; name one of them, such as flows/deploy.flow.yaml

    $ jobrunner graph hellp
    error: there is no flow `hellp`
      = help: did you mean `hello`?
      = help: a flow is a path, such as ./build.flow.yaml, or a name in the flows path (`--flows`)
    ");
}

#[test]
fn what_is_no_text_is_refused() {
    let home = Home::new()
        .and("binary.flow.yaml", b"\x7fELF\0\0\0".as_slice())
        .and("latin.flow.yaml", b"about: caf\xe9\n".as_slice())
        .and("large.flow.yaml", vec![b'#'; 100 << 20])
        .and("latin.flow", b"flow a { about = \"caf\xe9\" }\n".as_slice())
        .and("large.flow", vec![b'#'; 100 << 20])
        .and(
            "deep.flow",
            "flow a { task b {".to_owned() + &"[".repeat(1 << 20),
        );
    let started = std::time::Instant::now();
    let cases = [
        "check binary.flow.yaml",
        "run latin.flow.yaml",
        "post large.flow.yaml",
        "check /dev/zero",
        "check latin.flow large.flow deep.flow",
    ];
    let told: String = cases
        .iter()
        .map(|case| format!("$ jobrunner {case}\n{}\n", home.run(case).exits(2).stderr))
        .collect();
    insta::assert_snapshot!(told, @r"
    $ jobrunner check binary.flow.yaml
    error[binary]: `binary.flow.yaml` is a binary file, not text
     |
     = help: a flow is a text file: NAME.flow.yaml
    more about a problem: jobrunner explain binary

    $ jobrunner run latin.flow.yaml
    error[not-utf8]: `latin.flow.yaml` is not UTF-8: byte 0xE9 in line 1, column 11
     |
     = help: save it as UTF-8
    more about a problem: jobrunner explain not-utf8

    $ jobrunner post large.flow.yaml
    error[too-large]: `large.flow.yaml` is larger than 32 MiB, the most that a flow may have
     |
     = help: keep large texts and lists in files of their own, and give tasks their paths
    more about a problem: jobrunner explain too-large

    $ jobrunner check /dev/zero
    error: the flow `/dev/zero` is a pipe or a device, not a file
      = help: save the flow as NAME.flow.yaml and name that file

    $ jobrunner check latin.flow large.flow deep.flow
    error[not-utf8]: `latin.flow` is not UTF-8: byte 0xE9 in line 1, column 22
     |
     = help: save it as UTF-8
    error[too-large]: `large.flow` is larger than 32 MiB, the most that a flow may have
     |
     = help: keep large texts and lists in files of their own, and give tasks their paths
    error[nesting-too-deep]: lists and mappings are nested more than 64 deep here
     --> deep.flow:1:80
      |
    1 | flow a { task b {[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[...
      |                                                                                ^
      |
      = help: make it flatter: tasks of nested groups can stand side by side and name what they need

    deep.flow: 1 error
    more about a problem: jobrunner explain not-utf8
    ");
    assert!(
        started.elapsed().as_secs() < 8,
        "refused before much is read"
    );
}

#[test]
fn a_secret_is_never_given_on_the_command_line() {
    let flow = "\
store: { token: { type: string, secret: true, from: env:TOKEN } }
tasks: { a: { exec: [printenv, TOKEN], env: { TOKEN: '{{ token }}' } } }
";
    let home = Home::with("s.flow.yaml", flow);
    for case in [
        "post s.flow.yaml --set token=hunter2",
        "post s.flow.yaml --token hunter2",
        "post s.flow.yaml --secret token=hunter2",
    ] {
        let ran = home.run(case).exits(2);
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
        assert!(
            ran.stderr.contains("--secret token=env:NAME"),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let home = Home::with(
        "config/jobrunner/config.yaml",
        "stor: sqlite:///x\nmax_job: 3\n",
    )
    .and("bad.yaml", "max_jobs: many\n");
    let told: String = ["show", "show --config bad.yaml", "show --config none.yaml"]
        .iter()
        .map(|case| format!("$ jobrunner {case}\n{}\n", home.run(case).exits(2).text()))
        .collect();
    insta::assert_snapshot!(told, @r"
    $ jobrunner show
    exit 2
    -- err
    error: the configuration file `[home]/config/jobrunner/config.yaml`: the keys `stor` and `max_job` are not known
      = help: for `stor`: did you mean `store`?
      = help: for `max_job`: did you mean `max_jobs`?

    $ jobrunner show --config bad.yaml
    exit 2
    -- err
    error: the configuration file `bad.yaml`: `max_jobs` must be a whole number, 1 at least

    $ jobrunner show --config none.yaml
    exit 2
    -- err
    error: the configuration file `none.yaml` cannot be read
      = cause: No such file or directory (os error 2)
      = help: write one, or leave out `--config` and JOBRUNNER_CONFIG
    ");
}

#[test]
fn a_store_that_cannot_be_opened_is_told_apart_from_bad_input() {
    let home = Home::new().and(
        "text.db",
        "this is not a database, and long enough to be seen as none",
    );
    let folder = home.path("");
    let at = |file: &str| format!("show --store sqlite://{}{file}", folder.display());
    let told: String = [at("text.db"), at("no/such/folder/jobs.db")]
        .iter()
        .map(|case| home.run(case).exits(4).text())
        .collect();
    insta::assert_snapshot!(told, @r"
    exit 4
    -- err
    error: the store is not available: `[home]/text.db` is not a SQLite database: move it away, or choose another file
      = cause: error returned from database: (code: 26) file is not a database
      = help: it is at sqlite://[home]/text.db; `--store` and `--board` name others
    exit 4
    -- err
    error: the store is not available: `[home]/no/such/folder/jobs.db` cannot be opened, its folder does not exist: create `[home]/no/such/folder`
      = cause: error returned from database: (code: 14) unable to open database file
      = help: it is at sqlite://[home]/no/such/folder/jobs.db; `--store` and `--board` name others
    ");
    let told: String = [
        &at(""),
        "show --store oracle://me:pw@host/db",
        "show --board redis://:s3cret@host/x",
        "show --store jobs.db",
    ]
    .iter()
    .map(|case| home.run(case).exits(2).text())
    .collect();
    insta::assert_snapshot!(told, @r"
    exit 2
    -- err
    error: the store `sqlite://[home]/` names no file: write it as `sqlite:///path/jobs.db`
    exit 2
    -- err
    error: the store `oracle://me@host/db`: `oracle` is not known
      = help: write sqlite:///path/jobs.db, mysql://user:password@host:3306/database or postgres://user:password@host:5432/database
    exit 2
    -- err
    error: the board `redis://@host/x`: invalid database number
      = help: write redis://user:password@host:6379/0, or rediss:// for TLS
    exit 2
    -- err
    error: the store `jobs.db` is not a URL
      = help: write sqlite://[home]/jobs.db
    ");
}

#[test]
fn what_is_no_file_is_refused_before_it_is_opened() {
    let home = Home::with("greet.flow.yaml", GREET);
    let pipe = home.path("pipe.flow.yaml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let told = home.run("check pipe.flow.yaml").text();
    assert!(told.starts_with("exit 2"), "{told}");
    assert!(told.contains("is a pipe or a device, not a file"), "{told}");
    let told = home
        .run("post greet.flow.yaml --port 80 --set-file name=/dev/zero")
        .text();
    assert!(told.starts_with("exit 2"), "{told}");
    assert!(told.contains("it is not a file"), "{told}");
}
