//! A real program that was stripped, and servers of each kind.

use std::fs;
use std::io::Write;
use std::process::Command;
use std::sync::Mutex;

use profile::{ProfileBuilder, ProfileType};
use symbolize::Mode;
use tempfile::TempDir;

use super::*;
use crate::cache::CacheLimits;
use crate::debug_server::DebugServer;
use crate::files::FileCounts;
use crate::frame::{Frame, Space};
use crate::namer::Frames;
use crate::opener::OpenedFile;
use crate::symbol_cache::SymbolCounts;

const SOURCE: &str = r#"
__attribute__((noinline)) static int quiet(int x) { __asm__(""); return x * 3; }
int main(int argc, char **argv) { return quiet(argc); }
"#;

/// A program that was stripped, with what was stripped from it.
struct Stripped {
    folder: TempDir,
    id: String,
}

impl Stripped {
    fn build(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.c"), SOURCE).unwrap();
        let run = |program: &str, arguments: &[&str]| {
            let status = Command::new(program).args(arguments).current_dir(&folder).status().unwrap();
            assert!(status.success(), "{program} {arguments:?}");
        };
        run("cc", &[&["a.c", "-g", "-O1", "-Wl,--build-id=sha1", "-o", "program"], flags].concat());
        run("objcopy", &["--only-keep-debug", "program", "debug"]);
        run("objcopy", &["--strip-all", "program"]);
        let elf = Elf::parse(File::open(folder.path().join("program")).unwrap()).unwrap().0;
        let id = elf.build_id().unwrap().to_string();
        Self { folder, id }
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.folder.path().join(name)).unwrap()
    }

    fn open(&self) -> Arc<ProgramFile> {
        Arc::new(File::open(self.folder.path().join("program")).unwrap().into())
    }

    fn request(&self, code: &Arc<ProgramFile>) -> FetchRequest {
        FetchRequest { file: 0, code: Arc::downgrade(code), tgid: 0, build_id: self.id.clone() }
    }
}

struct Fake<F>(F);

impl<F: FnMut(&str, &mut (dyn Write + Send)) -> Reply + Send> DebugServer for Fake<F> {
    fn get(&mut self, build_id: &str, into: &mut (dyn Write + Send)) -> Reply {
        self.0(build_id, into)
    }
}

fn server(get: impl FnMut(&str, &mut (dyn Write + Send)) -> Reply + Send + 'static) -> Box<dyn DebugServer> {
    Box::new(Fake(get))
}

/// Says the same every time; sends the bytes, where it says so.
fn says(reply: Reply, bytes: Vec<u8>) -> Box<dyn DebugServer> {
    server(move |_, into| {
        if reply == Reply::Sent && into.write_all(&bytes).is_err() {
            return Reply::Failed("there is no room".to_owned());
        }
        reply.clone()
    })
}

fn fetcher(folder: &TempDir, servers: Vec<Box<dyn DebugServer>>) -> Fetcher {
    let servers = DebugServers { servers, folder: folder.path().join("kept"), bytes: 1 << 20 };
    Fetcher::new(servers, DebugServerCounts::default(), FileCounts::default()).unwrap()
}

fn count(fetcher: &Fetcher) -> [u64; 5] {
    Asked::ALL.map(|asked| fetcher.counts.requests(asked))
}

