//! Prints what reading every process costs: `cargo run --release -p pyrope-inspect --example scan`.
#![expect(clippy::print_stdout, reason = "printing is its purpose")]

use std::time::Instant;

use pyrope_inspect::{Missing, Proc, Wanted, maps};

fn main() -> Result<(), Missing> {
    let mut proc = Proc::open()?;
    println!("{:?}", proc.visibility());
    for (what, wanted) in
        [("base", Wanted::BASE), ("exe and cgroup", Wanted::EXE | Wanted::CGROUP), ("all", Wanted::ALL)]
    {
        let start = Instant::now();
        let processes = proc.processes()?;
        let found = processes.iter().filter(|&&tgid| proc.facts(tgid, wanted).is_ok()).count();
        let each = start.elapsed().as_nanos() as usize / found.max(1);
        println!("{what}: {found} of {} processes, {each} ns each", processes.len());
    }
    let start = Instant::now();
    let (mut code, mut bytes) = (0, 0);
    for tgid in proc.processes()? {
        let Ok(text) = proc.maps(tgid) else { continue };
        bytes += text.len();
        code += maps::executable(text).count();
    }
    println!("maps: {code} mappings of code in {bytes} bytes, {} µs in all", start.elapsed().as_micros());
    Ok(())
}
