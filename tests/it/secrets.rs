//! No secret gets out: flows that do all they can to tell one are run for real, and everything that was kept, printed
//! or shown of them is searched for it.

mod servers;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::cli::Home;
use crate::servers::redis::Redis;

/// A secret that every encoding changes, but for the letters in its middle: whatever way it gets out, they show.
const TOKEN: &str = "s/Zq7xWvN9kT 'p\"é$+~-x";
/// The letters in the middle of it.
const CORE: &str = "Zq7xWvN9kT";
/// Another one, from a file, of several lines.
const KEY: &str = "-----BEGIN KEY-----\nLm4hGbQ2sRtYw8Pd\nJ5cV\n-----END KEY-----";
/// A third one, whose value has parts.
const LOGIN: &str = r#"{"user": "robot", "password": "Xc3jFuHa6E"}"#;
/// A fourth one, of a type that is written in several ways.
const PAUSE: &str = "7384930s";

/// What must be nowhere.
fn needles() -> Vec<String> {
    let login = "Xc3jFuHa6E";
    // The last one is how a duration is written of which somebody gave the seconds.
    let mut needles: Vec<String> = [CORE, "Lm4hGbQ2sRtYw8Pd", login, "7384930", "85d11h22m10s"]
        .map(str::to_owned)
        .to_vec();
    // In Base64, text looks differently in three places; what depends on its neighbours is left out.
    for shift in 0..3 {
        let text = base64(&format!("{}{CORE}", &"___"[..shift]));
        let first = (shift * 8).div_ceil(6);
        let last = (shift + CORE.len()) * 8 / 6;
        needles.push(text[first..last].to_owned());
    }
    needles
}

/// RFC 4648, section 4.
fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits = three
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte));
        let bits = bits << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            out.push(char::from(DIGITS[(bits >> (18 - 6 * place)) as usize & 63]));
        }
    }
    out
}

/// A server that tells whoever asks what was asked.
struct Mirror;

impl Respond for Mirror {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let status = if request.url.path().contains("refused") {
            418
        } else {
            200
        };
        let headers: Vec<String> = request
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        let body = String::from_utf8_lossy(&request.body);
        let told = format!(
            "{} {}\n{}\n\n{body}\n",
            request.method,
            request.url,
            headers.join("\n")
        );
        let answer = ResponseTemplate::new(status);
        if request.url.path().contains("json") {
            let told: Vec<&str> = told.lines().collect();
            return answer
                .set_body_json(serde_json::json!({ "told": told, "echo": told.join("\n") }));
        }
        // A header cannot hold everything that a URL can.
        let path = request.url.path().to_owned();
        answer
            .insert_header("x-asked", path.as_str())
            .set_body_string(told)
    }
}

/// What gets a secret to everywhere where it may stand, and tells it in every way.
const TELLING: &str = r#"
store:
  api: url
  token: { type: string, secret: true, from: env:THE_TOKEN }
  key: { type: string, secret: true }
  login: { type: map, secret: true, from: file:login.json }
  pause: { type: duration, secret: true, from: env:THE_PAUSE }
