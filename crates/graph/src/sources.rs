//! Configuration files from disk.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use lang::source::Source;

/// Why a configuration could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file or folder is not there or not readable.
    #[error("reading config path {path:?}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file begins with the mark of another encoding.
    #[error("{path:?}: configuration is encoded with {encoding} but must be utf8")]
    Encoding {
        /// Which.
        path: PathBuf,
        /// Which encoding.
        encoding: &'static str,
    },
    /// A file is not text.
    #[error("{path:?}: unknown encoding for config")]
    NotText {
        /// Which.
        path: PathBuf,
    },
}

/// Reads a file, or every `*.alloy` file directly inside a folder in the order of their names. An empty folder is an
/// empty configuration. Links are followed.
pub fn read_sources(path: &Path) -> Result<Vec<Arc<Source>>, ReadError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ReadError::Read { path, source }
    };
    let metadata = std::fs::metadata(path).map_err(failed(path))?;
    let mut files = Vec::new();
    if metadata.is_dir() {
        for entry in std::fs::read_dir(path).map_err(failed(path))? {
            let file = entry.map_err(failed(path))?.path();
            if file.extension().is_some_and(|extension| extension == "alloy") && file.is_file() {
                files.push(file);
            }
        }
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    let read = |file: PathBuf| {
        let text = std::fs::read(&file).map_err(failed(&file))?;
        check_encoding(&file, &text)?;
        Ok(Source::new(file.to_string_lossy(), text))
    };
    files.into_iter().map(read).collect()
}

fn check_encoding(path: &Path, text: &[u8]) -> Result<(), ReadError> {
    const MARKS: [(&[u8], &str); 4] = [
        (b"\xff\xfe\0\0", "UTF-32 (LE)"),
        (b"\0\0\xfe\xff", "UTF-32 (BE)"),
        (b"\xff\xfe", "UTF-16 (LE)"),
        (b"\xfe\xff", "UTF-16 (BE)"),
    ];
    if let Some((_, encoding)) = MARKS.iter().find(|(mark, _)| text.starts_with(mark)) {
        return Err(ReadError::Encoding { path: path.to_owned(), encoding });
    }
    std::str::from_utf8(text).map(drop).map_err(|_| ReadError::NotText { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_its_files_in_order() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("b.alloy", "b = 1"), ("a.alloy", "a = 1"), ("c.txt", "c = 1")] {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        std::fs::create_dir(folder.path().join("d.alloy")).expect("made");
        let sources = read_sources(folder.path()).expect("it reads");
        let texts: Vec<_> = sources.iter().map(|source| source.text()).collect();
        assert_eq!(texts, [b"a = 1", b"b = 1"]);
        assert!(sources[0].name().ends_with("/a.alloy"));
        assert_eq!(read_sources(&folder.path().join("c.txt")).expect("it reads").len(), 1);
    }

    #[test]
    fn other_encodings_are_refused() {
        #[track_caller]
        fn check(text: &[u8], expect: &str) {
            let error = check_encoding(Path::new("x"), text).expect_err("refused").to_string();
            assert_eq!(error, expect);
        }
        check(b"\xff\xfea\0", r#""x": configuration is encoded with UTF-16 (LE) but must be utf8"#);
        check(b"\xff\xfe\0\0", r#""x": configuration is encoded with UTF-32 (LE) but must be utf8"#);
        check(b"a = \"\xff\"", r#""x": unknown encoding for config"#);
        assert!(check_encoding(Path::new("x"), "\u{feff}a = 1".as_bytes()).is_ok());
        assert!(read_sources(Path::new("/nowhere/at/all")).is_err());
    }
}
