//! A file system of one folder that this process answers for, and can leave without an answer.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use tempfile::TempDir;

/// What is asked, as `linux/fuse.h` numbers it.
const LOOKUP: u32 = 1;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const STATFS: u32 = 17;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const OPENDIR: u32 = 27;
const RELEASEDIR: u32 = 29;
/// Questions that want no answer.
const UNANSWERED: [u32; 3] = [2, 36, 42];

const ROOT: u64 = 1;
/// Each read is asked of us: nothing is kept by the kernel.
const DIRECT: u32 = 1;

/// A file: what it holds, and where reads of it hang once all are told to.
pub struct Served {
    pub name: String,
    pub bytes: Vec<u8>,
    pub hangs: Vec<Range<u64>>,
}

/// The file system; ends with all that waits for it when this drops.
pub struct Fuse {
    folder: TempDir,
    hang: Arc<AtomicBool>,
    /// Its descriptor is the only one but that of the thread, which ends when the file system does.
    _device: Arc<File>,
}

impl Fuse {
    /// Mounts it.
    pub fn serve(files: Vec<Served>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let device = Arc::new(File::options().read(true).write(true).open("/dev/fuse").unwrap());
        let options = format!("fd={},rootmode=40000,user_id=0,group_id=0,allow_other", device.as_raw_fd());
        let options = std::ffi::CString::new(options).unwrap();
        mount("e2e", folder.path(), "fuse", MountFlags::empty(), Some(&*options)).unwrap();
        let hang = Arc::new(AtomicBool::new(false));
        let server = Server { device: Arc::clone(&device), files, hang: Arc::clone(&hang) };
        thread::Builder::new().name("fuse".into()).spawn(move || server.run()).unwrap();
        Self { folder, hang, _device: device }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// From now on reads of some places are not answered, and no file is closed.
    pub fn hang(&self) {
        self.hang.store(true, Relaxed);
    }
}

impl Drop for Fuse {
    fn drop(&mut self) {
        // The last one who has it open ends what waits for an answer.
        unmount(self.folder.path(), UnmountFlags::FORCE | UnmountFlags::DETACH).unwrap();
    }
}

struct Server {
    device: Arc<File>,
    files: Vec<Served>,
    hang: Arc<AtomicBool>,
}

/// A question: what, its number, about which file, and the rest.
struct Asked<'a> {
    what: u32,
    unique: u64,
    node: u64,
    rest: &'a [u8],
}

fn number(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

impl Server {
    fn run(self) {
        let mut buffer = vec![0; 1 << 20];
        // It fails once the file system is gone.
        while let Ok(length) = (&*self.device).read(&mut buffer) {
            let bytes = &buffer[..length];
            let what = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
            let asked = Asked { what, unique: number(bytes, 8), node: number(bytes, 16), rest: &bytes[40..] };
            if UNANSWERED.contains(&what) {
                continue;
            }
            let Some(answer) = self.answer(&asked) else { continue };
            let (error, body) = match answer {
                Ok(body) => (0, body),
                Err(error) => (-error, Vec::new()),
            };
            let mut reply = words(&[16 + body.len() as u32, error as u32]);
            reply.extend_from_slice(&asked.unique.to_le_bytes());
            reply.extend_from_slice(&body);
            // Who asked may have been killed.
            _ = (&*self.device).write(&reply);
        }
    }

    /// Nothing where there is to be no answer.
    fn answer(&self, asked: &Asked<'_>) -> Option<Result<Vec<u8>, i32>> {
        let hang = self.hang.load(Relaxed);
        let file = self.files.get((asked.node.wrapping_sub(ROOT + 1)) as usize);
        Some(match asked.what {
            // Version 7.31, nothing ahead, answers of 128 KiB.
            INIT => Ok(words(&[7, 31, 0, 0, 0, 128 << 10, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
            LOOKUP => {
                let name = asked.rest.split(|&byte| byte == 0).next().unwrap_or_default();
                match self.files.iter().position(|file| file.name.as_bytes() == name) {
                    Some(at) => {
                        let node = ROOT + 1 + at as u64;
                        let mut entry = [node, 0, 3600, 3600].map(u64::to_le_bytes).as_flattened().to_vec();
                        entry.extend(words(&[0, 0]));
                        entry.extend(self.attributes(node));
                        Ok(entry)
                    }
                    None => Err(libc::ENOENT),
                }
            }
            GETATTR => {
                let mut attributes = 3600_u64.to_le_bytes().to_vec();
                attributes.extend(words(&[0, 0]));
                attributes.extend(self.attributes(asked.node));
                Ok(attributes)
            }
            OPEN | OPENDIR => Ok(words(&[0, 0, if asked.what == OPEN { DIRECT } else { 0 }, 0])),
            RELEASE | RELEASEDIR => Ok(Vec::new()),
            STATFS => Ok(words(&[0; 20])),
            FLUSH if hang => return None,
            FLUSH => Ok(Vec::new()),
            READ => {
                let file = file?;
                let (from, size) = (number(asked.rest, 8), number(asked.rest, 16) & 0xffff_ffff);
                let to = (from + size).min(file.bytes.len() as u64);
                if hang && file.hangs.iter().any(|range| range.start < to && from < range.end) {
                    return None;
                }
                Ok(file.bytes.get(from as usize..to as usize).unwrap_or_default().to_vec())
            }
            _ => Err(libc::ENOSYS),
        })
    }

    fn attributes(&self, node: u64) -> Vec<u8> {
        let file = self.files.get((node.wrapping_sub(ROOT + 1)) as usize);
        let size = file.map_or(0, |file| file.bytes.len() as u64);
        let mode = if file.is_some() { libc::S_IFREG | 0o755 } else { libc::S_IFDIR | 0o755 };
        let mut attributes: Vec<u8> =
            [node, size, size.div_ceil(512), 0, 0, 0].iter().flat_map(|value| value.to_le_bytes()).collect();
        attributes.extend(words(&[0, 0, 0, mode, 1, 0, 0, 0, 4096, 0]));
        attributes
    }
}
