//! What is wrong with a Redis is said in one line, with what to do, and without the password; what needs the store
//! alone goes on without it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use crate::cli::Home;
use crate::servers::redis::{Redis, free_port};

const FLOW: &str = "tasks:\n  a: { sleep: 0s }\n";

/// What posting to the board at `url` says.
fn posting_to(url: &str) -> String {
    let home = Home::with("a.flow.yaml", FLOW);
    let ran = home.run_with(&["post", "a.flow.yaml", "--board", url]);
    // The store has it, so it is posted.
    let ran = ran.exits(0);
    assert!(ran.stderr.contains("posted all the same"), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("`--board` names another"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    let line = ran.stderr.lines().find(|line| line.starts_with("error: "));
    line.unwrap_or_else(|| panic!("{}", ran.stderr)).to_owned()
}

#[track_caller]
fn says(url: &str, what: &[&str]) {
    let said = posting_to(url);
    for what in what {
        assert!(said.contains(what), "{url}: {said}");
    }
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let url = format!("redis://:s3cret@127.0.0.1:{}/0", free_port());
    says(&url, &["cannot be reached", "is it running"]);
    says(
        "redis://:s3cret@no-such-host.invalid/0",
        &["not known", "correct its name"],
    );
}

#[test]
fn a_wrong_password_or_user_is_named() {
    let redis = Redis::start(&["--requirepass", "open"]);
    let at = |who: &str| format!("redis://{who}127.0.0.1:{}/0", redis.port());
    says(
        &at(""),
        &["asks for a password", "redis://user:password@host"],
    );
    says(&at(":s3cret@"), &["refuses the user `default`"]);
    says(&at("joe:s3cret@"), &["refuses the user `joe`"]);
    let home = Home::with("a.flow.yaml", FLOW);
    home.run_with(&["post", "a.flow.yaml", "--board", &at(":open@")])
        .exits(0);
}

#[test]
fn a_missing_grant_is_named_with_what_grants_it() {
    let redis = Redis::start(&[]);
    let mut admin = redis.connect();
    let mut set = |rules: &[&str]| {
        let mut command = redis::cmd("ACL");
        command
            .arg("SETUSER")
            .arg("joe")
            .arg("reset")
            .arg("on")
            .arg(">s3cret")
            .arg(rules);
        command.exec(&mut admin).unwrap();
    };
    let url = format!("redis://joe:s3cret@127.0.0.1:{}/0", redis.port());
    for lacking in [
        &["~*", "&*", "+@all", "-zadd"][..],
        &["~other:*", "&*", "+@all"],
        &["~*", "resetchannels", "+@all"],
        &["~*", "&*", "+@all", "-evalsha"],
        &["~*", "&*", "+@all", "-subscribe"],
        &["~*", "&*"],
    ] {
        set(lacking);
        says(
            &url,
            &[
                "does not let the user `joe`",
                "ACL SETUSER joe ~{jobrunner}:* resetchannels &{jobrunner}:*",
            ],
        );
    }
    // What is said is enough.
    let said = posting_to(&url);
    let rules = said.split("ACL SETUSER joe ").nth(1).unwrap();
    set(&rules.split_whitespace().collect::<Vec<_>>());
    let home = Home::with("a.flow.yaml", FLOW).set("JOBRUNNER_BOARD", &url);
    home.run("post a.flow.yaml").exits(0);
    home.run("run --until-empty").exits(0);
    home.run("run a.flow.yaml").exits(0);
}

#[test]
fn a_read_only_replica_is_named() {
    let primary = Redis::start(&[]);
    let port = primary.port().to_string();
    let replica = Redis::start(&["--replicaof", "127.0.0.1", &port]);
    says(&replica.url(), &["read-only replica", "name the primary"]);
}

#[test]
fn a_server_that_is_full_is_named() {
    let redis = Redis::start(&["--maxmemory", "1", "--maxmemory-policy", "noeviction"]);
    says(&redis.url(), &["has used up its memory", "maxmemory"]);
}

#[test]
fn keys_of_somebody_else_are_left_alone() {
    let redis = Redis::start(&[]);
    let mut theirs = redis.connect();
    redis::cmd("SET")
        .arg("{jobrunner}:1:jobs")
        .arg("theirs")
        .exec(&mut theirs)
        .unwrap();
    let home = Home::with("a.flow.yaml", FLOW);
    let ran = home.run_with(&["post", "a.flow.yaml", "--board", &redis.url()]);
    assert!(
        ran.stderr.contains("choose another prefix"),
        "{}",
        ran.stderr
    );
    let other = format!("{}?prefix=ours", redis.url());
    home.run_with(&["post", "a.flow.yaml", "--board", &other])
        .exits(0);
    let kept: String = redis::cmd("GET")
        .arg("{jobrunner}:1:jobs")
        .query(&mut theirs)
        .unwrap();
    assert_eq!(kept, "theirs");
}

/// Something that answers each command so.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let mut lines = BufReader::new(client.try_clone().unwrap()).lines();
            thread::spawn(move || {
                while let Some(Ok(line)) = lines.next() {
                    if line.starts_with('*') {
                        let _ = (&client).write_all(answer.as_bytes());
                    }
                }
            });
        }
    });
    format!("redis://:s3cret@127.0.0.1:{port}/0")
}

