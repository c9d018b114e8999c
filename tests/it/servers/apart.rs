//! Programs that want a machine to themselves: the systemd and the Docker of the distribution's packages, each as the
//! first process in namespaces of its own (processes, mounts, network, control groups), with its own `/run`. When it
//! ends, the kernel ends all that it has started. Namespaces are made by root alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::{Daemon, START, must_succeed};

/// `$FOLDER` is ours, `$@` what is to be the first process. Its control group is made below our own.
const INSIDE: &str = r#"
mount -t tmpfs tmpfs /run
mkdir /run/groups
mount -t cgroup2 cgroup2 /run/groups
group=/run/groups$(sed -n 's/^0:://p' /proc/self/cgroup)/${FOLDER##*/}
mkdir "$group"
echo 0 > "$group/cgroup.procs"
umount -l /run/groups
ip link set lo up
exec unshare --cgroup sh -euc 'mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec "$@"' sh "$@"
"#;

/// What is left in the end are control groups without processes; those of processes that are just ending go later.
const AFTER: &str = r#"
unshare --mount sh -c '
  mount -t tmpfs tmpfs /run
  mkdir /run/groups
  mount -t cgroup2 cgroup2 /run/groups
  group=/run/groups$(sed -n "s/^0:://p" /proc/self/cgroup)/${FOLDER##*/}
  for try in $(seq 200); do
    find "$group" -depth -type d -exec rmdir {} + 2> /dev/null
    [ -d "$group" ] || break
    sleep 0.05
  done'
"#;

/// Such a program. It ends when this is dropped, or this process ends.
struct Apart {
    folder: PathBuf,
    daemon: Daemon,
}

impl Apart {
    /// Starts it, as what comes out of a script for `sh`.
    fn start(name: &str, script: &str) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "{name} gets namespaces of its own, and they are made by root alone"
        );
        let folder = tempfile::Builder::new()
            .prefix(&format!("jobrunner-test-{name}-"))
            .tempdir()
            .unwrap()
            .keep();
        let command = [
            "unshare",
            "--mount",
            "--net",
            "--pid",
            "--uts",
            "--ipc",
            "--fork",
            "--mount-proc",
            "--kill-child",
            "sh",
            "-euc",
            INSIDE,
            "inside",
            "sh",
            "-euc",
            script,
            name,
        ];
        let daemon = Daemon::start_and_tidy(&folder, None, &command.map(str::to_owned), AFTER);
        Self { folder, daemon }
    }

    /// Waits until a command succeeds, which begins with what [`Apart::enter`] says.
    fn until(&self, ready: impl Fn(&str) -> Command) {
        let until = Instant::now() + START;
        loop {
            if self.enter().is_some_and(|enter| {
                let said = ready(&enter).output().unwrap();
                said.status.success()
            }) {
                return;
            }
            let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            let lives = rustix::process::test_kill_process(self.daemon.server).is_ok();
            assert!(lives && Instant::now() < until, "it does not start: {log}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// The words before a command that is to run where it runs; none as long as there is no such place.
    fn enter(&self) -> Option<String> {
        let server = self.daemon.server.as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{server}/task/{server}/children")).ok()?;
        let first = children.split_whitespace().next()?;
        Some(format!(
            "nsenter -t {first} --mount --pid --net --cgroup --"
        ))
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.daemon.end();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// One target that wants nothing, and the units that tests start.
const SYSTEMD: &str = r#"
mount -t tmpfs tmpfs /etc/systemd/system
units=/etc/systemd/system mine=/run/home/.config/systemd/user
mkdir -p /run/systemd/system /run/user "$mine"
chmod 700 /run/user
for target in default sysinit basic shutdown; do
  printf '[Unit]\nDefaultDependencies=no\n' > "$units/$target.target"
done
unit='[Service]\nExecStart=sleep 600\n[Install]\nWantedBy=default.target\n'
printf "[Unit]\nDefaultDependencies=no\n$unit" | tee "$units/web.service" > "$units/web@.service"
printf "[Unit]\nDefaultDependencies=no\n[Service]\nType=exec\nExecStart=/none\n" > "$units/broken.service"
printf "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=true\n" > "$units/once.service"
printf "[Unit]\nDefaultDependencies=no\n$unit" > /run/linked.service
printf "$unit" > "$mine/web.service"
cat > "$units/manager.service" <<END
[Unit]
DefaultDependencies=no
[Service]
Type=notify
ExecStart=/lib/systemd/systemd --user
Environment=HOME=/run/home XDG_RUNTIME_DIR=/run/user
END
exec env -i PATH="$PATH" container=jobrunner SYSTEMD_UNIT_PATH="$units" SYSTEMD_LOG_TARGET=console \
  /lib/systemd/systemd --system --unit=default.target
"#;

/// The systemd of a machine that has a few units: `web.service` and any `web@NAME.service`, `web.service` of the user,
/// `broken.service`, `once.service`, and `/run/linked.service` to be linked.
pub struct Systemd(Apart);

impl Systemd {
    pub fn start() -> Self {
        let machine = Apart::start("systemd", SYSTEMD);
        machine.until(|enter| {
            // What is entered too early takes itself for a machine without one, and does nothing.
            let script = format!("{enter} systemctl start manager.service && {enter} systemctl is-active manager.service");
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            command
        });
        Self(machine)
    }

    /// A `systemctl` that speaks to this one.
    pub fn systemctl(&self) -> String {
        self.program("systemctl")
    }

    /// A script that runs a program on this one's machine.
    pub fn program(&self, name: &str) -> String {
        let enter = self.0.enter().unwrap();
        format!(
            "#!/bin/sh\nPATH=/usr/bin:/bin HOME=/run/home XDG_RUNTIME_DIR=/run/user exec {enter} {name} \"$@\"\n"
        )
    }

    /// What the real one says to that.
    pub fn says(&self, arguments: &str) -> String {
        let script = format!("set -- {arguments}\n{}", self.systemctl());
        let said = Command::new("sh").args(["-c", &script]).output().unwrap();
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    }
}

/// Published ports are there in this machine's own network.
const DOCKER: &str = r#"
exec dockerd --host="unix://$FOLDER/socket" --data-root="$FOLDER/data" --exec-root=/run/docker \
  --pidfile=/run/docker.pid --storage-driver=vfs --iptables=false --ip6tables=false
"#;

/// A Docker with one image, `busybox:test`, which holds nothing else.
pub struct Docker(Apart);

impl Docker {
    pub fn start() -> Self {
        let machine = Apart::start("docker", DOCKER);
        let host = format!("unix://{}/socket", machine.folder.display());
        machine.until(|_| {
            let mut command = Command::new("docker");
            command.args(["--host", &host, "version"]);
            command
        });
        let docker = Self(machine);
        let script = "mkdir -p image/bin && cp \"$(command -v busybox)\" image/bin && ln -s busybox image/bin/sh && tar -C image -c . | docker import - busybox:test";
        must_succeed(
            Command::new("sh")
                .args(["-euc", script])
                .env("DOCKER_HOST", docker.host())
                .current_dir(docker.folder()),
        );
        docker
    }

    fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// `DOCKER_HOST` for those who use it.
    pub fn host(&self) -> String {
        format!("unix://{}/socket", self.folder().display())
    }

    /// What `docker` says to that.
    pub fn says(&self, arguments: &[&str]) -> String {
        let said = Command::new("docker")
            .args(arguments)
            .env("DOCKER_HOST", self.host())
            .output()
            .unwrap();
        String::from_utf8(said.stdout).unwrap().trim().to_owned()
    }

    /// What is answered to a GET at a port that is published.
    pub fn fetch(&self, port: u16) -> String {
        let enter = self.0.enter().unwrap();
        let script = format!("{enter} busybox wget -qO- http://127.0.0.1:{port}/");
        let said = Command::new("sh").args(["-c", &script]).output().unwrap();
        String::from_utf8(said.stdout).unwrap()
    }
}
