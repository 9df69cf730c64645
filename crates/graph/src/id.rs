//! What one component of a configuration is called.

use std::{
    borrow::Borrow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

/// A component's name and label, such as `pyroscope.write.default`. Cheap to clone; compared and ordered by its text.
#[derive(Clone)]
pub struct ComponentId {
    text: Arc<str>,
    /// Bytes of the name within the text.
    name: usize,
}

impl ComponentId {
    /// From a component's name (`pyroscope.write`) and label, where it has one.
    pub fn new(name: &str, label: Option<&str>) -> Self {
        let text = match label {
            Some(label) => format!("{name}.{label}"),
            None => name.to_owned(),
        };
        Self { text: text.into(), name: name.len() }
    }

    /// The whole id: `pyroscope.write.default`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The kind of component: `pyroscope.write`.
    pub fn name(&self) -> &str {
        &self.text[..self.name]
    }

    /// The label: `default`.
    pub fn label(&self) -> Option<&str> {
        self.text.get(self.name + 1..)
    }

    /// The fragments that expressions join by dots: `pyroscope`, `write`, `default`.
    pub fn fragments(&self) -> impl Iterator<Item = &str> {
        self.text.split('.')
    }

    /// The folder of this component below the storage path. Nobody has made it yet.
    pub(crate) fn data_path(&self, storage: &Path) -> PathBuf {
        storage.join(self.as_str())
    }
}

impl Borrow<str> for ComponentId {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl PartialEq for ComponentId {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for ComponentId {}

impl PartialOrd for ComponentId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ComponentId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl Hash for ComponentId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for ComponentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_and_label_are_found_again() {
        let id = ComponentId::new("pyroscope.write", Some("default"));
        assert_eq!(
            (id.as_str(), id.name(), id.label()),
            ("pyroscope.write.default", "pyroscope.write", Some("default"))
        );
        let bare = ComponentId::new("local.clock", None);
        assert_eq!((bare.as_str(), bare.name(), bare.label()), ("local.clock", "local.clock", None));
    }
}
