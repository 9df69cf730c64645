//! A program that runs an instruction at a time.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::process::{Child, Command, Stdio};

use nix::sys::ptrace;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use pyrope_unwind::{Memory, Registers};

/// A stopped process.
pub(crate) struct Tracee {
    child: Child,
    pid: Pid,
    memory: File,
}

/// What a step came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stepped {
    /// An instruction was executed.
    On,
    /// A signal came, of which the next step begins the handler.
    Signal(Signal),
    /// The program ended.
    Ended(i32),
}

impl Tracee {
    /// Starts a program and stops it before its first instruction.
    pub(crate) fn start(program: &std::path::Path, arguments: &[&str]) -> Self {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "kill -STOP $$; exec \"$0\" \"$@\""]).arg(program).args(arguments);
        // Go's runtime lets goroutines seem to call a function that their code does not call.
        command.env("GODEBUG", "asyncpreemptoff=1");
        let child = command.stdout(Stdio::null()).stdin(Stdio::null()).spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        let stopped = waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap();
        assert!(matches!(stopped, WaitStatus::Stopped(_, Signal::SIGSTOP)), "{stopped:?}");
        ptrace::seize(pid, ptrace::Options::PTRACE_O_TRACEEXEC | ptrace::Options::PTRACE_O_EXITKILL).unwrap();
        nix::sys::signal::kill(pid, Signal::SIGCONT).unwrap();
        loop {
            match waitpid(pid, None).unwrap() {
                WaitStatus::PtraceEvent(_, _, nix::libc::PTRACE_EVENT_EXEC) => break,
                WaitStatus::Exited(..) | WaitStatus::Signaled(..) => panic!("{program:?} did not start"),
                WaitStatus::Stopped(_, signal @ Signal::SIGCONT) => ptrace::cont(pid, signal).unwrap(),
                _ => ptrace::cont(pid, None).unwrap(),
            }
        }
        let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
        Self { child, pid, memory }
    }

    /// Runs to where the program asks for a debugger, by a signal.
    pub(crate) fn run_to_trap(&self) {
        loop {
            ptrace::cont(self.pid, None).unwrap();
            match waitpid(self.pid, None).unwrap() {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => return,
                WaitStatus::Exited(..) | WaitStatus::Signaled(..) => panic!("the program did not ask for a debugger"),
                _ => {}
            }
        }
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// Executes an instruction; `signal` is delivered before.
    pub(crate) fn step(&self, signal: Option<Signal>) -> Stepped {
        ptrace::step(self.pid, signal).unwrap();
        loop {
            match waitpid(self.pid, None).unwrap() {
                WaitStatus::Stopped(_, Signal::SIGTRAP) => return Stepped::On,
                WaitStatus::Stopped(_, signal) => return Stepped::Signal(signal),
                WaitStatus::Exited(_, code) => return Stepped::Ended(code),
                WaitStatus::Signaled(_, signal, _) => return Stepped::Ended(-(signal as i32)),
                _ => ptrace::step(self.pid, None).unwrap(),
            }
        }
    }

    pub(crate) fn registers(&self) -> Registers {
        let r = ptrace::getregs(self.pid).unwrap();
        let general = [
            r.rax, r.rdx, r.rcx, r.rbx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14,
            r.r15,
        ];
        Registers { pc: r.rip, general: general.map(Some) }
    }

    pub(crate) fn bytes(&self, address: u64, into: &mut [u8]) -> usize {
        self.memory.read_at(into, address).unwrap_or(0)
    }
}

impl Memory for Tracee {
    fn word(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        (self.bytes(address, &mut bytes) == 8).then(|| u64::from_le_bytes(bytes))
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = waitpid(self.pid, None);
    }
}