env: { HEADER: "Bearer {{ token }}" }
tasks:
  printed:
    shell: |
      echo {{ token }} "x{{ token }}x" "$HEADER"
      echo {{ key }} {{ login.password }} {{ login }} {{ pause }} >&2
      env
      export -p
      set -x
      : {{ token }}
    provides: printed
    revert: "echo undone {{ token }}; set -x; : {{ key }}"
  in_pieces:
    env: { WORD: "{{ token }}" }
    shell: |
      # One after the other, and over what a pipe holds.
      printf %s "${WORD%?????????}"; printf %s "${WORD#"${WORD%?????????}"}"
      head -c 65530 /dev/zero | tr '\0' x; printf '%s\n' "$WORD"
  too_much:
    # What is kept ends in the middle of it.
    shell: |
      head -c 1044466 /dev/zero | tr '\0' x
      printf %s {{ token }}; head -c 100000 /dev/zero | tr '\0' y
    provides: too_much
  encoded:
    env: { WORD: "{{ token }}" }
    shell:
      interpreter: python3
      script: |
        import base64, json, os, shlex, urllib.parse
        word = os.environ["WORD"]
        raw = word.encode()
        for text in (word, "a" + word, "ab" + word):
            print(base64.b64encode(text.encode()).decode(), base64.urlsafe_b64encode(text.encode()).decode())
        print(json.dumps(word), json.dumps(word, ensure_ascii=False), json.dumps(word).replace("/", "\\/"), repr(word))
        print(urllib.parse.quote(word), urllib.parse.quote(word, safe=""), urllib.parse.quote_plus(word))
        print(shlex.quote(word))
  argument:
    exec: [echo, "--token={{ token }}", "{{ login.password }}"]
  given:
    shell: |
      printf '{"token": "%s", "in": [{"it": "%s"}]}' Zq7 "$LOGIN"
    env: { LOGIN: "{{ login.password }}" }
    provides: { told: stdout }
  seen:
    shell: |
      mkdir -p seen
      tr '\0' ' ' < /proc/$$/cmdline > seen/me
      tr '\0' ' ' < /proc/$PPID/cmdline > seen/conductor
      sh -c 'tr "\0" " " < /proc/$$/cmdline > seen/child'
      # It reaches the script by its environment.
      test {{ token }} = "${HEADER#Bearer }" && tr '\0' '\n' < /proc/$$/environ | grep -c Zq7xWv > seen/environment
  asked:
    http:
      url: "{{ api }}/json/{{ token }}"
      query: { token: "{{ token }}" }
      headers: { X-Key: "k {{ login.password }}" }
      bearer: "{{ login.password }}"
      json: { token: "{{ token }}", all: "{{ login }}" }
    provides: asked
    revert:
      http: { method: DELETE, url: "{{ api }}/{{ token }}", basic: { user: me, password: "{{ login.password }}" }, body: "{{ key }}" }
  form:
    http: { url: "{{ api }}/f?t={{ token }}#{{ token }}", form: { token: "{{ token }}", key: "{{ key }}" }, basic: { user: abc, password: "{{ token }}" } }
    provides: formed
  refused:
    allow_failure: true
    http: { url: "{{ api }}/refused/{{ token }}", basic: { user: ab, password: "{{ token }}" }, json: { t: "{{ token }}" } }
  nobody:
    allow_failure: true
    http: { url: "http://{{ login.password }}:{{ token }}@127.0.0.1:1/{{ token }}" }
  not_there:
    allow_failure: true
    exec: ["{{ login.password }}", "{{ token }}"]
  no_folder:
    allow_failure: true
    dir: "/nowhere/{{ login.password }}"
    shell: ":"
  tried:
    retry: { for_each: [one, two], as: word }
    shell: |
      echo "{{ word }} {{ token }}"
      test {{ word }} = two
  below:
    flow: below
    with: { word: "{{ token }}", plain: "{{ flow.name }}" }
    provides: { heard: said }
  kind:
    tell: { word: "{{ token }}", plain: "it is {{ task.name }}" }
    provides: from_kind
  uses:
    shell: echo "{{ printed }}{{ told }}{{ heard }}{{ from_kind }}" {{ asked }} {{ formed }}; test {{ too_much | length }} -gt 9
    provides: all
  last:
    needs: [uses, refused, nobody, not_there, no_folder, tried, in_pieces, encoded, argument, seen]
    shell: echo {{ token }}; echo {{ key }} >&2; exit 1
provides: [all]
"#;

const BELOW: &str = r#"
store: { word: { type: string, secret: true }, plain: string }
tasks:
  say: { shell: "echo {{ word }} {{ plain }}", provides: said, revert: "echo back {{ word }}" }
  matrix: { matrix: { n: [1, 2] }, shell: "echo {{ word }}{{ n }}" }
provides: [said]
"#;

const KIND: &str = r#"
task: tell
params: { word: { type: string, secret: true }, plain: string }
execute: { shell: "echo {{ word }} {{ plain }}" }
revert: { shell: "echo {{ word }} {{ plain }}; env" }
result: { out: stdout, plain: plain }
"#;

