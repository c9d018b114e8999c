//! Servers of other kinds: with TLS, a cluster, one that is frozen or started again.

use std::path::Path;
use std::time::Duration;

use jobrunner::boards::redis::{RedisAddress, RedisBoard};
use jobrunner::model::{ConductorId, JobId};
use jobrunner::ports::{BoardError, JobBoard, Notice};

use crate::cli::Home;
use crate::servers::redis::{Redis, board, free_port};
use crate::stage::soon;

fn who() -> ConductorId {
    ConductorId("x".to_owned())
}

fn notice() -> Notice {
    Notice {
        job: JobId(uuid::Uuid::from_u128(1)),
        priority: Default::default(),
        requires: "[]".to_owned(),
    }
}

/// A job is posted, claimed, renewed and completed.
async fn works(board: &RedisBoard) {
    let ttl = Duration::from_secs(60);
    board.begin_rebuild(&who(), ttl).await.unwrap();
    board.end_rebuild(&who()).await.unwrap();
    let notice = notice();
    board.post(&notice, None).await.unwrap();
    let able = board.requirements().await.unwrap();
    let claim = board.claim(&who(), &able, ttl).await.unwrap().unwrap();
    assert_eq!(claim.job, notice.job);
    assert_eq!(
        board.renew(&who(), &[notice.job], ttl).await.unwrap(),
        [notice.job]
    );
    assert!(board.complete(&who(), notice.job).await.unwrap());
}

#[test]
fn tls_is_spoken_with_an_authority_of_ones_own() {
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/http");
    let key = |name: &str| keys.join(name).display().to_string();
    let port = free_port().to_string();
    let redis = Redis::start(&[
        "--tls-port",
        &port,
        "--tls-cert-file",
        &key("server.pem"),
        "--tls-key-file",
        &key("server.key"),
        "--tls-ca-cert-file",
        &key("ca.pem"),
        "--tls-auth-clients",
        "no",
        "--requirepass",
        "s3cret",
    ]);
    let url = format!("rediss://:s3cret@127.0.0.1:{port}/1");
    let home =
        Home::with("a.flow.yaml", "tasks:\n  a: { sleep: 0s }\n").set("JOBRUNNER_BOARD", &url);
    let ran = home.run("conductors").exits(4);
    assert!(ran.stderr.contains("SSL_CERT_FILE"), "{}", ran.stderr);
    let home = home.set("SSL_CERT_FILE", &key("ca.pem"));
    home.run("post a.flow.yaml").exits(0);
    home.run("run --until-empty").exits(0);
    drop(redis);
}

#[tokio::test]
async fn any_node_of_a_cluster_leads_to_the_board() {
    let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"];
    let [has_all, has_none, replica] = [(); 3].map(|()| Redis::start(&options));
    let mut first = has_all.connect();
    redis::cmd("CLUSTER")
        .arg("ADDSLOTS")
        .arg((0..16384).collect::<Vec<_>>())
        .exec(&mut first)
        .unwrap();
    let name: String = redis::cmd("CLUSTER").arg("MYID").query(&mut first).unwrap();
    for other in [&has_none, &replica] {
        redis::cmd("CLUSTER")
            .arg("MEET")
            .arg("127.0.0.1")
            .arg(other.port())
            .exec(&mut first)
            .unwrap();
    }
    let mut copy = replica.connect();
    let known = async {
        let replicate = || {
            redis::cmd("CLUSTER")
                .arg("REPLICATE")
                .arg(&name)
                .exec(&mut copy)
        };
        let mut replicate = replicate;
        while replicate().is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon("the replica", known).await;
    for other in [&has_none, &replica] {
        let met = async {
            let address = RedisAddress::parse(&other.url()).unwrap();
            loop {
                // Until they have agreed, the others say that the cluster is down.
                match RedisBoard::open(address.clone()).await {
                    Ok(board) => return board,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        works(&soon("the cluster", met).await).await;
    }
    let role: Vec<redis::Value> = redis::cmd("ROLE").query(&mut copy).unwrap();
    assert_eq!(role[0], redis::Value::BulkString(b"slave".to_vec()));
    works(&board(&has_all.url()).await).await;
    let numbered = RedisAddress::parse(&has_all.url().replace("/0", "/1")).unwrap();
    let said = RedisBoard::open(numbered).await.err().unwrap();
    // Valkey 9 can have more, and has no more unless it is told to.
    assert!(
        source(&said).contains("no database but 0")
            || source(&said).contains("no database of that number"),
        "{said}"
    );
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut first).unwrap();
    assert!(!keys.is_empty());
}

#[tokio::test]
async fn a_server_that_is_frozen_or_gone_is_said_and_found_again() {
    let mut redis = Redis::start(&[]);
    let a = board(&redis.url()).await;
    works(&a).await;
    // What was changed is news, and then no more.
    a.wait(Duration::ZERO).await.unwrap();
    a.wait(Duration::ZERO).await.unwrap();
    redis.freeze();
    let said = a.wait(Duration::from_millis(10)).await.unwrap_err();
    assert!(source(&said).contains("does not answer"), "{said:?}");
    redis.thaw();
    works(&a).await;
    redis.kill();
    let said = a.requirements().await.unwrap_err();
    assert!(source(&said).contains("cannot be reached"), "{said:?}");
    let said = a.wait(Duration::from_secs(60)).await;
    let said = match said {
        // The loss of the connection is news.
        Ok(()) => a.wait(Duration::from_secs(60)).await.unwrap_err(),
        Err(said) => said,
    };
    assert!(source(&said).contains("cannot be reached"), "{said:?}");
    redis.restart();
    assert!(matches!(a.requirements().await, Err(BoardError::Lost)));
    works(&a).await;
}

#[tokio::test]
async fn a_server_with_the_data_of_some_time_ago_counts_as_lost() {
    let mut redis = Redis::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    let a = board(&redis.url()).await;
    works(&a).await;
    let (stale, unowned) = (
        notice(),
        Notice {
            job: JobId(uuid::Uuid::from_u128(2)),
            ..notice()
        },
    );
    let ttl = Duration::from_secs(60);
    for notice in [&stale, &unowned] {
        a.post(notice, Some((&who(), ttl))).await.unwrap();
    }
    redis.kill();
    redis.restart();
    assert_eq!(a.snapshot(10).await.unwrap().len(), 2, "it has been saved");
    assert!(matches!(a.requirements().await, Err(BoardError::Lost)));
    // Since then somebody else has taken one over.
    let owner = ConductorId("y".to_owned());
    a.begin_rebuild(&who(), ttl).await.unwrap();
    let found = [
        (stale.clone(), Some(owner.clone())),
        (unowned.clone(), None),
    ];
    assert_eq!(a.restore(&found, ttl).await.unwrap(), 0);
    assert!(a.end_rebuild(&who()).await.unwrap());
    assert_eq!(
        a.renew(&owner, &[stale.job], ttl).await.unwrap(),
        [stale.job]
    );
    assert_eq!(
        a.renew(&who(), &[stale.job, unowned.job], ttl)
            .await
            .unwrap(),
        [unowned.job]
    );
    assert!(a.requirements().await.unwrap().is_empty());
}

fn source(error: &BoardError) -> String {
    std::error::Error::source(error).map_or_else(String::new, ToString::to_string)
}
