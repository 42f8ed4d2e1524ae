// Messages that are not the toolkit's, or nearly, as a target, a library or Node itself may send them over a fork
// channel. Used by test/toolkit/foreign.test.ts and its fixture, in both processes.
import { serialize } from 'node:v8';

type Random = () => number;

function pick<T>(random: Random, choices: readonly T[]): T {
  return choices[Math.floor(random() * choices.length)]!;
}

const ODD: readonly unknown[] = [
  'ready', '', 'online', 0, -1, 1e300, true, false, null, {}, [], [[]], [1, 2], [1, 2, 3, 4], ['', '', '', ''],
  { type: 'task' }, { 'watch:require': ['/a/file.js'] }, { 'watch:import': ['/a/file.js'] }, { echopool: 1 },
  { act: 'disconnect' }, 'é\u0000"',
];
const HEADERS: readonly unknown[] = [
  { echopool: 1 }, { echopool: 1 }, { echopool: 1 }, { echopool: 0 }, { echopool: '1' }, {}, null, 'echopool', 1,
  { echopool: 1, part: [5, 6] }, { echopool: 1, part: [-1, 0] }, { echopool: 1, part: [0] },
  { echopool: 1, part: 'one' },
];

/** @param refs Of primitives that there are: they get messages that mean nothing. */
export function foreignMessage(random: Random, refs: readonly string[]): unknown {
  if (random() < 0.3) return pick(random, ODD);
  const items = Array.from({ length: Math.floor(random() * 4) }, () => nearlyAnItem(random, refs));
  return [pick(random, HEADERS), ...items];
}

function nearlyAnItem(random: Random, refs: readonly string[]): unknown {
  const envelope = (ref: string): unknown[] => ['', '1', ref, pick(random, [null, 7])];
  switch (Math.floor(random() * 7)) {
    case 0:
      return pick(random, ODD);
    case 1: // The right length, with wrong types.
      return Array.from({ length: 4 }, () => pick(random, ODD.filter((odd) => typeof odd !== 'string')));
    case 2:
      return envelope(pick(random, ['', '#lock-999', '5#queue.Queue.x-1', 'nothing', ...refs]));
    case 3:
      return ['no.such', 'process', 'x', null];
    case 4: // A clone that cannot be decoded, or has a primitive nobody knows.
      return [{ bytes: pick(random, [[1, 2], 'AAAA', null]), references: [] }];
    case 5: {
      const bytes = serialize([pick(random, [new Map(), 5n, undefined]), 'not true']);
      for (let i = 0; i < 3; i++) bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      return bytes.toString('base64');
    }
    default: {
      const references = pick<unknown>(random, [
        [[['0'], { kind: 'Unheard', ref: '#1' }]], [[['a', 'b'], {}]], [5], 'x',
      ]);
      return serialize([{ bytes: serialize([null]), references }]).toString('base64');
    }
  }
}
