//! The status of every kind of request, as the Pyroscope server answers it.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use common::*;
use http::Method;

const METHODS: [&str; 7] = [
    "ProfileTypes",
    "LabelValues",
    "LabelNames",
    "Series",
    "SelectMergeStacktraces",
    "SelectMergeProfile",
    "SelectSeries",
];

/// Fields as JSON; `range` stands for a start and an end with data between them.
fn body(server: &Server, fields: &str) -> String {
    let range = format!(r#""start":{},"end":{}"#, server.time, server.time + 60_000);
    format!("{{{}}}", fields.replace("range", &range).replace("CPU", CPU))
}

#[track_caller]
fn check(server: &Server, method: &str, fields: &str, expect: u16) {
    let answer = server.call(method, &body(server, fields));
    assert_eq!(answer.status.as_u16(), expect, "{method} {fields}: {}", answer.text());
    if expect != 200 {
        let code = match expect {
            400 => "invalid_argument",
            501 => "unimplemented",
            _ => panic!("no code is known for {expect}"),
        };
        assert_eq!(answer.json()["code"], code, "{method} {fields}");
        assert!(answer.json()["message"].as_str().unwrap().len() > 10, "{method} {fields}");
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[test]
fn every_method_refuses_other_verbs_types_and_broken_bodies() {
    let server = Server::with_profiles();
    for method in METHODS {
        for verb in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            assert_eq!(server.request(verb, method, "application/json", b"{}".to_vec()).status, 405, "{method}");
        }
        assert_eq!(server.request(Method::POST, method, "text/plain", b"{}".to_vec()).status, 415, "{method}");
        assert_eq!(server.call(method, "{").status, 400, "{method}");
        assert_eq!(server.call(method, "").status, 400, "{method}");
        assert_eq!(server.call(method, r#"{"start":"now-1h","end":"now"}"#).status, 400, "{method}");
        let charset = server.request(Method::POST, method, "application/json; charset=utf-8", b"{".to_vec());
        assert_eq!(charset.status, 400, "{method}");
    }
    assert_eq!(server.call("Nothing", "{}").status, 404);
}

#[test]
fn profile_types_take_any_range() {
    let server = Server::with_profiles();
    check(&server, "ProfileTypes", "range", 200);
    check(&server, "ProfileTypes", "", 200);
    check(&server, "ProfileTypes", r#""start":0,"end":0"#, 200);
    check(&server, "ProfileTypes", r#""start":-5,"end":-1"#, 200);
    check(&server, "ProfileTypes", r#""start":"5","end":"6","unknown":{}"#, 200);
    check(&server, "ProfileTypes", r#""start":6,"end":5"#, 400);
}

#[test]
fn labels_need_a_range_and_selectors_that_can_be_read() {
    let server = Server::with_profiles();
    for (method, name) in [("LabelValues", r#""name":"service_name","#), ("LabelNames", ""), ("Series", "")] {
        let check = |fields: &str, expect| check(&server, method, &format!("{name}{fields}"), expect);
        check("range", 200);
        check(r#"range,"matchers":["{service_name=\"cart\"}"]"#, 200);
        check(r#"range,"matchers":["{service_name=\"cart\"}","{x!~\"a|b\"}"]"#, 200);
        check(r#""matchers":[]"#, 400);
        check(r#""start":1"#, 400);
        check(r#""start":-5,"end":-1"#, 400);
        check(r#"range,"matchers":["{service_name="]"#, 400);
        check(r#"range,"matchers":["{service_name=~\"(\"}"]"#, 400);
        check(r#""start":6,"end":5"#, 400);
        check(r#""start":1,"end":1700000000000"#, 400);
        let selectors = |count: usize| vec![r#""{a=\"\"}""#; count].join(",");
        check(&format!(r#"range,"matchers":[{}]"#, selectors(64)), 200);
        check(&format!(r#"range,"matchers":[{}]"#, selectors(65)), 400);
        check(&format!(r#"range,"matchers":["{{a=~\"{}\"}}"]"#, "x".repeat(16 << 10)), 400);
        check(r#"range,"matchers":["{a=~\"(.{100}){100}\"}"]"#, 400);
    }
    check(&server, "LabelValues", "range", 400);
    check(&server, "LabelValues", r#"range,"name":"""#, 400);
    check(&server, "Series", r#"range,"label_names":["service_name"]"#, 200);
    check(&server, "Series", r#"range,"labelNames":["service_name"]"#, 200);
}

#[test]
fn queries_for_samples_need_a_type_a_selector_and_a_range() {
    let server = Server::with_profiles();
    let kinds = [("SelectMergeStacktraces", ""), ("SelectMergeProfile", ""), ("SelectSeries", r#""step":15,"#)];
    for (method, more) in kinds {
        let check = |fields: &str, expect| check(&server, method, &format!("{more}{fields}"), expect);
        check(r#"range,"profile_typeID":"CPU","label_selector":"{}""#, 200);
        check(r#"range,"profileTypeID":"CPU:delta","labelSelector":"{service_name=\"cart\"}""#, 200);
        check(r#"range,"labelSelector":"{}""#, 400);
        check(r#"range,"profileTypeID":"","labelSelector":"{}""#, 400);
        check(r#"range,"profileTypeID":"process_cpu","labelSelector":"{}""#, 400);
        check(r#"range,"profileTypeID":"CPU""#, 400);
        check(r#"range,"profileTypeID":"CPU","labelSelector":"""#, 400);
        check(r#"range,"profileTypeID":"CPU","labelSelector":"{a=b}""#, 400);
        check(r#"range,"profileTypeID":"CPU","labelSelector":"{a=~\"(.{100}){100}\"}""#, 400);
        check(r#""profileTypeID":"CPU","labelSelector":"{}""#, 400);
        check(r#""start":6,"end":5,"profileTypeID":"CPU","labelSelector":"{}""#, 400);
    }
}

#[test]
fn limits_and_formats_are_checked() {
    let server = Server::with_profiles();
    let base = r#"range,"profileTypeID":"CPU","labelSelector":"{}""#;
    let with = |method: &str, field: &str, expect| check(&server, method, &format!("{base},{field}"), expect);
    for method in ["SelectMergeStacktraces", "SelectMergeProfile"] {
        with(method, r#""max_nodes":10"#, 200);
        with(method, r#""maxNodes":"0""#, 200);
        with(method, r#""maxNodes":1048576"#, 200);
        with(method, r#""maxNodes":1048577"#, 400);
        with(method, r#""maxNodes":-1"#, 400);
        with(method, r#""stack_trace_selector":{"call_site":[{"name":"a"}]}"#, 200);
        with(method, r#""stackTraceSelector":{"goPgo":{"keepLocations":5}}"#, 501);
    }
    for format in ["PROFILE_FORMAT_FLAMEGRAPH", "PROFILE_FORMAT_TREE", "PROFILE_FORMAT_PPROF"] {
        with("SelectMergeStacktraces", &format!(r#""format":"{format}""#), 200);
    }
    with("SelectMergeStacktraces", r#""format":2"#, 200);
    with("SelectMergeStacktraces", r#""format":"PROFILE_FORMAT_DOT""#, 501);
    with("SelectMergeStacktraces", r#""format":77"#, 501);
    with("SelectMergeStacktraces", r#""span_selector":["a"],"trace_id_selector":["b"]"#, 400);
    with("SelectMergeStacktraces", r#""profile_id_selector":["a"]"#, 501);
    with("SelectSeries", r#""groupBy":["service_name"]"#, 400);
    with("SelectSeries", r#""step":0"#, 400);
    with("SelectSeries", r#""step":0.0001"#, 400);
    with("SelectSeries", r#""step":-15"#, 400);
    with("SelectSeries", r#""step":0.006"#, 200);
    with("SelectSeries", r#""step":0.005"#, 400);
    with("SelectSeries", r#""step":15,"group_by":["service_name"],"limit":"1""#, 200);
    with("SelectSeries", r#""step":15,"limit":-1"#, 400);
    with("SelectSeries", r#""step":15,"aggregation":"TIME_SERIES_AGGREGATION_TYPE_AVERAGE""#, 200);
}

#[test]
fn an_empty_message_in_protobuf_is_valid() {
    let server = Server::with_profiles();
    let answer = server.request(Method::POST, "ProfileTypes", "application/proto", Vec::new());
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/proto"));
}
