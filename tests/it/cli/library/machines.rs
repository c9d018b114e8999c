//! Kinds that leave something running elsewhere: units of a systemd and containers of a Docker, which are the tests' own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cli::Home;
use crate::servers::apart::{Docker, Systemd};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

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

const UNIT: &str = r#"
store: { fail: false, unit: { default: web.service }, active: true, enabled: { default: "true" }, user: false, restart: false }
tasks:
  it:
    systemd_unit:
      unit: "{{ unit }}"
      active: "{{ active }}"
      enabled: "{{ enabled if enabled == 'keep' else enabled == 'true' }}"
      user: "{{ user }}"
      restart: "{{ restart }}"
      reload: true
  last: { needs: [it], when: fail, exec: ['false'] }
"#;

#[test]
fn systemd_unit_puts_a_unit_back_into_each_state_that_it_was_in() {
    let systemd = Systemd::start();
    let home = with_program(UNIT, "systemctl", &systemd.systemctl());
    for user in [false, true] {
        let manager = if user { "--user" } else { "--system" };
        let state = || {
            let is = |what: &str| systemd.says(&format!("{manager} is-{what} web.service"));
            (is("active"), is("enabled"))
        };
        for (active, enabled) in [
            ("inactive", "disabled"),
            ("inactive", "enabled"),
            ("active", "disabled"),
            ("active", "enabled"),
        ] {
            let before = (active.to_owned(), enabled.to_owned());
            for (wanted, wanted_enabled) in [
                (true, "true"),
                (true, "keep"),
                (false, "false"),
                (false, "keep"),
            ] {
                let verb = if active == "active" { "start" } else { "stop" };
                systemd.says(&format!("{manager} {verb} web.service"));
                let verb = enabled.trim_end_matches('d');
                systemd.says(&format!("{manager} {verb} web.service"));
                assert_eq!(state(), before);
                let run = format!(
                    "run f.flow.yaml --set user={user} --set active={wanted} --set enabled={wanted_enabled}"
                );
                home.run(&format!("{run} --set fail=true")).exits(1);
                assert_eq!(state(), before, "{run}");
                home.run(&run).exits(0);
                let after = (
                    if wanted { "active" } else { "inactive" },
                    match wanted_enabled {
                        "keep" => enabled,
                        "true" => "enabled",
                        _ => "disabled",
                    },
                );
                assert_eq!(state(), (after.0.to_owned(), after.1.to_owned()), "{run}");
            }
        }
    }
    let pid = || systemd.says("show --property=MainPID --value web.service");
    systemd.says("start web.service");
    let before = pid();
    home.run("run f.flow.yaml --unit web.service").exits(0);
    assert_eq!(pid(), before, "it runs already");
    home.run("run f.flow.yaml --set restart=true").exits(0);
    assert_ne!(pid(), before);
    assert_eq!(super::left(&home), 0);
}

#[test]
fn systemd_unit_fails_and_is_undone_when_its_unit_does_not_start_or_is_not_there() {
    let systemd = Systemd::start();
    let home = with_program(UNIT, "systemctl", &systemd.systemctl());
    let run = |unit: &str, enabled: &str| {
        home.run(&format!(
            "run f.flow.yaml --unit {unit} --enabled {enabled}"
        ))
    };
    let ran = run("broken.service", "keep").exits(1);
    assert!(ran.stdout.contains("broken.service"), "{}", ran.text());
    for enabled in ["true", "false", "keep"] {
        let ran = run("none.service", enabled).exits(1);
        assert!(ran.stdout.contains("none.service"), "{}", ran.text());
    }
    // What is only to run once and has ended is no failure.
    run("once.service", "keep").exits(0);
    // A unit that is linked from elsewhere stays so.
    let home = with_program(UNIT, "systemctl", &systemd.systemctl())
        .and("bin/readlink", systemd.program("readlink"));
    let readlink = fs::Permissions::from_mode(0o755);
    fs::set_permissions(home.path("bin/readlink"), readlink).unwrap();
    systemd.says("link /run/linked.service");
    assert_eq!(systemd.says("is-enabled linked.service"), "linked");
    home.run("run f.flow.yaml --unit linked.service --fail true")
        .exits(1);
    assert_eq!(systemd.says("is-enabled linked.service"), "linked");
    assert_eq!(systemd.says("is-active linked.service"), "inactive");
}

