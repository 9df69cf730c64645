use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::maps::{self, Avma};
use crate::{Device, cgroup};

use super::*;

fn real() -> Proc {
    Proc::open().unwrap()
}

/// A child that is ended with the test.
struct Sleeper(Child);

impl Sleeper {
    fn start(program: &Path) -> Self {
        let child = Self(Command::new(program).arg("1000").spawn().unwrap());
        // The new image is there once code of the program's own file is mapped; the C library comes after it.
        let mut proc = real();
        let name = program.file_name().unwrap().as_encoded_bytes();
        while !maps::executable(proc.maps(child.tgid()).unwrap()).any(|m| m.path().ends_with(name)) {
            std::thread::yield_now();
        }
        child
    }

    fn tgid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_process_knows_itself() {
    let mut proc = real();
    let tgid = std::process::id();
    assert!(proc.processes().unwrap().contains(&tgid));

    let facts = proc.facts(tgid, Wanted::ALL).unwrap();
    assert_eq!(facts.key, proc.key(tgid).unwrap());
    assert_eq!(facts.exe.unwrap(), std::env::current_exe().unwrap());
    assert_eq!(facts.cwd.unwrap(), std::env::current_dir().unwrap());
    assert_eq!(facts.command_line.unwrap(), std::env::args().filter(|a| !a.is_empty()).collect::<Vec<_>>().join(" "));
    assert_eq!(facts.real_uid.unwrap(), fs::metadata("/proc/self").unwrap().uid());
    assert_eq!(facts.pid_namespace.unwrap(), fs::metadata("/proc/self/ns/pid").unwrap().ino());
    assert_eq!(facts.mount_namespace.unwrap(), fs::metadata("/proc/self/ns/mnt").unwrap().ino());
    assert_eq!(facts.namespace_pid.unwrap(), tgid);
    assert!(cgroup::path(&facts.cgroup.unwrap()).is_some());
    assert!(!facts.kernel_thread && facts.threads >= 1);
    assert!(proc.threads(tgid).unwrap().contains(&tgid));
    assert_eq!(proc.thread_name(tgid, tgid).unwrap(), facts.comm);
}

#[test]
fn facts_nobody_asked_for_say_so() {
    let facts = real().facts(std::process::id(), Wanted::CWD).unwrap();
    assert!(facts.cwd.is_ok());
    assert_eq!(facts.exe, Err(Missing::NotAsked));
    assert_eq!(facts.cgroup, Err(Missing::NotAsked));
}

#[test]
fn a_process_that_ended_is_gone() {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let mut proc = real();
    assert_eq!(proc.facts(child.id(), Wanted::ALL).unwrap_err(), Missing::Gone);
    assert_eq!(proc.key(child.id()), Err(Missing::Gone));
    assert_eq!(proc.maps(child.id()), Err(Missing::Gone));
    let error = proc.open_mapped(child.id(), Avma(0x1000), Avma(0x2000)).unwrap_err();
    assert!(matches!(error, OpenError::Refused { reason: Missing::Gone, .. }), "{error:?}");
}

#[test]
fn a_handle_does_not_follow_a_pid_that_is_used_again() {
    let sleeper = Sleeper::start(Path::new("/bin/sleep"));
    let directory = real().directory(sleeper.tgid()).unwrap();
    drop(sleeper);
    assert_eq!(read(directory.as_fd(), "stat", &mut vec![0; 64]), Err(Missing::Gone));
}

#[test]
fn a_text_longer_than_the_buffer_is_read_whole() {
    let folder = TempDir::new().unwrap();
    let text: String = (0..200_000).map(|n| n.to_string()).collect();
    fs::create_dir(folder.path().join("7")).unwrap();
    fs::write(folder.path().join("7/maps"), &text).unwrap();
    let mut proc = Proc::open_at(folder.path()).unwrap();
    assert_eq!(proc.maps(7).unwrap(), text.as_bytes());
    let mut pieces = Vec::new();
    proc.stream("7/maps", |piece| pieces.extend_from_slice(piece)).unwrap();
    assert_eq!(pieces, text.as_bytes());
    assert_eq!(proc.processes().unwrap(), [7]);
}

#[test]
fn an_invented_proc_is_not_ours() {
    let folder = TempDir::new().unwrap();
    assert_eq!(Proc::open_at(folder.path()).unwrap().visibility(), Visibility::ForeignProc);
    assert!(matches!(real().visibility(), Visibility::Host | Visibility::Nested { .. }));
}

fn first_code(proc: &mut Proc, tgid: u32) -> (Avma, Avma, u64) {
    let mapping = maps::executable(proc.maps(tgid).unwrap()).find(|m| m.is_file()).unwrap();
    (mapping.start, mapping.end, mapping.inode)
}

#[test]
fn a_mapped_file_is_opened_after_it_was_deleted() {
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("program");
    fs::copy("/bin/sleep", &program).unwrap();
    let sleeper = Sleeper::start(&program);
    let mut proc = real();
    let (start, end, inode) = first_code(&mut proc, sleeper.tgid());
    fs::remove_file(&program).unwrap();

    match proc.open_mapped(sleeper.tgid(), start, end) {
        Ok(mut found) => {
            assert_eq!((found.reached, found.identity.inode), (Reached::MapFiles, inode));
            drop(sleeper);
            let mut bytes = Vec::new();
            found.file.read_to_end(&mut bytes).unwrap();
            assert_eq!(bytes, fs::read("/bin/sleep").unwrap());
            assert_eq!(found.identity.size, bytes.len() as u64);
        }
        // Without the capability the file is out of reach, and the error says so.
        Err(error) => assert!(matches!(error, OpenError::Deleted { .. }), "{error}"),
    }
}

#[test]
fn a_range_that_was_split_since_is_found_by_its_start() {
    let sleeper = Sleeper::start(Path::new("/bin/sleep"));
    let mut proc = real();
    let (start, end, inode) = first_code(&mut proc, sleeper.tgid());
    let found = proc.open_mapped(sleeper.tgid(), Avma(start.0 + 0x1000), Avma(end.0 + 0x1000)).unwrap();
    assert_eq!(found.identity.inode, inode);
    let error = proc.open_mapped(sleeper.tgid(), Avma(0x1000), Avma(0x2000)).unwrap_err();
    assert_eq!(error, OpenError::NotMapped { tgid: sleeper.tgid(), address: Avma(0x1000) });
}

/// A `/proc` without map_files, with one process 42 whose root is a folder.
struct Invented {
    folder: TempDir,
}

impl Invented {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::create_dir_all(folder.path().join("42")).unwrap();
        fs::create_dir_all(folder.path().join("image/lib")).unwrap();
        symlink(folder.path().join("image"), folder.path().join("42/root")).unwrap();
        Self { folder }
    }

