// The soak: faults of every kind, in a random order that a seed repeats, against one server that runs all the time,
// while a load verifies every byte. `npm run soak -- --minutes 10 [--seed N]`. Exit 1, with the seed, when anything
// does not hold.
import { Random } from '../helpers/faults-random.ts';
import { connectAndReset } from '../helpers/faults-storm.ts';
import { combinedFaults } from './combined-faults.ts';
import { besideHung, faults } from './faults.ts';
import type { Fault } from './faults.ts';
import { sideFaults } from './side-faults.ts';
import { readSettings, SOAK_HELP } from './settings.ts';
import { Stage } from './stage.ts';
import type { Possessions } from './stage.ts';
import { Table } from './table.ts';
import type { Figure } from './table.ts';

const MEBIBYTE = 2 ** 20;
/** More than the garbage that a process may have at one time and not at another. */
const MEMORY_NOISE = 64 * MEBIBYTE;
const WARM_UP_MS = 5000;
// What a failed fault has left behind must not keep the process.
process.exit(await main());

async function main(): Promise<number> {
  const asked = readSettings(process.argv.slice(2));
  if (asked === 'help') {
    console.log(SOAK_HELP);
    return 0;
  }
  if (typeof asked === 'string') {
    console.error(`soak: ${asked}`);
    return 2;
  }
  const { minutes, seed } = asked;
  console.log(`soak of ${minutes} minutes, seed ${seed}`);
  const table = new Table();
  let under = 'the start';
  let stage: Stage | undefined;
  try {
    const random = new Random(seed);
    stage = await Stage.start(random.fork(), minutes < 1 ? 16 : 64);
    const began = performance.now();
    const seconds = (): string => `${((performance.now() - began) / 1000).toFixed(0).padStart(5)} s`;
    await stage.load.start();
    await stage.rest(Math.min(WARM_UP_MS, minutes * 6000));
    // Memory that processes once needed they keep for the next time: what counts is whether they need more and more.
    await connectAndReset(stage.server.port, minutes < 1 ? 200 : 20_000);
    const before = await Promise.race([stage.takeStock(), stage.died]);
    console.log(`${seconds()}  before: ${describe(before)}`);

    const order = random.fork();
    const end = performance.now() + minutes * 60_000;
    for (const fault of endless(order)) {
      if (table.times > 0 && performance.now() > end) break;
      under = fault.name;
      await stage.rest(order.between(100, 1000));
      const figures: Figure[] = [];
      for (let time = 0; time < (fault.times ?? 1); time++) {
        const some = await Promise.race([fault.run(stage), stage.died]);
        await Promise.race([stage.look(), stage.died]);
        table.add(fault.name, fault.mustHold, some);
        figures.push(...some);
      }
      const measured = figures.map(({ label, value, unit }) => `${label} ${value}${unit === '' ? '' : ` ${unit}`}`);
      const result = measured.join('; ') || 'held';
      console.log(`${seconds()}  ${fault.name}: ${result} (${stage.load.replies} replies verified)`);
    }

    under = 'the end';
    const totals = stage.load.summary();
    const after = await Promise.race([stage.takeStock(before.memory + MEMORY_NOISE), stage.died]);
    console.log(`${seconds()}  after: ${describe(after)}`);
    compare(before, after);
    console.log(`\n${table}\n`);
    console.log(`${table.times} faults in ${seconds().trim()}; since the start ${totals}`);
    console.log(`latencies of calm times: ${stage.calm}`);
    if (besideHung.count > 0) {
      const ratio = besideHung.percentile(0.99) / stage.calm.percentile(0.99);
      console.log(`beside a hung worker:    ${besideHung}; p99 is ${ratio.toFixed(1)} times the calm one`);
    }
    console.log('descriptors and memory (Pss) of all processes of the server while nobody is connected, '
      + 'the least of all looks:');
    console.log(`  before ${describe(before)}\n  after  ${describe(after)}`);
    console.log(`torn lines ${stage.torn} (of ${stage.kills} killed processes), dropped and told ${stage.dropped}`);
    stage.load.expectFin();
    const code = await stage.server.stop();
    await stage.load.allOver();
    const isWell = code === 0 && stage.load.troubles.length === 0;
    if (!isWell) throw new Error(`the last stop: exit ${code}\n${stage.load.summary()}`);
    return 0;
  } catch (error) {
    console.log(`\n${table}\n`);
    console.log(error instanceof Error ? error.stack : error);
    if (stage !== undefined) {
      stage.readLog();
      const notices = stage.lastNotices.join('\n');
      console.log(`${stage.load.summary()}\nthe last notices in its log:\n${notices}\n${stage.server.stderr}`);
    }
    const again = `npm run soak -- --minutes ${minutes} --seed ${seed}`;
    console.log(`soak failed under: ${under}. Seed ${seed} repeats it: ${again}`);
    return 1;
  } finally {
    await stage?.[Symbol.asyncDispose]();
  }
}

/** Every fault, in another order each time round. */
function* endless(random: Random): Generator<Fault> {
  for (;;) {
    const left = [...faults, ...combinedFaults, ...sideFaults];
    while (left.length > 0) yield left.splice(random.between(0, left.length - 1), 1)[0]!;
  }
}

function describe({ processes, descriptors, memory }: Possessions): string {
  return `${processes} processes, ${descriptors} descriptors, ${(memory / MEBIBYTE).toFixed(1)} MiB`;
}

function compare(before: Possessions, after: Possessions): void {
  if (after.processes !== before.processes) {
    throw new Error(`${before.processes} processes before, ${after.processes} after`);
  }
  if (after.descriptors > before.descriptors) {
    throw new Error(`${before.descriptors} descriptors before, ${after.descriptors} after`);
  }
  if (after.memory > before.memory + MEMORY_NOISE) {
    throw new Error(`${before.memory} bytes of memory before, ${after.memory} after`);
  }
}
