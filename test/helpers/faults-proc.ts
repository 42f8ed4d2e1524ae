// What the system knows of the server's processes: who they are, what they have open, how much memory they take, and which
// clients a worker has. Linux's /proc, so that nothing that the server says of itself has to be believed.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { childrenOf, signalIfAlive } from './server.ts';

/** The process and all below it, tsx's own children included. */
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
  return found;
}

/** Of these, the ones that run: a zombie does not. */
export function alive(pids: readonly number[]): number[] {
  return pids.filter((pid) => signalIfAlive(pid, 0) && statOf(pid)?.state !== 'Z');
}

/** `R`, `S`, `T` (stopped), `Z` … as in /proc/PID/stat; undefined when there is no such process. */
export function statOf(pid: number): { state: string; parent: number } | undefined {
  const stat = readOrNothing(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.length < 2 ? undefined : { state: fields[0]!, parent: Number(fields[1]) };
}

/** How many descriptors the processes have open together. */
export function descriptorsOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + descriptorLinks(pid).length, 0);
}

/** What the processes take together, in bytes: each one's own memory, and its share of what they share (Pss). */
export function memoryOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => {
    const kibibytes = /^Pss:\s+(\d+) kB/m.exec(readOrNothing(`/proc/${pid}/smaps_rollup`))?.[1];
    return sum + Number(kibibytes ?? 0) * 1024;
  }, 0);
}

/** The ports of the clients whose sockets this worker has open. Exact only while the worker stands still. */
export function clientPortsOf(worker: number, serverPort: number): Set<number> {
  const inodes = new Set(descriptorLinks(worker).map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]));
  const ports = new Set<number>();
  for (const line of readOrNothing(`/proc/${worker}/net/tcp`).split('\n').slice(1)) {
    const [, local, remote, , , , , , , inode] = line.trim().split(/\s+/);
    if (inode !== undefined && inodes.has(inode) && portIn(local) === serverPort) ports.add(portIn(remote));
  }
  return ports;
}

/** The master's living workers, the oldest first. */
export function workersOf(master: number): number[] {
  return alive(childrenOf(master));
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
