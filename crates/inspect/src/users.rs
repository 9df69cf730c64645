//! Names of users, from the text of `/etc/passwd`.

use std::collections::BTreeMap;

/// uid → name, as of the moment the text was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users {
    names: BTreeMap<u32, Box<str>>,
}

impl Users {
    /// Reads the text of `/etc/passwd`. Where a uid stands twice the first line wins, as in the C library; lines that
    /// cannot be read are skipped.
    pub fn parse(text: &[u8]) -> Self {
        let mut names = BTreeMap::new();
        for line in text.split(|&b| b == b'\n') {
            let mut fields = line.split(|&b| b == b':');
            let (Some(name), Some(uid)) = (fields.next(), fields.nth(1)) else { continue };
            let (Ok(name), Ok(uid)) = (str::from_utf8(name), str::from_utf8(uid)) else { continue };
            let Ok(uid) = uid.parse() else { continue };
            if !name.is_empty() && !name.starts_with(['#', '+', '-']) {
                names.entry(uid).or_insert_with(|| name.into());
            }
        }
        Self { names }
    }

    /// The name of a user, if the text had one.
    pub fn name(&self, uid: u32) -> Option<&str> {
        self.names.get(&uid).map(|name| &**name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_uid_names_it() {
        let users = Users::parse(
            b"root:x:0:0:root:/root:/bin/bash\ntoor:x:0:0::/root:/bin/sh\n#x:x:5:5::/:\n+nis::::::\nbad:x:minus:0:::\nweb:x:33:33::/var/www:/bin/false",
        );
        assert_eq!((users.name(0), users.name(33), users.name(5)), (Some("root"), Some("web"), None));
    }
}
