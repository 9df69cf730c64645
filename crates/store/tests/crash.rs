//! The store under bad luck: killed writers, damaged and foreign files, full disks, limits.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use common::*;
use pyrope_store::{AppendError, Store, TimeRange};

/// Set for the child that is killed: where it writes.
const CHILD: &str = "PYROPE_STORE_TEST_CHILD";

/// Not a test by itself: the child of the next one. Writes windows until it is killed, and says which are done.
#[test]
fn child_that_writes_until_it_is_killed() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let store = open(Path::new(&folder));
    let time = base();
    for number in store.stats().windows.. {
        let profiles = [profile("cart", time + number as i64, &format!("main;f{} 1, main 1", number % 50))];
        store.append(interval(number), &profiles).expect("the disk has room");
        println!("done {}", number + 1);
    }
}

#[test]
fn a_killed_writer_loses_at_most_the_window_in_progress() {
    let folder = tempfile::tempdir().unwrap();
    let mut done = 0;
    for round in 1..=5_u64 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_writes_until_it_is_killed", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines {
            if let Some(number) = line.unwrap().rsplit_once("done ").and_then(|(_, number)| number.parse::<u64>().ok())
            {
                done = number;
                if number >= round * 40 {
                    break;
                }
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();

        let store = open(folder.path());
        let stats = store.stats();
        assert!(stats.windows >= done, "{} of {done}", stats.windows);
        assert_eq!((stats.damaged_files, stats.failed_windows), (0, 0));
        let stacks = folded(&store, "{}", TimeRange::ALL);
        let main = stacks.lines().find_map(|line| line.strip_prefix("main ")).unwrap();
        assert_eq!(main.parse::<u64>().unwrap(), stats.windows);
        assert!(stats.windows >= round * 40);
    }
}

fn partition_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "sqlite"));
    files.sort();
    files
}

/// A folder with two partitions of two windows each.
fn two_partitions() -> (tempfile::TempDir, i64) {
    let folder = tempfile::tempdir().unwrap();
    let time = base();
    let mut config = config(folder.path());
    config.partition = Duration::from_secs(60);
    let store = Store::open(config).unwrap();
    for second in [0, 30, 60, 90] {
        store.append(interval(1), &[profile("cart", time + second * SECOND, &format!("main;f{second} 1"))]).unwrap();
    }
    assert_eq!(store.stats().partitions, 2);
    (folder, time)
}

#[test]
fn a_damaged_file_is_set_aside_and_the_rest_is_shown() {
    for damage in ["text", "header", "empty"] {
        let (folder, _) = two_partitions();
        let file = &partition_files(folder.path())[0];
        match damage {
            "text" => fs::write(file, "this was a database once, and now it is some text".repeat(100)).unwrap(),
            "header" => {
                let mut bytes = fs::read(file).unwrap();
                bytes[..200].fill(0x5a);
                fs::write(file, bytes).unwrap();
            }
            _ => fs::write(file, "").unwrap(),
        }
        let store = open(folder.path());
        assert_eq!(folded(&store, "{}", TimeRange::ALL), "main;f60 1\nmain;f90 1\n");
        let set_aside = file.with_extension("sqlite.damaged").exists();
        assert_eq!((store.stats().damaged_files, set_aside), if damage == "empty" { (0, false) } else { (1, true) });
        assert!(!file.exists());
        store.append(interval(1), &[profile("cart", base() + 100 * SECOND, "main;new 1")]).unwrap();
        assert_eq!(folded(&store, "{}", TimeRange::ALL), "main;f60 1\nmain;f90 1\nmain;new 1\n");
    }
}

#[test]
fn a_database_of_another_program_is_set_aside_and_one_of_a_newer_version_left_alone() {
    let (folder, _) = two_partitions();
    let files = partition_files(folder.path());
    rusqlite::Connection::open(&files[0]).unwrap().pragma_update(None, "application_id", 7).unwrap();
    rusqlite::Connection::open(&files[1]).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let store = open(folder.path());
    assert_eq!(folded(&store, "{}", TimeRange::ALL), "");
    assert_eq!((store.stats().partitions, store.stats().damaged_files), (0, 1));
    assert!(files[0].with_extension("sqlite.damaged").exists());
    assert!(files[1].exists());
    store.append(interval(1), &[profile("cart", base(), "main 1")]).unwrap();
    assert_eq!(folded(&store, "{}", TimeRange::ALL), "main 1\n");
}

