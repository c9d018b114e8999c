//! `service`: processes that go on.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cli::Home;

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

fn listens(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// Returns when nothing listens there any more.
fn until_silent(port: u16) {
    let started = Instant::now();
    while listens(port) {
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "{port} is still served"
        );
        std::thread::yield_now();
    }
}

/// A server, and a task behind it that uses it and then waits for a file, if it is to.
const SERVED: &str = r#"
store: { port: port, fail: false, keep: false, hold: false }
tasks:
  api:
    service: { command: [python3, -m, http.server, "{{ port }}", --bind, 127.0.0.1], port: "{{ port }}", path: /, keep: "{{ keep }}" }
    provides: { pid: pid }
  use:
    needs: [api]
    http: { url: "http://127.0.0.1:{{ port }}/f.flow.yaml" }
  hold: { needs: [use], when: hold, skips: task, shell: "touch held; until test -e go; do sleep 0.02; done" }
  last: { needs: [hold], when: fail, exec: ['false'] }
provides: [pid]
"#;

#[test]
fn a_service_is_there_for_those_behind_it_and_ends_with_the_job() {
    let home = Home::with("f.flow.yaml", SERVED);
    let port = free_port();
    home.run(&format!("run f.flow.yaml --port {port}")).exits(0);
    until_silent(port);
}

/// A service that outlives its job; not this test.
struct Kept(i32);

impl Drop for Kept {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_raw(self.0).unwrap();
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    }
}

#[test]
fn a_service_that_is_kept_goes_on_until_it_is_undone() {
    let home = Home::with("f.flow.yaml", SERVED);
    let port = free_port();
    let ran = home
        .run(&format!("run f.flow.yaml --port {port} --keep"))
        .exits(0);
    let pid = ran
        .stdout
        .lines()
        .find_map(|line| line.trim().strip_prefix("pid: "));
    let pid: i32 = pid.unwrap().parse().unwrap();
    let server = Kept(pid);
    assert!(listens(port), "it outlives the job and the conductor");
    drop(server);
    let port = free_port();
    home.run(&format!("run f.flow.yaml --port {port} --keep --fail"))
        .exits(1);
    assert!(!listens(port), "its revert awaits its end");
}

#[test]
fn a_service_ends_with_its_conductor_unless_it_is_kept() {
    for keep in [false, true] {
        let home = Home::with("f.flow.yaml", SERVED).set("JOBRUNNER_LEASE_TTL", "1s");
        let port = free_port();
        let job = home
            .run(&format!(
                "post f.flow.yaml --port {port} --hold --fail --set keep={keep}"
            ))
            .id();
        let conductor = home.start("run");
        home.until(&format!("show {job}"), "RUNNING           ");
        let started = Instant::now();
        while !home.has("held") {
            assert!(started.elapsed().as_secs() < 30);
        }
        // Killed.
        drop(conductor);
        if keep {
            assert!(listens(port));
        } else {
            until_silent(port);
        }
        fs::write(home.path("go"), "").unwrap();
        // Whoever takes over stops it, by what the first has noted.
        home.run("run --until-empty").exits(0);
        assert!(!listens(port));
        assert!(home.run(&format!("show {job}")).stdout.contains("REVERTED"));
    }
}

#[test]
fn a_service_that_dies_or_is_never_healthy_fails_with_the_end_of_its_output() {
    let flow = |service: &str| format!("tasks: {{ a: {{ service: {service} }} }}\n");
    let port = free_port();
    // At once: nobody would wait for an hour here.
    let dies = format!("{{ command: [sh, -c, 'echo hello; exit 7'], port: {port}, wait: 1h }}");
    let home = Home::with("f.flow.yaml", &flow(&dies));
    let ran = home.run("run f.flow.yaml").exits(1).stdout;
    assert!(
        ran.contains("it has ended with code 7") && ran.contains("hello"),
        "{ran}"
    );
    let deaf = format!(
        "{{ command: [sh, -c, 'echo $$ > pid; exec sleep 600'], port: {port}, wait: 1ms }}"
    );
    let home = Home::with("f.flow.yaml", &flow(&deaf));
    let ran = home.run("run f.flow.yaml").exits(1).stdout;
    assert!(ran.contains("it is not healthy after 1s"), "{ran}");
    if let Ok(pid) = fs::read_to_string(home.path("pid")) {
        assert!(is_gone(pid.trim()), "it still runs: {pid}");
    }
}

#[test]
fn a_service_that_cannot_be_asked_is_not_started() {
    let flow = "tasks: { a: { service: { command: [touch, started], path: /health } } }\n";
    let home = Home::with("f.flow.yaml", flow);
    let ran = home.run("run f.flow.yaml").exits(1).stdout;
    assert!(
        ran.contains("a path that is to be asked, and no port"),
        "{ran}"
    );
    assert!(!home.has("started"));
    let flow = flow.replace("[touch, started]", "[]");
    let home = home.and("f.flow.yaml", flow);
    home.run("check f.flow.yaml").exits(2);
}

