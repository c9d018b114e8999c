//! What is sent.

use std::sync::Arc;

use jobrunner::model::FailureKind;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};
use wiremock::matchers::{body_json, body_string, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::http;
use crate::calls::{call, conductor};

#[tokio::test]
async fn a_request_carries_the_key_and_the_epoch() {
    let server = MockServer::start().await;
    let (call, _) = call(json!({"url": format!("{}/x", server.uri())}));
    Mock::given(method("GET"))
        .and(path("/x"))
        .and(header("idempotency-key", call.key.as_str()))
        .and(header("jobrunner-epoch", "7"))
        .respond_with(ResponseTemplate::new(200).set_body_string("hello"))
        .expect(1)
        .mount(&server)
        .await;
    let result = conductor().execute("http", call).await.unwrap();
    assert_eq!(result["status"], 200);
    assert_eq!(result["body"], "hello");
    assert_eq!(result["headers"]["content-length"], "5");
}

#[tokio::test]
async fn json_a_form_and_text_are_sent_as_what_they_are() {
    let server = MockServer::start().await;
    let sent = |kind: &'static str| Mock::given(method("POST")).and(header("content-type", kind));
    sent("application/json")
        .and(body_json(json!({"size": 20, "name": "a\"b"})))
        .respond_with(ResponseTemplate::new(201))
        .mount(&server)
        .await;
    sent("application/x-www-form-urlencoded")
        .and(body_string("a=1&a=2&b=x+%26+y"))
        .respond_with(ResponseTemplate::new(202))
        .mount(&server)
        .await;
    sent("text/csv")
        .and(body_string("a;b"))
        .respond_with(ResponseTemplate::new(203))
        .mount(&server)
        .await;
    let cases = [
        (json!({"json": {"size": 20, "name": "a\"b"}}), 201),
        (json!({"form": {"a": [1, 2], "b": "x & y"}}), 202),
        (
            json!({"body": "a;b", "headers": {"Content-Type": "text/csv"}}),
            203,
        ),
    ];
    for (mut spec, status) in cases {
        spec["url"] = json!(server.uri());
        assert_eq!(http(spec).await.unwrap()["status"], status);
    }
    let both = json!({"url": server.uri(), "json": 1, "body": "1"});
    assert_eq!(http(both).await.unwrap_err().kind, FailureKind::Template);
}

#[tokio::test]
async fn credentials_a_query_and_a_method_are_sent() {
    let server = MockServer::start().await;
    Mock::given(method("DELETE"))
        .and(query_param("old", "1"))
        .and(query_param("q", "a&b"))
        .and(header("authorization", "Bearer t0ken"))
        .respond_with(ResponseTemplate::new(201))
        .mount(&server)
        .await;
    Mock::given(method("GET"))
        .and(header("authorization", "Basic bWU6c2VjcmV0"))
        .respond_with(ResponseTemplate::new(202))
        .mount(&server)
        .await;
    let url = format!("{}/?old=1", server.uri());
    let bearer = json!({"method": "DELETE", "url": url, "query": {"q": "a&b"}, "bearer": "t0ken"});
    assert_eq!(http(bearer).await.unwrap()["status"], 201);
    let basic = json!({"url": server.uri(), "basic": {"user": "me", "password": "secret"}});
    assert_eq!(http(basic).await.unwrap()["status"], 202);
    let in_url = server.uri().replace("//", "//me:secret@");
    assert_eq!(http(json!({"url": in_url})).await.unwrap()["status"], 202);
}

#[tokio::test]
async fn what_makes_no_request_is_said_without_its_values() {
    for (spec, text) in [
        (json!({"url": "hunter2"}), "`url` is not a URL"),
        (
            json!({"url": "ftp://x/hunter2"}),
            "`http:` or `https:` is wanted",
        ),
        (
            json!({"url": "http://x/", "bearer": "hunter2\n"}),
            "no request can be made",
        ),
        (
            json!({"url": "http://x/", "headers": {"X-A": "hunter2\n"}}),
            "the header `X-A`",
        ),
        (
            json!({"url": "http://x/", "method": "G T"}),
            "is not a method",
        ),
        (
            json!({"url": "http://x/", "expect": [1000000]}),
            "is not a status code",
        ),
    ] {
        let failure = http(spec).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Template);
        assert!(failure.message.contains(text), "{failure}");
        assert!(!failure.message.contains("hunter2"), "{failure}");
    }
}

#[tokio::test]
async fn a_server_is_trusted_by_its_certificate_only() {
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, include_str!("ca.pem")).unwrap();
    let chain = CertificateDer::pem_slice_iter(include_bytes!("server.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("server.key")).unwrap();
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.collect::<Result<_, _>>().unwrap(), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "https://localhost:{}/",
        listener.local_addr().unwrap().port()
    );
    let mut server = tokio::task::JoinSet::new();
    server.spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.read(&mut [0; 4096]).await;
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
                let _ = stream.write_all(answer).await;
                let _ = stream.shutdown().await;
            }
        }
    });
    let trusted = http(json!({"url": url, "ca": ca})).await.unwrap();
    assert_eq!(trusted["body"], "ok");
    let failure = http(json!({"url": url})).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Connect);
    assert!(failure.message.contains("certificate"), "{failure}");
    let failure = http(json!({"url": url, "ca": "/no/such/file"}))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::System);
}
