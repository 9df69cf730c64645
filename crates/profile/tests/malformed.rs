//! Every way in which a pprof can be wrong has a message.

use pyrope_profile::decode::decode_limited;
use pyrope_profile::{Function, Labels, Line, ProfileBuilder, ProfileType, decode, gzip};

/// A message from its fields: number and bytes.
fn message(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (field, bytes) in fields {
        out.extend([field << 3 | 2, bytes.len() as u8]);
        out.extend_from_slice(bytes);
    }
    out
}

/// Sample type `s`, string table `"", s`, then `fields`.
fn with(fields: &[(u8, &[u8])]) -> Vec<u8> {
    let mut all: Vec<(u8, &[u8])> = vec![(1, &[8, 1, 16, 1]), (6, b""), (6, b"s")];
    all.extend_from_slice(fields);
    message(&all)
}

#[track_caller]
fn check(bytes: &[u8], expect: &str) {
    match decode(bytes) {
        Ok(_) => assert_eq!(expect, "ok"),
        Err(error) => assert_eq!(error.to_string(), expect),
    }
}

const FUNCTION_1: (u8, &[u8]) = (5, &[8, 1, 16, 1]);
const LOCATION_1: (u8, &[u8]) = (4, &[8, 1, 34, 2, 8, 1]);

#[test]
fn references_must_hold() {
    check(&with(&[FUNCTION_1, LOCATION_1, (2, &[10, 1, 1, 18, 1, 5])]), "ok");
    check(&with(&[FUNCTION_1, LOCATION_1, (2, &[8, 1, 16, 5])]), "ok");
    check(&with(&[(2, &[10, 1, 1, 18, 1, 5])]), "the profile refers to location 1, which it does not contain");
    check(&with(&[LOCATION_1]), "the profile refers to function 1, which it does not contain");
    check(&with(&[(4, &[8, 1, 16, 9])]), "the profile refers to mapping 9, which it does not contain");
    check(&with(&[(5, &[8, 1, 16, 7])]), "the profile refers to string 7 of 2");
}

#[test]
fn ids_must_be_there_once() {
    check(&with(&[(5, &[16, 1])]), "a function of the profile has the id 0");
    check(&with(&[(4, &[24, 1])]), "a location of the profile has the id 0");
    check(&with(&[(3, &[16, 1])]), "a mapping of the profile has the id 0");
    check(&with(&[FUNCTION_1, FUNCTION_1]), "two functions of the profile have the id 1");
}

#[test]
fn values_must_match_the_sample_type() {
    check(&with(&[(2, &[])]), "sample 0 of the profile has 0 values for one sample type");
    check(&with(&[(2, &[18, 2, 5, 6])]), "sample 0 of the profile has 2 values for one sample type");
    check(&with(&[(1, &[8, 1])]), "the profile has 2 sample types; exactly one is supported");
    check(b"", "the profile has 0 sample types; exactly one is supported");
}

#[test]
fn strings_must_be_text_and_begin_with_the_empty_one() {
    check(&message(&[(1, &[]), (6, b"s")]), "the string table of the profile does not begin with \"\"");
    check(&with(&[(6, &[0xff])]), "string 2 of the profile is not UTF-8");
}

#[test]
fn the_message_must_be_protobuf() {
    check(&[0x0a, 9], "profile is not a valid protobuf message: field reaches past the end");
    check(&[0xff], "profile is not a valid protobuf message: unfinished number");
    check(&[0x10, 1], "profile is not a valid protobuf message: a number in place of a message");
}

#[test]
fn gzip_must_be_whole_and_small_enough() {
    check(&[0x1f, 0x8b, 1, 2], "decompress profile");
    let packed = gzip(&vec![0; 100_000], 9);
    let error = decode_limited(&packed, 1_000).unwrap_err();
    assert_eq!(error.to_string(), "profile is larger than 1000 bytes uncompressed");
    assert!(decode_limited(&with(&[]), 5).is_err());
}

#[test]
fn the_bytes_are_what_pprof_describes() {
    let mut builder = ProfileBuilder::new();
    builder.interval(1, 2).period(3);
    let function = builder.function(&Function::named("f"));
    let location = builder.location(None, 16, &[Line { function, line: 4 }]);
    builder.add(&[location], 5);
    let bytes = builder.finish(Labels::empty(), ProfileType::cpu("process_cpu")).encode();
    let expect = [
        vec![0x0a, 4, 8, 1, 16, 2],                         // sample type: strings 1 and 2
        vec![0x12, 6, 0x0a, 1, 1, 0x12, 1, 5],              // sample: location 1, value 5
        vec![0x22, 10, 8, 1, 24, 16, 0x22, 4, 8, 1, 16, 4], // location 1 at 16: function 1, line 4
        vec![0x2a, 4, 8, 1, 16, 3],                         // function 1: string 3
        vec![0x48, 1, 0x50, 2],                             // time, duration
        vec![0x5a, 4, 8, 1, 16, 2, 0x60, 3],                // period type, period
        vec![0x32, 0],
        b"\x32\x03cpu\x32\x0bnanoseconds\x32\x01f".to_vec(),
    ];
    assert_eq!(bytes, expect.concat());
}