#[test]
fn a_service_is_healthy_when_its_check_is_and_one_that_ignores_term_is_killed() {
    let service = "{ command: [sh, -c, \"trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done\"], check: [test, -s, pid] }";
    let flow = super::flow(&format!("{{ service: {service} }}"));
    let home = Home::with("f.flow.yaml", &flow);
    home.run("run f.flow.yaml --set fail=true").exits(1);
    let pid = fs::read_to_string(home.path("pid")).unwrap();
    assert!(is_gone(pid.trim()));
}

/// Whether a process is no more, or waits to be reaped by whoever has inherited it. One that was killed is given the
/// time to go that a busy machine needs.
fn is_gone(pid: &str) -> bool {
    let started = Instant::now();
    loop {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.is_empty() || stat.contains(") Z ") {
            return true;
        }
        if started.elapsed() > Duration::from_secs(20) {
            return false;
        }
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_flow_fails_over_a_service_that_died_if_it_asks() {
    let flow = r#"
store: { die: false }
tasks:
  api:
    service: { command: [sh, -c, "touch up; until test -e die; do sleep 0.02; done; echo good bye"], check: [test, -e, up] }
    provides: { pid: pid }
  work: { when: die, skips: task, shell: "touch die; while kill -0 {{ pid }} 2> /dev/null; do sleep 0.02; done" }
  alive: { needs: [work], shell: 'kill -0 {{ pid }} || { echo "the service has died" >&2; exit 1; }' }
"#;
    Home::with("f.flow.yaml", flow)
        .run("run f.flow.yaml")
        .exits(0);
    let home = Home::with("f.flow.yaml", flow);
    let ran = home.run("run f.flow.yaml --set die=true").exits(1);
    assert!(
        ran.stdout.contains("the service has died"),
        "{}",
        ran.text()
    );
    // What it said is not lost with it.
    let jobs = home.run("show --all --format json").exits(0).stdout;
    let jobs: serde_json::Value = serde_json::from_str(&jobs).unwrap();
    let job = jobs["jobs"][0]["id"].as_str().unwrap();
    let log = home.run(&format!("logs {job}")).exits(0).stdout;
    assert!(
        log.contains("it has ended with code 0; the end of its output:")
            && log.contains("good bye"),
        "{log}"
    );
}

#[test]
fn the_pid_of_a_service_is_that_of_its_program() {
    for keep in [false, true] {
        let flow = format!(
            r#"
tasks:
  api:
    service: {{ command: [sh, -c, "trap 'touch reloaded' HUP; echo $$ > pid; while :; do sleep 0.02; done"], check: [test, -s, pid], keep: {keep} }}
    provides: {{ pid: pid }}
  reload: {{ exec: [kill, -HUP, "{{{{ pid }}}}"] }}
  reloaded: {{ needs: [reload], shell: "until test -e reloaded; do sleep 0.02; done", timeout: 30s }}
  alive: {{ needs: [reloaded], exec: [kill, "-0", "{{{{ pid }}}}"] }}
  last: {{ needs: [alive], exec: ["false"] }}
"#
        );
        let home = Home::with("f.flow.yaml", &flow);
        let ran = home.run("run f.flow.yaml").exits(1);
        assert!(ran.stdout.contains("`last` failed"), "{}", ran.text());
        let pid = fs::read_to_string(home.path("pid")).unwrap();
        assert!(is_gone(pid.trim()), "{keep}");
    }
}

#[test]
fn a_service_is_stopped_by_the_next_conductor_if_the_first_dies_over_it() {
    let service = "{ command: [sh, -c, \"trap 'touch asked; until test -e go; do sleep 0.02; done; exit' TERM; echo $$ > pid; while :; do sleep 0.05; done\"], check: [test, -s, pid], keep: true }";
    let home = Home::with(
        "f.flow.yaml",
        &super::flow(&format!("{{ service: {service} }}")),
    );
    let job = home.run("post f.flow.yaml --set fail=true").id();
    let conductor = home.start("run --lease-ttl 1s");
    let started = Instant::now();
    while !home.has("asked") {
        assert!(started.elapsed() < Duration::from_secs(30));
        std::thread::yield_now();
    }
    let pid = fs::read_to_string(home.path("pid")).unwrap();
    let _kept = Kept(pid.trim().parse().unwrap());
    // As with SIGKILL.
    drop(conductor);
    let next = home.start("run --lease-ttl 1s");
    fs::write(home.path("go"), "").unwrap();
    home.until(&format!("show {job}"), "✗ f  ");
    next.terminate();
    assert!(is_gone(pid.trim()));
}
