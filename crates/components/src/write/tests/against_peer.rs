//! `pyroscope.write` against a server made of Pyroscope's own generated code, and one that misbehaves.

use serde_json::Value as Json;

use super::peer::{Peer, promtext};
use super::*;

/// Sends one profile to a peer with a script and returns both when the profile is sent or dropped.
async fn send_one(script: &str, more: &str) -> (Peer, Running) {
    let peer = Peer::start(script, &[]);
    let write = Running::start(&endpoint(&peer.url(), more)).await;
    write.append([profile("cart")]).await.expect("it is taken");
    eventually!(write.status().queued_profiles == 0);
    (peer, write)
}

/// The endpoint's story in a line: requests, what became of the profile, and the last error.
fn story(peer: &Peer, write: &Running) -> String {
    let status = write.status();
    let (requests, sent, retries) = (peer.requests().len(), status.sent_profiles, status.retries);
    let error = status.last_error.map(|error| error.message.replace(&peer.url(), "URL")).unwrap_or_default();
    format!("{requests} requests, {sent} sent, {retries} retries, dropped {:?}; {error}", status.dropped)
}

#[track_caller]
fn check(actual: &str, expect: &str) {
    assert_eq!(actual, expect);
}

#[tokio::test]
async fn a_profile_arrives_as_upstream_sends_it() {
    let more = "headers = { \"X-Scope-OrgID\" = \"tenant\", \"User-Agent\" = \"other\" }\n remote_timeout = \"3s\"";
    let peer = Peer::start("ok", &[]);
    let text = format!("external_labels = {{ region = \"eu\" }}\n{}", endpoint(&format!("{}/", peer.url()), more));
    let write = Running::start(&text).await;
    write.append([profile("cart")]).await.expect("it is taken");
    eventually!(write.status().sent_profiles == 1);
    eventually!(peer.requests().len() == 1);

    let got = &peer.profiles()[0];
    assert_eq!((&got["accepted"], &got["check_error"]), (&Json::Bool(true), &Json::from("")), "{got}");
    let labels = r#"{"__name__":"process_cpu","region":"eu","service_name":"cart"}"#;
    assert_eq!(got["labels"].to_string(), labels);
    assert_eq!(got["id"].as_str().map(str::len), Some(36));
    let headers = |name: &str| got["headers"][name].as_str().unwrap_or("none").to_owned();
    assert_eq!(headers("user-agent"), format!("pyrope/{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(headers("content-type"), "application/proto");
    assert_eq!(headers("connect-protocol-version"), "1");
    assert_eq!(headers("connect-timeout-ms"), "3000");
    assert_eq!(headers("accept-encoding"), "gzip");
    assert_eq!(headers("x-scope-orgid"), "tenant");
    assert_eq!((headers("content-encoding"), headers("authorization")), ("none".to_owned(), "none".to_owned()));

    let bytes = write.status().sent_bytes.to_string();
    assert_eq!(got["bytes"].to_string(), bytes);
    let endpoint = format!("endpoint=\"{}/\"", peer.url());
    assert_eq!(write.metric("pyroscope_write_sent_profiles_total", &endpoint), "1");
    assert_eq!(write.metric("pyroscope_write_sent_bytes_total", &endpoint), bytes);
    assert_eq!(write.metric("pyroscope_write_latency_count", "type=\"push_total\""), "1");
    assert_eq!(write.metric("pyroscope_write_latency_count", "type=\"push_endpoint\""), "1");
    assert_eq!(write.metric("pyroscope_write_latency_count", "type=\"push_downstream\""), "1");
    write.stop().await;
}

#[tokio::test]
async fn the_example_for_grafana_cloud_sends_the_credentials_of_the_environment() {
    let peer = Peer::start("ok", &["--auth", "123456:glc_s3cr3t"]);
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/grafana-cloud.alloy");
    let parsed = parse_file(&Source::new("grafana-cloud.alloy", std::fs::read_to_string(file).unwrap()));
    assert_eq!(parsed.diagnostics, []);
    let body = parsed.file.body().unwrap();
    let block = body.blocks().find(|block| block.name() == "pyroscope.write").expect("there is one");
    let url = peer.url();
    let env = move |name: &[u8]| match name {
        b"GC_URL" => Some(url.clone()),
        b"GC_USER" => Some("123456".to_owned()),
        b"GC_PASSWORD" => Some("glc_s3cr3t".to_owned()),
        _ => None,
    };
    let host = Host { env: Arc::new(move |name| env(name).map(Into::into)), ..Host::default() };
    let scope = EvalScope::new::<&str>(Stdlib::new(host), []);
    let arguments: Arguments = decode_body(&block.body().unwrap(), &scope).expect("it decodes");
    assert!(!format!("{arguments:?}").contains("s3cr3t"), "secrets do not show");

    let write = Running::with(arguments).await;
    write.append([profile("cart")]).await.expect("it is taken");
    eventually!(peer.profiles().len() == 1);
    assert_eq!(peer.profiles()[0]["headers"]["authorization"], "Basic MTIzNDU2OmdsY19zM2NyM3Q=");
    assert_eq!(peer.profiles()[0]["accepted"], true);
    write.stop().await;
}

#[tokio::test]
async fn what_a_server_refuses_for_good_is_tried_once() {
    for (script, error) in [
        ("401", "unauthenticated: "),
        ("413", "invalid_argument: request body too large"),
        ("400-plain", "400 Bad Request: "),
    ] {
        let (peer, write) = send_one(script, "").await;
        eventually!(peer.requests().len() == 1);
        a_moment().await;
        let start = "1 requests, 0 sent, 0 retries, dropped {\"rejected\": 1}; \
                     failed to push to endpoint URL (0 retries): ";
        let story = story(&peer, &write);
        assert!(story.starts_with(start) && story.contains(error), "{script}: {story}");
        let endpoint = format!("endpoint=\"{}\"", peer.url());
        assert_eq!(write.metric("pyroscope_write_dropped_profiles_total", &endpoint), "1");
        let rejected = format!("{endpoint},reason=\"rejected\"");
        assert_eq!(write.metric("pyrope_write_dropped_profiles_by_reason_total", &rejected), "1");
        assert_eq!(write.metric("pyroscope_write_retries_total", &endpoint), "0");
        write.stop().await;
    }
}

#[tokio::test]
async fn wrong_credentials_are_refused_and_right_ones_taken() {
    let peer = Peer::start("ok", &["--bearer", "t0ken"]);
    let write =
        Running::start(&(endpoint(&peer.url(), "") + &endpoint(&peer.url(), r#"bearer_token = "t0ken""#))).await;
    write.append([profile("cart")]).await.expect("it is taken");
    eventually!(write.statuses.list().iter().all(|status| status.queued_profiles == 0));
    let [without, with] = &write.statuses.list()[..] else { panic!("there are two") };
    assert_eq!((without.sent_profiles, without.dropped.get("rejected")), (0, Some(&1)));
    assert_eq!((with.sent_profiles, with.dropped.len()), (1, 0));
    write.stop().await;
}

#[tokio::test]
async fn max_backoff_retries_is_the_number_of_attempts() {
    for attempts in [1, 3] {
        let (peer, write) = send_one("500", &format!("max_backoff_retries = {attempts}")).await;
        eventually!(peer.requests().len() == attempts);
        a_moment().await;
        assert_eq!(peer.requests().len(), attempts);
        let status = write.status();
        assert_eq!((status.retries, status.dropped), (attempts as u64 - 1, [("retries_exhausted", 1)].into()));
        let error = status.last_error.expect("it failed").message;
        assert!(error.contains(&format!("({} retries): internal: ", attempts - 1)), "{error}");
        write.stop().await;
    }
}

#[tokio::test]
async fn without_a_maximum_it_goes_on_until_it_succeeds() {
    let (peer, write) = send_one("500*6,503-plain*6,reset,ok", "max_backoff_retries = 0").await;
    eventually!(peer.requests().len() == 14);
    let status = write.status();
    assert_eq!((status.sent_profiles, status.retries, status.failing), (1, 13, false));
    assert_eq!(status.dropped, Default::default());
    let mut ids: Vec<_> = peer.profiles().iter().map(|profile| profile["id"].to_string()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 1, "all attempts carry one id");
    write.stop().await;
}

#[tokio::test]
async fn answers_of_429_are_tried_again_unless_that_is_off() {
    let (peer, write) = send_one("429*2,ok", "").await;
    eventually!(peer.requests().len() == 3);
    assert_eq!(write.status().sent_profiles, 1);
    write.stop().await;

    let (peer, write) = send_one("429*2,ok", "retry_on_http_429 = false").await;
    eventually!(peer.requests().len() == 1);
    a_moment().await;
    let start = "1 requests, 0 sent, 0 retries, dropped {\"rejected\": 1}; \
                 failed to push to endpoint URL (0 retries): resource_exhausted: ";
    let story = story(&peer, &write);
    assert!(story.starts_with(start), "{story}");
    write.stop().await;
}

#[tokio::test]
async fn retry_after_is_honoured_and_holds_the_other_profiles_too() {
    let peer = Peer::start("429-after=2,ok", &[]);
    let write = Running::start(&endpoint(&peer.url(), "")).await;
    let started = Instant::now();
    write.append([profile("a")]).await.expect("it is taken");
    eventually!(write.status().failing);
    write.append([profile("b"), profile("c")]).await.expect("they are taken");
    eventually!(write.status().sent_profiles == 3);
    let took = started.elapsed();
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(4), "{took:?}");
    eventually!(peer.requests().len() == 4);
    write.stop().await;
}

#[tokio::test]
async fn a_server_that_hangs_is_tried_again_after_the_timeout() {
    let (peer, write) = send_one("hang", "remote_timeout = \"200ms\"\n max_backoff_retries = 2").await;
    let status = write.status();
    assert_eq!((status.retries, status.dropped), (1, [("retries_exhausted", 1)].into()));
    let error = status.last_error.expect("it failed").message.replace(&peer.url(), "URL");
    check(&error, "failed to push to endpoint URL (1 retries): deadline_exceeded: no answer within 200ms");
    write.stop().await;
}

#[tokio::test]
async fn a_connection_that_is_reset_is_made_again() {
    let (peer, write) = send_one("reset*2,ok", "").await;
    eventually!(peer.requests().len() == 3);
    assert_eq!((write.status().sent_profiles, write.status().retries), (1, 2));
    write.stop().await;
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_gets_its_profiles_when_it_is() {
    let unused = unused_address();
    let write = Running::start(&endpoint(&format!("http://{unused}"), "max_backoff_retries = 0")).await;
    write.append([profile("a"), profile("b")]).await.expect("they are taken");
    eventually!(write.status().retries > 3);
    let error = write.status().last_error.expect("it failed").message;
    assert!(
        error.ends_with("unavailable: client error (Connect): tcp connect error: Connection refused (os error 111)"),
        "{error}"
    );
    let peer = Peer::listen(&unused, "ok", &[]);
    eventually!(write.status().sent_profiles == 2);
    assert_eq!(peer.profiles().len(), 2);
    write.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_hangs_delays_neither_the_caller_nor_another_endpoint() {
    let (hangs, works) = (Peer::start("hang", &[]), Peer::start("slow=20", &[]));
    let write = Running::start(&(endpoint(&hangs.url(), "") + &endpoint(&works.url(), ""))).await;
    let started = Instant::now();
    for number in 0..20 {
        write.append([profile(&format!("service-{number}"))]).await.expect("it is taken");
    }
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    eventually!(write.statuses.list()[1].sent_profiles == 20);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let hanging = &write.statuses.list()[0];
    assert_eq!((hanging.sent_profiles, hanging.queued_profiles), (0, 20));
    assert_eq!(works.profiles().iter().filter(|profile| profile["accepted"] == true).count(), 20);
}

#[tokio::test]
async fn a_large_profile_arrives_in_requests_below_the_limit() {
    let peer = Peer::start("ok", &[]);
    let write = Running::start(&endpoint(&peer.url(), "")).await;
    let whole = large_profile("cart", 20_000, 90);
    write.append([whole.clone()]).await.expect("it is taken");
    eventually!(write.status().queued_profiles == 0);
    eventually!(peer.requests().len() as u64 == write.status().sent_profiles + write.status().retries);
    let accepted: Vec<_> = peer.profiles().into_iter().filter(|profile| profile["accepted"] == true).collect();
    assert!(accepted.len() > 1);
    for profile in &accepted {
        let uncompressed = profile["bytes_uncompressed"].as_u64().expect("it is a number");
        assert!(uncompressed <= 1_800_000, "{uncompressed}");
        assert_eq!(profile["check_error"], "");
    }
    let sum: i64 = accepted.iter().map(|profile| profile["sum"][0].as_i64().expect("it is a number")).sum();
    assert_eq!(sum, whole.total());
    write.stop().await;
}

#[tokio::test]
async fn what_is_queued_is_sent_before_the_component_stops() {
    let peer = Peer::start("slow=50", &[]);
    let write = Running::start(&endpoint(&peer.url(), "")).await;
    write.append((0..12).map(|number| profile(&format!("s{number}")))).await.expect("they are taken");
    assert!(write.status().sent_profiles < 12);
    write.stop().await;
    assert_eq!(peer.profiles().len(), 12);
}

/// A profile waits for an hour after its first attempt failed; the server works again.
async fn one_that_waits(peer: &Peer) -> Running {
    let waits = "min_backoff_period = \"1h\"\n max_backoff_period = \"2h\"";
    let write = Running::start(&format!("endpoint {{\n url = {:?}\n {waits}\n}}\n", peer.url())).await;
    write.append([profile("early")]).await.expect("it is taken");
    eventually!(write.status().failing);
    write.append([profile("late")]).await.expect("it is taken");
    eventually!(write.status().sent_profiles == 1);
    assert_eq!(write.status().queued_profiles, 1);
    write
}

#[tokio::test]
async fn what_waits_for_another_attempt_is_tried_before_the_component_stops() {
    let peer = Peer::start("500,ok", &[]);
    one_that_waits(&peer).await.stop().await;
    assert_eq!(peer.requests().len(), 3);
}

#[tokio::test]
async fn what_waits_for_another_attempt_is_tried_with_new_arguments() {
    let peer = Peer::start("500,ok", &[]);
    let write = one_that_waits(&peer).await;
    write.arguments.send_replace(Arc::new(decode(&endpoint(&peer.url(), "")).expect("it decodes")));
    eventually!(write.status().sent_profiles == 2);
    write.stop().await;
}

#[tokio::test]
async fn arguments_that_name_a_file_that_is_not_there_are_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    let (old, new) = (format!("http://{}", unused_address()), format!("https://{}", unused_address()));
    let write = Running::start(&endpoint(&old, "")).await;
    let named = |name: &str| write.statuses.list().iter().any(|status| status.name == name);
    let more = format!("name = \"new\"\n tls_config {{\n ca_file = {authority:?}\n }}");
    write.arguments.send_replace(Arc::new(decode(&endpoint(&new, &more)).expect("it decodes")));
    a_moment().await;
    assert!(!named("new"));
    std::fs::write(&authority, include_str!("../../http_client/testdata/ca.pem")).unwrap();
    eventually!(named("new"));
    write.stop().await;
}

#[tokio::test]
async fn what_cannot_be_sent_before_the_end_is_counted() {
    let peer = Peer::start("hang", &[]);
    let arguments = decode(&endpoint(&peer.url(), "")).expect("it decodes");
    let scope = Metrics::new().process();
    let settings = Settings::new(&arguments.endpoint[0]).expect("it can be built");
    let endpoint = Endpoint::new("pyroscope.write.test", settings, &scope);
    let task = tokio::spawn(Arc::clone(&endpoint).run());
    let pprof = profile("cart");
    let pprofs = crate::receiver::Outgoing::new(pprof).pprofs();
    (0..10).for_each(|_| endpoint.enqueue(0, &labels("cart"), &pprofs[0].gzip));
    a_moment().await;
    endpoint.end(Instant::now() + Duration::from_millis(200), DropReason::Shutdown);
    tokio::time::timeout(Duration::from_secs(2), task).await.expect("it ends in time").expect("it does not panic");
    endpoint.enqueue(0, &labels("cart"), &pprofs[0].gzip);
    assert_eq!(endpoint.status().dropped, [("shutdown", 11)].into());
}

#[tokio::test]
async fn the_oldest_go_when_a_server_does_not_keep_up_and_none_is_lost_uncounted() {
    let peer = Peer::start("hang", &[]);
    let write = Running::start(&endpoint(&peer.url(), "")).await;
    // Random names do not shrink, so a few such profiles fill the queue.
    let name = |number: u64| format!("{:x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(3);
    let mut builder = ProfileBuilder::new();
    for number in 0..20_000 {
        let function = builder.function(&Function::named(name(number)));
        let location = builder.location(None, number + 1, &[Line { function, line: 1 }]);
        builder.add(&[location], number as i64 + 1);
    }
    let large = builder.finish(labels("cart"), ProfileType::cpu("process_cpu"));
    let append: Append = [large].into_iter().collect();
    for _ in 0..60 {
        write.receiver.append(append.clone()).await.expect("it is taken");
    }
    let status = write.status();
    assert!(status.queued_bytes <= 8 << 20, "{}", status.queued_bytes);
    assert!(status.dropped["queue_full"] > 0, "{status:?}");
    assert_eq!(status.queued_profiles as u64 + status.dropped["queue_full"], 60);
}

#[tokio::test]
async fn new_arguments_keep_the_queue_of_an_address_that_stays() {
    let unused = unused_address();
    let text = |more: &str| endpoint(&format!("http://{unused}"), &format!("max_backoff_retries = 0\n {more}"));
    let write = Running::start(&text("")).await;
    write.append([profile("a")]).await.expect("it is taken");
    eventually!(write.status().failing);

    let labelled =
        format!("external_labels = {{ region = \"eu\" }}\n{}", text("name = \"new\"\n bearer_token = \"right\""));
    write.arguments.send_replace(Arc::new(decode(&labelled).expect("it decodes")));
    eventually!(write.status().name == "new");
    write.append([profile("b")]).await.expect("it is taken");
    let peer = Peer::listen(&unused, "ok", &["--bearer", "right"]);
    eventually!(write.status().queued_profiles == 0);
    assert_eq!((write.status().sent_profiles, write.status().dropped.len()), (2, 0));
    eventually!(peer.requests().len() == 2);
    let region = |service: &str| {
        let profiles = peer.profiles();
        let got = profiles.iter().find(|got| got["labels"]["service_name"] == service).expect("it arrived");
        got["labels"]["region"].clone()
    };
    assert_eq!((region("a"), region("b")), (Json::Null, Json::from("eu")));
    write.stop().await;
}

#[tokio::test]
async fn an_endpoint_that_left_the_configuration_sends_what_it_has() {
    let (stays, goes) = (Peer::start("ok", &[]), Peer::start("slow=50", &[]));
    let write = Running::start(&(endpoint(&stays.url(), "") + &endpoint(&goes.url(), ""))).await;
    write.append((0..8).map(|number| profile(&format!("s{number}")))).await.expect("they are taken");
    write.arguments.send_replace(Arc::new(decode(&endpoint(&stays.url(), "")).expect("it decodes")));
    eventually!(goes.profiles().len() == 8);
    eventually!(write.statuses.list().len() == 1);
    assert_eq!(stays.profiles().len(), 8);
    write.stop().await;
}

fn unused_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[tokio::test]
async fn prometheus_reads_the_metrics_in_both_formats() {
    let peer = Peer::start("ok", &[]);
    let write = Running::start(&endpoint(&peer.url(), "")).await;
    let scope = write.metrics.component("pyroscope.ebpf.x", "/");
    let fanout = crate::receiver::Fanout::new(&scope, vec![write.receiver.clone()]);
    fanout.append([profile("a")].into_iter().collect()).await.expect("it is taken");
    eventually!(write.status().sent_profiles == 1);

    let text = families(&promtext("text", &write.metrics.text()));
    let expect = [
        "pyrope_forward_refused_entries_total counter 1",
        "pyrope_write_dropped_profiles_by_reason_total counter 8",
        "pyroscope_fanout_latency histogram 14",
        "pyroscope_forwarded_entries_total counter 1",
        "pyroscope_write_dropped_bytes_total counter 1",
        "pyroscope_write_dropped_profiles_total counter 1",
        "pyroscope_write_latency histogram 42",
        "pyroscope_write_retries_total counter 1",
        "pyroscope_write_sent_bytes_total counter 1",
        "pyroscope_write_sent_profiles_total counter 1",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), expect);
    let open = families(&promtext("openmetrics", &write.metrics.openmetrics()));
    assert_eq!(open, text.replace("_total counter", " counter"));
}

/// Name, type and number of samples of each family.
fn families(read: &Json) -> String {
    let families = read["families"].as_array().expect("it is a list").iter().map(|family| {
        let text = |field: &str| family[field].as_str().unwrap_or_default().to_owned();
        let samples = family["samples"].as_array().map_or(0, Vec::len);
        format!("{} {} {samples}\n", text("name"), text("type"))
    });
    families.collect()
}
