//! Opens files as another process sees them.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::maps::{Avma, Device, Maps};
use crate::process::Missing;

use super::backing::Backing;
use super::{Proc, read};

/// Only a place in the file system: to open a pipe or a device for reading can have effects.
const PLACE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// A file that stands behind a mapping. It stays readable when the process ends or the file loses its name.
#[derive(Debug)]
pub struct MappedFile {
    /// Open for reading.
    pub file: File,
    /// Its path as the process's mount namespace names it; ` (deleted)` is kept.
    pub path: PathBuf,
    /// Which file it is and in what state.
    pub identity: Identity,
    /// How sure we are that it is the one that was mapped.
    pub reached: Reached,
    /// Who answers when it is read.
    pub backing: Backing,
}

/// What tells two files, or two states of one file, apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Identity {
    /// The device as `stat` says it, which on btrfs and overlayfs need not be the one in the maps.
    pub device: Device,
    /// The inode.
    pub inode: u64,
    /// How many bytes it has.
    pub size: u64,
    /// When it was last written, in nanoseconds since 1970.
    pub modified: i128,
    /// When it, its names or its rights last changed, in nanoseconds since 1970.
    pub changed: i128,
    /// Tells it from earlier files with the same inode, where its file system says it: ext4, XFS and btrfs do.
    pub generation: Option<u32>,
}

/// Types of file systems whose files are the kernel's answers, as `linux/magic.h` numbers them. To read one can wait for ever
/// or use up what is in it, as with `/proc/kmsg`. All that is sought here is on disks and in memory.
const KERNEL_FILES: [u32; 26] = [
    0x9fa0,      // proc
    0x6265_6572, // sysfs
    0x7472_6163, // tracefs
    0x6462_6720, // debugfs
    0x7363_6673, // securityfs
    0x6265_6570, // configfs
    0xf97c_ff8c, // selinuxfs
    0x4341_5d53, // smackfs
    0x5a3c_69f0, // apparmorfs
    0x0027_e0eb, // cgroup
    0x6367_7270, // cgroup2
    0x0765_5821, // resctrl
    0xcafe_4a11, // bpf
    0x6165_676c, // pstore
    0xde5e_81e4, // efivarfs
    0x1cd1,      // devpts
    0x4249_4e4d, // binfmt_misc
    0x6573_5543, // fusectl
    0x6c6f_6f70, // binder
    0x6e73_6673, // nsfs
    0x5049_4446, // pidfs
    0x0904_1934, // anonymous inodes
    0x1980_0202, // mqueue
    0x6e66_7364, // nfsd
    0x6759_6969, // rpc_pipefs
    0xabba_1974, // xenfs
];

/// The way to a mapped file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reached {
    /// Through `/proc/PID/map_files`: it is the mapped file, whatever happened to its name.
    MapFiles,
    /// By its path under `/proc/PID/root`, where a file with the same inode was found.
    Path {
        /// False when the device is not the one in the maps, which is normal on btrfs and overlayfs.
        same_device: bool,
    },
}

/// Why a file could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The address is not, or no longer, mapped.
    #[error("nothing is mapped at {:#x} of process {tgid}", address.0)]
    NotMapped {
        /// The process.
        tgid: u32,
        /// Where the mapping was said to start.
        address: Avma,
    },
    /// The mapping is memory, or code of the kernel.
    #[error("no file is behind the mapping at {:#x} of process {tgid}", address.0)]
    NoFile {
        /// The process.
        tgid: u32,
        /// Where the mapping starts.
        address: Avma,
    },
    /// The file has no name any more and `map_files` is closed to us.
    #[error("{} is deleted and /proc/{tgid}/map_files needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE", path.display())]
    Deleted {
        /// The process.
        tgid: u32,
        /// The last name of the file.
        path: PathBuf,
    },
    /// There is no file of that name.
    #[error("process {tgid} has no file {}", path.display())]
    Absent {
        /// The process.
        tgid: u32,
        /// The name.
        path: PathBuf,
    },
    /// Another file has taken the name.
    #[error("{} of process {tgid} is another file now", path.display())]
    Replaced {
        /// The process.
        tgid: u32,
        /// The name.
        path: PathBuf,
    },
    /// A pipe, a device, a directory, or one of the files in which the kernel tells of itself.
    #[error("{} of process {tgid} is not a regular file", path.display())]
    NotRegular {
        /// The process.
        tgid: u32,
        /// The name.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot open {} of process {tgid}", path.display())]
    Refused {
        /// The process.
        tgid: u32,
        /// What was opened, as far as known.
        path: PathBuf,
        /// Why.
        #[source]
        reason: Missing,
    },
}