    fn write(&self, path: &str, text: &str) -> fs::Metadata {
        let path = self.folder.path().join(path);
        fs::write(&path, text).unwrap();
        fs::metadata(path).unwrap()
    }

    fn map(&self, inode: u64, device: Device, label: &str) {
        let Device { major, minor } = device;
        self.write("42/maps", &format!("1000-2000 r-xp 00000000 {major:02x}:{minor:02x} {inode} {label}\n"));
    }

    fn open(&self) -> Result<MappedFile, OpenError> {
        Proc::open_at(self.folder.path()).unwrap().open_mapped(42, Avma(0x1000), Avma(0x2000))
    }
}

fn device(metadata: &fs::Metadata) -> Device {
    Device { major: rustix::fs::major(metadata.dev()), minor: rustix::fs::minor(metadata.dev()) }
}

#[test]
fn without_map_files_the_path_is_taken_when_the_inode_agrees() {
    let invented = Invented::new();
    let metadata = invented.write("image/lib/libx.so", "elf");

    invented.map(metadata.ino(), device(&metadata), "/lib/libx.so");
    let found = invented.open().unwrap();
    assert_eq!((found.reached, found.identity.size), (Reached::Path { same_device: true }, 3));

    invented.map(metadata.ino(), Device { major: 0, minor: 99 }, "/lib/libx.so");
    assert_eq!(invented.open().unwrap().reached, Reached::Path { same_device: false });

    invented.map(metadata.ino() + 1, device(&metadata), "/lib/libx.so");
    assert!(matches!(invented.open(), Err(OpenError::Replaced { .. })));

    invented.map(metadata.ino(), device(&metadata), "/lib/libx.so (deleted)");
    assert!(matches!(invented.open(), Err(OpenError::Deleted { .. })));

    invented.map(0, Device::default(), "[vdso]");
    assert!(matches!(invented.open(), Err(OpenError::NoFile { .. })));

    invented.map(5, Device::default(), "/lib/absent");
    assert!(matches!(invented.open(), Err(OpenError::Absent { .. })));
}

#[test]
fn links_of_a_container_stay_in_it() {
    let invented = Invented::new();
    invented.write("image/lib/real", "inside");
    symlink("/lib/real", invented.folder.path().join("image/lib/absolute")).unwrap();
    symlink("../../../../../../../../etc/passwd", invented.folder.path().join("image/lib/escape")).unwrap();
    let mut proc = Proc::open_at(invented.folder.path()).unwrap();

    let mut text = String::new();
    proc.open_root_relative(42, Path::new("/lib/absolute")).unwrap().file.read_to_string(&mut text).unwrap();
    assert_eq!(text, "inside");
    let error = proc.open_root_relative(42, Path::new("/lib/escape")).unwrap_err();
    assert!(matches!(error, OpenError::Absent { .. }), "{error:?}");
    let error = proc.open_root_relative(42, Path::new("/lib")).unwrap_err();
    assert!(matches!(error, OpenError::NotRegular { .. }), "{error:?}");
}

#[test]
fn a_pipe_in_the_place_of_a_file_does_not_block_us() {
    let invented = Invented::new();
    let pipe = invented.folder.path().join("image/lib/perf.map");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut proc = Proc::open_at(invented.folder.path()).unwrap();
    let error = proc.open_root_relative(42, Path::new("/lib/perf.map")).unwrap_err();
    assert!(matches!(error, OpenError::NotRegular { .. }), "{error:?}");
}

#[test]
fn what_the_kernel_tells_in_files_is_not_read() {
    let mut proc = real();
    for path in ["/proc/kmsg", "/proc/version", "/proc/self/maps"] {
        let error = proc.open_root_relative(std::process::id(), Path::new(path)).unwrap_err();
        assert!(matches!(error, OpenError::NotRegular { .. }), "{path}: {error:?}");
    }
}
