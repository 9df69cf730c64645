pub(crate) mod server;

use lang::decode::decode_body;
use lang::eval::Scope;
use lang::source::Source;
use lang::stdlib::{Host, Stdlib};
use lang::syntax::parse_file;

use self::server::{Server, answer, redirect};
use super::*;

fn decode(text: &str) -> Result<HttpClientArguments, String> {
    let parsed = parse_file(&Source::new("", text));
    assert_eq!(parsed.diagnostics, []);
    let scope = Scope::new::<&str>(Stdlib::new(Host::default()), []);
    let body = parsed.file.body().expect("a file has a body");
    decode_body(&body, &scope).map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

#[track_caller]
fn refused(text: &str, expect: &str) {
    let error = decode(text).expect_err("it is refused");
    assert!(error.ends_with(expect), "{error}");
}

fn client(text: &str) -> Client {
    Client::new(&decode(text).expect("the arguments decode"), false).expect("it can be built")
}

fn call(url: &str) -> Call {
    let url = ServerUrl::parse(url).expect("it is a URL");
    Call { method: Method::POST, url, headers: HeaderMap::new(), body: Bytes::from_static(b"hello"), max_answer: 100 }
}

async fn send(client: &Client, url: &str) -> Result<Answer, SendError> {
    client.send(call(url), Duration::from_secs(5)).await
}

#[test]
fn arguments_that_do_not_go_together_are_refused_in_upstreams_words() {
    let once = "at most one of basic_auth, authorization, oauth2, bearer_token & bearer_token_file must be configured";
    refused("basic_auth { }\n authorization { }", once);
    refused(
        r#"bearer_token = "a"
               bearer_token_file = "b""#,
        once,
    );
    refused(
        r#"basic_auth { password = "a"
               password_file = "b" }"#,
        "at most one of basic_auth password & password_file must be configured",
    );
    refused(
        r#"authorization { credentials = "a"
               credentials_file = "b" }"#,
        "at most one of authorization credentials & credentials_file must be configured",
    );
    refused(
        r#"authorization { type = "Basic" }"#,
        r#"authorization type cannot be set to "basic", use "basic_auth" instead"#,
    );
    refused("oauth2 { }", "oauth2 client_id must be configured");
    refused(
        r#"tls_config { ca_pem = "a"
               ca_file = "b" }"#,
        "at most one of ca_pem and ca_file must be configured",
    );
    refused(
        r#"tls_config { cert_pem = "a" }"#,
        "exactly one of key_pem or key_file must be configured when a client certificate is configured",
    );
    refused(
        r#"tls_config { key_file = "a" }"#,
        "exactly one of cert_pem or cert_file must be configured when a client key is configured",
    );
    refused(r#"tls_config { min_version = "SSL3" }"#, r#"unknown TLS version: "SSL3""#);
    refused(r#"no_proxy = "a""#, "if no_proxy is configured, proxy_url must also be configured");
    refused(
        "proxy_from_environment = true\n proxy_url = \"http://a\"",
        "if proxy_from_environment is configured, proxy_url must not be configured",
    );
    refused(
        "proxy_from_environment = true\n no_proxy = \"a\"",
        "if proxy_from_environment is configured, no_proxy must not be configured",
    );
    refused(
        r#"proxy_connect_header = { "a" = ["b"] }"#,
        "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured",
    );
    refused(r#"http_headers = { "x-amz-date" = ["b"] }"#, r#"setting header "X-Amz-Date" is not allowed"#);
    refused(r#"http_headers = { "host" = ["b"] }"#, r#"setting header "Host" is not allowed"#);
}

#[test]
fn secrets_do_not_show() {
    let text = r#"
        basic_auth {
            username = "me"
            password = "hush-1"
        }
        proxy_url = "http://proxy"
        proxy_connect_header = { "a" = ["hush-2"] }
        http_headers = { "b" = ["hush-3"] }
    "#;
    let arguments = decode(text).expect("it decodes");
    assert!(!format!("{arguments:?}").contains("hush"));
    assert!(!format!("{:?}", arguments.http_headers().expect("they are headers")).contains("hush"));
}

#[tokio::test]
async fn each_way_of_authentication_sends_its_header() {
    let server = Server::start(|_| answer("200 OK", "")).await;
    for (text, expect) in [
        ("", None),
        ("basic_auth {\n username = \"me\"\n password = \"pw\"\n }", Some("Basic bWU6cHc=")),
        ("bearer_token = \"abc\"", Some("Bearer abc")),
        ("authorization { credentials = \"abc\" }", Some("Bearer abc")),
        ("authorization {\n type = \"Token\"\n credentials = \"abc\"\n }", Some("Token abc")),
    ] {
        let answer = send(&client(text), &server.url("/x")).await.expect("it answers");
        assert_eq!(answer.status, 200);
        let request = server.last();
        assert_eq!(request.header("authorization"), expect, "{text}");
        assert_eq!((request.line.as_str(), request.body.as_str()), ("POST /x HTTP/1.1", "hello"));
    }
    let own = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("mine"))]);
    let call = Call { headers: own, ..call(&server.url("/")) };
    client("bearer_token = \"abc\"").send(call, Duration::from_secs(5)).await.expect("it answers");
    assert_eq!(server.last().header("authorization"), Some("mine"));
}

