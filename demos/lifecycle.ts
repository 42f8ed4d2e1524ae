// Teaches the life of a process: start, join, isAlive, terminate, exit codes, names, and daemons, which end with their
// parent. After the first part of the second Python tutorial: some people talk, and the program waits for all of them.
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Barrier, currentProcess, Manager, Process } from '../shared/multiprocessing/index.ts';
import type { ListProxy, Lock } from '../shared/multiprocessing/index.ts';
import { oneForEachCpu } from './stage/demo.ts';
import type { Demo, Options } from './stage/demo.ts';
import { haveEnded } from './stage/running.ts';
import { Screen } from './stage/screen.ts';

export const lifecycle: Demo = {
  name: 'lifecycle',
  summary: 'start, join, isAlive, terminate, exit codes, daemons',
  happens: 'Some processes start, talk and end, each in its own way.',
  look: 'when does each begin, who is first, and what does the exit code tell?',
  lookAt: `Part 1: the main process starts some talkers and joins them. start() only asks
the system for a process: look how long it takes until each begins, and who is
first.
Part 2: the exit code tells how a process ended; below zero it is a signal.
Part 3: a process with two children comes to its end. It waits for the one,
and the other, a daemon, ends with it.`,
  workersAre: 'talkers',
  fewest: 1,
  usual: oneForEachCpu(2),
  steps: [],
  run,
};

const module = import.meta.url;

interface Note {
  readonly who: string;
  readonly what: 'begins' | 'ends';
  readonly time: number;
  readonly pid: number;
}

async function note(notes: ListProxy<Note>, what: Note['what']): Promise<void> {
  const { name, pid } = currentProcess();
  await notes.push({ who: name, what, time: Date.now(), pid });
}

export async function talk(notes: ListProxy<Note>, screenLock: Lock): Promise<void> {
  const screen = new Screen(screenLock);
  const { name, pid } = currentProcess();
  await note(notes, 'begins');
  await screen.say(`  ${name} (pid ${pid}) is talking`);
  await sleep(50 + Math.random() * 150);
  await screen.say(`  ${name} has talked`);
  await note(notes, 'ends');
}

export function returns(): void {}

export function exitsWith(code: number): never {
  process.exit(code);
}

export function throws(): never {
  throw new RangeError('no more words');
}

export async function talksForEver(): Promise<void> {
  for (;;) await sleep(1000);
}

/** The parent of part 3: starts two children and comes to the end of its own work. */
export async function household(notes: ListProxy<Note>, everybody: Barrier): Promise<void> {
  new Process({ module, target: daemonChild, args: [notes, everybody], name: 'daemon', daemon: true }).start();
  new Process({ module, target: ordinaryChild, args: [notes, everybody], name: 'ordinary' }).start();
  await note(notes, 'begins');
  await everybody.wait();
  await note(notes, 'ends');
}

export async function ordinaryChild(notes: ListProxy<Note>, everybody: Barrier): Promise<void> {
  await note(notes, 'begins');
  await everybody.wait();
  await sleep(80);
  await note(notes, 'ends');
}

export async function daemonChild(notes: ListProxy<Note>, everybody: Barrier): Promise<void> {
  await note(notes, 'begins');
  await everybody.wait();
  await talksForEver();
}

async function run(screen: Screen, { workers }: Options): Promise<boolean> {
  const manager = new Manager();
  const joined = await showJoin(screen, manager, workers);
  const codes = await showExitCodes(screen);
  const ended = await showDaemon(screen, manager);
  await screen.say(`
${workers} talkers started and joined: ${joined} exit codes of 0
${codes.length} ways to end: exit codes ${codes.join(', ')}
the parent waited for ${ended.waited ? 'its ordinary child' : 'nobody'}; `
    + `its daemon ${ended.daemonGone ? 'ended with it' : 'is still there'}`);
  return joined === workers && codes.join() === '0,3,1,-15,-9' && ended.waited && ended.daemonGone;
}

