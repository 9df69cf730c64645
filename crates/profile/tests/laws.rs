//! Laws that hold for every profile.

use std::sync::Arc;

use profile::{
    Function, FunctionId, Labels, Line, LocationId, Mapping, MappingId, Profile, ProfileBuilder, ProfileType,
    SampleLabel, SampleLabelValue, decode,
};
use proptest::prelude::*;
use pyrope_profile as profile;

/// A profile that uses every field, from small numbers so that things are shared.
fn any_profile() -> impl Strategy<Value = Profile> {
    let text = prop_oneof![Just(""), Just("a"), Just("main"), Just("libc.so.6"), Just("größer")];
    let mapping = (any::<u64>(), any::<u64>(), any::<u32>(), text.clone(), text.clone(), any::<[bool; 4]>());
    let function = (text.clone(), text.clone(), text.clone(), any::<i32>());
    let location = (any::<Option<u8>>(), any::<u64>(), prop::collection::vec((any::<u8>(), -5_i64..100_000), 0..4));
    let label = (text.clone(), prop_oneof![Just(None), Just(Some("thread")), Just(Some("7"))], any::<i64>(), text);
    let sample = (prop::collection::vec(any::<u16>(), 0..20), any::<i64>(), prop::collection::vec(label, 0..3));
    (
        prop::collection::vec(mapping, 1..5),
        prop::collection::vec(function, 1..20),
        prop::collection::vec(location, 1..40),
        prop::collection::vec(sample, 0..60),
        any::<[i64; 3]>(),
        any::<bool>(),
    )
        .prop_map(|(mappings, functions, locations, samples, [time, duration, period], off_cpu)| {
            let mut builder = ProfileBuilder::new();
            builder.interval(time, duration).period(period);
            let mappings: Vec<MappingId> = mappings
                .into_iter()
                .map(|(memory_start, memory_limit, file_offset, filename, build_id, flags)| {
                    builder.mapping(&Mapping {
                        memory_start,
                        memory_limit,
                        file_offset: u64::from(file_offset),
                        filename: Arc::from(filename),
                        build_id: Arc::from(build_id),
                        has_functions: flags[0],
                        has_filenames: flags[1],
                        has_line_numbers: flags[2],
                        has_inline_frames: flags[3],
                    })
                })
                .collect();
            let functions: Vec<FunctionId> = functions
                .into_iter()
                .map(|(name, system_name, filename, start_line)| {
                    builder.function(&Function {
                        name: Arc::from(name),
                        system_name: Arc::from(system_name),
                        filename: Arc::from(filename),
                        start_line: i64::from(start_line),
                    })
                })
                .collect();
            let locations: Vec<LocationId> = locations
                .into_iter()
                .map(|(mapping, address, lines)| {
                    let lines: Vec<Line> = lines
                        .into_iter()
                        .map(|(function, line)| Line { function: functions[function as usize % functions.len()], line })
                        .collect();
                    let mapping = mapping.map(|mapping| mappings[mapping as usize % mappings.len()]);
                    builder.location(mapping, address, &lines)
                })
                .collect();
            for (stack, value, labels) in samples {
                let stack: Vec<LocationId> =
                    stack.into_iter().map(|at| locations[at as usize % locations.len()]).collect();
                let labels: Vec<SampleLabel> = labels
                    .into_iter()
                    .map(|(key, text, number, unit)| SampleLabel {
                        key: Arc::from(key),
                        value: match text {
                            Some(text) => SampleLabelValue::Text(Arc::from(text)),
                            None => SampleLabelValue::Number(number, Arc::from(unit)),
                        },
                    })
                    .collect();
                builder.add_labelled(&stack, &labels, value);
            }
            let mut profile_type = ProfileType::cpu("");
            if off_cpu {
                profile_type.period_type = Arc::from("");
                profile_type.period_unit = Arc::from("");
            }
            builder.finish(Labels::empty(), profile_type)
        })
}

fn decoding_undoes_encoding(profile: &Profile) {
    let plain = decode(&profile.encode()).expect("what we encode is valid");
    assert_eq!(&plain, profile);
    let packed = decode(&profile.encode_gzip(1)).expect("what we compress is valid");
    assert_eq!(&packed, profile);
}

fn splitting_keeps_values_and_limits(profile: &Profile, max_samples: usize, max_bytes: usize) {
    assert!(profile.encode().len() <= profile.encoded_bound());
    let parts = profile.split(max_samples, max_bytes);
    let mut folded: Vec<String> = Vec::new();
    for part in &parts {
        decoding_undoes_encoding(part);
        assert!(part.samples().len() <= max_samples);
        assert!(part.samples().len() <= 1 || part.encode().len() <= max_bytes, "{}", part.encode().len());
        assert_eq!((part.time_nanos, part.period), (profile.time_nanos, profile.period));
        folded.extend(part.folded().lines().map(str::to_owned));
    }
    folded.sort();
    let whole = profile.folded();
    assert_eq!(folded, whole.lines().collect::<Vec<_>>());
}

proptest! {
    #[test]
    fn decode_of_encode_is_the_identity(profile in any_profile()) {
        decoding_undoes_encoding(&profile);
    }

    #[test]
    fn split_parts_hold_the_same_samples_within_the_limits(
        profile in any_profile(), max_samples in 1_usize..70, max_bytes in 200_usize..4_000
    ) {
        splitting_keeps_values_and_limits(&profile, max_samples, max_bytes);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn damaged_profiles_never_panic(profile in any_profile(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = profile.encode();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(damaged) = decode(&bytes) {
            // Whatever was accepted can be written and read again.
            assert_eq!(decode(&damaged.encode()).expect("what we encode is valid"), damaged);
        }
        let _ = decode(&bytes[..at]);
    }
}
