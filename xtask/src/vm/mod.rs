//! `cargo xtask vm [KERNEL…]`: pyrope on other kernels than this machine's, each in a virtual machine.
//!
//! ```text
//!  kernels: a package of Debian's ──▶ vmlinuz ─┐
//!  initrd: busybox, pyrope, its libraries,     ├─▶ boot: QEMU ──▶ answers: lines of the second serial line ──▶ verdict
//!          programs with known stacks, guest/ ─┘
//! ```
//!
//! The machine is emulated, so that any host does and no right is needed; it is slow, and says nothing about cost. What is
//! fetched and made lies below `target/vm` and is used again; delete it to fetch newer kernels.

mod answers;
mod boot;
mod initrd;
mod kernels;
mod verdict;

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::Context as _;

use answers::Answers;
use kernels::Kernel;
use verdict::Verdict;

/// The programs that run in the machine.
const PROGRAMS: &[&str] = &["c-recurse", "c-deep", "c-syscalls", "c-dlopen", "c-recurse-bare", "c-signals-bare"];

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A version that a Debian release has (5.10, 6.1, 6.12, 7.2), with a flavour if not `cloud` (6.12-rt), or the file of a
    /// kernel
    #[arg(value_name = "KERNEL", default_values = ["5.10", "6.1", "6.12", "7.2"])]
    kernels: Vec<Kernel>,
    /// Seconds that a machine may take
    #[arg(long, default_value_t = 600)]
    timeout: u64,
}

/// Boots each kernel and prints what came of it; true when all is well on all of them.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let folder = env::var_os("CARGO_TARGET_DIR").map_or_else(|| e2e::root().join("target"), PathBuf::from).join("vm");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let initrd = folder.join("initrd");
    fs::write(&initrd, initrd::make()?).with_context(|| format!("cannot write {}", initrd.display()))?;
    let mut failed = Vec::new();
    for kernel in &arguments.kernels {
        let began = Instant::now();
        let image = kernels::image(kernel, &folder)?;
        let machine = boot::Machine { image: &image, initrd: &initrd, folder: &folder.join(kernel.folder()) };
        let lines = machine.run(Duration::from_secs(arguments.timeout))?;
        let answers = Answers::parse(&lines);
        let verdict = Verdict::of(&answers);
        println!("{kernel}: {} after {} s", verdict.word(), began.elapsed().as_secs());
        print!("{verdict}");
        if !verdict.faults.is_empty() {
            println!("  what it said is in {}", machine.folder.display());
            failed.push(kernel.to_string());
        }
    }
    match failed.as_slice() {
        [] => println!("{} kernels, all well", arguments.kernels.len()),
        failed => println!("failed: {}", failed.join(", ")),
    }
    Ok(failed.is_empty())
}
