//! Compiles `proto/` to Rust without protoc: protox makes the descriptors, connectrpc-build the code.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

const FILES: [&str; 4] =
    ["types/v1/types.proto", "push/v1/push.proto", "google/v1/profile.proto", "querier/v1/querier.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let descriptors = out.join("descriptors.bin");
    let set = protox::Compiler::new(["proto"])?
        .include_source_info(true)
        .include_imports(true)
        .open_files(FILES)?
        .encode_file_descriptor_set();
    fs::write(&descriptors, set)?;
    connectrpc_build::Config::new()
        .files(&FILES)
        .descriptor_set(&descriptors)
        .emit_rerun_directives(false)
        .include_file("_connectrpc.rs")
        .compile()?;
    Ok(())
}