#[test]
fn damage_found_by_a_query_is_named_in_the_answer() {
    let (folder, _) = two_partitions();
    let file = &partition_files(folder.path())[0];
    let connection = rusqlite::Connection::open(file).unwrap();
    connection.execute("UPDATE windows SET samples = x'00112233' WHERE id = 2", []).unwrap();
    drop(connection);
    let store = open(folder.path());
    let answer = store.merge_profile(&query("{}", TimeRange::ALL), None);
    assert_eq!(answer.value.folded(), "main;f60 1\nmain;f90 1\n");
    assert_eq!(answer.missing, [format!("{} cannot be read: damaged samples", file.display())]);
}

#[test]
fn damage_found_while_writing_sets_the_file_aside_and_goes_on() {
    let (folder, _) = two_partitions();
    let files = partition_files(folder.path());
    let connection = rusqlite::Connection::open(&files[1]).unwrap();
    connection.execute("UPDATE windows SET growth = x'00112233' WHERE id = 2", []).unwrap();
    drop(connection);
    let store = open(folder.path());
    store.append(interval(1), &[profile("cart", base() + 100 * SECOND, "main;new 1")]).unwrap();
    let stats = store.stats();
    assert_eq!((stats.failed_windows, stats.windows), (0, 5));
    let answer = store.merge_profile(&query("{}", TimeRange::ALL), None);
    assert_eq!(answer.value.folded(), "main;f0 1\nmain;f30 1\nmain;new 1\n");
    assert_eq!(answer.missing.len(), 1, "what cannot be read is named");
}

#[test]
fn the_store_never_grows_past_its_limit() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.max_bytes = 400 << 10;
    let store = Store::open(config.clone()).unwrap();
    let time = base();
    for number in 0..500_u64 {
        let stacks: Vec<String> =
            (0..80).map(|at| format!("main;f{};g{} {}", number * 31 % 97, at * number, at + 1)).collect();
        let profiles = [profile("cart", time + number as i64 * SECOND, &stacks.join(", "))];
        store.append(interval(number), &profiles).unwrap();
        assert!(store.stats().bytes <= config.max_bytes, "{} bytes after {number}", store.stats().bytes);
    }
    let stats = store.stats();
    assert!(stats.dropped_partitions > 0 && stats.partitions > 2, "{stats:?}");
    assert!(stats.oldest_ms.unwrap() > time && stats.newest_ms == Some(time + 499 * SECOND));
    let on_disk: u64 = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(on_disk <= config.max_bytes + (256 << 10), "{on_disk} bytes with the index of the log");
}

#[test]
fn damaged_files_count_and_go_first_the_oldest_before_the_others() {
    let (folder, _) = two_partitions();
    let damaged = |number: i64, hour: u64| {
        let path = folder.path().join(format!("profiles-{number:013}.sqlite.damaged"));
        let file = fs::File::create(&path).unwrap();
        file.set_len(400 << 10).unwrap();
        file.set_modified(std::time::SystemTime::now() - Duration::from_secs(hour * 3600)).unwrap();
        path
    };
    let (newer, older) = (damaged(1, 1), damaged(2, 2));
    let mut config = config(folder.path());
    config.max_bytes = 1 << 20;
    let store = Store::open(config.clone()).unwrap();
    let full = store.stats();
    assert!(full.bytes > 800 << 10, "{} bytes", full.bytes);
    store.maintain();
    assert!(older.exists() && newer.exists(), "there is room");

    config.max_bytes = 800 << 10;
    store.set_limits(&config);
    store.maintain();
    assert_eq!((older.exists(), newer.exists()), (false, true));
    assert_eq!(store.stats().bytes, full.bytes - (400 << 10));
    config.max_bytes = 300 << 10;
    store.set_limits(&config);
    store.append(interval(9), &[profile("cart", base() + 100 * SECOND, "main;new 1")]).unwrap();
    assert!(!newer.exists());
    assert_eq!((store.stats().partitions, store.stats().dropped_partitions), (2, 0));
}

