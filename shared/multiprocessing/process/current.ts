// Facts about this process and this machine. Follows Python's multiprocessing.current_process and cpu_count.
import { availableParallelism } from 'node:os';
import { cpuQuota } from './cgroup.ts';
import type { Channel } from '../transport/channel.ts';

/** What a process knows of itself. */
export interface CurrentProcess {
  /** `MainProcess` for the one that was started by hand. */
  readonly name: string;
  readonly pid: number;
  readonly daemon: boolean;
  /** The channel to the process that started this one; the other end is that `Process`'s `channel`. */
  readonly parent: Channel | undefined;
}

let current: CurrentProcess = { name: 'MainProcess', pid: process.pid, daemon: false, parent: undefined };

/** The process that is asking. */
export function currentProcess(): CurrentProcess {
  return current;
}

/** For child.ts: says who this process is. */
export function setCurrentProcess(value: CurrentProcess): void {
  current = value;
}

/**
 * The number of CPUs that this process may use, which may be fewer than the machine has. At least 1. A container's
 * limit of CPU time counts, rounded up: Node itself does not look at it before version 24 or so (libuv/libuv#4146).
 */
export function cpuCount(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.ceil(cpuQuota() ?? Infinity)));
}
