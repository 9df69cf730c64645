//! Programs whose names are elsewhere, each running while its files are looked for.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crossbeam_channel::bounded;
use elf::{Elf, FileOffset};
use inspect::Avma;
use inspect::maps::Maps;
use symbolize::Symbols;
use tempfile::TempDir;

use super::search::{Left, Search};
use super::seek::{SeekRequest, look};
use super::*;

const SOURCE: &str = r#"
#include <unistd.h>
__attribute__((noinline)) static int quiet(int x) { __asm__(""); return x * 3; }
int main(void) { write(1, "ready\n", 6); pause(); return quiet(0); }
"#;

/// A program in a folder of its own, and a process that runs it.
struct Running {
    folder: TempDir,
    child: Option<Child>,
}

impl Running {
    /// Compiles the program, with a whole copy of it as `whole`.
    fn build(arguments: &[&str]) -> Self {
        let running = Self { folder: tempfile::tempdir().unwrap(), child: None };
        fs::write(running.at("a.c"), SOURCE).unwrap();
        running.run("cc", &[&["a.c", "-o", "program"], arguments].concat());
        fs::copy(running.at("program"), running.at("whole")).unwrap();
        running
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    #[track_caller]
    fn run(&self, program: &str, arguments: &[&str]) {
        let output = Command::new(program).args(arguments).current_dir(&self.folder).output().unwrap();
        assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Strips the program and has it link to `name`, a file of its debug information in the folder `place`.
    #[track_caller]
    fn link(&self, place: &str, name: &str) {
        fs::create_dir_all(self.at(place)).unwrap();
        let debug = format!("{place}/{name}");
        self.run("objcopy", &["--only-keep-debug", "whole", &debug]);
        self.run("strip", &["program"]);
        self.run("objcopy", &[&format!("--add-gnu-debuglink={debug}"), "program"]);
    }

    /// Starts it, and looks as the opener does.
    fn find(&mut self) -> (ProgramFile, Beside, Option<Left>) {
        use std::io::Read as _;
        let mut child = Command::new(self.at("program")).stdout(Stdio::piped()).spawn().unwrap();
        let tgid = child.id();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
        self.child = Some(child);
        let mut proc = Proc::open().unwrap();
        let program = self.at("program");
        let mut maps = Maps::new(proc.maps(tgid).unwrap());
        let mapping = maps.find(|m| m.is_executable() && *m.path() == *program.as_os_str().as_encoded_bytes()).unwrap();
        let (start, end) = (Avma(mapping.start.0), Avma(mapping.end.0));
        let mapped = proc.open_mapped(tgid, start, end).unwrap();
        let (path, identity) = (mapped.path.clone(), mapped.identity);
        let file = ProgramFile::reached(mapped, &FileCounts::default());
        let elf = Elf::parse(&file).unwrap().0;
        let mut search = Search { proc: &mut proc, tgid, path: &path, counts: &FileCounts::default() };
        let (beside, left) = search.find(&elf, identity);
        (file, beside, left)
    }

    /// What is found at once or with time.
    fn found(&mut self) -> Option<Beside> {
        let (file, beside, left) = self.find();
        if beside.debug.is_some() {
            return Some(beside);
        }
        let request = SeekRequest { file: 0, code: Arc::new(file), left: left? };
        look(&mut Proc::open().unwrap(), &request, &FileCounts::default())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Whether the program has the name of its static function with this file beside it.
fn has_names(running: &Running, beside: &Beside) -> bool {
    let code = Arc::new(ProgramFile::from(File::open(running.at("program")).unwrap()));
    let size = code.metadata().unwrap().len();
    let (symbols, _) = Symbols::open_with(code, beside.debug.clone()).unwrap();
    (0..size).any(|at| symbols.lookup(FileOffset(at)).is_some_and(|symbol| symbol.name == "quiet"))
}

const WITH_ID: &[&str] = &["-g", "-O1", "-Wl,--build-id=sha1"];
const WITHOUT_ID: &[&str] = &["-g", "-O1", "-Wl,--build-id=none"];

#[test]
fn a_linked_file_is_found_where_debuggers_look() {
    for (place, arguments) in [(".", WITH_ID), (".debug", WITH_ID), (".", WITHOUT_ID), (".debug", WITHOUT_ID)] {
        let mut running = Running::build(arguments);
        running.link(place, "program.debug");
        let beside = running.found().unwrap_or_else(|| panic!("nothing in {place} with {arguments:?}"));
        assert!(has_names(&running, &beside), "{place} {arguments:?}");
    }
}

#[test]
fn a_program_with_all_its_names_needs_no_other_file() {
    let (_, beside, left) = Running::build(WITH_ID).find();
    assert!(beside.debug.is_none() && left.is_none());
}

#[test]
fn names_without_lines_do_not_keep_the_linked_file_from_being_found() {
    let mut running = Running::build(WITH_ID);
    running.run("objcopy", &["--only-keep-debug", "whole", "program.debug"]);
    running.run("strip", &["--strip-debug", "program"]);
    running.run("objcopy", &["--add-gnu-debuglink=program.debug", "program"]);
    assert!(running.found().unwrap().debug.is_some());
}

#[test]
fn servers_are_asked_for_programs_without_debug_information_and_for_no_others() {
    for (strip, packed, expect) in [
        (None, false, false),
        (Some("--strip-debug"), false, true),
        (Some("--strip-all"), false, true),
        (Some("--strip-all"), true, true),
    ] {
        let mut running = Running::build(WITH_ID);
        strip.iter().for_each(|how| running.run("strip", &[how, "program"]));
        if packed {
            running.run("objcopy", &["--strip-debug", "whole", "names"]);
            running.run("xz", &["names"]);
            running.run("objcopy", &["--add-section", ".gnu_debugdata=names.xz", "program"]);
        }
        let (mapped, _, left) = running.find();
        let (requests, seeks) = bounded(1);
        let (to_namer, events) = bounded(1);
        let (fetch, fetches) = bounded(1);
        let request = left.map(|left| SeekRequest { file: 7, code: Arc::new(mapped), left });
        request.into_iter().for_each(|request| requests.send(request).unwrap());
        drop(requests);
        seek::run(&seeks, &to_namer, Some(&fetch), &FileCounts::default());
        drop((to_namer, fetch));
        let id = Elf::parse(File::open(running.at("whole")).unwrap()).unwrap().0.build_id().unwrap().to_string();
        let asked: Vec<_> = fetches.iter().map(|request| (request.file, request.build_id)).collect();
        assert_eq!(asked, if expect { vec![(7, id)] } else { vec![] }, "{strip:?} {packed}");
        assert_eq!(events.iter().count(), usize::from(packed), "names without lines do not wait for a server");
    }
}

#[test]
fn a_linked_file_of_another_build_is_not_believed() {
    for arguments in [WITH_ID, WITHOUT_ID] {
        let mut running = Running::build(arguments);
        running.link(".", "program.debug");
        let other = Running::build(&[arguments, &["-DANOTHER", "-O0"]].concat());
        fs::copy(other.at("whole"), running.at("program.debug")).unwrap();
        assert!(running.found().is_none(), "{arguments:?}");
    }
}

#[test]
fn pipes_and_devices_in_the_place_of_a_debug_file_are_left_alone() {
    for what in ["pipe", "device", "folder", "loop"] {
        let mut running = Running::build(WITH_ID);
        running.link(".", "program.debug");
        fs::remove_file(running.at("program.debug")).unwrap();
        match what {
            "pipe" => running.run("mkfifo", &["program.debug"]),
            "device" => std::os::unix::fs::symlink("/dev/zero", running.at("program.debug")).unwrap(),
            "folder" => fs::create_dir(running.at("program.debug")).unwrap(),
            _ => std::os::unix::fs::symlink("program.debug", running.at("program.debug")).unwrap(),
        }
        assert!(running.found().is_none(), "{what}");
    }
}

#[test]
fn packed_names_are_found_where_there_is_no_debug_file() {
    let mut running = Running::build(WITH_ID);
    running.run("objcopy", &["--only-keep-debug", "whole", "names"]);
    running.run("strip", &["--strip-debug", "names"]);
    running.run("xz", &["names"]);
    running.run("strip", &["program"]);
    running.run("objcopy", &["--add-section", ".gnu_debugdata=names.xz", "program"]);
    let beside = running.found().unwrap();
    assert!(has_names(&running, &beside));
}

#[test]
fn what_dwz_took_out_and_split_units_are_found_beside() {
    let mut running = Running::build(WITH_ID);
    // dwz shares only what is in several files, and only what is large enough.
    fs::copy(running.at("program"), running.at("second")).unwrap();
    running.run("dwz", &["-m", "common.debug", "program", "second"]);
    let (file, beside, left) = running.find();
    let link = Elf::parse(&file).unwrap().0.alternate_link();
    assert_eq!(link.map(|link| link.path), Some("common.debug".into()));
    assert!(beside.alternate.is_some() && left.is_none());

    let mut running = Running::build(&["-gdwarf-4", "-gsplit-dwarf", "-O1"]);
    let units =
        running.folder.path().read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let unit = units.into_iter().find(|name| name.ends_with(".dwo")).unwrap();
    let packers = ["llvm-dwp-19".to_owned()].into_iter().chain((14..=30).map(|version| format!("llvm-dwp-{version}")));
    let packer = packers.into_iter().find(|packer| Command::new(packer).arg("--version").output().is_ok());
    running.run(&packer.unwrap(), &[&unit, "-o", "program.dwp"]);
    assert!(running.find().1.package.is_some());
}
