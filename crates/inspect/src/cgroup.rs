//! `/proc/PID/cgroup`: which container, which systemd unit, which path.
//!
//! The text has a line for each hierarchy, `NUMBER:CONTROLLERS:PATH`; in version 2 there is one, `0::PATH`. A cgroup that
//! was removed under its last process carries ` (deleted)`.

/// One line of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The controllers, `name=systemd` for systemd's own tree, empty in version 2.
    pub controllers: &'a str,
    /// The path in that hierarchy, as the reader's cgroup namespace shows it.
    pub path: &'a str,
}

/// The lines that can be read.
pub fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    text.lines().filter_map(|line| {
        let (number, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        number.parse::<u32>().ok()?;
        Some(Line { controllers, path: path.strip_suffix(" (deleted)").unwrap_or(path) })
    })
}

/// The id of the container that the process is in, from the first line that has one.
///
/// In a line it is the last run of exactly 64 hexadecimal digits (lower case) that stands after `/`, `-` or `:` and before
/// `.`, `/` or the end: containerd, CRI-O, Docker and Podman, under systemd and without it, nested or not. Where there is
/// none it is the form of ECS on Fargate, 32 such digits, `-` and a number. The helper processes `crio-conmon` and
/// `libpod-conmon` count as part of the container they watch.
pub fn container_id(text: &str) -> Option<&str> {
    lines(text).find_map(|line| hex_run(line.path).or_else(|| ecs_task(line.path)))
}

/// All lines joined by `|`, the form of `__meta_process_cgroup_path`.
pub fn joined(text: &str) -> String {
    text.trim_end().replace('\n', "|")
}

/// The path for people to read: of version 2, else of systemd's own tree, else of the first line. Where a hierarchy has
/// the process at its root and another one does not, that other one is meant.
pub fn path(text: &str) -> Option<&str> {
    let version_2 = || lines(text).filter(|line| line.controllers.is_empty());
    let systemd = || lines(text).filter(|line| line.controllers == "name=systemd");
    let all = || version_2().chain(systemd()).chain(lines(text)).map(|line| line.path);
    all().find(|&path| path != "/").or_else(|| all().next())
}

/// The innermost service or scope of a cgroup path, as `nginx.service`.
pub fn systemd_unit(path: &str) -> Option<&str> {
    path.rsplit('/').find_map(|component| {
        // systemd puts `_` before a unit name that would look like a file of the cgroup file system.
        let name = component.strip_prefix('_').unwrap_or(component);
        let stem = name.strip_suffix(".service").or_else(|| name.strip_suffix(".scope"))?;
        (!stem.is_empty()).then_some(name)
    })
}

fn hex_run(path: &str) -> Option<&str> {
    runs(path)
        .filter(|run| run.text.len() == 64 && run.starts_part(path) && run.ends_part(path))
        .last()
        .map(|run| run.text)
}

fn ecs_task(path: &str) -> Option<&str> {
    let found = runs(path).filter(|run| run.text.len() == 32 && run.starts_part(path)).filter_map(|run| {
        let rest = path[run.end()..].strip_prefix('-')?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let end = run.end() + 1 + digits;
        (digits > 0 && matches!(path.as_bytes().get(end), None | Some(b'.' | b'/'))).then(|| &path[run.start..end])
    });
    found.last()
}

/// A longest run of hexadecimal digits.
struct Run<'a> {
    start: usize,
    text: &'a str,
}

impl Run<'_> {
    fn end(&self) -> usize {
        self.start + self.text.len()
    }

    fn starts_part(&self, path: &str) -> bool {
        self.start > 0 && matches!(path.as_bytes()[self.start - 1], b'/' | b'-' | b':')
    }

    fn ends_part(&self, path: &str) -> bool {
        matches!(path.as_bytes().get(self.end()), None | Some(b'.' | b'/'))
    }
}

