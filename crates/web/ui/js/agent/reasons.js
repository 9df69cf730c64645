// @ts-check
/** A plain sentence for each reason a sample can be filtered, lost or cut short, and what can be done. */

/** @typedef {{ what: string, remedy: string }} Reason */

/** @type {Record<string, Reason>} */
const REASONS = {
  // Filtered: left out on purpose.
  no_target: { what: 'The process matches no target of this component.', remedy: 'To see it, add a target for it, or set targets_only = false.' },
  thinned: { what: 'Another component samples at a higher rate; these samples are surplus here.', remedy: 'Nothing to do: what is kept has the weight of this component’s own rate.' },
  no_frames: { what: 'The stack has no frame of a kind that is collected.', remedy: 'Expected when collect_user_profile or collect_kernel_profile is off.' },
  // Lost.
  ring_full: { what: 'The kernel’s sample buffer was full: pyrope did not read it in time.', remedy: 'Give pyrope more CPU (its cgroup limit, its nice value), or lower sample_rate.' },
  malformed: { what: 'A record from the kernel could not be read.', remedy: 'This is a fault of pyrope: please report it with your kernel version.' },
  naming_behind: { what: 'Finding names for earlier intervals took too long.', remedy: 'Give pyrope more CPU, or a longer collect_interval.' },
  sink_full: { what: 'The component behind did not take earlier profiles in time.', remedy: 'See the store or the endpoint below: one of them is slow.' },
  // Walks of user stacks that ended early.
  none: { what: 'A task without user memory, such as a kernel thread.', remedy: 'Nothing to do.' },
  root: { what: 'The walk reached the first frame of the program.', remedy: 'Nothing to do: the stack is complete.' },
  outermost: { what: 'The unwind table says that the frame has no caller.', remedy: 'Nothing to do: the stack is complete.' },
  chain: { what: 'The caller’s frame would not lie further up the stack: code that keeps no frame pointer, or a damaged stack.', remedy: 'To see further callers, build the program with unwind tables or -fno-omit-frame-pointer.' },
  full: { what: 'The stack is deeper than pyrope walks; the end nearest the CPU is kept.', remedy: 'Nothing is lost but the outermost callers.' },
  fault: { what: 'The stack’s memory could not be read while walking.', remedy: 'A few are normal; many point to code that uses the frame pointer for something else.' },
  compat: { what: 'A 32-bit program: of its stack only the innermost frame is taken.', remedy: 'Its samples count, with the kernel’s part of the stack.' },
  not_code: { what: 'A return address that lies in no code: the walk left the real stack.', remedy: 'Build the program with unwind tables or -fno-omit-frame-pointer.' },
  unbuilt: { what: 'The unwind rows of a file are not there, yet or any more, and its code keeps no frame pointer.', remedy: 'A file’s first samples; many mean that the rows of all files find no room.' },
  no_rule: { what: 'Code that no unwind table describes, and which keeps no frame pointer.', remedy: 'Build the program with unwind tables or -fno-omit-frame-pointer.' },
  gone: { what: 'The task was ending and had given back its memory, or the part of it that holds the stack.', remedy: 'Nothing: the kernel part is there.' },
  no_register: { what: 'The unwind rule needs a register that is known of interrupted frames only.', remedy: 'A few are normal: the first calls of functions of a library.' },
  // Endpoints.
  queue_full: { what: 'The endpoint was too slow, and its queue was full.', remedy: 'Check the server’s load and the network.' },
  rejected: { what: 'The server refused the profile.', remedy: 'Its last answer, above, says why.' },
  too_large: { what: 'The profile is larger than the server takes.', remedy: 'Lower sample_rate, or raise the server’s limit.' },
  retries_exhausted: { what: 'Every attempt to send failed.', remedy: 'The last error, above, says why; check the address and the network.' },
  invalid_labels: { what: 'The labels are not what a server takes.', remedy: 'Change them with pyroscope.relabel; the log names the label.' },
  invalid_url: { what: 'The endpoint’s address is none.', remedy: 'Correct its url.' },
  endpoint_removed: { what: 'The endpoint left the configuration before it was sent.', remedy: 'Nothing to do.' },
  shutdown: { what: 'pyrope stopped before it could be sent.', remedy: 'Nothing to do, unless the endpoint was unreachable.' },
};

/**
 * @param {string} reason
 * @returns {Reason}
 */
export function explain(reason) {
  return (Object.hasOwn(REASONS, reason) ? REASONS[reason] : undefined) ?? { what: `${reason.replaceAll('_', ' ')}.`.replace(/^./, (c) => c.toUpperCase()), remedy: '' };
}

/** Every reason that has its sentence. */
export const EXPLAINED = Object.keys(REASONS);
