//! The body of a `push.v1.PusherService/Push`, written without copying profiles twice.

/// Where to send it, below the server's URL.
pub const PATH: &str = "/push.v1.PusherService/Push";

/// The content type of the body.
pub const CONTENT_TYPE: &str = "application/proto";

/// Collects profiles into a `PushRequest`.
#[derive(Clone, Debug, Default)]
pub struct Encoder {
    body: Vec<u8>,
}

impl Encoder {
    /// A request without profiles.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a series with one profile: its labels, sorted by name, the pprof, plain or gzip, and a UUID as text.
    pub fn add<'a>(
        &mut self,
        labels: impl IntoIterator<Item = (&'a str, &'a str)>,
        profile: &[u8],
        id: &str,
    ) -> &mut Self {
        let mut series = Vec::new();
        for (name, value) in labels {
            head(&mut series, 1, field_len(name.len()) + field_len(value.len()));
            bytes(&mut series, 1, name.as_bytes());
            bytes(&mut series, 2, value.as_bytes());
        }
        let sample_len = field_len(profile.len()) + field_len(id.len());
        head(&mut self.body, 1, series.len() + field_len(sample_len));
        self.body.extend_from_slice(&series);
        head(&mut self.body, 2, sample_len);
        bytes(&mut self.body, 1, profile);
        bytes(&mut self.body, 2, id.as_bytes());
        self
    }

    /// Bytes of the body so far.
    pub fn len(&self) -> usize {
        self.body.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// The body.
    pub fn finish(self) -> Vec<u8> {
        self.body
    }
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
        let large = vec![7; 300_000];
        let mut encoder = Encoder::new();
        assert!(encoder.is_empty());
        encoder.add([("__name__", "process_cpu"), ("service_name", "ü")], &large, "id-1");
        encoder.add([], b"", "");
        let len = encoder.len();
        let body = encoder.finish();
        assert_eq!(len, body.len());
        let request = PushRequest::decode_from_slice(&body).unwrap();
        let labels: Vec<(&str, &str)> =
            request.series[0].labels.iter().map(|label| (label.name.as_str(), label.value.as_str())).collect();
        assert_eq!(labels, [("__name__", "process_cpu"), ("service_name", "ü")]);
        assert_eq!(
            (&request.series[0].samples[0].raw_profile[..], &*request.series[0].samples[0].ID),
            (&large[..], "id-1")
        );
        assert_eq!((request.series.len(), request.series[1].labels.len(), request.series[1].samples.len()), (2, 0, 1));
    }
}