fn runs(path: &str) -> impl Iterator<Item = Run<'_>> {
    let mut at = 0;
    path.split(|c: char| !matches!(c, '0'..='9' | 'a'..='f')).filter_map(move |text| {
        let start = at + path[at..].find(text).unwrap_or(0);
        at = start + text.len();
        (!text.is_empty()).then_some(Run { start, text })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: &str = "8fc9a2c0d3f64b6de75b4bf7e8d5e4a3c1b09f8e7d6c5b4a39281706f5e4d3c2";
    const OUTER: &str = "0000000000000000000000000000000000000000000000000000000000000001";
    const TASK: &str = "0123456789abcdef0123456789abcdef-1234567890";

    #[track_caller]
    fn check(line: &str, expect: Option<&str>) {
        let line = line.replace("<H>", H).replace("<OUTER>", OUTER).replace("<TASK>", TASK);
        assert_eq!(container_id(&line), expect, "{line}");
    }

    #[test]
    fn kubernetes() {
        check("0::/kubepods.slice/kubepods-burstable.slice/x.slice/cri-containerd-<H>.scope", Some(H));
        check("0::/kubepods/besteffort/pod05e1/<H>", Some(H));
        check("0::/kubepods/besteffort/pod05e1/crio-<H>", Some(H));
        check("0::/kubepods.slice/p.slice/crio-<H>.scope", Some(H));
        check("0::/kubepods.slice/p.slice/crio-<H>.scope/container", Some(H));
        check("0::/kubepods.slice/p.slice/crio-conmon-<H>.scope", Some(H));
        check("11:cpu:/system.slice/containerd.service/kubepods-besteffort-podx.slice:cri-containerd:<H>", Some(H));
    }

    #[test]
    fn docker() {
        check("0::/system.slice/docker-<H>.scope", Some(H));
        check("0::/system.slice/docker-<H>.scope/init", Some(H));
        check(
            "0::/system.slice/docker-<OUTER>.scope/kubelet.slice/kubelet-kubepods.slice/p.slice/cri-containerd-<H>.scope",
            Some(H),
        );
        check("11:memory:/docker/<H>", Some(H));
        check("0::/docker/<H>/init", Some(H));
        check("0::/docker/<H>/init.scope", Some(H));
        check("0::/system.slice/docker-<H>.scope/system.slice/nginx.service", Some(H));
    }

    #[test]
    fn podman_and_ecs() {
        check("0::/machine.slice/libpod-<H>.scope", Some(H));
        check("0::/machine.slice/libpod-<H>.scope/container", Some(H));
        check("0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-<H>.scope/container", Some(H));
        check("0::/machine.slice/libpod-conmon-<H>.scope", Some(H));
        check("9:memory:/ecs/cluster/task/<H>", Some(H));
        check("0::/ecs/0123456789abcdef0123456789abcdef/<TASK>", Some(TASK));
    }

    #[test]
    fn no_container() {
        check("0::/buildkit/abcdefghij", None);
        check("0::/lxc.payload.c1/init.scope", None);
        check("0::/../../user.slice/user-501.slice/session-3.scope", None);
        check("0::/", None);
        check("0::/a/f<H>", None);
        check("0::/a/x<H>", None);
        check("0::/a/<H>x", None);
        check("<H>", None);
        check("", None);
    }

    #[test]
    fn the_first_line_that_has_one_wins() {
        check("12:pids:/\n11:memory:/docker/<H>\n0::/docker/<OUTER>", Some(H));
        check("0::/docker/<H> (deleted)", Some(H));
    }

    #[test]
    fn the_unit_is_the_innermost() {
        #[track_caller]
        fn check(path: &str, expect: Option<&str>) {
            assert_eq!(systemd_unit(path), expect);
        }
        check("/system.slice/nginx.service", Some("nginx.service"));
        check("/system.slice/system-getty.slice/getty@tty1.service", Some("getty@tty1.service"));
        check("/user.slice/user-1000.slice/user@1000.service/app.slice/app-foo.scope", Some("app-foo.scope"));
        check("/user.slice/user-1000.slice/user@1000.service/init.scope", Some("init.scope"));
        check("/system.slice/nginx.service/worker", Some("nginx.service"));
        check("/system.slice/_cpu.service", Some("cpu.service"));
        check("/kubepods/besteffort", None);
        check("/.service/.scope", None);
        check("/", None);
    }

    #[test]
    fn the_path_for_a_label() {
        #[track_caller]
        fn check(text: &str, expect: Option<&str>) {
            assert_eq!(path(text), expect);
        }
        check("0::/system.slice/nginx.service\n", Some("/system.slice/nginx.service"));
        check("4:memory:/m\n1:name=systemd:/system.slice/a.service\n", Some("/system.slice/a.service"));
        check("4:memory:/m\n1:name=systemd:/s\n0::/u\n", Some("/u"));
        check("4:memory:/m\n3:cpu:/c\n", Some("/m"));
        check("4:memory:/m\n1:name=systemd:/\n0::/\n", Some("/m"));
        check("1:name=systemd:/\n0::/\n", Some("/"));
        check("0::/a:b\n", Some("/a:b"));
        check("nothing\n", None);
        assert_eq!(joined("4:memory:/m\n0::/\n"), "4:memory:/m|0::/");
    }

    proptest::proptest! {
        #[test]
        fn an_id_is_part_of_its_text(text in "([0-9]:[a-z]*:(/[a-z-]{0,8}[0-9a-f]{0,70}[.:-]?){0,4}\n?){0,3}") {
            if let Some(id) = container_id(&text) {
                proptest::prop_assert!(text.contains(id) && (id.len() == 64 || id.as_bytes()[32] == b'-'));
            }
        }
    }
}
