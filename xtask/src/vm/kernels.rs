//! Which kernels there are, and how one is had: from Debian's archive through apt, beside this system's own packages.

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use anyhow::{Context as _, ensure};
use regex::Regex;

/// A kernel's version and the release of Debian that ships it. The last one moves: whatever it ships is taken.
const RELEASES: &[(&str, &str)] = &[("5.10", "bullseye"), ("6.1", "bookworm"), ("6.12", "trixie"), ("7.2", "forky")];

/// Kernels for virtual machines: the smallest packages.
const USUAL_FLAVOUR: &str = "cloud";

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const SOURCES: &str = "/etc/apt/sources.list.d/debian.sources";

/// What a person names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kernel {
    /// The newest package of a Debian release
    Package { version: String, flavour: String },
    /// A file that boots
    File(PathBuf),
}

impl FromStr for Kernel {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let (version, flavour) = text.split_once('-').unwrap_or((text, USUAL_FLAVOUR));
        Ok(if text.contains('/') {
            Self::File(PathBuf::from(text))
        } else {
            Self::Package { version: version.to_owned(), flavour: flavour.to_owned() }
        })
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package { version, flavour } if flavour == USUAL_FLAVOUR => write!(f, "{version}"),
            Self::Package { version, flavour } => write!(f, "{version}-{flavour}"),
            Self::File(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Kernel {
    /// The name of its folder.
    pub(super) fn folder(&self) -> String {
        self.to_string().trim_start_matches('/').replace('/', "_")
    }
}

/// The file of a kernel, fetched if it is not in `folder` yet.
pub(super) fn image(kernel: &Kernel, folder: &Path) -> anyhow::Result<PathBuf> {
    let (version, flavour) = match kernel {
        Kernel::File(path) => return Ok(path.clone()),
        Kernel::Package { version, flavour } => (version, flavour),
    };
    let image = folder.join(kernel.folder()).join("vmlinuz");
    if image.exists() {
        return Ok(image);
    }
    let known = RELEASES.iter().find(|(name, _)| name == version);
    let (_, release) = known.with_context(|| {
        let names: Vec<_> = RELEASES.iter().map(|(name, _)| *name).collect();
        format!(
            "there is no kernel {version} to fetch, only {}; or name the file of one, with a slash",
            names.join(", ")
        )
    })?;
    let sources = fs::read_to_string(SOURCES).unwrap_or_default();
    let mirrors = std::env::var("DEBIAN_MIRROR").ok().or_else(|| mirror(&sources)).with_context(|| {
        format!("{SOURCES} names no mirror: set DEBIAN_MIRROR to the addresses of some, or name the file of a kernel")
    })?;
    let apt = Apt::new(release, folder)?;
    let mut package = None;
    for mirror in mirrors.split_whitespace() {
        apt.ask(mirror, release)?;
        // It fails only when it has none of the lists; then there is no name.
        let updated = apt.run("apt-get", &["update"]);
        package = newest(&apt.run("apt-cache", &["pkgnames", "linux-"])?, flavour).map(str::to_owned);
        match (&package, updated) {
            (Some(_), _) => break,
            (None, Ok(_)) => println!("{kernel}: {mirror} has no {flavour} kernel of {release}"),
            (None, Err(error)) => println!("{kernel}: {error:#}"),
        }
    }
    let package = package.with_context(|| {
        format!("there is no {flavour} kernel of {release}: set DEBIAN_MIRROR to an archive that has it")
    })?;
    println!("{kernel}: fetches {package} of Debian's {release}");
    apt.run("apt-get", &["download", &package])?;
    let archive = only_file(&apt.folder, |name| name.starts_with(&package) && name.ends_with(".deb"))?;
    let unpacked = apt.folder.join("unpacked");
    output(Command::new("dpkg-deb").arg("-x").arg(&archive).arg(&unpacked))?;
    fs::create_dir_all(folder.join(kernel.folder()))?;
    fs::copy(find_image(&unpacked)?, &image).with_context(|| format!("cannot write {}", image.display()))?;
    fs::remove_dir_all(&unpacked)?;
    fs::remove_file(&archive)?;
    Ok(image)
}

/// The newest package among `names` that holds a kernel. What is called `linux-image` became empty where `linux-binary` is.
fn newest<'names>(names: &'names str, flavour: &str) -> Option<&'names str> {
    let kernel = Regex::new(&format!(r"^linux-(image|binary)-[0-9].*-{}-amd64$", regex::escape(flavour))).ok()?;
    names
        .lines()
        .filter(|name| kernel.is_match(name))
        .max_by_key(|name| (numbers(name), name.starts_with("linux-binary")))
}