impl Proc {
    /// Opens the file behind the mapping at `start`..`end`.
    ///
    /// `map_files` is asked first. When it is closed to us (it takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE), or the
    /// mapping has been split since it was seen, the maps are read again and the path under the process's root is tried; a
    /// file with another inode is refused. The open may block for as long as a FUSE file system likes.
    pub fn open_mapped(&mut self, tgid: u32, start: Avma, end: Avma) -> Result<MappedFile, OpenError> {
        let refused = |path: &Path, reason: Missing| OpenError::Refused { tgid, path: path.to_owned(), reason };
        let directory = self.living_directory(tgid).map_err(|reason| refused(Path::new(""), reason))?;
        let directory = directory.as_fd();

        let first = match open_map_file(directory, start, end) {
            Ok((file, path)) => return finish(tgid, file, path, Reached::MapFiles),
            Err(errno) => errno,
        };
        let text = read(directory, "maps", &mut self.buffer).map_err(|reason| refused(Path::new(""), reason))?;
        let mapping =
            Maps::new(text).find(|m| m.contains(start)).ok_or(OpenError::NotMapped { tgid, address: start })?;
        if !mapping.is_file() {
            return Err(OpenError::NoFile { tgid, address: start });
        }
        if first == Errno::NOENT
            && let Ok((file, path)) = open_map_file(directory, mapping.start, mapping.end)
        {
            return finish(tgid, file, path, Reached::MapFiles);
        }
        let bytes = mapping.path();
        let path = Path::new(std::ffi::OsStr::from_bytes(&bytes)).to_owned();
        if mapping.is_deleted() {
            return Err(OpenError::Deleted { tgid, path });
        }
        let file = open_under_root(directory, &path).map_err(|errno| by_path(tgid, &path, errno))?;
        let (device, inode) = (mapping.device, mapping.inode);
        let found = finish(tgid, file, path, Reached::Path { same_device: true })?;
        if found.identity.inode != inode {
            return Err(OpenError::Replaced { tgid, path: found.path });
        }
        Ok(MappedFile { reached: Reached::Path { same_device: found.identity.device == device }, ..found })
    }

    /// Opens a file by a path of the process's own mount namespace, as `/tmp/perf-7.map`.
    ///
    /// Symbolic links are followed inside that namespace only, and only a regular file is opened.
    pub fn open_root_relative(&mut self, tgid: u32, path: &Path) -> Result<MappedFile, OpenError> {
        let refused = |reason| OpenError::Refused { tgid, path: path.to_owned(), reason };
        let directory = self.living_directory(tgid).map_err(refused)?;
        let file = open_under_root(directory.as_fd(), path).map_err(|errno| by_path(tgid, path, errno))?;
        finish(tgid, file, path.to_owned(), Reached::Path { same_device: true })
    }
}

fn by_path(tgid: u32, path: &Path, errno: Errno) -> OpenError {
    let path = path.to_owned();
    match errno {
        Errno::NOENT | Errno::NOTDIR => OpenError::Absent { tgid, path },
        errno => OpenError::Refused { tgid, path, reason: errno.into() },
    }
}

fn open_map_file(directory: BorrowedFd<'_>, start: Avma, end: Avma) -> Result<(OwnedFd, PathBuf), Errno> {
    let name = format!("map_files/{:x}-{:x}", start.0, end.0);
    let file = rustix::fs::openat(directory, &name, PLACE, Mode::empty())?;
    let path = rustix::fs::readlinkat(directory, &name, Vec::new())?;
    Ok((file, std::ffi::OsStr::from_bytes(path.as_bytes()).into()))
}

fn open_under_root(directory: BorrowedFd<'_>, path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(directory, "root", flags, Mode::empty())?;
    // An absolute link in a container means the container's root; a plain open would follow it into ours.
    rustix::fs::openat2(root, path, PLACE, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
}

/// Opens for reading what was found, if it is a regular file.
fn finish(tgid: u32, place: OwnedFd, path: PathBuf, reached: Reached) -> Result<MappedFile, OpenError> {
    let refused = |path, errno: Errno| OpenError::Refused { tgid, path, reason: errno.into() };
    let stat = match rustix::fs::fstat(&place) {
        Ok(stat) => stat,
        Err(errno) => return Err(refused(path, errno)),
    };
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(OpenError::NotRegular { tgid, path });
    }
    let backing = match rustix::fs::fstatfs(&place) {
        Ok(system) if KERNEL_FILES.contains(&(system.f_type as u32)) => {
            return Err(OpenError::NotRegular { tgid, path });
        }
        Ok(system) => Backing::of(system.f_type as u32),
        Err(errno) => return Err(refused(path, errno)),
    };
    let link = format!("/proc/self/fd/{}", place.as_raw_fd());
    let file = match rustix::fs::open(link, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(file) => file,
        Err(errno) => return Err(refused(path, errno)),
    };
    let nanoseconds = |seconds: i64, rest: u64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    let identity = Identity {
        device: Device { major: rustix::fs::major(stat.st_dev), minor: rustix::fs::minor(stat.st_dev) },
        inode: stat.st_ino,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        modified: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        changed: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
        generation: generation(&file),
    };
    Ok(MappedFile { file: file.into(), path, identity, reached, backing })
}

/// `FS_IOC_GETVERSION`. The number of the request speaks of eight bytes; most file systems write four.
#[expect(unsafe_code, reason = "an ioctl is unsafe, for its number says what the kernel writes")]
fn generation(file: &OwnedFd) -> Option<u32> {
    const REQUEST: rustix::ioctl::Opcode = rustix::ioctl::opcode::read::<u64>(b'v', 1);
    let mut number = [0_u32; 2];
    // SAFETY: the request reads into the eight bytes that it names, and `number` has as many.
    let request = unsafe { rustix::ioctl::Updater::<REQUEST, [u32; 2]>::new(&mut number) };
    // SAFETY: a file system that does not know the request refuses it.
    unsafe { rustix::ioctl::ioctl(file, request).ok()? };
    Some(number[0])
}
