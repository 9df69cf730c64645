//! What the store answers.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod common;

use std::sync::Arc;

use common::*;
use profile::{Function, Labels, Line, Mapping, ProfileBuilder, SampleLabel, SampleLabelValue};
use pyrope_store::{Aggregation, Detail, Query, Selector, SeriesQuery, TimeRange};

fn timeline(step: i64, group_by: &[&str], range: TimeRange) -> SeriesQuery {
    SeriesQuery {
        query: query("{}", range),
        step,
        group_by: group_by.iter().map(|name| (*name).to_owned()).collect(),
        aggregation: Aggregation::Sum,
        limit: None,
    }
}

#[test]
fn windows_are_merged_by_series_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let time = base();
    store.append(interval(1), &[profile("cart", time, "main;read 10, main 5"), profile("db", time, "run 7")]).unwrap();
    store.append(interval(2), &[profile("cart", time + 15 * SECOND, "main;read 1, main;write 2")]).unwrap();

    let all = TimeRange { start: time, end: time + 15 * SECOND };
    assert_eq!(folded(&store, "{}", all), "main 5\nmain;read 11\nmain;write 2\nrun 7\n");
    assert_eq!(folded(&store, r#"{service_name="cart"}"#, all), "main 5\nmain;read 11\nmain;write 2\n");
    assert_eq!(folded(&store, r#"{service_name=~"d.*"}"#, all), "run 7\n");
    assert_eq!(folded(&store, r#"{service_name="none"}"#, all), "");
    let first = TimeRange { start: time, end: time + 15 * SECOND - 1 };
    assert_eq!(folded(&store, r#"{service_name="cart"}"#, first), "main 5\nmain;read 10\n");
}

#[test]
fn a_store_that_is_opened_again_has_everything_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let time = base();
    for round in 0..3 {
        let store = open(folder.path());
        store.append(interval(1), &[profile("cart", time + round * SECOND, "main;read 10, main 5")]).unwrap();
        let stats = store.stats();
        assert_eq!((stats.windows, stats.series, stats.partitions), (round as u64 + 1, 1, 1));
        assert_eq!((stats.oldest_ms, stats.newest_ms), (Some(time), Some(time + round * SECOND)));
    }
    let store = open(folder.path());
    assert_eq!(folded(&store, "{}", TimeRange::ALL), "main 15\nmain;read 30\n");
    let names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with("-wal"))
        .collect();
    assert!(names.len() <= 1, "{names:?}");
}

#[test]
fn two_processes_cannot_write_to_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path());
    let error = pyrope_store::Store::open(config(folder.path())).err().expect("refused");
    assert!(error.to_string().contains("in use by another process"), "{error}");
}

#[test]
fn the_open_interval_is_seen_and_never_counted_twice() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let time = base();
    let see = || folded(&store, "{}", TimeRange::ALL);
    store.set_open(interval(1), vec![profile("cart", time, "main 1")]);
    assert_eq!(see(), "main 1\n");
    store.set_open(interval(1), vec![profile("cart", time, "main 2, main;read 1")]);
    assert_eq!(see(), "main 2\nmain;read 1\n");
    assert_eq!(store.profile_types(TimeRange::ALL).value, [cpu()]);
    store.append(interval(1), &[profile("cart", time, "main 3, main;read 1")]).unwrap();
    assert_eq!(see(), "main 3\nmain;read 1\n");
    store.set_open(interval(1), vec![profile("cart", time, "main 100")]);
    assert_eq!(see(), "main 3\nmain;read 1\n", "what comes late is not shown");
    store.set_open(interval(2), vec![profile("cart", time, "main 1")]);
    assert_eq!(see(), "main 4\nmain;read 1\n");
    let line = &store.select_series(&timeline(SECOND, &[], TimeRange { start: time, end: time })).value[0];
    assert_eq!(line.points, [(time, 5.0)]);
    store.forget(1);
    assert_eq!(see(), "main 3\nmain;read 1\n");
}

#[test]
fn labels_and_types_are_those_with_data_in_the_range() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let time = base();
    store.append(interval(1), &[profile("cart", time, "main 1"), profile("db", time + SECOND, "main 1")]).unwrap();
    let at = |time| TimeRange { start: time, end: time };
    let all = Selector::all();
    assert_eq!(store.label_values("service_name", &all, TimeRange::ALL).value, ["cart", "db"]);
    assert_eq!(store.label_values("service_name", &all, at(time)).value, ["cart"]);
    assert_eq!(store.label_values("service_name", &all, at(time + 5 * SECOND)).value, [""; 0]);
    assert_eq!(store.label_values("nothing", &all, TimeRange::ALL).value, [""; 0]);
    assert_eq!(
        store.label_names(&all, TimeRange::ALL).value,
        [
            "__name__",
            "__period_type__",
            "__period_unit__",
            "__profile_type__",
            "__service_name__",
            "__type__",
            "__unit__",
            "service_name"
        ]
    );
    let db = Selector::parse(r#"{service_name="db"}"#).unwrap();
    let names = ["service_name".to_owned(), "__profile_type__".to_owned()];
    let series: Vec<String> =
        store.series(&db, &names, TimeRange::ALL).value.iter().map(|labels| labels.to_string()).collect();
    assert_eq!(series, [r#"{__profile_type__="process_cpu:cpu:nanoseconds:cpu:nanoseconds", service_name="db"}"#]);
    assert_eq!(store.series(&all, &[], TimeRange::ALL).value.len(), 2);
    assert_eq!(store.profile_types(at(time)).value, [cpu()]);
    assert_eq!(store.profile_types(at(time - 1)).value, []);
}

#[test]
fn points_of_a_timeline_stand_for_the_step_before_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let time = base();
    for (number, offset, value) in [(1, -9, 1), (2, 0, 2), (3, 1, 4), (4, 10, 8), (5, 11, 16), (6, 25, 32)] {
        let profiles = [profile("a", time + offset * SECOND, &format!("main {value}"))];
        store.append(interval(number), &profiles).unwrap();
    }
    let points = |query: &SeriesQuery| {
        let lines = store.select_series(query).value;
        assert_eq!(lines.len(), 1);
        lines[0].points.iter().map(|(at, value)| ((at - time) / SECOND, *value)).collect::<Vec<_>>()
    };
    let range = TimeRange { start: time, end: time + 25 * SECOND };
    let mut query = timeline(10 * SECOND, &[], range);
    assert_eq!(points(&query), [(0, 3.0), (10, 12.0), (20, 16.0)]);
    query.aggregation = Aggregation::Average;
    assert_eq!(points(&query), [(0, 1.5), (10, 6.0), (20, 16.0)]);
}

#[test]
fn lines_are_grouped_and_the_largest_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let time = base();
    let profiles = [profile("a", time, "main 1"), profile("b", time, "main 5"), profile("c", time, "main 3")];
    store.append(interval(1), &profiles).unwrap();
    let range = TimeRange { start: time, end: time };
    let mut query = timeline(SECOND, &["service_name", "missing"], range);
    let lines = |query: &SeriesQuery| {
        let lines = store.select_series(query).value;
        lines.iter().map(|line| format!("{} {}", line.labels, line.points[0].1)).collect::<Vec<_>>()
    };
    let b = r#"{service_name="b"} 5"#;
    assert_eq!(lines(&query), [b, r#"{service_name="c"} 3"#, r#"{service_name="a"} 1"#]);
    query.limit = Some(1);
    assert_eq!(lines(&query), [b]);
    query.group_by.clear();
    assert_eq!(lines(&query), ["{} 9"]);
}

#[test]
fn a_merged_profile_has_mappings_files_lines_and_inlines() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let time = base();
    let mut builder = ProfileBuilder::new();
    builder.interval(time * 1_000_000, 15_000_000_000).period(10_000_000);
    let mut mapping = |start, filename: &str| {
        builder.mapping(&Mapping {
            memory_start: start,
            memory_limit: start + 0x10_0000,
            file_offset: 0x1000,
            filename: filename.into(),
            build_id: "abcd".into(),
            has_functions: true,
            has_filenames: false,
            has_line_numbers: false,
            has_inline_frames: false,
        })
    };
    let (binary, kernel) = (mapping(0x5000_0000, "/usr/bin/cart"), mapping(0xffff_ffff_8000_0000, "vmlinux"));
    let mut function = |name: &str, filename: &str| {
        let named = Function::named(name);
        builder.function(&Function { filename: filename.into(), start_line: 3, ..named })
    };
    let (inner, outer, read) = (function("inner", "a.rs"), function("outer", "b.rs"), function("sys_read", ""));
    let read = builder.location(Some(kernel), 0xffff_ffff_8000_0010, &[Line { function: read, line: 0 }]);
    let inlined = [Line { function: inner, line: 7 }, Line { function: outer, line: 9 }];
    let named = builder.location(Some(binary), 0x5000_0020, &inlined);
    let unknown = builder.location(Some(binary), 0x5000_0030, &[]);
    builder.add(&[read, named, unknown], 10);
    let stored = Arc::new(builder.finish(Labels::empty(), cpu()));
    store.append(interval(1), &[stored]).unwrap();

    let query = query("{}", TimeRange { start: time, end: time + SECOND });
    let merged = store.merge_profile(&query, None).value;
    assert_eq!(profile::decode(&merged.encode()).unwrap().folded(), merged.folded());
    assert_eq!(
        (merged.time_nanos, merged.duration_nanos, merged.period),
        (time * 1_000_000, 1_000_000_000, 10_000_000)
    );
    let tables = merged.tables();
    let mut text = Vec::new();
    for id in merged.stack(&merged.samples()[0]) {
        let location = &tables.locations()[id.index()];
        let mapping = &tables.mappings()[location.mapping.unwrap().index()];
        let lines: Vec<String> = location
            .lines
            .iter()
            .map(|line| {
                let function = &tables.functions()[line.function.index()];
                format!("{} {}:{} from {}", function.name, function.filename, line.line, function.start_line)
            })
            .collect();
        text.push(format!(
            "{} {} {:#x} at {:#x}: {}",
            mapping.filename,
            mapping.build_id,
            mapping.memory_start,
            location.address,
            lines.join(", ")
        ));
    }
    insta::assert_snapshot!(text.join("\n"), @r"
    vmlinux abcd 0xffff800000000000 at 0x0: sys_read :0 from 3
    /usr/bin/cart abcd 0x0 at 0x0: inner a.rs:7 from 3, outer b.rs:9 from 3
    /usr/bin/cart abcd 0x0 at 0x1030: 
    ");
    let names = store.merge(&query, Detail::Functions).value.into_profile(&query, None);
    assert_eq!(names.folded(), "cart!0x1030;outer;inner;sys_read 10\n");
}

#[test]
fn code_in_no_file_that_has_no_name_is_one_frame() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut builder = ProfileBuilder::new();
    builder.interval(base() * 1_000_000, SECOND * 1_000_000);
    let main = builder.function(&Function::named("main"));
    let main = builder.location(None, 0x10, &[Line { function: main, line: 0 }]);
    for address in [0x7f00_0000_1000, 0x7f00_0000_2000] {
        let made = builder.location(None, address, &[]);
        builder.add(&[made, main], 1);
    }
    store.append(interval(1), &[Arc::new(builder.finish(Labels::empty(), cpu()))]).unwrap();
    for detail in [Detail::Frames, Detail::Functions] {
        let query = query("{}", TimeRange::ALL);
        let merged = store.merge(&query, detail).value.into_profile(&query, None);
        assert_eq!(merged.folded(), "main;[unknown] 2\n");
        assert_eq!(merged.samples().len(), 1);
    }
}

#[test]
fn texts_of_samples_become_labels() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let time = base();
    let comm = |text: &str| [SampleLabel { key: "comm".into(), value: SampleLabelValue::Text(text.into()) }];
    let number = |number| [SampleLabel { key: "n".into(), value: SampleLabelValue::Number(number, "".into()) }];
    let mut builder = ProfileBuilder::new();
    builder.interval(time * 1_000_000, 0);
    let function = builder.function(&Function::named("main"));
    let main = builder.location(None, 0, &[Line { function, line: 0 }]);
    builder.add_labelled(&[main], &comm("a"), 1);
    builder.add_labelled(&[main], &comm("b"), 2);
    builder.add_labelled(&[main], &number(1), 4);
    builder.add_labelled(&[main], &number(2), 8);
    let stored = Arc::new(builder.finish([("service_name", "s")].into_iter().collect(), cpu()));
    for (number, open) in [(1, true), (1, false)] {
        if open {
            store.set_open(interval(number), vec![stored.clone()]);
        } else {
            store.append(interval(number), std::slice::from_ref(&stored)).unwrap();
        }
        assert_eq!(store.label_values("comm", &Selector::all(), TimeRange::ALL).value, ["a", "b"]);
        assert_eq!(folded(&store, r#"{comm="b"}"#, TimeRange::ALL), "main 2\n");
        assert_eq!(folded(&store, r#"{comm=""}"#, TimeRange::ALL), "main 12\n");
        assert_eq!(store.series(&Selector::all(), &[], TimeRange::ALL).value.len(), 3);
    }
}

#[test]
fn a_pruned_profile_keeps_the_sum_and_names_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let time = base();
    store.append(interval(1), &[profile("a", time, "m;a 50, m;a;x 30, m;b 3, m;b;y 2, m;c 1")]).unwrap();
    let query = query("{}", TimeRange::ALL);
    let pruned = |max_nodes| store.merge_profile(&query, Some(max_nodes)).value.folded();
    assert_eq!(pruned(6), "m;a 50\nm;a;x 30\nm;b 3\nm;b;y 2\nm;c 1\n");
    assert_eq!(pruned(3), "m;a 50\nm;a;x 30\nm;other 6\n");
    assert_eq!(pruned(1), "m;other 86\n");
}

#[test]
fn only_stacks_below_a_call_site() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    store.append(interval(1), &[profile("a", base(), "m;a 1, m;a;x 2, m;b 4, a;x 8, m 16")]).unwrap();
    let query = query("{}", TimeRange::ALL);
    let below = |path: &[&str]| {
        let mut merged = store.merge(&query, Detail::Functions).value;
        merged.tree = merged.tree.under(path);
        merged.into_profile(&query, None).folded()
    };
    assert_eq!(below(&["m", "a"]), "m;a 1\nm;a;x 2\n");
    assert_eq!(below(&["a"]), "a;x 8\n");
    assert_eq!(below(&["x"]), "");
    assert_eq!(below(&[]), "a;x 8\nm 16\nm;a 1\nm;a;x 2\nm;b 4\n");
}

#[test]
fn a_full_partition_is_followed_by_the_next_and_queries_span_both() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.partition = std::time::Duration::from_secs(60);
    let store = pyrope_store::Store::open(config).unwrap();
    let time = base();
    for minute in 0..5 {
        for second in [0, 30] {
            let at = time + (minute * 60 + second) * SECOND;
            store.append(interval(1), &[profile("a", at, &format!("main;f{minute} 1, main 1"))]).unwrap();
        }
    }
    assert_eq!((store.stats().partitions, store.stats().windows), (5, 10));
    assert_eq!(
        folded(&store, "{}", TimeRange::ALL),
        "main 10\nmain;f0 2\nmain;f1 2\nmain;f2 2\nmain;f3 2\nmain;f4 2\n"
    );
    let range = TimeRange { start: time + 90 * SECOND, end: time + 120 * SECOND };
    let query = Query { range, ..query("{}", range) };
    assert_eq!(store.merge_profile(&query, None).value.folded(), "main 2\nmain;f1 1\nmain;f2 1\n");
}
