//! Debug information that is not on the host, from a server on loopback.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::mpsc::{self, Receiver};

use e2e::wait::until;
use e2e::{Agent, Workload, peer};

const SOURCE: &str = r#"
#include <stdio.h>
volatile unsigned long sum;
__attribute__((noinline)) static void quiet_loop(void) { for (unsigned at = 0; at < 1000000; at++) sum += at; }
int main(void) {
    puts("ready");
    fflush(stdout);
    for (int round = 0; round < 100000; round++) quiet_loop();
    return 0;
}
"#;

/// Answers each path with what `reply` gives, or with 404. What it was asked comes out of the other end.
fn serve(reply: impl Fn(&str) -> Option<Vec<u8>> + Send + 'static) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = format!("http://{}", listener.local_addr().expect("it has an address"));
    let (asked, paths) = mpsc::sync_channel(4096);
    let answer = move |mut stream: TcpStream| -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        while reader.read_line(&mut line)? > 2 {}
        let (status, body) = reply(&path).map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
        asked.try_send(path).map_err(io::Error::other)?;
        let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), &body].concat())
    };
    // Who asked may have gone; the next one is answered all the same.
    let run = move || listener.incoming().flatten().for_each(|stream| _ = answer(stream));
    std::thread::Builder::new().name("server".into()).spawn(run).expect("a thread starts");
    (address, paths)
}

#[test]
fn a_stripped_program_has_names_once_the_server_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let run = |program: &str, arguments: &[&str]| {
        assert!(Command::new(program).args(arguments).current_dir(&folder).status().unwrap().success(), "{program}");
    };
    std::fs::write(folder.path().join("quiet.c"), SOURCE).unwrap();
    run("cc", &["-g", "-O1", "-Wl,--build-id=0x0123456789abcdef0123456789abcdef01234567", "-o", "quiet", "quiet.c"]);
    run("objcopy", &["--only-keep-debug", "quiet", "debug"]);
    run("objcopy", &["--strip-all", "quiet"]);
    let debug = std::fs::read(folder.path().join("debug")).unwrap();
    let wanted = "/buildid/0123456789abcdef0123456789abcdef01234567/debuginfo";
    let (url, paths) = serve(move |path| (path == wanted).then(|| debug.clone()));
    let workload = Workload::start_file(&folder.path().join("quiet"), &[]);
    let flame_graph = |agent: &Agent| {
        let output = Command::new(peer::binary())
            .args(["query", "--protocol", "connect", "--url", &format!("http://{}", agent.address)])
            .args(["--selector", r#"{service_name="quiet"}"#, "flamegraph"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };

    // Without the flag nobody is asked, whatever the environment says.
    let agent = Agent::with(None, &[], &[("DEBUGINFOD_URLS", &url)]);
    until("the program is sampled", 20, || flame_graph(&agent).contains("quiet!0x").then_some(()));
    assert!(!flame_graph(&agent).contains("quiet_loop"));
    agent.stop();
    assert!(paths.try_recv().is_err());

    let agent = Agent::with(None, &[&format!("--debuginfod.url={url}")], &[]);
    until("the flame graph names the function", 40, || flame_graph(&agent).contains("quiet_loop").then_some(()));
    assert_eq!(agent.metric("pyrope_debuginfod_requests_total", "found"), Some(1.0));
    let kept = agent.folder().join("data/debuginfod/0123456789abcdef0123456789abcdef01234567.debug");
    assert!(kept.exists());
    agent.stop();
    drop(workload);
    let all: Vec<String> = paths.try_iter().collect();
    assert!(all.iter().all(|path| path.starts_with("/buildid/") && path.ends_with("/debuginfo")), "{all:#?}");
    assert_eq!(all.iter().filter(|path| *path == wanted).count(), 1);
}
