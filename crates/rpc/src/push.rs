//! The body of a `push.v1.PusherService/Push`, written without copying the profile twice.

/// Where to send it, below the server's URL.
pub const PATH: &str = "/push.v1.PusherService/Push";

/// The content type of the body and of the answer.
pub const CONTENT_TYPE: &str = "application/proto";

/// A `PushRequest` of one series with one profile: its labels, sorted by name, the pprof, plain or gzip, and a UUID as text.
///
/// The messages are `PushRequest { repeated RawProfileSeries series = 1 }`,
/// `RawProfileSeries { repeated LabelPair labels = 1; repeated RawSample samples = 2 }`,
/// `LabelPair { string name = 1; string value = 2 }` and `RawSample { bytes raw_profile = 1; string ID = 2 }`.
pub fn request<'a>(labels: impl Iterator<Item = (&'a str, &'a str)> + Clone, profile: &[u8], id: &str) -> Vec<u8> {
    let label_len = |(name, value): (&str, &str)| field_len(name.len()) + field_len(value.len());
    let labels_len: usize = labels.clone().map(|label| field_len(label_len(label))).sum();
    let sample_len = field_len(profile.len()) + field_len(id.len());
    let series_len = labels_len + field_len(sample_len);
    let mut out = Vec::with_capacity(field_len(series_len));
    head(&mut out, 1, series_len);
    for label in labels {
        head(&mut out, 1, label_len(label));
        bytes(&mut out, 1, label.0.as_bytes());
        bytes(&mut out, 2, label.1.as_bytes());
    }
    head(&mut out, 2, sample_len);
    bytes(&mut out, 1, profile);
    bytes(&mut out, 2, id.as_bytes());
    out
}

/// Bytes of a field of `len` bytes with its head. All field numbers here are below 16.
fn field_len(len: usize) -> usize {
    1 + varint_len(len) + len
}

fn varint_len(value: usize) -> usize {
    (usize::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

fn head(out: &mut Vec<u8>, field: u8, len: usize) {
    out.push(field << 3 | 2);
    let mut rest = len;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn bytes(out: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    head(out, field, bytes.len());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use buffa::Message as _;

    use super::*;
    use crate::upload::PushRequest;

    #[test]
    fn the_generated_message_reads_what_was_written() {
        let labels = [("__name__", "process_cpu"), ("service_name", "ü")];
        for len in [0, 127, 128, 16_383, 16_384, 300_000] {
            let profile = vec![7; len];
            let body = request(labels.into_iter(), &profile, "id-1");
            assert_eq!(body.len(), body.capacity(), "{len}");
            let read = PushRequest::decode_from_slice(&body).unwrap();
            let [series] = &read.series[..] else { panic!("{} series", read.series.len()) };
            let seen: Vec<(&str, &str)> = series.labels.iter().map(|l| (l.name.as_str(), l.value.as_str())).collect();
            assert_eq!(seen, labels);
            let [sample] = &series.samples[..] else { panic!("{} samples", series.samples.len()) };
            assert_eq!((&sample.raw_profile[..], &*sample.ID), (&profile[..], "id-1"));
        }
        let read = PushRequest::decode_from_slice(&request([].into_iter(), b"", "")).unwrap();
        assert_eq!((read.series[0].labels.len(), read.series[0].samples.len()), (0, 1));
    }
}
