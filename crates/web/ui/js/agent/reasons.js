// @ts-check
/** A plain sentence for each reason a sample can be filtered, lost or cut short, and what can be done. */

/** @typedef {{ what: string, remedy: string }} Reason */

/** @type {Record<string, Reason>} */
const REASONS = {
  ring_full: { what: 'The kernel’s buffer was full when the sample was taken.', remedy: 'Give pyrope more CPU, or lower sample_rate.' },
  no_target: { what: 'The process matches no target of this component.', remedy: 'Expected when targets_only is on; add a target to see the process.' },
  not_targeted: { what: 'The process matches no target of this component.', remedy: 'Expected when targets_only is on; add a target to see the process.' },
  thinned: { what: 'Left out on purpose: another component samples at a higher rate.', remedy: 'Nothing to do; the values that stay are scaled.' },
  rate: { what: 'Left out on purpose: another component samples at a higher rate.', remedy: 'Nothing to do; the values that stay are scaled.' },
  user_disabled: { what: 'User stacks are switched off (collect_user_profile).', remedy: 'Switch collect_user_profile on to see them.' },
  kernel_disabled: { what: 'Kernel stacks are switched off (collect_kernel_profile).', remedy: 'Switch collect_kernel_profile on to see them.' },
  idle: { what: 'The CPU was idle.', remedy: 'Nothing to do.' },
  truncated: { what: 'The stack was deeper than pyrope walks; the end nearest the CPU is kept.', remedy: 'Nothing is lost but the outermost callers.' },
  too_deep: { what: 'The stack was deeper than pyrope walks; the end nearest the CPU is kept.', remedy: 'Nothing is lost but the outermost callers.' },
  unreadable: { what: 'The stack’s memory could not be read while walking.', remedy: 'Common for a page that is swapped out; a steady high count points to code without frame pointers.' },
  bad_frame_pointer: { what: 'The chain of frame pointers ended in nothing.', remedy: 'Build the program with -fno-omit-frame-pointer.' },
  no_frame_pointer: { what: 'The code keeps no frame pointers.', remedy: 'Build the program with -fno-omit-frame-pointer.' },
  process_gone: { what: 'The process ended before it could be looked at.', remedy: 'Nothing to do for programs that live a few milliseconds.' },
  memory_budget: { what: 'The memory budget was reached.', remedy: 'Raise the budget, or profile fewer processes.' },
  receiver_full: { what: 'A receiver did not take profiles quickly enough.', remedy: 'See the endpoint or the store below.' },
  queue_full: { what: 'The endpoint was too slow and its queue was full.', remedy: 'Check the server’s load and the network.' },
  rejected: { what: 'The server refused the profile.', remedy: 'Its last answer says why.' },
  retries_exhausted: { what: 'Every attempt to send failed.', remedy: 'Its last error says why; check the address and the network.' },
};

/**
 * @param {string} reason
 * @returns {Reason}
 */
export function explain(reason) {
  return REASONS[reason] ?? { what: `${reason.replaceAll('_', ' ')}.`.replace(/^./, (c) => c.toUpperCase()), remedy: '' };
}
