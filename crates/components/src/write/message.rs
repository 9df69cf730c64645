//! `push.v1.PushRequest` with one series of one profile.

use bytes::Bytes;
use profile::Labels;

/// The request's bytes. `id` is a UUID as text; labels are written in the order of their names.
///
/// The messages are `PushRequest { repeated RawProfileSeries series = 1 }`,
/// `RawProfileSeries { repeated LabelPair labels = 1; repeated RawSample samples = 2 }`,
/// `LabelPair { string name = 1; string value = 2 }` and `RawSample { bytes raw_profile = 1; string ID = 2 }`.
pub(super) fn push_request(labels: &Labels, pprof: &[u8], id: &str) -> Bytes {
    let labels_len: usize = labels.iter().map(|label| field_len(label_len(label))).sum();
    let sample_len = field_len(pprof.len()) + field_len(id.len());
    let series_len = labels_len + field_len(sample_len);
    let mut out = Vec::with_capacity(field_len(series_len));
    head(&mut out, 1, series_len);
    for label in labels.iter() {
        head(&mut out, 1, label_len(label));
        bytes(&mut out, 1, label.0.as_bytes());
        bytes(&mut out, 2, label.1.as_bytes());
    }
    head(&mut out, 2, sample_len);
    bytes(&mut out, 1, pprof);
    bytes(&mut out, 2, id.as_bytes());
    Bytes::from(out)
}

fn label_len((name, value): (&str, &str)) -> usize {
    field_len(name.len()) + field_len(value.len())
}

/// Length of a field of `len` bytes with its tag, whose number is below 16.
fn field_len(len: usize) -> usize {
    let mut varint = 1;
    let mut rest = len >> 7;
    while rest > 0 {
        varint += 1;
        rest >>= 7;
    }
    1 + varint + len
}

fn head(out: &mut Vec<u8>, field: u8, len: usize) {
    out.push(field << 3 | 2);
    let mut rest = len;
    while rest > 0x7f {
        out.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn bytes(out: &mut Vec<u8>, field: u8, content: &[u8]) {
    head(out, field, content.len());
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_the_bytes_that_protobuf_wants() {
        let labels: Labels = [("b", "2"), ("a", "1")].into_iter().collect();
        let request = push_request(&labels, b"pprof", "id");
        let expect = b"\x0a\x1d\x0a\x06\x0a\x01a\x12\x011\x0a\x06\x0a\x01b\x12\x012\x12\x0b\x0a\x05pprof\x12\x02id";
        assert_eq!(&request[..], &expect[..]);
    }

    #[test]
    fn lengths_of_more_than_a_byte_are_counted_right() {
        for len in [0, 127, 128, 16_383, 16_384, 300_000] {
            let pprof = vec![7; len];
            let request = push_request(&Labels::empty(), &pprof, "");
            let capacity = field_len(field_len(field_len(len) + 2));
            assert_eq!(request.len(), capacity, "{len}");
        }
    }
}
