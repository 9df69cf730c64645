//! The page and the query API over a store in a folder: `cargo run -p pyrope-web --example page -- FOLDER [ADDRESS]`.
//!
//! A folder without profiles is filled with a quarter of an hour of made-up ones.
#![expect(clippy::print_stdout, reason = "prints where it listens")]

use std::error::Error;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use profile::{Function, Line, LocationId, Mapping, Profile, ProfileBuilder, ProfileType};
use pyrope_web::{Access, Backend, Reload, serve};
use store::{Config, Interval, Store};

struct Demo(Store);

impl Backend for Demo {
    fn store(&self, name: Option<&str>) -> Option<(String, Store)> {
        name.is_none_or(|name| name == "demo").then(|| ("demo".to_owned(), self.0.clone()))
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn unhealthy(&self) -> Vec<String> {
        Vec::new()
    }

    fn reload(&self) -> Reload {
        Box::pin(async { Err("this server has no configuration".to_owned()) })
    }

    fn metrics(&self) -> String {
        String::new()
    }

    fn open_metrics(&self) -> String {
        "# EOF\n".to_owned()
    }

    fn status(&self) -> serde_json::Value {
        serde_json::json!({ "version": "demo" })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let path = PathBuf::from(args.next().ok_or("say which folder")?);
    let address = args.next().unwrap_or_else(|| "127.0.0.1:12345".to_owned());
    let store = Store::open(Config {
        path,
        max_age: Duration::from_secs(7 * 24 * 3600),
        max_bytes: 2 << 30,
        min_free_bytes: 0,
        partition: Duration::from_secs(6 * 3600),
    })?;
    if store.stats().windows == 0 {
        fill(&store)?;
    }
    let listener = TcpListener::bind(address)?;
    let access = Access::new(listener.local_addr()?, None, false);
    let server = serve(listener, access, Arc::new(Demo(store)))?;
    println!("http://{}", server.address());
    loop {
        std::thread::park();
    }
}

fn fill(store: &Store) -> Result<(), Box<dyn Error>> {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let mut state = 1_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    for number in 0..60 {
        let time = now - (60 - number) * 15_000;
        let profiles: Vec<Arc<Profile>> = ["cart", "catalog", "database"]
            .iter()
            .map(|service| Arc::new(made_up(service, time, &mut random)))
            .collect();
        store.append(Interval { source: 1, number: number as u64 }, &profiles)?;
    }
    Ok(())
}

/// Three hundred random walks down a tree of functions, some of which end in the kernel or at an unknown place.
fn made_up(service: &str, time_ms: i64, random: &mut impl FnMut(u64) -> u64) -> Profile {
    let mut builder = ProfileBuilder::new();
    builder.interval(time_ms * 1_000_000, 15_000_000_000).period(10_309_278);
    let mut mapping = |start: u64, filename: &str| {
        builder.mapping(&Mapping {
            memory_start: start,
            memory_limit: start + 0x100_0000,
            file_offset: 0,
            filename: filename.into(),
            build_id: "5f1e".into(),
            has_functions: true,
            has_filenames: true,
            has_line_numbers: true,
            has_inline_frames: false,
        })
    };
    let binary = mapping(0x40_0000, &format!("/usr/bin/{service}"));
    let kernel = mapping(0xffff_ffff_8100_0000, "vmlinux");
    let system_call = builder.function(&Function::named("do_syscall_64"));
    let system_call = Line { function: system_call, line: 0 };
    let system_call = builder.location(Some(kernel), 0xffff_ffff_8100_1000, &[system_call]);
    for _ in 0..300 {
        let mut id = 0;
        let mut stack: Vec<LocationId> = Vec::new();
        for _ in 0..3 + random(12) {
            let name = format!("{service}::module_{}::function_{id}", id % 7);
            let filename = format!("src/module_{}.rs", id % 7);
            let function =
                Function { name: name.into(), system_name: "".into(), filename: filename.into(), start_line: 10 };
            let line = Line { function: builder.function(&function), line: 10 + (id % 90) as i64 };
            stack.push(builder.location(Some(binary), 0x40_0000 + id * 16, &[line]));
            id = (id * 3 + random(3) + 1) % 400;
        }
        match random(6) {
            0 => stack.push(system_call),
            1 => stack.push(builder.location(Some(binary), 0x40_0000 + random(1000), &[])),
            _ => {}
        }
        stack.reverse();
        builder.add(&stack, 10_309_278);
    }
    let labels = [("service_name", service), ("user", "root")];
    builder.finish(labels.into_iter().collect(), ProfileType::cpu("process_cpu"))
}
