//! What becomes of an answer, and of none.

use jobrunner::model::FailureKind;
use jobrunner::ports::Stream;
use serde_json::json;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Raw, http, nobody, with_secrets};
use crate::calls::{call, conductor};

async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

#[tokio::test]
async fn json_is_read_if_the_server_says_that_it_is() {
    let answer = ResponseTemplate::new(200).set_body_json(json!({"id": 7}));
    let server = server(answer).await;
    let result = http(json!({"url": server.uri()})).await.unwrap();
    assert_eq!(result["json"], json!({"id": 7}));
    assert_eq!(result.get("body"), None);

    let answer = ResponseTemplate::new(200).set_body_raw("{not json", "application/problem+json");
    let server = super::answers::server(answer).await;
    let result = http(json!({"url": server.uri()})).await.unwrap();
    assert_eq!(result["body"], "{not json");
}

#[tokio::test]
async fn a_status_that_is_not_expected_is_a_failure_and_its_answer_is_logged() {
    let server = server(ResponseTemplate::new(503).set_body_string("come back later")).await;
    let (call, log) = call(json!({"url": server.uri()}));
    let failure = conductor().execute("http", call).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Status);
    assert_eq!(failure.status, Some(503));
    assert_eq!(
        failure.message,
        format!("`{}` answered 503 Service Unavailable", server.uri())
    );
    assert_eq!(log.text(Stream::Stdout), "come back later");

    for expect in [json!(503), json!([204, 503])] {
        let result = http(json!({"url": server.uri(), "expect": expect}))
            .await
            .unwrap();
        assert_eq!(result["body"], "come back later");
    }
}

#[tokio::test]
async fn an_answer_over_the_limit_is_too_large_whether_it_says_its_length_or_not() {
    let server = server(ResponseTemplate::new(200).set_body_string("x".repeat(10_001))).await;
    let failure = http(json!({"url": server.uri()})).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::TooLarge);

    let chunk = format!("1388\r\n{}\r\n", "x".repeat(0x1388));
    let endless = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}",
        chunk.repeat(3)
    );
    let raw = Raw::answering(endless, true).await;
    let failure = http(json!({"url": raw.url()})).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::TooLarge);
}

#[tokio::test]
async fn a_connection_that_is_refused_or_breaks_is_a_failure_without_secrets() {
    let mut urls = vec![format!(
        "http://me:hunter2@{}/hunter2?t=hunter2",
        nobody().await
    )];
    let silent = Raw::answering("", false).await;
    let half = Raw::answering("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", false).await;
    let no_http = Raw::answering("220 smtp.test ready\r\n", false).await;
    urls.extend([silent.secret_url(), half.secret_url(), no_http.secret_url()]);
    urls.push("http://hunter2:hunter2@no-such-host.invalid/hunter2".to_owned());
    for url in urls {
        let failure = http(with_secrets(&url)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Connect, "{failure}");
        assert!(!failure.message.contains("hunter2"), "{failure}");
    }
}

#[tokio::test]
async fn other_failures_hold_no_secrets_either() {
    let refused = Raw::answering("HTTP/1.1 500 hunter2\r\ncontent-length: 0\r\n\r\n", false).await;
    let moved = Raw::answering(
        "HTTP/1.1 302 Found\r\nlocation: gopher://hunter2/\r\ncontent-length: 0\r\n\r\n",
        false,
    )
    .await;
    for url in [refused.secret_url(), moved.secret_url()] {
        let failure = http(with_secrets(&url)).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Status, "{failure}");
        assert!(!failure.message.contains("hunter2"), "{failure}");
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_in_time_is_a_timeout() {
    let silent = Raw::answering("", true).await;
    let slow = Raw::answering("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", true).await;
    for server in [&silent, &slow] {
        let mut spec = with_secrets(&server.secret_url());
        spec["timeout"] = json!("50ms");
        let failure = http(spec).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Timeout);
        assert_eq!(failure.message, "no whole answer within 50ms");
    }
}

#[tokio::test]
async fn a_request_that_is_cancelled_ends_at_once() {
    let silent = Raw::answering("", true).await;
    let (call, _) = call(json!({"url": silent.url()}));
    let cancel = call.cancel.clone();
    let conductor = conductor();
    let (result, ()) = tokio::join!(conductor.execute("http", call), async { cancel.cancel() });
    assert_eq!(result.unwrap_err().kind, FailureKind::Cancelled);
}
