// The faults that the soak injects into its long-running server, under its load. Each settles when the fault is over,
// with what was measured; what must hold for all of them is looked at by main.ts after each.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { descriptorLimit } from '../bench/process-tree.ts';
import { Latencies } from '../helpers/faults-latencies.ts';
import {
  clientPortsOf, descriptorsTogether, memoryTogether, nextDescriptor, processesOf, standStill, statOf,
} from '../helpers/faults-proc.ts';
import { clientsPerhapsWith, killWorker, readyWorkers, untilWhole } from '../helpers/faults-server.ts';
import { connectAndReset, Deaf } from '../helpers/faults-storm.ts';
import { until } from '../helpers/processes.ts';
import { connectClient } from '../helpers/test-client.ts';
import type { TestClient } from '../helpers/test-client.ts';
import { WORKER_TIMEOUT_MS, WORKERS } from './stage.ts';
import type { Stage } from './stage.ts';
import { mebibytes, ms, number } from './table.ts';
import type { Figure } from './table.ts';

export interface Fault {
  readonly name: string;
  readonly mustHold: string;
  /** How often in a row. Default: once. */
  readonly times?: number;
  run(stage: Stage): Promise<Figure[]>;
}

const MEBIBYTE = 2 ** 20;

/** Latencies of clients whose worker was not the one that stood still. */
export const besideHung = new Latencies();

export async function reload({ server, load }: Stage): Promise<Figure[]> {
  const before = server.workers();
  const { replaced } = load;
  const began = performance.now();
  server.signal('SIGHUP');
  await untilWhole(server, WORKERS, before);
  assert.equal(load.replaced, replaced, 'the same clients are connected as before');
  return [ms('both workers replaced after', performance.now() - began)];
}

export async function kill(stage: Stage): Promise<Figure[]> {
  const { server, load, random } = stage;
  stage.kills++;
  const { cutOffMs, wholeMs } = await killWorker(server, load, random.oneOf(readyWorkers(server)), WORKERS);
  return [ms('the last client cut off after', cutOffMs), ms('pool whole after', wholeMs)];
}

export async function killDuringReload(stage: Stage): Promise<Figure[]> {
  const { server, load, random } = stage;
  const before = server.workers();
  server.signal('SIGHUP');
  await sleep(random.between(0, 400));
  const victim = random.oneOf(server.workers());
  stage.kills++;
  await standStill(victim);
  load.excuse(clientsPerhapsWith(server, load, victim), 'its worker was killed during a reload');
  process.kill(victim, 'SIGKILL');
  const began = performance.now();
  await untilWhole(server, WORKERS, [...before, victim]);
  await load.allAnswered();
  load.endExcuses();
  return [ms('reloaded and whole after', performance.now() - began)];
}

async function killOnTheWay(stage: Stage): Promise<Figure[]> {
  const { server, load, random } = stage;
  const victim = random.oneOf(readyWorkers(server));
  stage.kills++;
  await standStill(victim);
  const hadBefore = clientPortsOf(victim, server.port);
  load.excuse(hadBefore, 'its worker was killed');
  const clients = await Promise.all(Array.from({ length: 10 }, () => connectClient(server.port)));
  for (const client of clients) client.send('ß');
  await until(() => clients.filter(({ length }) => length > 0).length >= 9, 'all but one to be served');
  process.kill(victim, 'SIGKILL');
  const began = performance.now();
  for (const client of clients) assert.equal(await client.readText('SS'), 'SS');
  const served = performance.now() - began;
  for (const client of clients) await client[Symbol.asyncDispose]();
  await untilWhole(server, WORKERS, [victim]);
  load.endExcuses();
  return [ms('the last of 10 served after', served)];
}

