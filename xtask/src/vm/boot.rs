//! Runs a virtual machine until it is done or out of time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// What boots, and where it writes.
pub(super) struct Machine<'paths> {
    pub(super) image: &'paths Path,
    pub(super) initrd: &'paths Path,
    pub(super) folder: &'paths PathBuf,
}

impl Machine<'_> {
    /// What the machine said on its second serial line. The first one, the console, is left in the folder.
    pub(super) fn run(&self, timeout: Duration) -> anyhow::Result<String> {
        fs::create_dir_all(self.folder).with_context(|| format!("cannot make {}", self.folder.display()))?;
        let (console, answers) = (self.folder.join("console"), self.folder.join("answers"));
        for file in [&console, &answers] {
            fs::write(file, "").with_context(|| format!("cannot write {}", file.display()))?;
        }
        let mut machine = Command::new("qemu-system-x86_64")
            .args(["-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "1024"])
            .args(["-display", "none", "-nodefaults", "-no-reboot", "-append", "console=ttyS0 panic=-1 quiet"])
            .arg("-serial")
            .arg(format!("file:{}", console.display()))
            .arg("-serial")
            .arg(format!("file:{}", answers.display()))
            .arg("-kernel")
            .arg(self.image)
            .arg("-initrd")
            .arg(self.initrd)
            .stdin(Stdio::null())
            .spawn()
            .context("cannot run qemu-system-x86_64: run tools/setup.sh vm")?;
        let deadline = Instant::now() + timeout;
        while machine.try_wait()?.is_none() {
            if Instant::now() > deadline {
                machine.kill()?;
                machine.wait()?;
            }
            sleep(Duration::from_millis(200));
        }
        let said = fs::read(&answers).with_context(|| format!("cannot read {}", answers.display()))?;
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}
