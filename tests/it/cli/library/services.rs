//! Kinds that leave something running: processes, units, containers.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
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
    assert!(listens(port), "it outlives the job and the conductor");
    rustix::process::kill_process(
        rustix::process::Pid::from_raw(pid).unwrap(),
        rustix::process::Signal::KILL,
    )
    .unwrap();
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
    let dies = format!("{{ command: [sh, -c, 'echo hello; exit 7'], port: {port} }}");
    let home = Home::with("f.flow.yaml", &flow(&dies));
    let ran = home.run("run f.flow.yaml").exits(1).stdout;
    assert!(
        ran.contains("it has ended with code 7") && ran.contains("hello"),
        "{ran}"
    );
    let deaf =
        format!("{{ command: [sh, -c, 'echo $$ > pid; exec sleep 600'], port: {port}, wait: 0s }}");
    let home = Home::with("f.flow.yaml", &flow(&deaf));
    let ran = home.run("run f.flow.yaml").exits(1).stdout;
    assert!(ran.contains("it is not healthy after 0s"), "{ran}");
    if let Ok(pid) = fs::read_to_string(home.path("pid")) {
        assert!(is_gone(pid.trim()), "it still runs: {pid}");
    }
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

/// Whether a process is no more, or waits to be reaped by whoever has inherited it.
fn is_gone(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.is_empty() || stat.contains(") Z ")
}

/// A `systemctl` that keeps the state of units in files and notes how it was called.
const SYSTEMCTL: &str = r#"#!/bin/sh
echo "$*" >> calls
[ "$1" != --user ] || shift
command=$1
for unit; do :; done
case $command in
  is-active) cat "$unit.active" 2> /dev/null || { echo inactive; exit 3; } ;;
  is-enabled) cat "$unit.enabled" 2> /dev/null || { echo disabled; exit 1; } ;;
  start | restart) [ ! -e "$unit.broken" ] || exit 1; echo active > "$unit.active" ;;
  stop) rm -f "$unit.active" ;;
  enable) echo enabled > "$unit.enabled" ;;
  disable) rm -f "$unit.enabled" ;;
  daemon-reload) ;;
  *) exit 9 ;;
esac
"#;

/// A home with a program in front of all others.
fn with_program(flow: &str, name: &str, text: &str) -> Home {
    let home = Home::with("f.flow.yaml", flow).and(&format!("bin/{name}"), text);
    let program = home.path(&format!("bin/{name}"));
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!(
        "{}:{}",
        home.path("bin").display(),
        std::env::var("PATH").unwrap()
    );
    home.set("PATH", &path)
}

#[test]
fn systemd_unit_restores_what_a_unit_was_with_a_systemctl_made_up() {
    let task = "{ systemd_unit: { unit: web.service, reload: true } }";
    let home = with_program(&super::flow(task), "systemctl", SYSTEMCTL);
    let is = |what: &str| home.has(&format!("web.service.{what}"));
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert!(!is("active") && !is("enabled"), "it was neither");
    fs::write(home.path("web.service.enabled"), "enabled\n").unwrap();
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert!(!is("active") && is("enabled"), "it was enabled");
    home.run("run f.flow.yaml").exits(0);
    assert!(is("active") && is("enabled"));
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert!(is("active") && is("enabled"), "it was both");
    let stopped =
        "{ systemd_unit: { unit: web.service, active: false, enabled: false, user: true } }";
    fs::write(home.path("f.flow.yaml"), super::flow(stopped)).unwrap();
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert!(is("active") && is("enabled"));
    home.run("run f.flow.yaml").exits(0);
    assert!(!is("active") && !is("enabled"));
    let calls = fs::read_to_string(home.path("calls")).unwrap();
    assert!(
        calls.contains("daemon-reload\n") && calls.contains("--user stop -- web.service\n"),
        "{calls}"
    );
    assert_eq!(super::left(&home), 0);
}

#[test]
fn systemd_unit_that_does_not_start_fails_and_is_undone_with_a_systemctl_made_up() {
    let task = "{ systemd_unit: { unit: web.service, enabled: keep } }";
    let home =
        with_program(&super::flow(task), "systemctl", SYSTEMCTL).and("web.service.broken", "");
    home.run("run f.flow.yaml").exits(1);
    let calls = fs::read_to_string(home.path("calls")).unwrap();
    assert!(
        !calls.contains("able -"),
        "whether it is enabled is left alone: {calls}"
    );
    assert!(calls.ends_with("stop -- web.service\n"), "{calls}");
}

/// A `docker` that keeps its containers in files and notes how it was called.
const DOCKER: &str = r#"#!/bin/sh
for argument; do printf '[%s]' "$argument" >> calls; done
echo >> calls
mkdir -p containers
case $1 in
  run)
    for argument; do
      case $before in
        --name) name=$argument ;;
        --label) label=$argument ;;
        --env-file) cp "$argument" env-seen; stat -c %a "$argument" > env-mode ;;
      esac
      before=$argument
    done
    for one in containers/*; do
      [ ! -e "$one" ] || ! grep -q "^name $name$" "$one" || { echo "the name is taken" >&2; exit 125; }
    done
    id=$(ls containers | wc -l)ab
    printf 'name %s\nlabel %s\n' "$name" "$label" > "containers/$id"
    echo "$id"
    [ ! -e fail ] || exit 125
    ;;
  ps)
    for argument; do label=${argument#label=}; done
    cd containers && grep -lx "label $label" -- * 2> /dev/null || true
    ;;
  rm) for argument; do rm -f "containers/$argument"; done ;;
esac
"#;

#[test]
fn docker_run_removes_its_container_and_no_other_with_a_docker_made_up() {
    let flow = r#"
store: { fail: false, password: { secret: true, from: env:PASSWORD } }
tasks:
  it:
    docker_run:
      image: redis:7
      name: "cache-{{ flow.name }}"
      command: [redis-server, --save, ""]
      ports: ["6379:6379", "6380:6380"]
      volumes: ["/srv/a b:/data"]
      options: [--network=web]
      env: { MODE: fast, HOME: "{{ flow.name }}" }
      secret_env: "{{ password }}"
    provides: { id: id }
  last: { needs: [it], when: fail, exec: ['false'] }
provides: [id]
"#;
    let home = with_program(flow, "docker", DOCKER).set("PASSWORD", "PASSWORD=hunter2hunter2");
    let count = || fs::read_dir(home.path("containers")).unwrap().count();
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert_eq!(count(), 0);
    let calls = fs::read_to_string(home.path("calls")).unwrap();
    assert!(
        calls.contains("[--publish=6379:6379][--publish=6380:6380][--volume=/srv/a b:/data][--network=web][redis:7][redis-server][--save][]\n"),
        "{calls}"
    );
    assert!(
        !calls.contains("hunter2"),
        "others can see arguments: {calls}"
    );
    let env = fs::read_to_string(home.path("env-seen")).unwrap();
    assert_eq!(env, "PASSWORD=hunter2hunter2\nMODE=fast\nHOME=f\n");
    assert_eq!(fs::read_to_string(home.path("env-mode")).unwrap(), "600\n");
    home.run("run f.flow.yaml").exits(0);
    assert_eq!(count(), 1);
    // The name is taken: that container is somebody else's.
    home.run("run f.flow.yaml").exits(1);
    assert_eq!(count(), 1);
    // What half an attempt has left is removed.
    fs::remove_dir_all(home.path("containers")).unwrap();
    fs::write(home.path("fail"), "").unwrap();
    home.run("run f.flow.yaml").exits(1);
    assert_eq!(count(), 0);
    assert_eq!(super::left(&home), 0);
}