async function hang(stage: Stage): Promise<Figure[]> {
  const { server, load, random } = stage;
  const victim = random.oneOf(readyWorkers(server));
  stage.kills++;
  const began = performance.now();
  await standStill(victim);
  load.excuse(clientPortsOf(victim, server.port), 'its worker stood still');
  load.takeLatencies();
  await until(() => !server.workers().includes(victim), 'the hung worker to be killed');
  besideHung.addAll(load.takeLatencies());
  const killed = performance.now() - began;
  await untilWhole(server, WORKERS, [victim]);
  const whole = performance.now() - began;
  await load.allAnswered();
  load.endExcuses();
  return [ms('killed after', killed), ms('pool whole after', whole)];
}

async function suspendAll({ server, load }: Stage): Promise<Figure[]> {
  const master = server.process.pid!;
  const workers = readyWorkers(server);
  process.kill(-master, 'SIGSTOP');
  await until(() => [master, ...workers].every((pid) => statOf(pid)?.state === 'T'), 'all to stand still');
  await sleep(1.5 * WORKER_TIMEOUT_MS);
  process.kill(-master, 'SIGCONT');
  await load.allAnswered();
  assert.deepEqual(readyWorkers(server), workers);
  return [];
}

export async function resize({ server }: Stage): Promise<Figure[]> {
  const began = performance.now();
  server.signal('SIGTTOU');
  await untilWhole(server, WORKERS - 1);
  const less = performance.now() - began;
  server.signal('SIGTTIN');
  await untilWhole(server, WORKERS);
  return [ms('one less after', less), ms('one more after', performance.now() - began - less)];
}

async function deaf({ server, load }: Stage): Promise<Figure[]> {
  const processes = processesOf(server.process.pid!);
  const before = memoryTogether(processes);
  using clients = new Deaf(server.port, 20);
  const other = await connectClient(server.port);
  let most = before;
  await clients.stuck(async () => {
    await other.ask('tick');
    most = Math.max(most, memoryTogether(processes));
  });
  await load.allAnswered();
  assert.equal(clients.ended, 0);
  assert.ok(most - before < 64 * MEBIBYTE, `the memory of all processes grew by ${most - before} bytes`);
  await other[Symbol.asyncDispose]();
  return [mebibytes('taken of them', clients.taken), mebibytes('memory of all processes grew by', most - before)];
}

async function storm({ server }: Stage): Promise<Figure[]> {
  const processes = processesOf(server.process.pid!);
  const before = descriptorsTogether(processes);
  const connected = await connectAndReset(server.port, 20_000);
  // Each worker has dealt with all that were before it in line.
  for (let i = 0; i < 2 * WORKERS; i++) {
    await using client = await connectClient(server.port);
    assert.equal(await client.ask('next'), 'NEXT');
  }
  // Clients of the load come and go by the way, so that the number goes up and down by a few.
  await until(() => descriptorsTogether(processes) <= before, `no more than ${before} descriptors to be open`);
  assert.deepEqual(processesOf(server.process.pid!), processes, 'nobody died of it');
  return [number('connected', connected), number('descriptors left', 0)];
}

async function unreadLog(stage: Stage): Promise<Figure[]> {
  const { server, load } = stage;
  stage.readLog();
  const before = stage.dropped;
  server.process.stdout!.pause();
  // Short messages by the thousand, so that more lines come than the processes keep.
  const flood = await Promise.all(Array.from({ length: 16 }, () => connectClient(server.port)));
  const end = performance.now() + 5000;
  await Promise.all(flood.map(async (client) => {
    while (performance.now() < end) {
      const reply = await client.ask('a short message of which there are many');
      assert.equal(reply, 'A SHORT MESSAGE OF WHICH THERE ARE MANY');
    }
    await client[Symbol.asyncDispose]();
  }));
  await load.allAnswered();
  server.process.stdout!.resume();
  await load.allAnswered();
  // What had piled up is read when a line comes that is younger.
  await using witness = await connectClient(server.port);
  await server.when(() => server.stdout.includes(`"${witness.peer}"`) || undefined, 'the log to flow again');
  stage.readLog();
  return [number('lines dropped and told', stage.dropped - before)];
}

