//! The links in `/proc/PID/ns`.

/// The inode of the first pid namespace, which is the same number on every Linux (`PROC_PID_INIT_INO`).
pub const HOST_PID_NAMESPACE: u64 = 0xEFFF_FFFC;

/// What `/proc` says about the pid namespace this process lives in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visibility {
    /// Our pid namespace is the host's and `/proc` shows it: every process of the host is visible.
    Host,
    /// We are in a pid namespace of our own and see its processes only.
    Nested {
        /// The inode of our pid namespace.
        inode: u64,
    },
    /// `/proc` was mounted for another pid namespace than ours, so the numbers in it are not those the kernel gives us.
    ForeignProc,
    /// The link could not be read.
    Unknown,
}

/// The inode in the text of a namespace link, as `pid:[4026531836]`.
pub fn inode(link: &[u8]) -> Option<u64> {
    let (_kind, rest) = str::from_utf8(link).ok()?.split_once(":[")?;
    rest.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_in_brackets_is_the_namespace() {
        assert_eq!(inode(b"pid:[4026531836]"), Some(HOST_PID_NAMESPACE));
        assert_eq!(inode(b"mnt:[4026532256]"), Some(4_026_532_256));
        for text in ["", "pid:", "pid:[]", "pid:[12", "/usr/bin/x"] {
            assert_eq!(inode(text.as_bytes()), None, "{text:?}");
        }
    }
}
