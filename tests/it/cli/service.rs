//! The unit of the documentation, in the hands of a real systemd.

use std::fs;
use std::process::{Command, Output};

use super::Home;
use crate::servers::apart::Systemd;

/// What the unit needs on a machine: a user, the program, and a folder for state that is this machine's alone.
const MACHINE: &str = r#"
set -eu
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /usr/local/bin
cp "$PROGRAM" /usr/local/bin/jobrunner
for file in passwd group; do
  cp /etc/$file /run/$file
  mount --bind /run/$file /etc/$file
done
echo 'jobrunner:x:991:991::/var/lib/jobrunner:/usr/sbin/nologin' >> /etc/passwd
echo 'jobrunner:x:991:' >> /etc/group
cp unit /etc/systemd/system/jobrunner.service
systemd-analyze verify /etc/systemd/system/jobrunner.service
systemctl daemon-reload
systemctl start jobrunner
until [ -d /var/lib/jobrunner ]; do sleep 0.1; done
stat --format=%a /var/lib/jobrunner
"#;

/// A machine with that unit.
struct Machine {
    systemd: Systemd,
    home: Home,
}

impl Machine {
    fn start() -> Self {
        let text = include_str!("../../../docs/operations.md");
        let unit = text
            .split("```ini\n")
            .find(|block| block.contains("Description=jobrunner conductor"))
            .unwrap();
        let unit = unit.split("```").next().unwrap();
        let flow = "tasks:\n  a: { shell: 'sleep 3; echo first' }\n  b: { shell: 'echo second', needs: [a] }\n";
        let machine = Self {
            systemd: Systemd::start(),
            home: Home::with("unit", unit).and("a.flow.yaml", flow),
        };
        fs::write(machine.home.path("sh"), machine.systemd.program("sh")).unwrap();
        machine
    }

    /// Runs a script there; what it printed, if it succeeded.
    fn run(&self, script: &str) -> String {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new("sh")
            .arg(self.home.path("sh"))
            .args([
                "-c",
                &format!("cd {}\n{script}", self.home.path("").display()),
            ])
            .env("PROGRAM", env!("CARGO_BIN_EXE_jobrunner"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&stdout).into_owned();
        let wrong = String::from_utf8_lossy(&stderr);
        assert!(status.success(), "{script}\n{said}{wrong}");
        said
    }

    /// What the program says there, as the unit's user.
    fn says(&self, arguments: &str) -> String {
        self.run(&format!(
            "setpriv --reuid 991 --regid 991 --clear-groups env HOME=/var/lib/jobrunner \
             /usr/local/bin/jobrunner {arguments} --store sqlite:///var/lib/jobrunner/jobs.db"
        ))
    }

    fn until(&self, arguments: &str, text: &str) -> String {
        loop {
            let said = self.says(arguments);
            if said.contains(text) {
                return said;
            }
        }
    }
}

#[test]
fn the_documented_unit_hands_over_when_it_is_stopped_and_starts_again_when_it_dies() {
    let machine = Machine::start();
    assert_eq!(machine.run(MACHINE), "700\n");
    machine.run("chmod 755 .");
    let id = machine.says("post a.flow.yaml").trim().to_owned();
    machine.until(&format!("show {id}"), "RUNNING        a");
    // The signal is the conductor's alone: what runs ends in its own time, and nothing new begins.
    machine.run("systemctl stop jobrunner");
    let left = machine.says(&format!("show {id}"));
    assert!(left.contains("✓ a") && left.contains("· b"), "{left}");
    let state = "systemctl show jobrunner --property=Result --value";
    assert_eq!(machine.run(state), "success\n");
    machine.run("systemctl start jobrunner");
    machine.until(&format!("show {id}"), "SUCCESS        b");
    let before = "systemctl show jobrunner --property=MainPID --value";
    let before = machine.run(before);
    machine.run("systemctl kill --signal=KILL jobrunner");
    while machine.run("systemctl show jobrunner --property=MainPID --value") == before
        || machine.run("systemctl show jobrunner --property=ActiveState --value") != "active\n"
    {
        std::thread::yield_now();
    }
    let id = machine.says("post a.flow.yaml").trim().to_owned();
    machine.until(&format!("show {id}"), "SUCCESS        b");
}
