//! Where a redirect leads, and what goes along.

use jobrunner::model::FailureKind;
use serde_json::json;
use wiremock::matchers::{any, body_string, method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::http;

async fn redirect(server: &MockServer, status: u16, from: &str, to: &str) {
    Mock::given(path(from))
        .respond_with(ResponseTemplate::new(status).insert_header("location", to))
        .mount(server)
        .await;
}

fn has(request: &Request, name: &str) -> bool {
    request.headers.contains_key(name)
}

#[tokio::test]
async fn credentials_stay_with_the_host_that_they_are_for() {
    let (first, second) = (MockServer::start().await, MockServer::start().await);
    redirect(&first, 302, "/a", "/b").await;
    redirect(&first, 302, "/b", &format!("{}/c", second.uri())).await;
    Mock::given(path("/c"))
        .respond_with(ResponseTemplate::new(200).set_body_string("there"))
        .mount(&second)
        .await;
    let result = http(json!({
        "url": format!("{}/a", first.uri()),
        "bearer": "t0ken",
        "headers": {"X-Api-Key": "secret", "Cookie": "session=secret", "Accept": "text/plain"},
    }))
    .await
    .unwrap();
    assert_eq!(result["body"], "there");

    let own = first.received_requests().await.unwrap();
    assert_eq!(own.len(), 2);
    for name in ["authorization", "x-api-key", "cookie", "idempotency-key"] {
        assert!(own.iter().all(|request| has(request, name)), "{name}");
    }
    let others = second.received_requests().await.unwrap();
    for name in ["authorization", "x-api-key", "cookie"] {
        assert!(!has(&others[0], name), "{name}");
    }
    assert!(has(&others[0], "accept"));
}

#[tokio::test]
async fn a_post_becomes_a_get_or_is_repeated_as_the_status_says() {
    let server = MockServer::start().await;
    redirect(&server, 303, "/see-other", "/get").await;
    redirect(&server, 308, "/permanent", "/post").await;
    Mock::given(method("GET"))
        .and(path("/get"))
        .and(body_string(""))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&server)
        .await;
    Mock::given(method("POST"))
        .and(path("/post"))
        .and(body_string("text"))
        .respond_with(ResponseTemplate::new(200))
        .expect(1)
        .mount(&server)
        .await;
    for from in ["see-other", "permanent"] {
        let url = format!("{}/{from}", server.uri());
        http(json!({"url": url, "body": "text"})).await.unwrap();
    }
}

#[tokio::test]
async fn a_body_is_not_sent_to_another_host() {
    let (first, second) = (MockServer::start().await, MockServer::start().await);
    redirect(&first, 307, "/a", &second.uri()).await;
    let url = format!("{}/a", first.uri());
    let failure = http(json!({"url": url, "body": "secret"}))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Status);
    assert_eq!(failure.status, Some(307));
    assert!(failure.message.contains("another host"), "{failure}");
    assert!(second.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn redirects_end_somewhere() {
    let server = MockServer::start().await;
    Mock::given(any())
        .respond_with(ResponseTemplate::new(302).insert_header("location", "/again"))
        .mount(&server)
        .await;
    let failure = http(json!({"url": server.uri()})).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Status);
    assert_eq!(failure.message, "more than 10 redirects");
    assert_eq!(server.received_requests().await.unwrap().len(), 11);

    let spec = json!({"url": server.uri(), "redirects": 0, "expect": [302]});
    let result = http(spec).await.unwrap();
    assert_eq!(result["headers"]["location"], "/again");
}
