// Routes between any two processes of a tree, and who learns of whose death.
import { isWithin, ownerOf } from '../../shared/multiprocessing/base/address.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { TRANSFER } from '../../shared/multiprocessing/values/codec.ts';
import type { Channel } from '../../shared/multiprocessing/transport/channel.ts';
import { describeDeath } from '../../shared/multiprocessing/base/errors.ts';
import type { Death } from '../../shared/multiprocessing/base/errors.ts';
import * as router from '../../shared/multiprocessing/transport/router.ts';
import { nothing } from '../fixtures/process-work.ts';
import { openStation, station, STATION } from '../fixtures/routing-work.ts';
import type { Command, Report } from '../fixtures/routing-work.ts';
import { moduleUrl } from '../helpers/paths.ts';
import { DEADLINE, startProcess, until } from '../helpers/processes.ts';

const module = moduleUrl('test/fixtures/routing-work.ts');

/** Stations in this process, in children and in theirs; and all that they report. */
class Tree {
  readonly #t: TestContext;
  readonly #reports: Report[] = [];
  readonly #children = new Map<string, ReturnType<typeof startProcess<[]>>['process']>();

  constructor(t: TestContext) {
    this.#t = t;
    openStation((report) => this.#reports.push(report));
    t.after(() => router.removeEndpoint(STATION));
  }

  /** @returns Its address. */
  async startChild(name: string): Promise<string> {
    const { process } = startProcess(this.#t, { module, target: station, args: [], name });
    const address = await new Promise<string>((resolve) => process.channel.listen((message) => {
      const report = message as Report;
      if (report.type === 'ready') resolve(report.at);
      this.#reports.push(report);
    }));
    this.#children.set(address, process);
    return address;
  }

  async startGrandchild(of: string): Promise<string> {
    this.tell(of, { type: 'start-child' });
    return (await this.next(({ type, at }) => type === 'ready' && at.startsWith(`${of}.`))).at;
  }

  /** Tells a child of this process, or a grandchild. */
  tell(address: string, command: Command): void {
    const [top, below] = address.split('.');
    const told: Command = below === undefined ? command : { type: 'tell', child: Number(below), command };
    this.#children.get(top!)!.channel.post(told);
  }

  post(from: string, to: string, ...bodies: unknown[]): void {
    if (from === '') for (const body of bodies) router.post(to, STATION, body);
    else this.tell(from, { type: 'post', to, bodies });
  }

  async exchange(from: string, to: string, body: unknown): Promise<void> {
    this.post(from, to, body);
    assert.deepEqual(await this.next((report) => report.type === 'heard'), { at: to, type: 'heard', from, body });
  }

  kill(address: string): void {
    this.#children.get(address)!.kill();
  }

  /** Takes the first report of that kind, when it has come. */
  async next(wanted: (report: Report) => boolean): Promise<Report> {
    await until(() => this.#reports.some(wanted), `there is such a report: ${String(wanted)}`);
    return this.#reports.splice(this.#reports.findIndex(wanted), 1)[0]!;
  }

  /** Those who were told of a death, once `last` was. */
  async toldOf(address: string, last: string): Promise<string[]> {
    const isTold = (report: Report): boolean => report.type === 'died' && report.address === address;
    const lastIsTold = (): boolean => this.#reports.some((report) => isTold(report) && report.at === last);
    await until(lastIsTold, `${last} is told of ${address}`);
    return [...new Set(this.#reports.filter(isTold).map(({ at }) => at))].sort();
  }

  nothingElseHeard(): void {
    assert.deepEqual(this.#reports.filter(({ type }) => type === 'heard'), []);
  }
}

test('messages go between any two processes in order, and deaths to whom they concern', DEADLINE, async (t) => {
  const tree = new Tree(t);
  const [a, b, c] = await Promise.all(['A', 'B', 'C'].map((name) => tree.startChild(name))) as [string, string, string];
  const [a1, b1] = await Promise.all([tree.startGrandchild(a), tree.startGrandchild(b)]);
  assert.equal(a1, `${a}.1`);

  await tree.exchange('', a1, 'down two');
  await tree.exchange(b1, '', 'up two');
  await tree.exchange(a, b, 'to a sibling');
  await tree.exchange(a1, b1, new Map([['to a', 'cousin']]));
  await tree.exchange(b1, b, 'to its parent');
  await tree.exchange(a, a, 'to itself');
  const many = Array.from({ length: 1500 }, (_, i) => i);
  tree.post(a1, b, ...many);
  for (const body of many) {
    assert.deepEqual(await tree.next(({ type }) => type === 'heard'), { at: b, type: 'heard', from: a1, body });
  }

  // A cousin has heard of B's child, and so has this process; A and C have not, nor has C of anybody.
  tree.tell(b1, { type: 'post-and-die', to: a1, bodies: ['last words'] });
  assert.deepEqual(await tree.next(({ type }) => type === 'heard'), {
    at: a1, type: 'heard', from: b1, body: 'last words',
  });
  await tree.toldOf(b1, a1);
  assert.deepEqual(await tree.toldOf(b1, ''), ['', b, a1].sort());
  assert.deepEqual(await tree.next(({ type, at }) => type === 'died' && at === a1), {
    at: a1, type: 'died', address: b1, name: 'B:1', exitCode: -9,
  });

  // With A dies its child; B, who heard of the child only, learns that A has died.
  await tree.exchange(a1, c, 'to C');
  tree.kill(a);
  await tree.toldOf(a, b);
  await tree.toldOf(a, c);
  assert.deepEqual(await tree.toldOf(a, ''), ['', b, c].sort());

  // Who writes to the dead learns it again.
  tree.post(c, b1, 'anybody there?');
  assert.ok((await tree.toldOf(b1, c)).includes(c));
  await tree.next((report) => report.type === 'died' && report.at === b && report.address === a);
  tree.post(b, a1, 'and there?');
  await tree.toldOf(a, b);
  tree.nothingElseHeard();
});

test('whoever made a primitive learns at once which child was given it', DEADLINE, async (t) => {
  const ref = router.newRef('test');
  const attached: string[] = [];
  router.addEndpoint(ref, { receive: () => {}, attached: (from) => attached.push(from), died: () => {} });
  t.after(() => router.removeEndpoint(ref));
  const primitive = { [TRANSFER]: () => ({ kind: 'Lock', ref }) };
  const args = [{ deep: [primitive] }];
  const target = nothing as (...args: unknown[]) => void;
  const { process } = startProcess(t, { module: moduleUrl('test/fixtures/process-work.ts'), target, args });
  assert.equal(attached.length, 1);
  await process.join();
  assert.equal(process.error, undefined);
  const { address } = await process.ended;
  assert.deepEqual(attached, [address]);
});

test('a process learns of the death of one that never spoke: it wrote to it, or that one holds its primitive', DEADLINE,
  async (t) => {
    const tree = new Tree(t);
    const [owner, silent, young] = await Promise.all(['Owner', 'Silent', 'Young'].map((name) => tree.startChild(name)));
    await tree.exchange(owner!, silent!, 'one way');
    tree.kill(silent!);
    assert.deepEqual(await tree.toldOf(silent!, owner!), ['', owner].sort());
    router.postFor(young!, owner!, STATION, 'in its name');
    assert.deepEqual(await tree.next(({ type }) => type === 'heard'), {
      at: owner, type: 'heard', from: young, body: 'in its name',
    });
    tree.kill(young!);
    assert.deepEqual(await tree.toldOf(young!, owner!), ['', owner].sort());
  });

test('an address is within itself and within those it begins with', () => {
  assert.ok(isWithin('1.2', '1'));
  assert.ok(isWithin('1', '1'));
  assert.ok(isWithin('12', ''));
  assert.ok(!isWithin('12', '1'));
  assert.ok(!isWithin('1', '1.2'));
  assert.equal(ownerOf('1.2#3'), '1.2');
  assert.equal(ownerOf('#3'), '');
});

test('who writes to a child that died long ago learns that it is dead, and that no more is known of it', () => {
  const channel = { pass: () => {}, flush: () => {} } as unknown as Channel;
  const heard: Death[] = [];
  const ref = router.newRef('test');
  const addresses = Array.from({ length: 1100 }, () => router.newChildAddress());
  for (const address of addresses) {
    router.addChild(address, channel);
    router.childDied({ address, name: `Process-${address}`, pid: 1, exitCode: -9 });
  }
  router.addEndpoint(ref, { receive: () => {}, died: (death) => heard.push(death) });
  router.post(addresses.at(-1)!, ref, 'late');
  router.post(addresses[0]!, ref, 'much too late');
  router.post(`${Number(addresses.at(-1)) + 1}`, ref, 'too early: there is none');
  router.removeEndpoint(ref);
  const told = heard.map(({ address, exitCode }) => [address, exitCode]);
  assert.deepEqual(told, [[addresses.at(-1), -9], [addresses[0], NaN]]);
  assert.equal(describeDeath(heard[1]!), `child ${addresses[0]} ended long ago`);
});

test('a child is believed what it says for itself and for those below it, and nothing else', () => {
  const address = router.newChildAddress();
  const channel = { pass: () => {}, flush: () => {} } as unknown as Channel;
  router.addChild(address, channel);
  const heard: unknown[] = [];
  const ref = router.newRef('test');
  router.addEndpoint(ref, { receive: (from) => heard.push(from), died: (death) => heard.push(death.address) });
  const death = (of: string): Death => ({ address: of, name: 'somebody', pid: 1, exitCode: 1 });
  for (const from of [address, `${address}.1`, '', '77', `${address}7`]) {
    router.arrive(['', from, ref, 'hello'], address);
  }
  for (const of of [`${address}.1`, address, '', '77']) router.arrive(['', address, '', death(of)], address);
  for (const body of [null, 'dead', {}, { ...death(`${address}.2`), exitCode: '1' }]) {
    router.arrive(['', address, '', body], address);
  }
  router.childDied(death(address));
  router.removeEndpoint(ref);
  assert.deepEqual(heard, [address, `${address}.1`, `${address}.1`, address]);
});
