// What the system knows of the server's processes: who they are, what they have open, how much memory they take, and
// which clients a worker has. Linux's /proc, so that nothing that the server says of itself has to be believed.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { isRunning, until } from './processes.ts';

/** TCP_LISTEN, as /proc/net/tcp writes it. */
const LISTEN = '0A';

/** The process and all that run below it, tsx's own children included. */
export function processesOf(root: number): number[] {
  const below = new Map<number, number[]>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = statOf(Number(entry))?.parent;
    if (parent === undefined) continue;
    below.set(parent, [...below.get(parent) ?? [], Number(entry)]);
  }
  const found = [root];
  for (const pid of found) found.push(...below.get(pid) ?? []);
  return found.filter(isRunning);
}

/** `R`, `S`, `T` (stopped), `Z` … as in /proc/PID/stat; undefined when there is no such process. */
export function statOf(pid: number): { state: string; parent: number } | undefined {
  const stat = readOrNothing(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.length < 2 ? undefined : { state: fields[0]!, parent: Number(fields[1]) };
}

/** How many descriptors the processes have open together. */
export function descriptorsTogether(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + descriptorLinks(pid).length, 0);
}

/** The number of the next descriptor that the process would get: the limit (RLIMIT_NOFILE) at which it gets none. */
export function nextDescriptor(pid: number): number {
  const open = new Set(readdirSync(`/proc/${pid}/fd`).map(Number));
  let next = 0;
  while (open.has(next)) next++;
  return next;
}

/** What the processes take together, in bytes: each one's own memory, and its share of what they share (Pss). */
export function memoryTogether(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const kibibytes = /^Pss:\s+(\d+) kB/m.exec(readOrNothing(`/proc/${pid}/smaps_rollup`))?.[1];
    return sum + Number(kibibytes ?? 0) * 1024;
  }, 0);
}

/** The ports of the clients whose sockets this worker has open. Exact only while the worker stands still. */
export function clientPortsOf(worker: number, serverPort: number): Set<number> {
  const ports = new Set<number>();
  for (const { local, remote } of socketsOf(worker)) if (local === serverPort) ports.add(remote);
  return ports;
}

/** The port on which the process listens; undefined: on none. */
export function listeningPort(pid: number): number | undefined {
  for (const { state, local } of socketsOf(pid)) if (state === LISTEN) return local;
  return undefined;
}

/** Whether it is stopped, as by SIGSTOP. */
export function standsStill(pid: number): boolean {
  return statOf(pid)?.state === 'T';
}

/** Stops a process (SIGSTOP), and settles when it stands still. */
export function standStill(pid: number): Promise<void> {
  return standAllStill(pid, [pid]);
}

/** The same with several. @param whom What kill(2) takes: a process, or a group as a negative number. */
export async function standAllStill(whom: number, pids: readonly number[]): Promise<void> {
  const stopped = (): boolean => pids.every(standsStill);
  await until(() => {
    // Again and again: whatever stops and resumes the tests themselves may have let them go on.
    if (!stopped()) process.kill(whom, 'SIGSTOP');
    return stopped();
  }, `processes ${pids.join(', ')} to stand still`);
}

/** The TCP sockets that the process has open. A table is read when it is needed: that may take the system 20 ms. */
function* socketsOf(pid: number): Generator<{ local: number; remote: number; state: string }> {
  const open = new Set(descriptorLinks(pid).map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]));
  for (const table of ['tcp', 'tcp6']) {
    for (const line of readOrNothing(`/proc/${pid}/net/${table}`).split('\n').slice(1)) {
      const [, local, remote, state = '', , , , , , inode = ''] = line.trim().split(/\s+/);
      if (open.has(inode)) yield { local: portIn(local), remote: portIn(remote), state };
    }
  }
}

function portIn(address: string | undefined): number {
  return parseInt(address?.split(':')[1] ?? '', 16);
}

function descriptorLinks(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return '';
      }
    });
  } catch {
    return [];
  }
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
