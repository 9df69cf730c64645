//! Samples become profiles here: frames and stacks interned into tables, one label set and one interval each, and
//! pprof bytes out of and into them.
//!
//! ```text
//!  frames ──▶ ProfileBuilder ──▶ Profile ──▶ split ──▶ encode ──▶ gzip ──▶ a server
//!             (merges equal      │   ▲                                     │
//!              stacks)           │   └────────────── decode ◀──────────────┘
//!                                └──▶ the embedded store
//! ```
//!
//! Invariants:
//!
//! - Every id in a [`Profile`] points into the profile's own [`Tables`]; nothing outside can break that, for tables are
//!   made by [`ProfileBuilder`] and [`decode`] alone.
//! - A sample has exactly one value; a pprof with several sample types is refused by [`decode`].
//! - Stacks are written leaf first, and the lines of a location innermost first, as in pprof.
//! - The labels of the series are not part of the pprof: [`decode`] gives a profile without labels.
//! - Bytes from elsewhere never panic and never allocate more than a small multiple of their own length.
//!
//! Deliberately absent: symbolization, I/O, and clocks.
//!
//! Start at [`profile`], then [`builder`], then [`encode`](mod@encode). Tested by examples beside the code and by laws
//! in `tests/laws.rs`: decode ∘ encode is the identity, and splitting keeps the sum of the values.
//!
//! ```
//! use pyrope_profile::{Function, Line, ProfileBuilder, ProfileType};
//!
//! let mut builder = ProfileBuilder::new();
//! let main = builder.function(&Function::named("main"));
//! let location = builder.location(None, 0x1000, &[Line { function: main, line: 12 }]);
//! builder.add(&[location], 10_309_278);
//! builder.add(&[location], 10_309_278);
//! let profile = builder.finish([("service_name", "cart")].into_iter().collect(), ProfileType::cpu("process_cpu"));
//! assert_eq!(profile.total(), 20_618_556);
//! assert_eq!(profile.samples().len(), 1);
//! ```
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod builder;
pub mod decode;
pub mod encode;
pub mod labels;
pub mod profile;
pub mod profile_type;
pub mod split;
mod wire;

pub use builder::ProfileBuilder;
pub use decode::{DecodeError, decode};
pub use encode::gzip;
pub use labels::Labels;
pub use profile::{
    Function, FunctionId, LabelSetId, Line, Location, LocationId, Mapping, MappingId, Profile, Sample, SampleLabel,
    SampleLabelValue, Tables,
};
pub use profile_type::ProfileType;