#[test]
fn systemd_unit_is_undone_whenever_its_conductor_is_killed() {
    let systemd = Systemd::start();
    // Each call with the number that is asked for does what it is to do, and never ends.
    let systemctl = format!(
        r#"#!/bin/sh
n=$(($(cat "$HOME/calls" 2> /dev/null || echo 0) + 1))
echo $n > "$HOME/calls"
[ $n = "$(cat "$HOME/cut")" ] || {{ {call} "$@"; exit; }}
{call} "$@"
touch "$HOME/hangs"
exec sleep 600
"#,
        call = home_kept(&systemd.systemctl()),
    );
    // Those that look, and change, and look; then those that undo.
    let cut = |cut: usize| {
        let home = with_program(UNIT, "systemctl", &systemctl);
        fs::write(home.path("cut"), cut.to_string()).unwrap();
        let unit = format!("web@{cut}.service");
        let was_cut = killed_in_the_middle(&home, &format!("--fail true --unit {unit}"));
        let is = |what: &str| systemd.says(&format!("is-{what} {unit}"));
        assert_eq!(is("active"), "inactive", "{cut}");
        assert_eq!(is("enabled"), "disabled", "{cut}");
        was_cut
    };
    let cuts: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> = (1..=12)
            .map(|at| {
                scope.spawn({
                    let cut = &cut;
                    move || cut(at)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(cuts, [vec![true; 11], vec![false]].concat());
}

/// The last line of a script, as a command.
fn home_kept(script: &str) -> String {
    let line = script.lines().last().unwrap().replace(" exec ", " ");
    line.trim_end_matches(" \"$@\"").to_owned()
}

/// The conductor is killed when a program that hangs has said so; the next one takes over. Whether it came to that.
fn killed_in_the_middle(home: &Home, more: &str) -> bool {
    let job = home.run(&format!("post f.flow.yaml {more}")).id();
    let conductor = home.start("run --lease-ttl 1s");
    let started = Instant::now();
    let ended = || {
        let shown = home.run(&format!("show {job}")).stdout;
        shown.contains("✗ f  ") || shown.contains("✓ f  ")
    };
    while !home.has("hangs") {
        if ended() {
            return false;
        }
        assert!(started.elapsed() < PATIENCE);
        sleep(Duration::from_millis(20));
    }
    // As with SIGKILL.
    drop(conductor);
    let next = home.start("run --lease-ttl 1s");
    while !ended() {
        assert!(started.elapsed() < PATIENCE);
        sleep(Duration::from_millis(20));
    }
    next.terminate();
    true
}

/// Notes how it was called, and is the real one then. If there is a file `cut`, it never ends.
const DOCKER: &str = r#"#!/bin/sh
PATH=${PATH#*:}
for argument; do printf '[%s]' "$argument" >> "$HOME/calls"; done
echo >> "$HOME/calls"
before=
for argument; do
  [ "$before" != --env-file ] || stat -c %a "$argument" > "$HOME/env-mode"
  before=$argument
done
docker "$@" || exit
[ ! -e "$HOME/cut-$1" ] || { rm "$HOME/cut-$1"; touch "$HOME/hangs"; exec sleep 600; }
"#;

const CONTAINER: &str = r#"
store: { fail: false, password: { secret: true, from: env:PASSWORD }, port: { default: 8081 } }
tasks:
  it:
    docker_run:
      image: busybox:test
      name: "web-{{ flow.name }}"
      command: [busybox, httpd, -f, -p, "80", -h, "/srv/a b"]
      ports: ["{{ port }}:80", "{{ port + 1 }}:80"]
      volumes: ["{{ folder }}:/srv/a b"]
      options: [--label=mine=yes, --hostname=web]
      env: { MODE: fast, WHO: "{{ flow.name }} and 'you'" }
      secret_env: "{{ password }}"
    provides: { id: id }
  last: { needs: [it], when: fail, exec: ['false'] }
provides: [id]
"#;

/// A home for that flow, with a folder to be mounted.
fn container(docker: &Docker) -> Home {
    let home = with_program(CONTAINER, "docker", DOCKER)
        .and("pages/index.html", "hello\n")
        .set("PASSWORD", "PASSWORD=hunter2hunter2")
        .set("DOCKER_HOST", &docker.host());
    let folder = home.path("pages").display().to_string();
    let flow = CONTAINER.replace("{{ folder }}", &folder);
    home.and("f.flow.yaml", flow)
}

#[test]
fn docker_run_starts_a_container_and_removes_it_and_no_other() {
    let docker = Docker::start();
    let home = container(&docker);
    let names = || docker.says(&["ps", "--all", "--format", "{{.Names}}"]);
    home.run("run f.flow.yaml --set fail=true").exits(1);
    assert_eq!(names(), "");
    let ran = home.run("run f.flow.yaml").exits(0);
    assert_eq!(names(), "web-f");
    let id = docker.says(&["ps", "--quiet", "--no-trunc"]);
    assert!(ran.stdout.contains(&format!("id: {id}")), "{}", ran.text());
    for port in [8081, 8082] {
        assert_eq!(docker.fetch(port), "hello\n", "published, and mounted");
    }
    let inside = |program: &str| docker.says(&["exec", "web-f", "busybox", program]);
    let env = inside("env");
    for line in ["PASSWORD=hunter2hunter2", "MODE=fast", "WHO=f and 'you'"] {
        assert!(env.lines().any(|one| one == line), "{env}");
    }
    assert_eq!(inside("hostname"), "web");
    let calls = fs::read_to_string(home.path("calls")).unwrap();
    assert!(
        !calls.contains("hunter2"),
        "others can see arguments: {calls}"
    );
    assert_eq!(fs::read_to_string(home.path("env-mode")).unwrap(), "600\n");
    // The name is taken: that container is somebody else's.
    let ran = home.run("run f.flow.yaml --port 8083").exits(1);
    assert!(ran.stdout.contains("already in use"), "{}", ran.text());
    assert_eq!(docker.says(&["ps", "--quiet", "--no-trunc"]), id);
    // One that is made and cannot be started, for its port is taken, is removed.
    docker.says(&["rename", "web-f", "other"]);
    home.run("run f.flow.yaml").exits(1);
    assert_eq!(names(), "other");
    let home = home.and(
        "f.flow.yaml",
        "tasks: { it: { docker_run: { image: none:test, name: none } } }\n",
    );
    let ran = home.run("run f.flow.yaml").exits(1);
    assert!(ran.stdout.contains("none:test"), "{}", ran.text());
    assert_eq!(super::left(&home), 0);
}

#[test]
fn docker_run_is_done_again_or_undone_when_its_conductor_is_killed() {
    let docker = Docker::start();
    let names = || docker.says(&["ps", "--all", "--format", "{{.Names}}"]);
    for (cut, fail) in [("run", true), ("run", false), ("rm", true)] {
        let home = container(&docker).and(&format!("cut-{cut}"), "");
        assert!(killed_in_the_middle(&home, &format!("--set fail={fail}")));
        assert_eq!(names(), if fail { "" } else { "web-f" }, "{cut}");
        docker.says(&["rm", "--force", "web-f"]);
    }
}

#[test]
fn docker_run_fails_with_the_output_of_a_container_that_ends_or_is_not_healthy() {
    let docker = Docker::start();
    let names = || docker.says(&["ps", "--all", "--format", "{{.Names}}"]);
    let run = |script: &str, more: &str| {
        let flow = format!(
            "tasks: {{ it: {{ docker_run: {{ image: 'busybox:test', name: it, command: [sh, -c, '{script}'], {more} }} }} }}\n"
        );
        Home::with("f.flow.yaml", &flow)
            .set("DOCKER_HOST", &docker.host())
            .run("run f.flow.yaml")
    };
    let ends = "busybox echo no such setting; exit 3";
    let health = |check: &str| {
        format!(
            "wait: 10s, options: ['--health-cmd={check}', '--health-interval=1s', '--health-retries=1']"
        )
    };
    for (script, more, why) in [
        (ends, String::new(), "it has ended with code 3"),
        // One that is started again and again.
        (
            ends,
            "options: [--restart=always]".to_owned(),
            "it has ended with code",
        ),
        (ends, health("exit 1"), "it has ended with code 3"),
        (
            "busybox echo no such setting; busybox sleep 600",
            health("exit 1"),
            "it is not healthy",
        ),
    ] {
        let ran = run(script, &more).exits(1).stdout;
        assert!(
            ran.contains(why) && ran.contains("no such setting"),
            "{more}: {ran}"
        );
        assert_eq!(names(), "", "{more}");
    }
    // What is meant to end at once.
    run("exit 3", "settle: 0s").exits(0);
    docker.says(&["rm", "--force", "it"]);
    run(
        "busybox sleep 1; busybox touch up; busybox sleep 600",
        &health("busybox test -e up"),
    )
    .exits(0);
    assert_eq!(
        docker.says(&["inspect", "--format={{.State.Health.Status}}", "it"]),
        "healthy"
    );
    docker.says(&["rm", "--force", "it"]);
}

#[test]
fn docker_run_is_undone_without_its_secret() {
    let docker = Docker::start();
    let flow = r#"
store: { env: { secret: true, from: file:env } }
tasks:
  it: { docker_run: { image: "busybox:test", name: it, command: [busybox, sleep, "600"], secret_env: "{{ env }}" } }
  last: { needs: [it], shell: rm env; false }
"#;
    let home = Home::with("f.flow.yaml", flow)
        .and("env", "A=hunter2hunter2")
        .set("DOCKER_HOST", &docker.host());
    home.run("run f.flow.yaml").exits(1);
    assert_eq!(docker.says(&["ps", "--all", "--quiet"]), "");
}

#[test]
fn where_no_docker_or_systemd_can_be_reached_there_is_nothing_to_undo() {
    let home = |task: &str| Home::with("f.flow.yaml", &format!("tasks: {{ it: {task} }}\n"));
    let ran = home("{ docker_run: { image: none, name: none } }")
        .set("DOCKER_HOST", "unix:///none")
        .run("run f.flow.yaml")
        .exits(1);
    assert!(ran.stdout.contains("/none"), "{}", ran.text());
    let systemctl = "#!/bin/sh\necho 'System has not been booted with systemd' >&2\nexit 1\n";
    let flow = "tasks: { it: { systemd_unit: { unit: web.service } } }\n";
    let ran = with_program(flow, "systemctl", systemctl)
        .run("run f.flow.yaml")
        .exits(1);
    assert!(ran.stdout.contains("not been booted"), "{}", ran.text());
}