async function showJoin(screen: Screen, manager: Manager, workers: number): Promise<number> {
  await screen.title('1. start and join');
  const notes = manager.list<Note>();
  const talkers = Array.from({ length: workers }, (_, i) => (
    new Process({ module, target: talk, args: [notes, screen.lock], name: `talker-${i + 1}` })
  ));
  const first = talkers[0]!;
  await screen.say(`  before start(): isAlive ${first.isAlive()}, exitCode ${first.exitCode}, pid ${first.pid}`);
  const started = Date.now();
  for (const talker of talkers) talker.start();
  await screen.say(`  after start():  isAlive ${first.isAlive()}, exitCode ${first.exitCode}, pid ${first.pid}
  join(10) waits 10 ms for ${first.name}: ${await first.join(10) ? 'it has ended' : 'it has not ended'}`);
  for (const talker of talkers) await talker.join();
  await screen.say(`  after join():   isAlive ${first.isAlive()}, exitCode ${first.exitCode}\n`);
  const lives = await notes.toArray();
  await screen.timeline(talkers.map(({ name }) => {
    const [begin, end] = lives.filter(({ who }) => who === name).map(({ time }) => time) as [number, number];
    return { label: name, spans: [{ from: started, to: begin, mark: '░' }, { from: begin, to: end, mark: '█' }] };
  }));
  await screen.say('  ░ started, and not running yet   █ talking');
  return talkers.filter(({ exitCode }) => exitCode === 0).length;
}

async function showExitCodes(screen: Screen): Promise<(number | null)[]> {
  await screen.title('2. exit codes (the error that is thrown goes to standard error, as in Python)');
  const children = [
    new Process({ module, target: returns, args: [], name: 'returns' }),
    new Process({ module, target: exitsWith, args: [3], name: 'process.exit(3)' }),
    new Process({ module, target: throws, args: [], name: 'throws' }),
  ];
  const toTerminate = new Process({ module, target: talksForEver, args: [], name: 'terminate()' });
  const toKill = new Process({ module, target: talksForEver, args: [], name: 'kill()' });
  const all = [...children, toTerminate, toKill];
  for (const child of all) child.start();
  toTerminate.terminate();
  toKill.kill();
  for (const child of all) await child.join();
  await screen.say(all.map(({ name, exitCode, error }) => {
    const signal = Object.entries(constants.signals).find(([, number]) => number === -exitCode!)?.[0];
    return `  ${name.padEnd(16)} exitCode ${String(exitCode).padStart(3)}  ${error?.message ?? signal ?? ''}`.trimEnd();
  }).join('\n'));
  return all.map(({ exitCode }) => exitCode);
}

async function showDaemon(screen: Screen, manager: Manager): Promise<{ waited: boolean; daemonGone: boolean }> {
  await screen.title('3. a parent and its two children');
  const notes = manager.list<Note>();
  const parent = new Process({ module, target: household, args: [notes, new Barrier(3)], name: 'parent' });
  parent.start();
  await parent.join();
  const parentEnded = Date.now();
  const lives = await notes.toArray();
  const when = (name: string, event: Note['what']): number => (
    lives.find(({ who, what }) => who === name && what === event)?.time ?? NaN
  );
  const daemonPid = lives.find(({ who }) => who === 'daemon')!.pid;
  const daemonGone = await haveEnded([daemonPid]);
  const daemonEnded = Date.now();
  await screen.timeline([
    { label: 'parent', spans: [
      { from: when('parent', 'begins'), to: when('parent', 'ends'), mark: '█' },
      { from: when('parent', 'ends'), to: parentEnded, mark: '░' },
    ] },
    { label: 'ordinary', spans: [{ from: when('ordinary', 'begins'), to: when('ordinary', 'ends'), mark: '█' }] },
    { label: 'daemon', spans: [{ from: when('daemon', 'begins'), to: daemonEnded, mark: '█' }] },
  ]);
  await screen.say('  █ at work   ░ done, and waiting for the child that is no daemon');
  // Had the parent not waited for it, the ordinary child would not have come to its end.
  return { waited: !Number.isNaN(when('ordinary', 'ends')) && parent.exitCode === 0, daemonGone };
}