async function killPrinter(stage: Stage): Promise<Figure[]> {
  const { server, load, random } = stage;
  server.process.stdout!.pause();
  // Until the pipe is full: whoever has the lock waits with it.
  await load.until(enoughReplies(load, 4000), 'the pipe to be full');
  const victim = random.oneOf(readyWorkers(server));
  stage.kills++;
  await standStill(victim);
  load.excuse(clientPortsOf(victim, server.port), 'its worker was killed');
  stage.readLog();
  process.kill(victim, 'SIGKILL');
  server.process.stdout!.resume();
  const began = performance.now();
  // The master has to print that, whoever held the lock.
  const word = `(pid ${victim}) was ended by SIGKILL`;
  await server.when(() => server.stdout.includes(word) || undefined, 'a word of the master');
  const printed = performance.now() - began;
  await untilWhole(server, WORKERS, [victim]);
  await load.allAnswered();
  load.endExcuses();
  return [ms('others printed after', printed)];
}

function enoughReplies(load: Stage['load'], count: number): () => boolean {
  const enough = load.replies + count;
  return () => load.replies > enough;
}

/**
 * While `pid` can open no more, everybody who comes is answered, refused or cut off, and those who are there notice
 * nothing.
 */
async function withoutDescriptors({ server, load }: Stage, pid: number): Promise<Figure[]> {
  load.excuseNewcomers('there were no descriptors');
  const limit = descriptorLimit(pid);
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${nextDescriptor(pid)}:`]);
  const clients = await Promise.all(Array.from({ length: 20 }, () => connectClient(server.port)));
  for (const client of clients) client.send('hello');
  const isDone = ({ length, socket }: TestClient): boolean => length === 5 || socket.destroyed;
  await until(() => clients.every(isDone), 'each to be answered or refused');
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`]);
  const refused = clients.filter(({ length }) => length < 5).length;
  for (const client of clients) await client[Symbol.asyncDispose]();
  const late = await connectClient(server.port);
  assert.equal(await late.ask('late'), 'LATE');
  await late[Symbol.asyncDispose]();
  // Those of the load that could not come in have come again.
  await load.allAnswered();
  load.endExcuses();
  return [number('refused of 20', refused)];
}

/** Those that the kernel had accepted when it could open no more. */
const others = 'others: 0 errors';

export const faults: readonly Fault[] = [
  { name: 'SIGHUP', mustHold: `0 resets, 0 wrong or missing bytes, the same clients connected`, run: reload, times: 3 },
  { name: 'SIGKILL a worker', mustHold: `its clients cut off, ${others}, pool whole again`, run: kill, times: 5 },
  {
    name: 'SIGKILL a worker during a reload', mustHold: `its clients cut off, ${others}, the reload goes on`,
    run: killDuringReload,
  },
  {
    name: 'SIGKILL a stopped worker with sockets on the way', mustHold: 'every one of those is served by another',
    run: killOnTheWay,
  },
  { name: 'SIGSTOP a worker', mustHold: `replaced after ${WORKER_TIMEOUT_MS} ms, ${others}`, run: hang },
  { name: 'SIGSTOP and SIGCONT to the whole group', mustHold: '0 errors, nobody replaced', run: suspendAll },
  { name: 'SIGTTOU, SIGTTIN', mustHold: '0 errors', run: resize },
  { name: '20 clients that send and never read', mustHold: `memory grows by less than 64 MiB, ${others}`, run: deaf },
  { name: '20,000 clients that connect and reset', mustHold: `no descriptor left, ${others}`, run: storm },
  { name: "the log's reader stops for 5 s", mustHold: '0 errors, every line whole or counted', run: unreadLog },
  {
    name: 'SIGKILL a worker while the terminal is stuck', mustHold: `its clients cut off, ${others}, others print`,
    run: killPrinter,
  },
  {
    name: 'no descriptors left in a worker', mustHold: `newcomers served by the other one, ${others}`,
    run: (stage) => withoutDescriptors(stage, stage.random.oneOf(readyWorkers(stage.server))),
  },
  {
    name: 'no descriptors left in the master', mustHold: `newcomers refused, ${others}`,
    run: (stage) => withoutDescriptors(stage, stage.server.process.pid!),
  },
];
