//! Programs as Debian ships them, and what keeps each busy.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::Folders;
use super::load::{ENDS_AFTER, Group, Postgres, group};

/// A program, or a few that work together.
pub(super) struct Program {
    pub(super) name: &'static str,
    /// A pattern of the paths of what runs.
    pub(super) paths: &'static str,
    /// What the threads are called, as far as the kernel keeps names.
    pub(super) threads: &'static [&'static str],
    pub(super) start: fn(&Folders) -> anyhow::Result<Running>,
}

/// A load that runs; the order of the fields is the order in which it ends.
pub(super) struct Running {
    _clients: Vec<Group>,
    _server: Option<Postgres>,
}

impl Running {
    fn of(groups: Vec<Group>) -> Self {
        Self { _clients: groups, _server: None }
    }
}

pub(super) const PROGRAMS: &[Program] = &[
    Program { name: "postgres", paths: ".*/postgres", threads: &["postgres"], start: postgres },
    Program {
        name: "redis",
        paths: ".*/redis-(check-rdb|server)",
        threads: &["redis-server", "bio_", "jemalloc_bg", "io_thd_"],
        start: redis,
    },
    Program { name: "nginx", paths: ".*/nginx", threads: &["nginx"], start: nginx },
    Program { name: "gcc", paths: ".*/(cc1plus|as)", threads: &["cc1plus", "as"], start: gcc },
    Program { name: "python3", paths: ".*/python3[.0-9]*", threads: &["python3"], start: python },
    Program { name: "sqlite3", paths: ".*/sqlite3", threads: &["sqlite3"], start: sqlite },
    Program { name: "openssl", paths: ".*/openssl", threads: &["openssl"], start: openssl },
    Program { name: "x264", paths: ".*/x264", threads: &["x264"], start: x264 },
];

fn postgres(folders: &Folders) -> anyhow::Result<Running> {
    let server = Postgres::start(folders)?;
    Ok(Running { _clients: vec![server.bench()?], _server: Some(server) })
}

fn redis(folders: &Folders) -> anyhow::Result<Running> {
    let folder = folders.scratch("redis")?;
    let socket = folder.join("socket");
    let mut server = Command::new("redis-server");
    server.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]).arg(&socket).current_dir(&folder);
    let mut client = again(
        "redis-benchmark -q -s socket -n 200000 -P 16 -r 100000 -t set,get,incr,lpush,lrange_300,zadd,hset,spop,mset",
    );
    client.current_dir(&folder);
    let server = group(&mut server)?;
    wait_for(&socket)?;
    Ok(Running::of(vec![group(&mut client)?, server]))
}

fn nginx(folders: &Folders) -> anyhow::Result<Running> {
    let folder = folders.scratch("nginx")?;
    fs::write(folder.join("page.html"), "<p>a page of some size</p>\n".repeat(400))?;
    fs::write(
        folder.join("nginx.conf"),
        "user root; worker_processes 1; daemon off; pid pid; error_log error.log;\n\
         events { worker_connections 256; }\n\
         http { access_log off; gzip on; server { listen 127.0.0.1:18080; root .; } }\n",
    )?;
    let mut server = Command::new("/usr/sbin/nginx");
    server.arg("-p").arg(&folder).args(["-c", "nginx.conf"]).current_dir(&folder);
    let server = group(&mut server)?;
    wait_for(&folder.join("pid"))?;
    let mut client = Command::new("wrk");
    client.args(["-t1", "-c32", "-d", ENDS_AFTER, "-H", "Accept-Encoding: gzip", "http://127.0.0.1:18080/page.html"]);
    Ok(Running::of(vec![group(&mut client)?, server]))
}

fn gcc(folders: &Folders) -> anyhow::Result<Running> {
    let mut make = again("rm -rf objects; make -s -k -f tree.mk -j2");
    make.current_dir(folders.tree()?);
    Ok(Running::of(vec![group(&mut make)?]))
}

fn python(folders: &Folders) -> anyhow::Result<Running> {
    let script = folders.scratch("python")?.join("load.py");
    fs::write(&script, include_str!("../../bench/programs/load.py"))?;
    Ok(Running::of(vec![group(Command::new("timeout").args([ENDS_AFTER, "/usr/bin/python3"]).arg(script))?]))
}

fn sqlite(folders: &Folders) -> anyhow::Result<Running> {
    let folder = folders.scratch("sqlite")?;
    fs::write(folder.join("load.sql"), include_str!("../../bench/programs/load.sql").repeat(20))?;
    let mut shell = again("sqlite3 :memory: <load.sql");
    shell.current_dir(&folder);
    Ok(Running::of(vec![group(&mut shell)?]))
}

fn openssl(_: &Folders) -> anyhow::Result<Running> {
    let speed = "openssl speed -seconds 1 -bytes 8192 aes-256-cbc sha256 sha512 md5 rsa2048 ecdsap256 ecdhx25519 ghash; \
                 openssl speed -seconds 1 -bytes 8192 -evp chacha20-poly1305";
    Ok(Running::of(vec![group(&mut again(speed))?]))
}

fn x264(folders: &Folders) -> anyhow::Result<Running> {
    let folder = folders.scratch("x264")?;
    fs::write(folder.join("film.yuv"), film(320, 240, 60))?;
    let mut encoder =
        again("x264 --quiet --threads 2 --demuxer raw --input-res 320x240 --fps 25 -o /dev/null film.yuv");
    encoder.current_dir(&folder);
    Ok(Running::of(vec![group(&mut encoder)?]))
}

/// Frames of a pattern that moves, with noise: Y, then U and V of a quarter of its size.
fn film(width: u32, height: u32, frames: u32) -> Vec<u8> {
    let mut noise = 1_u32;
    let mut film = Vec::new();
    for frame in 0..frames {
        for (width, height) in [(width, height), (width / 2, height / 2), (width / 2, height / 2)] {
            for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
                noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                film.push((((x + 3 * frame) ^ (y + frame)) as u8 & 0xf0) + (noise >> 28) as u8);
            }
        }
    }
    film
}

/// A shell that runs a command over and over.
fn again(command: &str) -> Command {
    let mut shell = Command::new("timeout");
    shell.args([ENDS_AFTER, "sh", "-c", &format!("while :; do {command} || sleep 1; done")]);
    shell
}

fn wait_for(file: &Path) -> anyhow::Result<()> {
    for _ in 0..100 {
        if file.exists() {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    anyhow::bail!("{} did not appear within 5 s", file.display())
}