#[test]
fn a_server_that_is_too_old_is_named() {
    // Before 6.0 nobody knows HELLO.
    let url = answering("-ERR unknown command `HELLO`, with args beginning with: `3`, \r\n");
    says(&url, &["is too old", "Redis 6.2 or later"]);
    // 6.0 does.
    let hello = "%3\r\n+server\r\n+redis\r\n+version\r\n+6.0.16\r\n+role\r\n+master\r\n";
    says(&answering(hello), &["is too old", "6.0.16"]);
    let hello = "%3\r\n+server\r\n+redis\r\n+version\r\n+6.2.0\r\n+role\r\n+replica\r\n";
    says(&answering(hello), &["read-only replica"]);
}

#[test]
fn what_is_no_redis_is_named() {
    says(
        &answering("HTTP/1.1 400 Bad Request\r\n\r\n"),
        &["does not answer as it should"],
    );
}

#[test]
fn a_cluster_without_the_slot_is_named() {
    let node = Redis::start(&["--cluster-enabled", "yes"]);
    says(
        &node.url(),
        &[
            "cluster that does not serve the board's slot",
            "CLUSTERDOWN",
        ],
    );
}

#[test]
fn a_url_that_makes_no_sense_is_bad_input() {
    let home = Home::with("a.flow.yaml", FLOW);
    for (url, why) in [
        ("redis://:s3cret@h/x", "invalid database number"),
        ("redis://:s3cret@h/0?prefx=a", "`prefx` is not known"),
    ] {
        let ran = home
            .run_with(&["post", "a.flow.yaml", "--board", url])
            .exits(2);
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
        assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
    }
    let ran = home
        .run_with(&["post", "a.flow.yaml", "--store", "redis://:s3cret@h/0"])
        .exits(2);
    assert!(
        ran.stderr.contains("Redis can be the board, not the store"),
        "{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("s3cret"), "{}", ran.stderr);
}

#[test]
fn what_the_store_has_can_be_had_while_the_board_is_away() {
    let mut redis = Redis::start(&[]);
    let home = Home::with("a.flow.yaml", "tasks: { a: { shell: 'echo done' } }")
        .set("JOBRUNNER_BOARD", &redis.url());
    let before = home.run("post a.flow.yaml").id();
    redis.kill();
    let posted = home.run("post a.flow.yaml").exits(0);
    assert!(
        posted.stderr.contains("posted all the same"),
        "{}",
        posted.stderr
    );
    let id = posted.stdout.trim().to_owned();
    for arguments in ["show", &format!("show {before}")] {
        let ran = home.run(arguments).exits(0);
        assert_eq!(
            ran.stderr.matches("is it running").count(),
            1,
            "{}",
            ran.stderr
        );
        assert!(ran.stdout.contains("PENDING"), "{}", ran.stdout);
    }
    for arguments in [
        "show --format json",
        &format!("logs {before}"),
        &format!("graph {before}"),
        "prune --older-than 1d",
    ] {
        let ran = home.run(arguments).exits(0);
        assert!(!ran.stderr.contains("error"), "{arguments}: {}", ran.stderr);
    }
    let asked = home.run(&format!("cancel {before}")).exits(0);
    assert!(
        asked.stderr.contains("request is stored"),
        "{}",
        asked.stderr
    );
    // Conductors need it.
    home.run("run --until-empty").exits(4);
    home.run("conductors").exits(4);
    redis.restart();
    home.run("run --until-empty").exits(0);
    for (job, state) in [(&id, "SUCCESS"), (&before, "REVERTED")] {
        let shown = home.run(&format!("show {job}")).exits(0).stdout;
        assert!(shown.contains(state), "{shown}");
    }
}

#[test]
fn a_task_that_prints_its_environment_prints_no_password() {
    let redis = Redis::start(&["--requirepass", "s3cret"]);
    let url = format!("redis://:s3cret@127.0.0.1:{}/0", redis.port());
    let flow = "tasks: { a: { shell: 'env; echo s3cret is a word' } }";
    let home = Home::with("a.flow.yaml", flow).set("JOBRUNNER_BOARD", &url);
    let id = home.run("post a.flow.yaml").id();
    home.run("run --until-empty").exits(0);
    let printed = home.run(&format!("logs {id}")).exits(0).stdout;
    let masked = format!("JOBRUNNER_BOARD=redis://***127.0.0.1:{}/0", redis.port());
    assert!(printed.contains(&masked), "{printed}");
    // As a word it is nothing that has to be kept from anybody.
    assert!(printed.contains("s3cret is a word"), "{printed}");
}

#[test]
fn a_server_that_throws_things_away_is_warned_of() {
    let home = Home::new();
    for (policy, warned) in [("allkeys-lru", 1), ("noeviction", 0)] {
        let redis = Redis::start(&["--maxmemory", "100mb", "--maxmemory-policy", policy]);
        let conductor = ["run", "--until-empty", "--board", &redis.url()];
        let said = home.run_with(&conductor).exits(0).stderr;
        assert_eq!(
            said.matches("maxmemory-policy").count(),
            2 * warned,
            "{said}"
        );
    }
}
