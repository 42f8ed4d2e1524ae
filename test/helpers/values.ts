// Values of every sort that a structured clone knows, from a seed. Used by test/toolkit/values.test.ts.

type Random = () => number;

const TEXTS = [
  '', 'a', 'ß\u{1F600}', '\ud800', '__proto__', 'constructor', 'toJSON', '0', '"\n\u0000', 'x'.repeat(300),
];
const NUMBERS = [0, -0, 1, -1, 1.5, NaN, Infinity, -Infinity, 2 ** 31, 2 ** 53, 5e-324, 1.7976931348623157e308];

export function randomValue(random: Random, depth = 0, made: object[] = []): unknown {
  const pick = <T>(choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!;
  const inner = (): unknown => randomValue(random, depth + 1, made);
  const many = <T>(make: () => T): T[] => Array.from({ length: Math.floor(random() * 5) }, make);
  const keep = <T extends object>(object: T): T => {
    made.push(object);
    return object;
  };
  const bytes = (): Uint8Array => Uint8Array.from(many(() => Math.floor(random() * 256)));
  switch (Math.floor(random() * (depth < 5 ? 20 : 9))) {
    case 0:
    case 1:
      return pick(TEXTS);
    case 2:
    case 3:
      return pick(NUMBERS);
    case 4:
      return pick([true, false, null, undefined]);
    case 5:
      return pick([0n, -1n, 10n ** 30n]);
    case 6:
      return pick<() => unknown>([
        () => new Date(0), () => /x(?<y>z)/giu, () => Object(1), () => Object('text'), () => Object(false),
        () => Object(5n), () => new Error('an error'), () => new RangeError('no'), () => new TypeError(''),
      ])();
    case 7:
      return pick<(from: Uint8Array) => object>([
        (from) => from, (from) => Buffer.from(from), (from) => from.buffer, (from) => new DataView(from.buffer),
        () => new Float64Array([NaN, -0]), () => new BigInt64Array([1n]), () => new Int16Array(0),
        (from) => from.subarray(1),
      ])(bytes());
    case 8:
      return made.length > 0 ? pick(made) : null; // Twice in the value, or in itself.
    case 9: {
      const sparse = keep([] as unknown[]);
      sparse[Math.floor(random() * 1000)] = inner();
      return sparse;
    }
    case 10:
      return keep(Object.assign(Object.create(null) as object, { a: inner() }));
    case 11: {
      const map = keep(new Map<unknown, unknown>());
      for (const _ of many(() => 0)) map.set(inner(), inner());
      return map;
    }
    case 12: {
      const set = keep(new Set<unknown>());
      for (const _ of many(() => 0)) set.add(inner());
      return set;
    }
    case 13:
    case 14:
    case 15: {
      const array = keep([] as unknown[]);
      for (const _ of many(() => 0)) array.push(inner());
      return array;
    }
    default: {
      const object = keep({} as Record<string, unknown>);
      for (const key of many(() => pick(TEXTS))) {
        Object.defineProperty(object, key, { value: inner(), enumerable: true, configurable: true, writable: true });
      }
      return object;
    }
  }
}
