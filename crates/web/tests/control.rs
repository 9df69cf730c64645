//! Control, metrics, the page, and who may ask.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::Body;
use common::*;
use http::Request;
use pyrope_web::{Access, serve};

fn local() -> Access {
    Access::new("127.0.0.1:12345".parse().unwrap(), None, false)
}

#[track_caller]
fn check(server: &Server, path: &str, status: u16, text: &str) {
    let answer = server.get(path);
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (status, text), "{path}");
}

#[test]
fn probes_tell_readiness_and_health() {
    let good = Server::of(backend(None), local());
    check(&good, "/-/ready", 200, "pyrope is ready.\n");
    check(&good, "/ready", 200, "ready\n");
    check(&good, "/-/healthy", 200, "All pyrope components are healthy.\n");
    check(&good, "/-/reload", 200, "config reloaded\n");

    let mut bad = backend(None);
    bad.ready = AtomicBool::new(false);
    bad.unhealthy = vec!["pyroscope.write".to_owned(), "pyrope.store".to_owned()];
    bad.reload = Err("reading config path \"x\": no such file".to_owned());
    let bad = Server::of(bad, local());
    check(&bad, "/-/ready", 503, "pyrope is not ready.\n");
    check(&bad, "/ready", 503, "not ready\n");
    check(&bad, "/-/healthy", 500, "unhealthy components: pyroscope.write, pyrope.store\n");
    check(&bad, "/-/reload", 400, "reading config path \"x\": no such file\n");
}

#[test]
fn metrics_come_in_the_format_that_is_asked_for() {
    let server = Server::of(backend(None), local());
    let plain = server.get("/metrics");
    assert_eq!(plain.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(plain.text(), "# HELP taken_total Samples taken.\n# TYPE taken_total counter\ntaken_total 5\n");
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    let open = server.send(Request::get("/metrics").header("accept", accept).body(Body::empty()).unwrap());
    assert_eq!(open.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(open.text().ends_with("# EOF\n"));
}

#[test]
fn the_status_is_json() {
    let answer = Server::of(backend(None), local()).get("/api/v0/agent/status");
    assert_eq!(answer.json(), serde_json::json!({ "version": "test", "store": null, "stores": [] }));
}

#[test]
fn the_status_tells_of_the_store_that_the_url_names() {
    let server = Server::with_profiles();
    let status = |query: &str| server.get(&format!("/api/v0/agent/status{query}")).json();
    for query in ["", "?store=local", "?store=lo%63al"] {
        let status = status(query);
        assert_eq!(status["store"]["name"], "local", "{query}");
        assert_eq!(status["store"]["max_age_s"], 7 * 24 * 3600, "{query}");
        assert_eq!(status["stores"][0], status["store"], "{query}");
    }
    let other = status("?store=other");
    assert_eq!(other["store"], serde_json::json!({ "name": "other", "message": "there is no store of this name" }));
    assert_eq!(other["stores"][0]["name"], "local");
}

#[test]
fn the_page_is_served_with_tags_types_and_a_strict_policy() {
    let server = Server::of(backend(None), local());
    let page = server.get("/");
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.text().starts_with("<!doctype html>"));
    assert!(page.header("content-security-policy").starts_with("default-src 'self'"));
    assert_eq!(server.get("/js/main.js").header("content-type"), "text/javascript; charset=utf-8");
    assert_eq!(server.get("/nothing.js").status, 404);

    let request = |name: &str, value: &str| {
        server.send(Request::get("/").header("host", "localhost").header(name, value).body(Body::empty()).unwrap())
    };
    let packed = request("accept-encoding", "br, gzip");
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert!(packed.bytes.len() < page.bytes.len());
    let unchanged = request("if-none-match", page.header("etag"));
    assert_eq!((unchanged.status.as_u16(), unchanged.bytes.len()), (304, 0));
    assert_eq!(request("if-none-match", "\"other\"").status, 200);
}

#[test]
fn an_open_address_answers_only_probes_and_metrics() {
    let access = Access::new("0.0.0.0:12345".parse().unwrap(), None, false);
    let server = Server::of(backend(None), access);
    for path in ["/-/ready", "/-/healthy", "/metrics"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    for path in ["/", "/-/reload", "/ready", "/api/v0/agent/status", "/js/main.js", "/nothing"] {
        let answer = server.get(path);
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("--server.http.token-file"), "{}", answer.text());
    }
    assert_eq!(server.call("ProfileTypes", "{}").status, 403);
}

#[test]
fn a_token_opens_it_and_a_browser_keeps_it() {
    let access = Access::new("0.0.0.0:12345".parse().unwrap(), Some("secret".to_owned()), false);
    let server = Server::of(backend(None), access);
    let refused = server.get("/");
    assert_eq!((refused.status.as_u16(), refused.header("www-authenticate")), (401, "Basic realm=\"pyrope\""));
    let first = server.get("/?token=secret");
    assert_eq!((first.status.as_u16(), first.header("location")), (303, "/"));
    let cookie = first.header("set-cookie").split(';').next().unwrap().to_owned();
    assert!(first.header("set-cookie").contains("HttpOnly; SameSite=Strict"));
    let with = |name: &str, value: &str| {
        server.send(Request::get("/").header(name, value).body(Body::empty()).unwrap()).status.as_u16()
    };
    assert_eq!(with("cookie", &cookie), 200);
    assert_eq!(with("authorization", "Bearer secret"), 200);
    assert_eq!(with("authorization", "Bearer guess"), 401);
}

#[test]
fn another_name_for_this_host_is_refused_on_loopback() {
    let server = Server::of(backend(None), local());
    let answer = server.send(Request::get("/").header("host", "evil.example").body(Body::empty()).unwrap());
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("127.0.0.1"));
}

#[test]
fn a_server_listens_on_its_own_thread_and_stops() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = serve(listener, Access::new(address, None, false), Arc::new(backend(None))).unwrap();
    assert_eq!(server.address(), address);
    let mut idle = TcpStream::connect(address).unwrap();
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("pyrope is ready.\n"), "{answer}");
    server.stop();
    assert_eq!(idle.read(&mut [0; 1]).unwrap(), 0, "an idle connection does not keep it");
    assert!(TcpStream::connect(address).is_err());
}