/// The numbers in a text, by which versions are compared.
fn numbers(text: &str) -> Vec<u64> {
    text.split(|letter: char| !letter.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

/// Where kernels lie in a package.
fn find_image(unpacked: &Path) -> anyhow::Result<PathBuf> {
    let is_image = |name: &str| name.starts_with("vmlinuz");
    only_file(&unpacked.join("boot"), is_image).or_else(|_| {
        let modules = only_file(&unpacked.join("usr/lib/modules"), |_| true)?;
        only_file(&modules, is_image)
    })
}

fn only_file(folder: &Path, is_it: impl Fn(&str) -> bool) -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let found = paths.find(|path| path.file_name().is_some_and(|name| is_it(&name.to_string_lossy())));
    found.with_context(|| format!("there is no kernel in {}", folder.display()))
}

/// apt with lists and a state of its own, for one release.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn new(release: &str, folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.join("apt").join(release);
        for part in ["lists/partial", "cache/archives/partial", "none"] {
            fs::create_dir_all(folder.join(part)).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(folder.join("status"), "")?;
        ensure!(Path::new(KEYRING).exists(), "{KEYRING} is missing: install the package debian-archive-keyring");
        Ok(Self { folder })
    }

    fn ask(&self, mirror: &str, release: &str) -> anyhow::Result<()> {
        let line = format!("deb [signed-by={KEYRING}] {mirror} {release} main\n");
        fs::write(self.folder.join("sources.list"), line).context("cannot write sources.list")
    }

    fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let path = |name: &str| self.folder.join(name).display().to_string();
        let options = [
            ("Dir::Etc::sourcelist", path("sources.list")),
            ("Dir::Etc::sourceparts", path("none")),
            ("Dir::Etc::preferencesparts", path("none")),
            ("Dir::State::lists", path("lists")),
            ("Dir::State::status", path("status")),
            ("Dir::Cache", path("cache")),
            ("Dir::Cache::archives", path("cache/archives")),
            ("APT::Sandbox::User", "root".to_owned()),
            ("Acquire::Retries", "3".to_owned()),
        ];
        let mut command = Command::new(program);
        command.arg("-q").current_dir(&self.folder);
        for (name, value) in options {
            command.arg("-o").arg(format!("{name}={value}"));
        }
        output(command.args(arguments))
    }
}

/// The mirror that a file of apt's sources names first.
fn mirror(sources: &str) -> Option<String> {
    sources.lines().find_map(|line| line.strip_prefix("URIs:")?.split_whitespace().next().map(str::to_owned))
}

/// What a program prints; an error with its complaints when it fails.
pub(super) fn output(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("cannot run {name}: run tools/setup.sh vm"))?;
    ensure!(output.status.success(), "{name} failed: {}", String::from_utf8_lossy(&output.stderr).trim_end());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_flavour_is_taken_by_its_numbers() {
        let names = "linux-image-6.1.0-9-cloud-amd64\nlinux-image-6.1.0-50-cloud-amd64\nlinux-image-6.1.0-51-amd64\n\
            linux-image-6.1.0-60-cloud-amd64-unsigned\nlinux-image-cloud-amd64\n";
        assert_eq!(newest(names, "cloud"), Some("linux-image-6.1.0-50-cloud-amd64"));
        assert_eq!(newest(names, "rt"), None);
    }

    #[test]
    fn a_package_with_the_kernel_in_it_is_preferred_to_an_empty_one() {
        let names = "linux-binary-7.2.12+deb14-cloud-amd64\nlinux-image-7.2.12+deb14-cloud-amd64\n";
        assert_eq!(newest(names, "cloud"), Some("linux-binary-7.2.12+deb14-cloud-amd64"));
    }

    #[test]
    fn kernels_are_named_by_version_flavour_or_file() {
        let package =
            |version: &str, flavour: &str| Kernel::Package { version: version.to_owned(), flavour: flavour.to_owned() };
        for (text, expect) in [
            ("5.10", package("5.10", "cloud")),
            ("6.12-rt", package("6.12", "rt")),
            ("./boot/vmlinuz-5.15", Kernel::File(PathBuf::from("./boot/vmlinuz-5.15"))),
        ] {
            assert_eq!(text.parse(), Ok(expect.clone()));
            assert_eq!(expect.to_string(), text);
        }
    }

    #[test]
    fn the_first_mirror_is_used() {
        assert_eq!(mirror("Types: deb\nURIs: http://a/debian http://b\n").as_deref(), Some("http://a/debian"));
        assert_eq!(mirror(""), None);
    }
}
