//! The standard library: the names that every scope knows.
//!
//! | root name | module |
//! |---|---|
//! | `sys`, `constants`, `coalesce`, `convert`, `file` | `basic` |
//! | `array` | `array` |
//! | `string` | `string` |

mod arguments;
mod array;
mod basic;
mod encoding;
mod json_path;
mod string;
mod yaml;

use std::{collections::BTreeMap, fmt, sync::Arc};

use crate::value::Value;

/// Looks an environment variable up.
pub type Environment = dyn Fn(&[u8]) -> Option<Vec<u8>> + Send + Sync;

/// What functions ask of the machine. The language does no I/O of its own; whoever runs it hands this in.
#[derive(Clone)]
pub struct Host {
    /// An environment variable's value.
    pub env: Arc<Environment>,
    /// `constants.hostname`
    pub hostname: String,
    /// `constants.os`, as Go names it: `linux`.
    pub os: String,
    /// `constants.arch`, as Go names it: `amd64`.
    pub arch: String,
    /// `constants.version`: `v1.2.3`.
    pub version: String,
}

/// A host without environment or name.
impl Default for Host {
    fn default() -> Self {
        let arch = match std::env::consts::ARCH {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "x86" => "386",
            other => other,
        };
        Self {
            env: Arc::new(|_| None),
            hostname: String::new(),
            os: std::env::consts::OS.to_owned(),
            arch: arch.to_owned(),
            version: "v0.0.0".to_owned(),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({:?}, {}/{}, {})", self.hostname, self.os, self.arch, self.version)
    }
}

/// The root names and their values. Cheap to clone.
#[derive(Clone)]
pub struct Stdlib(Arc<BTreeMap<&'static str, Value>>);

impl Stdlib {
    /// The library on a host.
    pub fn new(host: Host) -> Self {
        let mut names = BTreeMap::new();
        basic::add(&mut names, &host);
        array::add(&mut names);
        encoding::add(&mut names);
        json_path::add(&mut names);
        string::add(&mut names);
        Self(Arc::new(names))
    }

    /// The value of a root name.
    pub fn lookup(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }

    /// Whether a root name is one that upstream marks as superseded, such as `env` by `sys.env`.
    pub fn is_deprecated(name: &str) -> bool {
        DEPRECATED.contains(&name)
    }
}

/// Old names for what now lives in a namespace.
const DEPRECATED: &[&str] = &[
    "base64_decode",
    "concat",
    "env",
    "format",
    "join",
    "json_decode",
    "nonsensitive",
    "replace",
    "split",
    "to_lower",
    "to_upper",
    "trim",
    "trim_prefix",
    "trim_space",
    "trim_suffix",
    "yaml_decode",
];

type Names = BTreeMap<&'static str, Value>;
