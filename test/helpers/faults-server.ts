// A server under fault: its workers as the system and its log show them, and faults that several tests and the soak
// inject.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { clientPortsOf, standAllStill, standStill } from './faults-proc.ts';
import type { Load } from './faults-load.ts';
import { isRunning, until } from './processes.ts';
import type { TestServer } from './server.ts';

/** What keeps a server on two CPUs, so that it can have two workers, and no more, on any machine. */
export function onTwoCpus(): string[] {
  const list = /^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1]!;
  const cpus = list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  return ['taskset', '-c', cpus.slice(0, 2).join()];
}

/**
 * What was read of each server's output: where the next look begins, and which workers have said that they are ready.
 */
const looks = new WeakMap<TestServer, { at: number; readonly ready: Set<number> }>();

/** The processes of the workers that have said that they are ready, and run. */
export function readyWorkers(server: TestServer): number[] {
  const look = looks.get(server) ?? { at: 0, ready: new Set<number>() };
  looks.set(server, look);
  const upTo = server.stdout.lastIndexOf('\n') + 1;
  const fresh = server.stdout.slice(Math.min(look.at, upTo), upTo);
  for (const [, pid] of fresh.matchAll(/worker \d+ is ready \(pid (\d+)\)/g)) look.ready.add(Number(pid));
  look.at = upTo;
  const said = look.ready;
  return server.workers().filter((pid) => said.has(pid) && isRunning(pid));
}

/** Lets go of what a long-running server has printed so far. @returns Its whole lines. */
export function takeLines(server: TestServer): string[] {
  readyWorkers(server);
  const upTo = server.stdout.lastIndexOf('\n') + 1;
  const lines = server.stdout.slice(0, upTo).split('\n').slice(0, -1);
  server.stdout = server.stdout.slice(upTo);
  looks.get(server)!.at = 0;
  return lines;
}

/** Waits until so many workers are ready, and no others are there. @returns Their processes. */
export async function untilWhole(
  server: TestServer, workers: number, without: readonly number[] = [],
): Promise<number[]> {
  const state = (): boolean => {
    const ready = readyWorkers(server);
    return ready.length === workers
      && server.workers().length === workers
      && !ready.some((pid) => without.includes(pid));
  };
  const report = (): string => `${server.stdout.slice(-4000)}\n${server.stderr}`;
  await until(state, `${workers} workers to be ready`, { report });
  return readyWorkers(server);
}

/**
 * Stops all processes of a server for so long, and lets them go on: a machine that stands still. The server must be the
 * leader of a group of its own (setsid). @param meanwhile Is done when all stand still.
 */
export async function suspend(server: TestServer, ms: number, meanwhile: () => void = () => {}): Promise<void> {
  const master = server.process.pid!;
  await standAllStill(-master, [master, ...server.workers()]);
  meanwhile();
  await sleep(ms); // The fault itself.
  process.kill(-master, 'SIGCONT');
}

/**
 * The ports of the clients that die with a worker, or may: it stands still. Those whose sockets it has open; and those
 * that nobody else has, whichever worker had them before: it may have closed its descriptor, and not have told the
 * master that it gives them back.
 */
export function clientsPerhapsWith(server: TestServer, load: Load, worker: number): Set<number> {
  const others = server.workers().filter((pid) => pid !== worker);
  const elsewhere = new Set(others.flatMap((pid) => [...clientPortsOf(pid, server.port)]));
  const ofNobody = load.clients.filter(({ isTalking, port }) => isTalking && !elsewhere.has(port));
  return new Set([...clientPortsOf(worker, server.port), ...ofNobody.map(({ port }) => port)]);
}

/** What a killed worker did to its clients. */
export interface Kill {
  /** How many clients it had. */
  readonly clients: number;
  /** When the last of them that was cut off knew, and when the pool was whole again, in milliseconds after the kill. */
  readonly cutOffMs: number;
  readonly wholeMs: number;
}

/**
 * Kills a worker and waits until its clients are cut off and the pool is whole again. The clients whose sockets it had,
 * by the system's tables, are excused; it is stopped first, so that those tables are true.
 */
export async function killWorker(server: TestServer, load: Load, victim: number, workers: number): Promise<Kill> {
  await standStill(victim);
  const clients = load.excuse(clientPortsOf(victim, server.port), `worker ${victim} was killed`);
  const before = new Map(clients.map((client) => [client, client.answered]));
  const began = performance.now();
  process.kill(victim, 'SIGKILL');
  const told = until(
    // Those that it had not said to have accepted are given to another, and get their replies.
    () => clients.every((client) => client.isOver || client.answered > (before.get(client) ?? 0)),
    `the clients of worker ${victim} to be cut off`,
    { report: () => `${load.summary()}\n${server.stdout.slice(-4000)}` },
  );
  await untilWhole(server, workers, [victim]);
  const wholeMs = performance.now() - began;
  await told;
  load.endExcuses();
  const cutOffMs = Math.max(0, ...clients.map(({ endedAt }) => (endedAt ?? began) - began));
  return { clients: clients.length, cutOffMs, wholeMs };
}
