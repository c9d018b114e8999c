//! Kinds that speak to servers.

use std::fs;
use std::net::TcpListener;

use serde_json::{Value, json};
use wiremock::matchers::{body_json, header, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{flow, left};
use crate::cli::Home;

/// The SHA-256 sum of `hello\n`.
const SUM: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

/// A server that answers `hello` with a file.
pub async fn server() -> MockServer {
    let server = MockServer::start().await;
    let hello = ResponseTemplate::new(200).set_body_string("hello\n");
    Mock::given(path("/hello"))
        .respond_with(hello)
        .mount(&server)
        .await;
    server
}

fn download(server: &MockServer, more: &str) -> Home {
    let url = server.uri();
    let task = format!("{{ download: {{ url: '{url}/hello', dest: \"{{{{ dest }}}}\"{more} }} }}");
    let store = "store: { fail: false, dest: { default: \"-a b'c\" } }";
    let text = flow(&task).replace("store: { fail: false }", store);
    Home::with("f.flow.yaml", &text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn download_takes_its_place_when_its_sum_is_right_and_is_undone() {
    let server = server().await;
    let home = download(&server, &format!(", sha256: {}", SUM.to_ascii_uppercase()));
    let file = home.path("-a b'c");
    home.run("run f.flow.yaml --fail true").exits(1);
    assert!(!file.exists(), "there was nothing");
    fs::write(&file, "old").unwrap();
    home.run("run f.flow.yaml --fail true").exits(1);
    assert_eq!(fs::read_to_string(&file).unwrap(), "old");
    home.run("run f.flow.yaml").exits(0);
    assert_eq!(fs::read_to_string(&file).unwrap(), "hello\n");
    // From the folder of its task, as its processes see it.
    let flow = fs::read_to_string(home.path("f.flow.yaml")).unwrap();
    let home = home
        .and("f.flow.yaml", format!("dir: inner\n{flow}"))
        .and("inner/x", "old");
    home.run("run f.flow.yaml --dest x").exits(0);
    assert_eq!(fs::read_to_string(home.path("inner/x")).unwrap(), "hello\n");
    assert_eq!(left(&home), 0, "what the tasks kept is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn download_that_is_not_as_it_should_be_changes_nothing() {
    let server = server().await;
    let wrong = format!(", sha256: {}", SUM.replace('5', "6"));
    for (more, why) in [
        (wrong.as_str(), "the SHA-256 sum"),
        (", max_size: 5", "is longer than 5"),
    ] {
        let home = download(&server, more).and("x", "old");
        let ran = home.run("run f.flow.yaml --dest x").exits(1);
        assert!(ran.stdout.contains(why), "{}", ran.text());
        assert_eq!(fs::read_to_string(home.path("x")).unwrap(), "old");
        let mut names: Vec<_> = fs::read_dir(home.path(""))
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        assert_eq!(names, ["data", "f.flow.yaml", "x"]);
    }
    let home = download(&server, ", sha256: 12");
    let ran = home.run("check f.flow.yaml").exits(2);
    assert!(ran.stderr.contains("wrong-type"), "{}", ran.text());
}

fn keys(requests: &[Request]) -> Vec<&str> {
    let keys = requests.iter();
    keys.map(|request| request.headers["idempotency-key"].to_str().unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn webhook_posts_and_posts_something_else_when_it_is_undone() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(202).set_body_json(json!({"id": 7}));
    Mock::given(method("POST"))
        .and(path("/told"))
        .and(header("x-by", "me"))
        .and(body_json(json!({"text": "a \"b\"", "n": [1]})))
        .respond_with(answer)
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/taken-back"))
        .and(body_json(json!("no")))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&server)
        .await;
    let url = server.uri();
    let flow = format!(
        r#"
store: {{ fail: true, text: {{ default: 'a "b"' }} }}
tasks:
  told:
    webhook:
      url: {url}/told
      body: {{ text: "{{{{ text }}}}", n: [1] }}
      headers: {{ X-By: me }}
      undo_url: {url}/taken-back
      undo_body: "no"
    provides: [answer]
  last: {{ when: fail, exec: [test, "{{{{ answer.id }}}}", =, "8"] }}
"#
    );
    let home = Home::with("f.flow.yaml", &flow);
    let ran = home.run("run f.flow.yaml").exits(1);
    assert!(ran.stdout.contains("undone:"), "{}", ran.text());
    let requests = server.received_requests().await.unwrap();
    let job = home.run("show --all --format json").stdout;
    let job: Value = serde_json::from_str(&job).unwrap();
    let job = job["jobs"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(
        keys(&requests),
        [
            format!("{job}/told.call/0"),
            format!("{job}/told.undo/0/revert")
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn webhook_is_done_again_and_undone_again_with_the_same_key_when_its_conductor_is_killed() {
    for place in ["/told", "/taken-back"] {
        let server = MockServer::start().await;
        // The first call there is never answered.
        let never = ResponseTemplate::new(200).set_delay(std::time::Duration::from_secs(3600));
        Mock::given(path(place))
            .respond_with(never)
            .up_to_n_times(1)
            .mount(&server)
            .await;
        Mock::given(method("POST"))
            .respond_with(ResponseTemplate::new(200))
            .mount(&server)
            .await;
        let url = server.uri();
        let task = format!(
            "{{ webhook: {{ url: '{url}/told', undo_url: '{url}/taken-back', timeout: 1h }} }}"
        );
        let home = Home::with("f.flow.yaml", &flow(&task));
        let job = home.run("post f.flow.yaml --set fail=true").id();
        let conductor = home.start("run --lease-ttl 1s");
        let began = std::time::Instant::now();
        let calls = async || {
            let requests = server.received_requests().await.unwrap();
            let there = requests.iter().filter(|one| one.url.path() == place);
            there
                .map(|one| one.headers["idempotency-key"].to_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        while calls().await.is_empty() {
            assert!(began.elapsed().as_secs() < 60, "{place} is never called");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        // As with SIGKILL.
        drop(conductor);
        let next = home.start("run --lease-ttl 1s");
        home.until(&format!("show {job}"), "✗ f  ");
        next.terminate();
        let keys = calls().await;
        assert!(keys.len() == 2 && keys[0] == keys[1], "{place}: {keys:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn webhook_whose_answer_never_came_is_undone_too() {
    let server = MockServer::start().await;
    Mock::given(path("/taken-back"))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&server)
        .await;
    let url = server.uri();
    let task = format!("{{ webhook: {{ url: '{url}/no', undo_url: '{url}/taken-back' }} }}");
    let home = Home::with("f.flow.yaml", &flow(&task));
    home.run("run f.flow.yaml").exits(1);
    let task = format!("{{ webhook: {{ url: '{url}/no', expect: [404] }} }}");
    let home = home.and("f.flow.yaml", flow(&task));
    home.run("run f.flow.yaml --set fail=true").exits(1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn wait_for_http_asks_until_the_answer_is_as_expected() {
    let server = MockServer::start().await;
    let answers = |status| Mock::given(path("/health")).respond_with(ResponseTemplate::new(status));
    answers(503).up_to_n_times(2).mount(&server).await;
    answers(204).mount(&server).await;
    let url = format!("{}/health", server.uri());
    let flow = r#"
store: { url: url, expect: { type: list<int>, default: [] } }
tasks:
  it:
    wait_for_http: { url: "{{ url }}", expect: "{{ expect }}", interval: 1ms, timeout: "{{ '20ms' if expect else '1m' }}" }
    provides: { tries: tries, status: status }
provides: [tries, status]
"#;
    let home = Home::with("f.flow.yaml", flow);
    let ran = home.run(&format!("run f.flow.yaml --url {url}")).exits(0);
    assert!(ran.stdout.contains("tries: 3"), "{}", ran.text());
    assert!(ran.stdout.contains("status: 204"), "{}", ran.text());
    let ran = home
        .run(&format!("run f.flow.yaml --url {url} --expect 200"))
        .exits(1);
    let why = "not there within 20ms: `http://127.0.0.1:";
    assert!(ran.stdout.contains(why), "{}", ran.text());
    assert!(ran.stdout.contains("answered 204"), "{}", ran.text());
}

#[test]
fn wait_for_port_waits_until_somebody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = "{ wait_for_port: { host: 127.0.0.1, port: \"{{ port }}\", interval: 10ms, timeout: \"{{ timeout }}\" } }";
    let store = "store: { fail: false, port: port, timeout: { type: duration, default: 1m } }";
    let text = flow(task).replace("store: { fail: false }", store);
    let home = Home::with("f.flow.yaml", &text);
    home.run(&format!("run f.flow.yaml --port {port}")).exits(0);
    drop(listener);
    let ran = home
        .run(&format!("run f.flow.yaml --port {port} --timeout 50ms"))
        .exits(1);
    let why = format!("not there within 50ms: no connection to `127.0.0.1:{port}`");
    assert!(ran.stdout.contains(&why), "{}", ran.text());
    // It takes no place from tasks that have something to do.
    let job = home.run(&format!("post f.flow.yaml --port {port}")).id();
    let conductor = home.start("run --max-tasks 1");
    home.until(&format!("logs {job}"), "no connection");
    home.run("run f.flow.yaml --port 1 --timeout 1ms").exits(1);
    let _listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    home.until(&format!("show {job}"), "✓ f  ");
    conductor.terminate();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_secret_goes_to_the_server_and_into_the_file_and_nowhere_else() {
    let server = MockServer::start().await;
    Mock::given(header("authorization", "Bearer hunter2"))
        .respond_with(ResponseTemplate::new(200).set_body_string("x"))
        .expect(3)
        .mount(&server)
        .await;
    let url = server.uri();
    let flow = format!(
        r#"
store: {{ key: {{ secret: true, from: env:KEY }} }}
tasks:
  - {{ name: a, wait_for_http: {{ url: {url}, token: "{{{{ key }}}}" }} }}
  - {{ name: b, webhook: {{ url: {url}, token: "{{{{ key }}}}" }} }}
  - {{ name: c, download: {{ url: {url}, dest: x, token: "{{{{ key }}}}" }} }}
  - {{ name: d, template: {{ src: t, path: y, values: {{ n: 1 }}, secret: "{{{{ key }}}}", mode: "0600" }} }}
"#
    );
    let home = Home::with("f.flow.yaml", &flow)
        .and("t", "{{ n }} {{ secret }}")
        .set("KEY", "hunter2");
    let ran = home.run("run f.flow.yaml").exits(0);
    assert!(!ran.text().contains("hunter2"), "{}", ran.text());
    assert_eq!(fs::read_to_string(home.path("y")).unwrap(), "1 hunter2");
    for file in fs::read_dir(home.path("data/jobrunner")).unwrap() {
        let file = file.unwrap().path();
        if file.is_file() {
            let bytes = fs::read(&file).unwrap();
            let found = bytes.windows(7).any(|bytes| bytes == b"hunter2");
            assert!(!found, "{}", file.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_has_nothing_to_undo_needs_no_secret_to_undo_nothing() {
    let server = server().await;
    let url = format!("url: '{}/hello'", server.uri());
    for task in [
        "exec: [test, '{{ token }}', '=', hello]".to_owned(),
        "shell: 'test {{ token }} = hello'".to_owned(),
        format!("http: {{ {url}, bearer: '{{{{ token }}}}' }}"),
        format!("http: {{ {url}, bearer: '{{{{ token }}}}', save: \"{{{{ flow.name }}}}.txt\" }}"),
        format!("probe: {{ {url}, bearer: '{{{{ token }}}}' }}"),
        format!("wait_for_http: {{ {url}, token: '{{{{ token }}}}' }}"),
        format!("download: {{ {url}, dest: x, token: '{{{{ token }}}}' }}"),
    ] {
        let flow = format!(
            "store: {{ token: {{ secret: true, from: 'file:token' }} }}\ntasks:\n  it: {{ {task} }}\n  last: {{ needs: [it], shell: rm token; false }}\n"
        );
        let home = Home::with("f.flow.yaml", &flow).and("token", "hello");
        let ran = home.run("run f.flow.yaml");
        assert_eq!(ran.code, Some(1), "{task}: {}", ran.text());
        assert!(!home.has("x"), "{task}");
    }
}