#[tokio::test]
async fn secret_files_are_read_at_each_request_and_trimmed() {
    let server = Server::start(|_| answer("200 OK", "")).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let client = client(&format!("bearer_token_file = {:?}", file.to_str().unwrap()));
    let error = send(&client, &server.url("/")).await.expect_err("the file is not there");
    assert_eq!(chain(&error), format!("reading {}: No such file or directory (os error 2)", file.display()));
    for token in ["one", "two"] {
        std::fs::write(&file, format!(" {token}\n")).unwrap();
        send(&client, &server.url("/")).await.expect("it answers");
        assert_eq!(server.last().header("authorization"), Some(format!("Bearer {token}").as_str()));
    }
}

#[tokio::test]
async fn configured_headers_are_sent() {
    let server = Server::start(|_| answer("200 OK", "")).await;
    let client = client(r#"http_headers = { "X-Tenant" = ["a", "b"] }"#);
    send(&client, &server.url("/")).await.expect("it answers");
    assert_eq!(server.last().headers("x-tenant"), ["a", "b"]);
}

#[tokio::test]
async fn redirects_keep_the_request_and_the_credentials_only_for_the_same_host() {
    let other = Server::start(|_| answer("200 OK", "other")).await;
    let away = other.url("/away").replace("127.0.0.1", "localhost");
    let server = Server::start(move |request| match request.path() {
        "/same" => redirect("307 Temporary Redirect", "/here"),
        "/get" => redirect("302 Found", "here"),
        "/away" => redirect("308 Permanent Redirect", &away),
        "/loop" => redirect("307 Temporary Redirect", "/loop"),
        _ => answer("200 OK", "first"),
    })
    .await;
    let client = client("bearer_token = \"abc\"\n http_headers = { \"X-Key\" = [\"k\"] }");

    send(&client, &server.url("/same")).await.expect("it answers");
    let request = server.last();
    assert_eq!((request.line.as_str(), request.body.as_str()), ("POST /here HTTP/1.1", "hello"));
    assert_eq!((request.header("authorization"), request.header("x-key")), (Some("Bearer abc"), Some("k")));

    send(&client, &server.url("/get")).await.expect("it answers");
    assert_eq!((server.last().line.as_str(), server.last().body.as_str()), ("GET /here HTTP/1.1", ""));

    let answer = send(&client, &server.url("/away")).await.expect("it answers");
    assert_eq!(&answer.body[..], b"other");
    assert_eq!(server.last().header("authorization"), Some("Bearer abc"));
    assert_eq!((other.last().header("authorization"), other.last().header("x-key")), (None, None));

    assert_eq!(
        send(&client, &server.url("/loop")).await.expect_err("a loop").to_string(),
        "stopped after 10 redirects"
    );

    let stays = super::tests::client("follow_redirects = false");
    assert_eq!(send(&stays, &server.url("/same")).await.expect("it answers").status, 307);
}

#[tokio::test]
async fn a_proxy_gets_whole_addresses_and_its_own_credentials() {
    let proxy = Server::start(|_| answer("200 OK", "")).await;
    let client = client(&format!("proxy_url = {:?}", proxy.url("").replace("://", "://me:pw@")));
    send(&client, "http://nowhere.invalid/x").await.expect("the proxy answers");
    let request = proxy.last();
    assert_eq!(request.line, "POST http://nowhere.invalid/x HTTP/1.1");
    assert_eq!(
        (request.header("host"), request.header("proxy-authorization")),
        (Some("nowhere.invalid"), Some("Basic bWU6cHc="))
    );
}

#[tokio::test]
async fn a_proxy_is_asked_to_connect_for_tls() {
    let proxy = Server::start(|_| answer("403 Forbidden", "")).await;
    let proxied = format!("proxy_url = {:?}\n proxy_connect_header = {{ \"X-Key\" = [\"k\"] }}", proxy.url(""));
    let error = send(&client(&proxied), "https://nowhere.invalid/").await.expect_err("the proxy refuses");
    assert!(chain(&error).contains("tunnel error"), "{}", chain(&error));
    let request = proxy.last();
    assert_eq!(request.line, "CONNECT nowhere.invalid:443 HTTP/1.1");
    assert_eq!(request.header("x-key"), Some("k"));
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_sent() {
    let server = Server::start(|request| match request.path() {
        "/token" if request.header("authorization").is_some() => answer("401 Unauthorized", ""),
        "/token" => answer("200 OK", r#"{"access_token":"t0k","token_type":"bearer","expires_in":3600}"#),
        _ => answer("200 OK", ""),
    })
    .await;
    let text = format!(
        "oauth2 {{\n client_id = \"me\"\n client_secret = \"a b\"\n scopes = [\"x\", \"y\"]\n token_url = {:?}\n \
         endpoint_params = {{ audience = \"z\" }}\n}}",
        server.url("/token")
    );
    let client = client(&text);
    for _ in 0..2 {
        send(&client, &server.url("/x")).await.expect("it answers");
        assert_eq!(server.last().header("authorization"), Some("Bearer t0k"));
    }
    let requests = server.all();
    let lines: Vec<_> = requests.iter().map(|request| request.path()).collect();
    assert_eq!(lines, ["/token", "/token", "/x", "/x"]);
    assert_eq!(requests[0].header("authorization"), Some("Basic bWU6YSti"));
    assert_eq!(requests[0].body, "grant_type=client_credentials&scope=x+y&audience=z");
    assert_eq!(requests[1].body, format!("{}&client_id=me&client_secret=a+b", requests[0].body));
}

#[tokio::test]
async fn no_token_is_a_failure_that_names_the_place() {
    let server = Server::start(|_| answer("200 OK", "{}")).await;
    let text = format!(
        "oauth2 {{\n client_id = \"me\"\n client_secret = \"hush\"\n token_url = {:?}\n}}",
        server.url("/token")
    );
    let error = send(&client(&text), &server.url("/x")).await.expect_err("there is no token");
    let expect = format!("getting a token from {}: the answer has no access_token", server.url("/token"));
    assert_eq!(error.to_string(), expect);
}

#[tokio::test]
async fn a_long_answer_is_cut_off() {
    let server = Server::start(|_| answer("400 Bad Request", &"x".repeat(1 << 20))).await;
    let answer = send(&client(""), &server.url("/")).await.expect("it answers");
    assert_eq!((answer.status.as_u16(), answer.body.len()), (400, 100));
}

#[tokio::test]
async fn what_takes_too_long_ends_in_time() {
    let server = Server::start(|_| String::new()).await;
    let error = client("").send(call(&server.url("/")), Duration::from_millis(50)).await.expect_err("it hangs");
    assert_eq!(error.to_string(), "no answer within 50ms");
}

#[tokio::test]
async fn a_download_is_written_as_it_comes_up_to_its_size() {
    let server = Server::start(|seen| match seen.path() {
        "/file" => b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n\x7f\xff\0\n".to_vec(),
        "/moved" => redirect("302 Found", "/file").into_bytes(),
        "/half" => b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec(),
        "/endless" => b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n".to_vec(),
        "/silent" => Vec::new(),
        _ => answer("404 Not Found", "there is none").into_bytes(),
    })
    .await;
    let patience = Patience { silence: Duration::from_millis(200), whole: Duration::from_secs(5) };
    let check = async |path: &str, max_answer, expect: Result<u16, &str>, body: &[u8]| {
        let mut written = Vec::new();
        let call = Call { method: Method::GET, body: Bytes::new(), max_answer, ..call(&server.url(path)) };
        let answer = client("").download(call, patience, &mut written).await;
        let status = answer.map(|answer| answer.status.as_u16()).map_err(|error| error.to_string());
        assert_eq!(status.as_ref().map_err(String::as_str), expect.as_ref().map_err(|error| *error), "{path}");
        assert_eq!(written, body, "{path}");
    };
    check("/file", 4, Ok(200), b"\x7f\xff\0\n").await;
    check("/moved", 4, Ok(200), b"\x7f\xff\0\n").await;
    check("/file", 3, Err("the answer has more than 3 bytes"), b"").await;
    check("/endless", 5, Err("the answer has more than 5 bytes"), b"abc").await;
    check("/half", 9, Err("no answer within 200ms"), b"half").await;
    check("/silent", 9, Err("no answer within 200ms"), b"").await;
    check("/none", 4, Ok(404), b"").await;
}

mod tls {
    use super::*;

    fn file(name: &str) -> String {
        format!("{:?}", format!("{}/src/http_client/testdata/{name}", env!("CARGO_MANIFEST_DIR")))
    }

    async fn outcome(server: &Server, text: &str) -> String {
        match send(&client(text), &server.url("/").replace("http:", "https:")).await {
            Ok(answer) => answer.status.to_string(),
            Err(error) => chain(&error),
        }
    }

    #[tokio::test]
    async fn servers_are_checked_against_the_ca_and_the_name() {
        let server = Server::start_tls(false, |_| answer("200 OK", "")).await;
        let ca = format!("ca_file = {}", file("ca.pem"));
        let named = format!("tls_config {{\n {ca}\n server_name = \"test.local\"\n}}");
        assert_eq!(outcome(&server, &named).await, "200 OK");
        let tls13 = format!("tls_config {{\n {ca}\n server_name = \"test.local\"\n min_version = \"TLS13\"\n}}");
        assert_eq!(outcome(&server, &tls13).await, "200 OK");

        let unnamed = outcome(&server, &format!("tls_config {{ {ca} }}")).await;
        assert!(unnamed.contains("certificate not valid for name"), "{unnamed}");
        let system = outcome(&server, "").await;
        assert!(system.contains("UnknownIssuer") || system.contains("ca-certificates"), "{system}");
        assert_eq!(outcome(&server, "tls_config { insecure_skip_verify = true }").await, "200 OK");
    }

    #[tokio::test]
    async fn a_client_shows_its_certificate() {
        let server = Server::start_tls(true, |_| answer("200 OK", "")).await;
        let common = format!("ca_file = {}\n server_name = \"test.local\"", file("ca.pem"));
        let with = format!(
            "tls_config {{\n {common}\n cert_file = {}\n key_file = {}\n}}",
            file("client.pem"),
            file("client.key")
        );
        assert_eq!(outcome(&server, &with).await, "200 OK");
        assert_ne!(outcome(&server, &format!("tls_config {{\n {common}\n}}")).await, "200 OK");
    }

    #[tokio::test]
    async fn what_is_no_certificate_is_named() {
        let text = format!("tls_config {{ ca_file = {} }}", file("make.sh"));
        let arguments = decode(&text).expect("it decodes");
        let Err(error) = Client::new(&arguments, true) else { panic!("it is no certificate") };
        assert!(error.to_string().ends_with("make.sh holds no PEM of the kind that is needed there"), "{error}");
    }
}
