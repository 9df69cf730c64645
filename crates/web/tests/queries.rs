//! What queries answer.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use buffa::Message as _;
use common::*;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use insta::assert_snapshot;
use pyrope_web::Access;
use rpc::querier::{SelectMergeProfileRequest, SelectMergeStacktracesRequest, SelectMergeStacktracesResponse};
use tower::ServiceExt as _;

fn request(server: &Server, selector: &str, more: &str) -> String {
    let (start, end) = (server.time, server.time + 60_000);
    let selector = selector.replace('"', "\\\"");
    format!(r#"{{"profile_typeID":"{CPU}","label_selector":"{selector}","start":{start},"end":"{end}"{more}}}"#)
}

fn ask(server: &Server, method: &str, selector: &str, more: &str) -> String {
    let answer = server.call(method, &request(server, selector, more));
    let text = answer.text();
    assert_eq!(answer.status, 200, "{text}");
    assert_eq!(answer.header("content-type"), "application/json");
    text
}

#[test]
fn the_flame_graph_is_the_one_that_the_api_describes() {
    let server = Server::with_profiles();
    assert_snapshot!(ask(&server, "SelectMergeStacktraces", r#"{service_name="cart"}"#, ""), @r#"{"flamegraph":{"names":["total","a","c","d","b","e"],"levels":[{"values":["0","4","0","0"]},{"values":["0","4","0","1"]},{"values":["0","1","0","4","0","3","2","2"]},{"values":["0","1","1","5","2","1","1","3"]}],"total":"4","maxSelf":"2"}}"#);
}

#[test]
fn small_bars_are_folded_into_one() {
    let server = Server::with_profiles();
    let folded = ask(&server, "SelectMergeStacktraces", r#"{service_name="cart"}"#, r#","max_nodes":2"#);
    assert_snapshot!(folded, @r#"{"flamegraph":{"names":["total","a","other","c"],"levels":[{"values":["0","4","0","0"]},{"values":["0","4","0","1"]},{"values":["0","3","2","3","0","1","1","2"]},{"values":["2","1","1","2"]}],"total":"4","maxSelf":"2"}}"#);
}

#[test]
fn nothing_found_is_an_empty_flame_graph() {
    let server = Server::with_profiles();
    assert_snapshot!(ask(&server, "SelectMergeStacktraces", r#"{service_name="none"}"#, ""), @r#"{"flamegraph":{"names":["total"],"levels":[{"values":["0","0","0","0"]}]}}"#);
    let tree = r#","format":"PROFILE_FORMAT_TREE""#;
    assert_snapshot!(ask(&server, "SelectMergeStacktraces", r#"{service_name="none"}"#, tree), @"{}");
}

#[test]
fn a_call_site_restricts_the_flame_graph() {
    let server = Server::with_profiles();
    let site = r#","stack_trace_selector":{"call_site":[{"name":"a"},{"name":"c"}]}"#;
    assert_snapshot!(ask(&server, "SelectMergeStacktraces", "{}", site), @r#"{"flamegraph":{"names":["total","a","c","d"],"levels":[{"values":["0","3","0","0"]},{"values":["0","3","0","1"]},{"values":["0","3","2","2"]},{"values":["2","1","1","3"]}],"total":"3","maxSelf":"2"}}"#);
}

/// Reads tree bytes as their definition says, into lines of depth, name and own value.
fn read_tree(bytes: &[u8]) -> Vec<String> {
    fn number(rest: &mut &[u8]) -> usize {
        let (byte, after) = rest.split_first().unwrap();
        assert!(*byte < 0x80, "small numbers here");
        *rest = after;
        usize::from(*byte)
    }
    let mut rest = bytes;
    let mut lines = Vec::new();
    let mut depths = vec![0];
    while let Some(depth) = depths.pop() {
        let len = number(&mut rest);
        let (name, after) = rest.split_at(len);
        rest = after;
        let own = number(&mut rest);
        lines.push(format!("{depth} {:?} {own}", String::from_utf8_lossy(name)));
        depths.extend(std::iter::repeat_n(depth + 1, number(&mut rest)));
    }
    assert!(rest.is_empty());
    lines
}

#[test]
fn a_tree_is_written_last_child_first() {
    let server = Server::with_profiles();
    let message = SelectMergeStacktracesRequest {
        profile_typeID: CPU.to_owned(),
        label_selector: r#"{service_name="cart"}"#.to_owned(),
        start: server.time,
        end: server.time + 60_000,
        format: rpc::querier::ProfileFormat::PROFILE_FORMAT_TREE.into(),
        ..Default::default()
    };
    let answer = server.request(Method::POST, "SelectMergeStacktraces", "application/proto", message.encode_to_vec());
    let response = SelectMergeStacktracesResponse::decode_from_slice(&answer.bytes).unwrap();
    assert_eq!(
        read_tree(&response.tree),
        ["0 \"\" 0", "1 \"a\" 0", "2 \"c\" 2", "3 \"d\" 1", "2 \"b\" 0", "3 \"e\" 1"]
    );
}

#[test]
fn profiles_come_as_pprof() {
    let server = Server::with_profiles();
    let message = SelectMergeProfileRequest {
        profile_typeID: CPU.to_owned(),
        label_selector: "{}".to_owned(),
        start: server.time,
        end: server.time + 60_000,
        ..Default::default()
    };
    let answer = server.request(Method::POST, "SelectMergeProfile", "application/proto", message.encode_to_vec());
    let merged = profile::decode(&answer.bytes).unwrap();
    let expect = "a;b;e 1\na;c 2\na;c;d 1\nrun 7\n";
    assert_eq!((merged.folded().as_str(), merged.period), (expect, 10_000_000));
    let pprof = r#","format":"PROFILE_FORMAT_PPROF""#;
    let wrapped: serde_json::Value =
        serde_json::from_str(&ask(&server, "SelectMergeStacktraces", "{}", pprof)).unwrap();
    let plain: serde_json::Value = serde_json::from_str(&ask(&server, "SelectMergeProfile", "{}", "")).unwrap();
    assert_eq!(wrapped["pprof"]["profile"], plain);
    assert_eq!(plain["sample"].as_array().unwrap().len(), 4);
    assert_eq!(plain["stringTable"][0], "");
}

#[test]
fn timelines_have_the_labels_they_are_grouped_by() {
    let server = Server::with_profiles();
    let more = r#","step":15,"group_by":["service_name"]"#;
    let series = ask(&server, "SelectSeries", "{}", more)
        .replace(&server.time.to_string(), "T")
        .replace(&(server.time + 15_000).to_string(), "T+15");
    assert_snapshot!(series, @r#"{"series":[{"labels":[{"name":"service_name","value":"db"}],"points":[{"value":7.0,"timestamp":"T+15"}]},{"labels":[{"name":"service_name","value":"cart"}],"points":[{"value":4.0,"timestamp":"T"}]}]}"#);
    let limited = ask(&server, "SelectSeries", "{}", r#","step":60"#)
        .replace(&(server.time + 60_000).to_string(), "T+60")
        .replace(&server.time.to_string(), "T");
    assert_snapshot!(limited, @r#"{"series":[{"points":[{"value":4.0,"timestamp":"T"},{"value":7.0,"timestamp":"T+60"}]}]}"#);
}

#[test]
fn labels_and_types_are_listed() {
    let server = Server::with_profiles();
    let range = format!(r#""start":{},"end":{}"#, server.time, server.time + 60_000);
    let call = |method: &str, fields: &str| server.call(method, &format!("{{{range}{fields}}}")).text();
    assert_snapshot!(call("ProfileTypes", ""), @r#"{"profileTypes":[{"ID":"process_cpu:cpu:nanoseconds:cpu:nanoseconds","name":"process_cpu","sampleType":"cpu","sampleUnit":"nanoseconds","periodType":"cpu","periodUnit":"nanoseconds"}]}"#);
    assert_snapshot!(call("LabelValues", r#","name":"service_name""#), @r#"{"names":["cart","db"]}"#);
    assert_snapshot!(call("LabelNames", ""), @r#"{"names":["__name__","__period_type__","__period_unit__","__profile_type__","__service_name__","__type__","__unit__","service_name"]}"#);
    assert_snapshot!(call("Series", r#","labelNames":["service_name"],"matchers":["{service_name!=\"db\"}"]"#), @r#"{"labelsSet":[{"labels":[{"name":"service_name","value":"cart"}]}]}"#);
}

#[test]
fn names_with_dots_are_for_clients_that_read_them() {
    let server = Server::with_profiles();
    let body = format!(r#"{{"start":{},"end":{}}}"#, server.time, server.time + 60_000);
    let request = Request::post("/querier.v1.QuerierService/LabelNames")
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .header("accept", "application/json; allow-utf8-labelnames=true");
    let answer = server.send(request.body(body.clone().into()).unwrap());
    assert!(answer.text().contains("otel.scope.name"));
    assert!(!server.call("LabelNames", &body).text().contains("otel.scope.name"));
    assert!(!server.call("Series", &body).text().contains("otel.scope.name"));
}

#[test]
fn large_answers_are_compressed_when_the_client_asks() {
    let server = Server::with_profiles();
    let request = |encoding: &str| {
        let (start, end) = (server.time + LATER, server.time + LATER);
        let body = format!(r#"{{"profileTypeID":"{CPU}","labelSelector":"{{}}","start":{start},"end":{end}}}"#);
        let request = Request::post("/querier.v1.QuerierService/SelectMergeProfile")
            .header("host", "127.0.0.1")
            .header("content-type", "application/json")
            .header("accept-encoding", encoding);
        server.send(request.body(body.into()).unwrap())
    };
    assert_eq!(request("gzip").header("content-encoding"), "gzip");
    assert_eq!(request("identity").header("content-encoding"), "");
}

#[test]
fn without_a_store_the_answer_says_how_to_add_one() {
    let access = Access::new("127.0.0.1:1".parse().unwrap(), None, false);
    let server = Server::of(backend(None), access);
    let answer = server.call("ProfileTypes", "{}");
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str().unwrap()), (400, "failed_precondition"));
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains(r#"pyrope.store "local" { }"#), "{message}");
    assert!(message.contains("forward_to = [pyrope.store.local.receiver]"), "{message}");
}

#[test]
fn the_url_can_name_the_store() {
    let server = Server::with_profiles();
    let status = |name: &str| {
        let request = Request::post(format!("/querier.v1.QuerierService/ProfileTypes?store={name}"))
            .header("host", "127.0.0.1")
            .header("content-type", "application/json");
        server.send(request.body("{}".into()).unwrap()).status.as_u16()
    };
    assert_eq!((status("local"), status("lo%63al"), status("other")), (200, 200, 404));
}

#[test]
fn a_timeline_has_so_many_points_and_no_more() {
    let server = Server::with_profiles();
    let answer = server.call("SelectSeries", &request(&server, "{}", r#","step":0.001"#));
    assert_eq!((answer.status.as_u16(), answer.json()["code"].as_str().unwrap()), (400, "invalid_argument"));
    assert_snapshot!(answer.json()["message"].as_str().unwrap(), @"exceeded the maximum resolution of 11000 points per time series: ask for a step of 0.006 seconds or more, or for a shorter range");
}

#[test]
fn when_32_queries_wait_the_next_is_told_so() {
    let looks = Arc::new(AtomicUsize::new(0));
    let folder = tempfile::tempdir().unwrap();
    let mut busy = backend(Some(open(folder.path())));
    busy.looks = Some(Arc::clone(&looks));
    let server = Server::of(busy, Access::new("127.0.0.1:1".parse().unwrap(), None, false));
    let query = || {
        let request = Request::post("/querier.v1.QuerierService/ProfileTypes").header("host", "localhost");
        server
            .router
            .clone()
            .oneshot(request.header("content-type", "application/json").body(Body::from("{}")).unwrap())
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let waiting: Vec<_> = (0..32).map(|_| tokio::spawn(query())).collect();
        while looks.load(Ordering::Relaxed) < 32 {
            assert!(waiting.iter().all(|query| !query.is_finished()), "they wait");
            tokio::task::yield_now().await;
        }
        let refused = tokio::time::timeout(Duration::from_secs(20), query()).await.expect("it does not wait").unwrap();
        assert_eq!(refused.status(), 429);
        let body = refused.into_body().collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["code"], "resource_exhausted");
        assert!(body["message"].as_str().unwrap().starts_with("32 queries wait already"), "{body}");
    });
}
