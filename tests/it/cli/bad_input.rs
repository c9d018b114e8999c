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
    insta::assert_snapshot!(home.run("post ci.flow.yaml").text(), @"");
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
    assert_eq!(told["flows"][2]["problems"][0]["code"], "unreadable");
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
    insta::assert_snapshot!(told, @"");
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
    insta::assert_snapshot!(told, @"");
}

#[test]
fn what_is_no_text_is_refused() {
    let home = Home::new()
        .and("binary.flow.yaml", b"\x7fELF\0\0\0".as_slice())
        .and("latin.flow.yaml", b"about: caf\xe9\n".as_slice())
        .and("large.flow.yaml", vec![b'#'; 100 << 20]);
    let started = std::time::Instant::now();
    let cases = [
        "check binary.flow.yaml",
        "run latin.flow.yaml",
        "post large.flow.yaml",
        "check /dev/zero",
    ];
    let told: String = cases
        .iter()
        .map(|case| format!("$ jobrunner {case}\n{}\n", home.run(case).exits(2).stderr))
        .collect();
    insta::assert_snapshot!(told, @"");
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
    insta::assert_snapshot!(told, @"");
}

#[test]
fn a_store_that_cannot_be_opened_is_told_apart_from_bad_input() {
    let home = Home::new().and(
        "text.db",
        "this is not a database, and long enough to be seen as none",
    );
    let folder = home.path("");
    let at = |file: &str| format!("show --store sqlite://{}{file}", folder.display());
    let told: String = [at("text.db"), at("no/such/folder/jobs.db"), at("")]
        .iter()
        .map(|case| home.run(case).exits(4).text())
        .collect();
    insta::assert_snapshot!(told, @"");
    let told: String = [
        "show --store mysql://me:pw@host/db",
        "show --board redis://host",
        "show --store jobs.db",
    ]
    .iter()
    .map(|case| home.run(case).exits(2).text())
    .collect();
    insta::assert_snapshot!(told, @"");
}