#[test]
fn old_data_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.max_age = Duration::from_secs(3 * 3600);
    let store = Store::open(config).unwrap();
    store.append(interval(1), &[profile("cart", base() - 20 * 3_600_000, "main;old 1")]).unwrap();
    assert_eq!(folded(&store, "{}", TimeRange::ALL), "main;old 1\n");
    store.append(interval(2), &[profile("cart", base(), "main;new 1")]).unwrap();
    assert_eq!(folded(&store, "{}", TimeRange::ALL), "main;new 1\n");
    assert_eq!(partition_files(folder.path()).len(), 1);
    store.maintain();
    assert_eq!(store.stats().dropped_partitions, 1);
}

#[test]
fn without_free_space_older_data_goes_first_and_then_the_window_is_refused() {
    let (folder, _) = two_partitions();
    let mut config = config(folder.path());
    config.min_free_bytes = u64::MAX / 2;
    let store = Store::open(config.clone()).unwrap();
    store.set_open(interval(9), vec![profile("cart", base(), "main 1")]);
    let error = store.append(interval(9), &[profile("cart", base(), "main 1")]).unwrap_err();
    assert!(matches!(error, AppendError::LowSpace { .. }), "{error}");
    let stats = store.stats();
    assert_eq!((stats.partitions, stats.dropped_partitions, stats.failed_windows), (1, 1, 1));
    assert!(stats.message.unwrap().contains("lower min_free_bytes"));
    assert_eq!(folded(&store, "{}", TimeRange::ALL), "main;f60 1\nmain;f90 1\n", "what was refused is not shown");
    config.min_free_bytes = 0;
    store.set_limits(&config);
    store.append(interval(10), &[profile("cart", base(), "main 1")]).unwrap();
    assert_eq!(store.stats().message, None);
}

/// A file system of two megabytes; none when this process may not mount.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        mount.is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the file system is no longer used");
    }
}

#[test]
fn a_full_disk_drops_old_data_and_is_counted_when_nothing_is_left() {
    let Some(disk) = SmallDisk::mount() else {
        println!("not run: mounting a small file system needs root");
        return;
    };
    let folder = disk.0.path().join("store");
    let mut config = config(&folder);
    config.max_bytes = 1 << 30;
    config.partition = Duration::from_secs(60);
    let store = Store::open(config).unwrap();
    let time = base();
    let mut random = 1_u64;
    let mut window = |number: u64| {
        let stacks: Vec<String> = (0..300)
            .map(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                format!("main;{:x} {}", random >> 8, 1 + random % 7)
            })
            .collect();
        profile("cart", time + number as i64 * 20 * SECOND, &stacks.join(", "))
    };
    for number in 0..500 {
        store.append(interval(number), &[window(number)]).unwrap();
    }
    let stats = store.stats();
    assert!(stats.dropped_partitions > 0, "{stats:?}");
    assert_eq!((stats.failed_windows, stats.damaged_files), (0, 0));
    assert_eq!(stats.newest_ms, Some(time + 499 * 20 * SECOND));
    // Another program takes all there is.
    let ballast = disk.0.path().join("ballast");
    let mut failures = 0;
    for number in 500..520 {
        let mut bytes = fs::read(&ballast).unwrap_or_default();
        bytes.resize(bytes.len() + (2 << 20), 1);
        fs::write(&ballast, bytes).expect_err("the disk is full");
        failures += u64::from(store.append(interval(number), &[window(number)]).is_err());
    }
    let stats = store.stats();
    assert!(failures > 0 && stats.failed_windows == failures, "{stats:?}");
    let before = store.merge_profile(&query("{}", TimeRange::ALL), None);
    assert_eq!(before.missing, [""; 0]);
    fs::remove_file(&ballast).unwrap();
    store.append(interval(600), &[window(600)]).unwrap();
    assert_eq!(store.stats().message, None);
    let after = store.merge_profile(&query("{}", TimeRange::ALL), None);
    assert_eq!(after.missing, [""; 0]);
    assert!(after.value.total() > before.value.total());
}

#[test]
fn a_folder_that_is_removed_under_the_store_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (store, time) = (open(&path), base());
    store.append(interval(1), &[profile("cart", time, "main 1")]).unwrap();
    fs::remove_dir_all(&path).unwrap();
    store.append(interval(2), &[profile("cart", time + SECOND, "main 2")]).unwrap();
    assert_eq!(folded(&store, "{}", TimeRange::ALL), "main 2\n");
    drop(store);
    assert_eq!(folded(&open(&path), "{}", TimeRange::ALL), "main 2\n");
}
