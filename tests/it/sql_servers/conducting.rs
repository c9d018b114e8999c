//! A conductor whose store goes away in the middle of a job: it waits, says so, and goes on.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::refusals::refusal;
use super::{Raw, database};
use crate::cli::Home;
use crate::servers::galera::Galera;
use crate::servers::proxy::{Proxy, Weather};
use crate::servers::{Kind, Server};

each_server! {
    a_server_that_is_killed_and_started_again_costs_time_alone,
    connections_that_are_cut_again_and_again_cost_time_alone;
    a_flow_that_is_run_here_says_once_that_its_store_is_away_and_once_that_it_is_back,
    a_store_that_turns_read_only_is_waited_for,
}

const LINKS: usize = 12;

/// A chain in which each task writes its name to a ledger, and takes a moment.
fn flow() -> String {
    let mut flow = "tasks:\n".to_owned();
    for n in 0..LINKS {
        flow.push_str(&format!(
            "  t{n}:\n    shell: 'echo t{n} >> ledger; sleep 0.1'\n"
        ));
        if n > 0 {
            flow.push_str(&format!("    needs: [t{}]\n", n - 1));
        }
    }
    flow
}

fn ledger(home: &Home) -> Vec<String> {
    let text = fs::read_to_string(home.path("ledger")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(90);
    while !holds() {
        assert!(Instant::now() < limit, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A conductor that works on one such job, and what it says.
struct AtWork {
    home: Home,
    child: Child,
}

impl AtWork {
    /// Posts the flow to a store and starts a conductor for it, whose leases outlast whatever is done to the server on a
    /// busy machine.
    fn start(url: &str) -> Self {
        let home = Self::home(url);
        home.run("post chain.flow.yaml").exits(0);
        Self::with(home, "run --until-empty --lease-ttl 5m")
    }

    fn home(url: &str) -> Home {
        Home::with("chain.flow.yaml", &flow()).set("JOBRUNNER_STORE", url)
    }

    fn with(home: Home, command: &str) -> Self {
        let said = fs::File::create(home.path("said")).unwrap();
        let child = home
            .command(command)
            .stdout(Stdio::null())
            .stderr(said)
            .spawn()
            .unwrap();
        Self { home, child }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.home.path("said")).unwrap()
    }

    async fn has_done(&self, links: usize) {
        until("it does not get on", || ledger(&self.home).len() >= links).await;
    }

    async fn says(&self, words: &str) {
        until(&format!("it does not say `{words}`"), || {
            self.said().contains(words)
        })
        .await;
    }

    /// Awaits its end: each task has run once, in order, and the job succeeded.
    async fn succeeds(mut self) {
        let (home, said) = (&self.home, self.home.path("said"));
        let child = &mut self.child;
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        until("it does not end", || child.try_wait().unwrap().is_some()).await;
        let ended = self.child.wait().unwrap();
        assert!(ended.success(), "{}", read(&said));
        let expected: Vec<_> = (0..LINKS).map(|n| format!("t{n}")).collect();
        assert_eq!(ledger(home), expected, "{}", read(&said));
        let told = home.run("show --all").exits(0).text();
        assert!(told.contains("SUCCESS"), "{told}");
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn a_server_that_is_killed_and_started_again_costs_time_alone(kind: Kind) {
    let mut server = Server::start(kind, &[]).await;
    let work = AtWork::start(&server.database().await);
    work.has_done(2).await;
    server.kill();
    work.says("is away; waiting for it").await;
    server.start_again(&[]).await;
    work.has_done(5).await;
    work.succeeds().await;
}

async fn a_flow_that_is_run_here_says_once_that_its_store_is_away_and_once_that_it_is_back(
    kind: Kind,
) {
    let mut server = Server::start(kind, &[]).await;
    let home = AtWork::home(&server.database().await);
    let work = AtWork::with(home, "run chain.flow.yaml");
    work.has_done(2).await;
    server.kill();
    work.says("the store is away; waiting for it: ").await;
    server.start_again(&[]).await;
    work.says("the store is back").await;
    let said = work.said();
    let about: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("the store is"))
        .collect();
    assert_eq!(about.len(), 2, "{said}");
    // Which of the things that a dying server does was seen first is not told before.
    assert!(about[0].contains("`mysql://jobrunner@127.0.0.1:"), "{said}");
    work.succeeds().await;
}

async fn connections_that_are_cut_again_and_again_cost_time_alone(kind: Kind) {
    let server = Server::shared(kind).await;
    let proxy = Proxy::to(server.port).await;
    let url = server.database().await;
    let there = server.through(&proxy, &url).await;
    let work = AtWork::start(&there);
    for links in 1..LINKS {
        work.has_done(links).await;
        match links % 3 {
            0 => proxy.cut(),
            1 => proxy.set(Weather::CutAfter(b"COMMIT".to_vec())),
            _ => proxy.set(Weather::Fair),
        }
    }
    proxy.set(Weather::Fair);
    work.succeeds().await;
}

async fn a_store_that_turns_read_only_is_waited_for(kind: Kind) {
    let server = Server::start(kind, &[]).await;
    let url = server.database().await;
    let work = AtWork::start(&url);
    work.has_done(2).await;
    super::as_admin(kind, &server, &url, "SET GLOBAL read_only = 1").await;
    work.says("is read-only").await;
    super::as_admin(kind, &server, &url, "SET GLOBAL read_only = 0").await;
    work.succeeds().await;
}

/// The primary confirms nothing that the standby does not have.
#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_refused_and_waited_for_and_loses_nothing_when_it_is_promoted() {
    let mut primary = Server::start(Kind::Postgres, &[]).await;
    let url = primary.database().await;
    let mut standby = Server::standby_of(&primary).await;
    let synchronous = [
        "ALTER SYSTEM SET synchronous_standby_names = '*'",
        "SELECT pg_reload_conf()",
    ];
    let mut admin = Raw::connect(Kind::Postgres, &primary.admin("postgres")).await;
    for sql in synchronous {
        admin.run(sql).await;
    }
    let limit = Instant::now() + Duration::from_secs(60);
    let replicas = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
    while admin.count(replicas).await == 0 {
        assert!(Instant::now() < limit, "it does not follow");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let line = refusal(&standby.url(database(&url))).await;
    assert!(line.contains("is read-only (a standby, or"), "{line}");
    // However long the standby takes, nobody gives the job up meanwhile.
    let home = AtWork::home(&url).set("JOBRUNNER_LEASE_TTL", "300s");
    home.run("post chain.flow.yaml").exits(0);
    let work = AtWork::with(home, "run --until-empty");
    work.has_done(3).await;
    primary.kill();
    work.says("the store is away; waiting for it").await;
    standby.move_to(primary.port).await;
    let mut admin = Raw::connect(Kind::Postgres, &standby.admin("postgres")).await;
    // There is no other primary any more.
    admin.run("SELECT pg_promote()").await;
    work.succeeds().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conductor_on_another_node_goes_on_when_a_galera_node_dies() {
    let mut cluster = Galera::start(3).await;
    let urls = cluster.database().await;
    let home = AtWork::home(&urls[2]).set("JOBRUNNER_LEASE_TTL", "3s");
    home.run("post chain.flow.yaml").exits(0);
    let mut work = AtWork::with(home, "run --until-empty");
    work.has_done(2).await;
    cluster.nodes[2].kill();
    work.says("the store is away; waiting for it").await;
    let mut other = work.home.command("run --until-empty");
    let mut other = other.env("JOBRUNNER_STORE", &urls[0]).spawn().unwrap();
    until("the other one does not end", || {
        other.try_wait().unwrap().is_some()
    })
    .await;
    assert!(other.wait().unwrap().success());
    // What was cut off was begun again; nothing was passed over.
    let mut done = ledger(&work.home);
    done.dedup();
    let expected: Vec<_> = (0..LINKS).map(|n| format!("t{n}")).collect();
    assert_eq!(done, expected, "{}", work.said());
    cluster.start_again(2).await;
    work.says("the store is back").await;
    let child = &mut work.child;
    until("the first one does not end", || {
        child.try_wait().unwrap().is_some()
    })
    .await;
}
