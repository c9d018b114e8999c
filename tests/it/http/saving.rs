//! Answers that go into a file.

use std::path::Path;

use jobrunner::model::{FailureKind, Value};
use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Raw, http};
use crate::calls::{call, conductor};

async fn server(status: u16, length: usize) -> MockServer {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(status).set_body_string("x".repeat(length));
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

fn spec(url: &str, target: &Path) -> Value {
    json!({"url": url, "save": target})
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn a_whole_answer_gets_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("data");
    std::fs::write(&target, "old").unwrap();
    // More than a result may hold.
    let server = server(200, 50_000).await;
    let result = http(spec(&server.uri(), &target)).await.unwrap();
    assert_eq!(result["saved"], target.to_str().unwrap());
    assert_eq!(result.get("body"), None);
    assert_eq!(std::fs::read(&target).unwrap().len(), 50_000);
    assert_eq!(names(folder.path()), ["data"]);
}

#[tokio::test]
async fn what_is_not_whole_leaves_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("data");
    std::fs::write(&target, "old").unwrap();
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
    let broken = Raw::answering(half, false).await;
    let slow = Raw::answering(half, true).await;
    let large = server(200, 100_001).await;
    let unwanted = server(404, 10).await;
    let mut in_time = spec(&slow.url(), &target);
    in_time["timeout"] = json!("50ms");
    for (spec, kind) in [
        (spec(&broken.url(), &target), FailureKind::Connect),
        (in_time, FailureKind::Timeout),
        (spec(&large.uri(), &target), FailureKind::TooLarge),
        (spec(&unwanted.uri(), &target), FailureKind::Status),
    ] {
        assert_eq!(http(spec).await.unwrap_err().kind, kind);
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "old");
        assert_eq!(names(folder.path()), ["data"]);
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(200, 10).await;
    for target in [
        folder.path().join("no/such/folder/data"),
        folder.path().to_owned(),
    ] {
        let failure = http(spec(&server.uri(), &target)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::System);
        assert!(
            failure.message.contains(target.to_str().unwrap()),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn what_an_interrupted_attempt_left_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("data");
    let server = server(200, 10).await;
    let (mut call, _) = call(spec(&server.uri(), &target));
    let left = format!(".data.{}.6-00000000.part", call.key.replace('/', "-"));
    std::fs::write(folder.path().join(left), "half").unwrap();
    std::fs::write(folder.path().join(".data.other.6-0.part"), "half").unwrap();
    call.interrupted = true;
    conductor().execute("http", call).await.unwrap();
    let mut names = names(folder.path());
    names.sort();
    assert_eq!(names, [".data.other.6-0.part", "data"]);
}

#[tokio::test]
async fn what_an_attempt_left_that_is_undone_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("data");
    let (mut call, _) = call(spec("http://127.0.0.1:1/", &target));
    let left = format!(".data.{}.6-00000000.part", call.key.replace('/', "-"));
    std::fs::write(folder.path().join(left), "half").unwrap();
    std::fs::write(&target, "old").unwrap();
    call.key += "/revert";
    conductor().revert("http", call).await.unwrap();
    assert_eq!(names(folder.path()), ["data"]);
}

#[tokio::test]
async fn what_has_another_sum_leaves_the_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("data");
    std::fs::write(&target, "old").unwrap();
    let server = server(200, 3).await;
    // Of `xxx`.
    let sum = "cd2eb0837c9b4c962c22d2ff8b5441b7b45805887f051d39bf133b583baf6860";
    let with = |sum: &str| {
        let mut spec = spec(&server.uri(), &target);
        spec["sha256"] = json!(sum);
        spec
    };
    let failure = http(with(&sum.replace('0', "1"))).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Check);
    assert!(failure.message.contains(sum), "{failure}");
    let failure = http(with("12")).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Template);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "old");
    assert_eq!(names(folder.path()), ["data"]);
    let result = http(with(&sum.to_uppercase())).await.unwrap();
    assert_eq!(result["sha256"], sum);
    let mut in_result = with(sum);
    in_result.as_object_mut().unwrap().remove("save");
    assert_eq!(http(in_result.clone()).await.unwrap()["body"], "xxx");
    in_result["max_size"] = json!(2);
    let failure = http(in_result).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::TooLarge);
}
