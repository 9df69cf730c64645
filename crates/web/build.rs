//! Packs `ui/` into the binary: each file compressed, with its type and a tag of its content.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=ui");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    let folder = Path::new("ui");
    let mut files = Vec::new();
    collect(folder, &mut files)?;
    let name = |file: &PathBuf| -> Result<String, Box<dyn Error>> {
        Ok(file.strip_prefix(folder)?.to_str().ok_or("a file name in ui/ is not UTF-8")?.to_owned())
    };
    let mut files =
        files.into_iter().map(|file| Ok((name(&file)?, file))).collect::<Result<Vec<_>, Box<dyn Error>>>()?;
    // As text, because that is how a request's path is compared; a path is compared by its parts.
    files.sort();
    let mut table = String::from("&[\n");
    for (at, (name, file)) in files.iter().enumerate() {
        let bytes = fs::read(file)?;
        let packed = out.join(format!("asset-{at}.gz"));
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&bytes)?;
        fs::write(&packed, encoder.finish()?)?;
        let mut hasher = DefaultHasher::new();
        hasher.write(&bytes);
        writeln!(
            table,
            "    Asset {{ path: {name:?}, content_type: {:?}, etag: \"\\\"{:016x}\\\"\", gzip: include_bytes!({:?}) }},",
            content_type(file)?,
            hasher.finish(),
            packed,
        )?;
    }
    table.push(']');
    fs::write(out.join("assets.rs"), table)?;
    Ok(())
}

/// All files below `folder` but hidden ones and notes.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') || name.ends_with(".md") {
            continue;
        }
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn content_type(file: &Path) -> Result<&'static str, Box<dyn Error>> {
    Ok(match file.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => return Err(format!("no content type is known for {}", file.display()).into()),
    })
}
