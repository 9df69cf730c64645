//! Who answers when a file is read, told by the type of its file system.

/// Who answers when a file is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backing {
    /// A disk or memory of this machine, through the kernel alone.
    Local,
    /// Another file system, which is not told: the file is on overlayfs.
    Other,
    /// A process (FUSE), another machine (NFS, SMB, Ceph, …) or the machine that this one runs in (9p, virtiofs). There may be no
    /// answer for as long as it likes.
    Distant,
}

/// `overlayfs`, as `linux/magic.h` numbers it.
const OVERLAY: u32 = 0x794c_7630;
/// Types of file systems that are on this machine. What is not known is taken for distant.
const LOCAL: [u32; 26] = [
    0xef53,      // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // btrfs
    0xf2f5_2010, // f2fs
    0xca45_1a4e, // bcachefs
    0x2fc1_2fc1, // ZFS
    0x0102_1994, // tmpfs, memfd
    0x8584_58f6, // ramfs
    0x9584_58f6, // hugetlbfs
    0x5345_4d4d, // secretmem
    0x7371_7368, // squashfs
    0xe0f5_e1e2, // erofs
    0x28cd_3d45, // cramfs
    0x7275,      // romfs
    0x9660,      // isofs
    0x1501_3346, // UDF
    0x4d44,      // FAT
    0x2011_bab0, // exFAT
    0x7366_746e, // ntfs3
    0x482b,      // HFS+
    0x3153_464a, // JFS
    0x5265_4973, // reiserfs
    0x3434,      // nilfs2
    0x137f,      // minix
    0x72b6,      // jffs2
    0x2405_1905, // ubifs
];

impl Backing {
    /// By `f_type` of `statfs`.
    pub(crate) fn of(system: u32) -> Self {
        match system {
            OVERLAY => Self::Other,
            system if LOCAL.contains(&system) => Self::Local,
            _ => Self::Distant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_to_be_on_this_machine_may_not_answer() {
        let [fuse, nfs, plan9] = [0x6573_5546, 0x6969, 0x0102_1997];
        assert_eq!([fuse, nfs, plan9, 7].map(Backing::of), [Backing::Distant; 4]);
        assert_eq!([0xef53, 0x0102_1994].map(Backing::of), [Backing::Local; 2]);
        assert_eq!(Backing::of(OVERLAY), Backing::Other);
    }
}