/// All files below a folder.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(bytes) = fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
}

/// What a command prints, kept with all that is searched.
fn said(home: &Home, arguments: &str, code: i32, all: &mut Vec<(String, Vec<u8>)>) -> String {
    let ran = home.run(arguments).exits(code);
    let out = ran.stdout.clone().into_bytes();
    all.push((format!("{arguments} (out)"), out));
    all.push((format!("{arguments} (err)"), ran.stderr.into_bytes()));
    ran.stdout
}

/// Where the secrets are in these, with what stands around them.
fn leaks(all: &[(String, Vec<u8>)]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, bytes) in all {
        for needle in needles() {
            let mut places = bytes.windows(needle.len()).enumerate();
            if let Some((at, _)) = places.find(|(_, part)| *part == needle.as_bytes()) {
                let around =
                    &bytes[at.saturating_sub(60)..(at + needle.len() + 30).min(bytes.len())];
                found.push(format!("{name}: …{}…", String::from_utf8_lossy(around)));
            }
        }
    }
    found
}

fn home(api: &str) -> Home {
    Home::with("telling.flow.yaml", TELLING)
        .and("below.flow.yaml", BELOW)
        .and("tasks/tell.task.yaml", KIND)
        .and("key.pem", format!("{KEY}\n"))
        .and("login.json", LOGIN)
        .set("THE_TOKEN", TOKEN)
        .set("THE_PAUSE", PAUSE)
        .set("API", api)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_kept_printed_or_shown() {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(Mirror).mount(&server).await;
    let redis = Redis::start(&["--appendonly", "yes"]);
    let home = home(&server.uri()).set("JOBRUNNER_BOARD", &redis.url());
    let values = format!(
        "telling.flow.yaml --api {} --secret key=file:key.pem",
        server.uri()
    );
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    let mut say = |arguments: &str, code: i32| said(&home, arguments, code, &mut all);
    say("check telling.flow.yaml", 0);
    say("graph telling.flow.yaml", 0);
    say(&format!("post {values} --hierarchy"), 0);
    say(&format!("rehearse {values}"), 0);
    say(&format!("rehearse {values} --fail last --format json"), 0);
    // A run at a terminal, one by a conductor that tells all that it does, and one that is followed.
    let id = say(&format!("post {values}"), 0).trim().to_owned();
    say("-vvv run --until-empty", 0);
    let again = say(&format!("post {values}"), 0).trim().to_owned();
    say("-vvv run --until-empty --log-format json", 0);
    say(&format!("run {values}"), 1);
    say(&format!("-v run {values}"), 1);
    for job in [&id, &again] {
        for arguments in [
            "show",
            "show --all",
            "show --format json",
            "show --watch",
            "graph",
            "logs",
            "logs -f",
            "show --why",
        ] {
            say(&format!("{arguments} {job}"), 0);
        }
    }
    say("show --all --format json", 0);
    say("conductors --format json", 0);
    // The same, as somebody sees it at a terminal.
    for arguments in [
        format!("run {values}"),
        format!("show --watch {id}"),
        format!("logs {id}"),
    ] {
        let line = format!("{} {arguments}", env!("CARGO_BIN_EXE_jobrunner"));
        let mut command = home.command("");
        let mut terminal = std::process::Command::new("script");
        terminal
            .args(["-qec", &line, "/dev/null"])
            .env_clear()
            .stdin(Stdio::null());
        for (name, value) in command.env_remove("TERM").get_envs() {
            if let Some(value) = value {
                terminal.env(name, value);
            }
        }
        terminal.env("TERM", "xterm").current_dir(home.path(""));
        let shown = terminal.output().unwrap().stdout;
        assert!(shown.len() > 200, "{}", String::from_utf8_lossy(&shown));
        all.push((format!("{arguments} (terminal)"), shown));
    }
    let told = |name: &str| {
        let (_, bytes) = all.iter().find(|(of, _)| of.starts_with(name)).unwrap();
        String::from_utf8_lossy(bytes).into_owned()
    };
    // It was there to be told.
    let logs = told(&format!("logs {id}"));
    for line in [
        "printed │ *** x***x Bearer ***",
        "printed undo │ undone ***",
        "tried │ one ***",
        "below.say │ *** telling",
        "last │ ***",
    ] {
        assert!(
            logs.lines().any(|found| found.starts_with(line)),
            "no `{line}`:\n{}",
            told(&format!("show {id}"))
        );
    }
    let seen = |name: &str| fs::read_to_string(home.path(&format!("seen/{name}"))).unwrap();
    assert_ne!(seen("environment").trim(), "0");
    assert!(seen("me").contains("sh"), "{}", seen("me"));
    all.push(("the board".to_owned(), redis.saved()));
    let ours = ["key.pem", "login.json"].map(|name| home.path(name).display().to_string());
    let mut kept = Vec::new();
    files(&home.path(""), &mut kept);
    assert!(
        kept.iter()
            .any(|(name, bytes)| name.ends_with("jobs.db") && !bytes.is_empty())
    );
    all.extend(kept.into_iter().filter(|(name, _)| !ours.contains(name)));
    let leaks = leaks(&all);
    assert!(leaks.is_empty(), "{}", leaks.join("\n"));
}

#[test]
fn what_failed_for_a_secret_that_cannot_be_read_needs_no_undoing() {
    let tasks = [
        ("plain", "{ shell: 'echo {{ token }}' }"),
        (
            "asks",
            r#"{ http: { url: "http://127.0.0.1:1/", bearer: "{{ token }}" } }"#,
        ),
        (
            "undone",
            r#"{ env: { T: "{{ token }}" }, shell: ":", revert: "touch was_undone" }"#,
        ),
        (
            "undone_with_it",
            "{ shell: 'echo {{ token }}', revert: 'touch was_undone; echo {{ token }}' }",
        ),
        (
            "tried",
            "{ shell: 'echo {{ token }}', retry: { times: 3, delay: 0s }, revert: 'touch was_undone' }",
        ),
        ("kind", r#"{ tell: { word: "{{ token }}", plain: x } }"#),
    ];
    for (name, task) in tasks {
        let flow = format!(
            "store: {{ token: {{ type: string, secret: true, from: env:TOK }} }}\n\
             tasks:\n  before: {{ shell: ':', revert: touch before }}\n  {name}: {task}\n"
        );
        let flow = flow.replace(
            &format!("{name}: {{"),
            &format!("{name}: {{ needs: [before],"),
        );
        let home = Home::with("main.flow.yaml", &flow).and("tasks/tell.task.yaml", KIND);
        let ran = home.run("run main.flow.yaml").exits(1);
        let said = ran.stdout + &ran.stderr;
        assert!(said.contains("`env:TOK` is not set"), "{name}: {said}");
        assert!(home.path("before").exists(), "{name}: nothing was undone");
        assert!(!home.path("was_undone").exists(), "{name} was undone");
        // Nor is it said that anything was done for it.
        let undone: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("undone: "))
            .collect();
        assert_eq!(undone, ["undone: before"], "{said}");
        let begun = said.lines().filter(|line| line.starts_with("REVERTING"));
        let begun: Vec<&str> = begun
            .filter_map(|line| line.split_whitespace().nth(1))
            .collect();
        assert_eq!(begun, ["main", "before"], "{said}");
        let told = said
            .lines()
            .find(|line| line.starts_with("REVERTED") && line.contains(&format!(" {name} ")));
        assert!(
            told.is_some_and(|line| line.ends_with("nothing to undo")),
            "{said}"
        );
    }
}

#[test]
fn what_was_done_is_not_held_to_be_undone_when_a_secret_has_gone() {
    let flow = "store: { token: { type: string, secret: true, from: file:key } }\n\
                tasks: { a: { shell: 'echo {{ token }}; rm key; false', revert: 'echo {{ token }}' } }\n";
    let home = Home::with("main.flow.yaml", flow).and("key", "Zq7xWvN9kT");
    let ran = home.run("run main.flow.yaml").exits(3);
    let said = ran.stdout + &ran.stderr;
    assert!(said.contains("STUCK"), "{said}");
}