fn files(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path().join("kept")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Every place in the text of the program, as functions with lines.
fn named(frames: &mut Frames, places: &[Frame]) -> String {
    frames.name(places);
    let mut builder = ProfileBuilder::new();
    frames.begin_profile();
    for frame in 0..places.len() as u32 {
        let location = frames.locate(frame, Mode::None, &mut builder);
        builder.add(&[location], 1);
    }
    let profile = builder.finish([("__name__", "cpu")].into_iter().collect(), ProfileType::cpu("cpu".to_owned()));
    let tables = profile.tables();
    let lines = tables.locations().iter().flat_map(|location| location.lines.iter());
    let lines = lines.map(|line| format!("{}:{}", tables.functions()[line.function.index()].name, line.line));
    lines.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_program_without_names_has_functions_and_lines_once_a_server_sent_them() {
    let stripped = Stripped::build(&[]);
    let folder = tempfile::tempdir().unwrap();
    let code = stripped.open();
    let text = Elf::parse(&*code).unwrap().0.section(".text").unwrap().offset.0;
    let places: Vec<Frame> = (0..512).map(|at| Frame { space: Space::file(0), address: text + at }).collect();
    let mut frames = Frames::new(FileCounts::default(), SymbolCounts::default(), CacheLimits::default());
    frames.files.add(OpenedFile {
        file: 0,
        path: "/program".into(),
        build_id: stripped.id.as_str().into(),
        handle: Some(Arc::clone(&code)),
        segments: Vec::new(),
        beside: Beside::default(),
        left: None,
    });
    let before = named(&mut frames, &places);
    assert!(!before.contains("quiet") && !before.contains("main"), "{before}");

    let (requests, to_fetch) = bounded(4);
    let (to_namer, events) = bounded(4);
    let sent = says(Reply::Sent, stripped.read("debug"));
    let servers = vec![says(Reply::Absent, Vec::new()), sent];
    let servers = DebugServers { servers, folder: folder.path().join("kept"), bytes: 1 << 20 };
    let counts = DebugServerCounts::default();
    let counted = counts.clone();
    let run = move || run(&to_fetch, &to_namer, servers, counted, FileCounts::default());
    let thread = thread::Builder::new().name("fetch".into()).spawn(run).unwrap();
    requests.send(stripped.request(&code)).unwrap();
    let Ok(NamerEvent::Beside(0, beside)) = events.recv() else { panic!("a debug file was sent") };
    drop(requests);
    thread.join().unwrap();

    frames.set_beside(0, beside, &places);
    let after = named(&mut frames, &places);
    assert!(after.contains("quiet:2") && after.contains("main:3"), "{after}");
    assert_eq!(Asked::ALL.map(|asked| counts.requests(asked)), [1, 1, 0, 0, 0]);
    assert_eq!(files(&folder), [format!("{}.debug", stripped.id)]);
}

#[test]
fn what_is_not_the_debug_file_of_the_program_is_not_kept() {
    let stripped = Stripped::build(&[]);
    let other = Stripped::build(&["-DANOTHER", "-O0"]);
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let cases = [
        (Reply::Absent, Vec::new(), Asked::Absent),
        (Reply::Sent, b"<html>".repeat(100), Asked::Wrong),
        (Reply::Sent, Vec::new(), Asked::Wrong),
        (Reply::Sent, half(stripped.read("debug")), Asked::Wrong),
        (Reply::Sent, other.read("debug"), Asked::Wrong),
        (Reply::Sent, stripped.read("program"), Asked::Wrong),
        (Reply::TooLarge, Vec::new(), Asked::TooLarge),
        (Reply::Failed("no answer".to_owned()), Vec::new(), Asked::Failed),
        (Reply::Sent, vec![0; 2 << 20], Asked::Failed),
    ];
    for (at, (reply, bytes, expect)) in cases.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let mut fetcher = fetcher(&folder, vec![says(reply, bytes)]);
        let asked = Instant::now();
        let due = fetcher.file(&stripped.id).expect_err("there is none");
        assert_eq!(count(&fetcher)[expect as usize], 1, "{at}");
        assert_eq!(files(&folder), [""; 0], "{at}");
        let pause = if expect == Asked::Failed { AGAIN } else { ABSENT };
        assert!(due >= asked + pause && due <= Instant::now() + pause, "{at}");
        // What came of it is remembered.
        assert_eq!(fetcher.file(&stripped.id).expect_err("there is none"), due, "{at}");
        assert_eq!(count(&fetcher).iter().sum::<u64>(), 1, "{at}");
    }
}

#[test]
fn a_server_that_failed_rests_while_others_are_asked() {
    let (one, two) = (Stripped::build(&[]), Stripped::build(&["-DANOTHER", "-O0"]));
    let folder = tempfile::tempdir().unwrap();
    let debug = [(one.id.clone(), one.read("debug")), (two.id.clone(), two.read("debug"))];
    let good = server(move |id, into| match debug.iter().find(|(known, _)| known == id) {
        Some((_, bytes)) => {
            into.write_all(bytes).unwrap();
            Reply::Sent
        }
        None => Reply::Absent,
    });
    let mut fetcher = fetcher(&folder, vec![says(Reply::Failed("refused".to_owned()), Vec::new()), good]);
    fetcher.file(&one.id).unwrap();
    fetcher.file(&two.id).unwrap();
    assert_eq!(count(&fetcher), [2, 0, 0, 0, 1]);
    // Both are kept.
    fetcher.file(&one.id).unwrap();
    fetcher.file(&two.id).unwrap();
    assert_eq!(count(&fetcher), [2, 0, 0, 0, 1]);
    let asked = Instant::now();
    let due = fetcher.file("00").expect_err("nobody has it");
    assert!(due < asked + ABSENT, "the one that rests may have it");
}

#[test]
fn a_server_that_hangs_holds_up_nothing_and_files_that_are_closed_are_not_asked_for() {
    let stripped = Stripped::build(&[]);
    let folder = tempfile::tempdir().unwrap();
    let (requests, to_fetch) = bounded(0);
    let (to_namer, events) = bounded(4);
    let (entered, in_server) = bounded::<String>(4);
    let (release, gate) = bounded::<()>(0);
    let gate = Mutex::new(gate);
    let hangs = server(move |id, _| {
        entered.send(id.to_owned()).unwrap();
        _ = gate.lock().unwrap().recv();
        Reply::Absent
    });
    let servers = DebugServers { servers: vec![hangs], folder: folder.path().join("kept"), bytes: 1 << 20 };
    let run = move || run(&to_fetch, &to_namer, servers, DebugServerCounts::default(), FileCounts::default());
    let thread = thread::Builder::new().name("fetch".into()).spawn(run).unwrap();
    let code = stripped.open();
    requests.send(stripped.request(&code)).unwrap();
    assert_eq!(in_server.recv().unwrap(), stripped.id);
    // These are taken while the server hangs.
    let closed = stripped.open();
    requests.send(FetchRequest { build_id: "aa".to_owned(), ..stripped.request(&closed) }).unwrap();
    drop(closed);
    requests.send(FetchRequest { build_id: "bb".to_owned(), ..stripped.request(&code) }).unwrap();
    release.send(()).unwrap();
    assert_eq!(in_server.recv().unwrap(), "bb", "aa was closed meanwhile");
    // It hangs again, and the end comes all the same.
    drop(requests);
    thread.join().unwrap();
    assert!(events.recv().is_err(), "nothing was found");
}

#[test]
fn the_folder_is_bounded_and_what_was_used_longest_ago_goes_first() {
    use std::os::unix::fs::PermissionsExt as _;

    let all: Vec<_> =
        [&[][..], &["-DSECOND", "-O0"], &["-DTHIRD", "-Os", "-fno-pie"]].map(Stripped::build).into_iter().collect();
    assert!(all[0].id != all[1].id && all[1].id != all[2].id);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept");
    let size = all.iter().map(|one| one.read("debug").len() as u64).max().unwrap();
    let kept = Kept::open(&path, size * 5 / 2).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let put = |one: &Stripped| {
        let mut coming = kept.begin().unwrap();
        coming.write_all(&one.read("debug")).unwrap();
        coming.finish(&one.id).unwrap().unwrap();
    };
    put(&all[0]);
    put(&all[1]);
    // Both long ago, the first one longer; then it is used.
    for (one, hours) in [(&all[0], 3), (&all[1], 2)] {
        let file = File::options().write(true).open(path.join(format!("{}.debug", one.id))).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
    }
    assert!(kept.get(&all[0].id).is_some());
    put(&all[2]);
    assert_eq!([0, 1, 2].map(|at: usize| kept.get(&all[at].id).is_some()), [true, false, true]);

    // What is damaged is not believed, and what was never finished is cleared away.
    fs::write(path.join(format!("{}.debug", all[0].id)), "damaged").unwrap();
    assert!(kept.get(&all[0].id).is_none());
    for (name, hours) in [(".coming-old", 2), (".coming-new", 0)] {
        let file = File::create(path.join(name)).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(hours * 3600)).unwrap();
    }
    Kept::open(&path, size).unwrap();
    let mut left = files(&folder);
    left.sort();
    assert_eq!(left, [".coming-new".to_owned(), format!("{}.debug", all[2].id)]);

    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(Kept::open(&path, size).is_err(), "anybody could change what is in it");
}
