//! Functions of several names: which one is shown is a matter of taste.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::sync::Arc;

use elf::{BuildId, Elf, Svma};

use super::super::seen::Selves;

/// From each name to the first, by the alphabet, of the names of the same place.
pub(super) struct Aliases(HashMap<String, String>);

impl Aliases {
    /// Of these files and what Debian's packages of debug symbols say about them.
    pub(super) fn of<'a>(paths: impl IntoIterator<Item = &'a String>) -> Self {
        let mut aliases = Self(HashMap::new());
        for path in paths {
            let mut places = BTreeMap::new();
            let Some(elf) = open(path) else { continue };
            names(&elf, &mut places);
            if let Some(BuildId::Gnu(id)) = elf.build_id() {
                let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
                if let Some(debug) = open(&format!("/usr/lib/debug/.build-id/{}/{}.debug", &id[..2], &id[2..])) {
                    names(&debug, &mut places);
                }
            }
            for names in places.into_values().filter(|names| names.len() > 1) {
                let first = names.first().cloned().unwrap_or_default();
                aliases.0.extend(names.into_iter().map(|name| (name, first.clone())));
            }
        }
        aliases
    }

    /// The same counts, under one name for each function.
    pub(super) fn join(&self, selves: &Selves) -> Selves {
        let mut joined = Selves::new();
        for (name, count) in selves {
            *joined.entry(self.0.get(name).unwrap_or(name).clone()).or_default() += count;
        }
        joined
    }
}

fn open(path: &str) -> Option<Elf<Arc<File>>> {
    Elf::parse(Arc::new(File::open(path).ok()?)).ok().map(|(elf, _)| elf)
}

fn names(elf: &Elf<Arc<File>>, places: &mut BTreeMap<Svma, BTreeSet<String>>) {
    let Some(table) = elf.function_table().0 else { return };
    elf.for_each_function(&table, |function| {
        if let Some(name) = table.name(elf.reader(), function.name) {
            places.entry(function.address).or_default().insert(String::from_utf8_lossy(&name).into_owned());
        }
    });
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{Aliases, Selves};

    const SOURCE: &str = "int b_one(void) { return 1; }
        int a_two(void) __attribute__((alias(\"b_one\")));
        int other(void) { return 2; }";

    #[test]
    fn names_of_one_place_are_one_function() {
        let folder = tempfile::tempdir().unwrap();
        let (source, object) = (folder.path().join("a.c"), folder.path().join("a.so"));
        std::fs::write(&source, SOURCE).unwrap();
        let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&object, &source]).status().unwrap();
        assert!(built.success());
        let selves = Selves::from([("b_one".to_owned(), 3), ("a_two".to_owned(), 4), ("other".to_owned(), 5)]);
        let joined = Aliases::of([&object.to_str().unwrap().to_owned()]).join(&selves);
        assert_eq!(joined, Selves::from([("a_two".to_owned(), 7), ("other".to_owned(), 5)]));
    }
}
