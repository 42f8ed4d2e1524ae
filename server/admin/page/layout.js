// @ts-check
// Which dots there are, and where each has its seat. Pure. Used by dots.js.

/** @typedef {import('../../../shared/status/status.ts').Status} Status */
/** @typedef {import('../../../shared/status/status.ts').ConnectionStatus} Connection */

/**
 * A connection, or several of one place.
 * @typedef {object} Dot
 * @property {string} key
 * @property {number | undefined} id The connection's number; undefined: it stands for several.
 * @property {string} at
 * @property {Connection['how']} how
 * @property {number} standsFor
 */

/**
 * Where dots may be, in pixels from the corner of the stage.
 * @typedef {object} Area
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 */

/** So many dots at most, when they stand for several. */
const MOST_DOTS = 250;
const STEPS = [1, 2, 5];
/** From the middle of a dot to the next one's, in pixels: as far as all have their seats. */
const PITCHES = [34, 28, 23, 19, 16, 13, 11, 9, 8, 7, 6];

/**
 * For how many connections a dot stands: 1, or a round number.
 * @param {Status} status
 */
export function standsFor({ connections, current }) {
  if (connections !== null) return 1;
  for (let power = 1; ; power *= 10) {
    for (const step of STEPS) if (step * power > 1 && current / (step * power) <= MOST_DOTS) return step * power;
  }
}

/**
 * @param {Status} status
 * @returns {Dot[]}
 */
export function dotsOf(status) {
  if (status.connections !== null) {
    return status.connections.map(({ id, at, how }) => ({ key: String(id), id, at, how, standsFor: 1 }));
  }
  const each = standsFor(status);
  /** @type {Map<string, number>} */
  const counts = new Map([['line', status.line.waiting]]);
  for (const { slot, connections } of status.workers) {
    counts.set(`worker ${slot}`, (counts.get(`worker ${slot}`) ?? 0) + connections);
  }
  return [...counts].flatMap(([at, count]) => Array.from({ length: Math.ceil(count / each) }, (_, index) => ({
    key: `${at}/${index}`, id: undefined, at, how: /** @type {const} */ ('new'),
    standsFor: Math.min(each, count - index * each),
  })));
}

/** Who sits where. Whoever stays in a place keeps the seat; in the line all move up. */
export class Seats {
  /** By place: the keys of those who sit there, and holes. @type {Map<string, (string | undefined)[]>} */
  #places = new Map();

  /**
   * @param {readonly Dot[]} dots
   * @returns {Map<string, number>} Each one's seat, by key.
   */
  assign(dots) {
    /** @type {Map<string, Set<string>>} */
    const here = new Map();
    for (const { at, key } of dots) {
      const keys = here.get(at);
      if (keys === undefined) here.set(at, new Set([key]));
      else keys.add(key);
    }
    /** @type {Map<string, number>} */
    const seats = new Map();
    this.#places = new Map([...here].map(([at, keys]) => [at, this.#settle(at, keys)]));
    for (const keys of this.#places.values()) {
      keys.forEach((key, seat) => key !== undefined && seats.set(key, seat));
    }
    return seats;
  }

  /** How many seats are needed, by place: holes count. @returns {Map<string, number>} */
  get needed() {
    return new Map([...this.#places].map(([at, keys]) => [at, keys.length]));
  }

  /**
   * @param {string} at
   * @param {Set<string>} keys
   */
  #settle(at, keys) {
    const before = this.#places.get(at) ?? [];
    const sitting = new Set(before);
    const coming = [...keys].filter((key) => !sitting.has(key));
    // A place that has become half empty closes its ranks.
    if (at === 'line' || keys.size < before.length / 2) return [...keys];
    const after = before.map((key) => (key !== undefined && keys.has(key) ? key : coming.shift()));
    after.push(...coming);
    while (after.length > 0 && after.at(-1) === undefined) after.pop();
    return after;
  }
}

/**
 * How many seats an area has.
 * @param {Area} area
 * @param {number} pitch
 */
function seatsIn({ width, height }, pitch) {
  return Math.max(Math.floor(width / pitch), 1) * Math.max(Math.floor(height / pitch), 1);
}

/**
 * The widest pitch at which all have a seat; the one from before, as long as a wider one would only just do.
 * @param {ReadonlyMap<string, Area>} areas
 * @param {ReadonlyMap<string, number>} needed
 * @param {number} before
 */
export function pitchFor(areas, needed, before) {
  const suits = (/** @type {number} */ pitch) => [...needed].every(([at, count]) => {
    const area = areas.get(at);
    return area === undefined || count * (pitch > before ? 1.25 : 1) <= seatsIn(area, pitch);
  });
  return PITCHES.find(suits) ?? /** @type {number} */ (PITCHES.at(-1));
}

/**
 * The middle of a seat. Where there are more than seats, some share one.
 * @param {Area} area
 * @param {number} seat
 * @param {number} pitch
 */
export function positionOf(area, seat, pitch) {
  const columns = Math.max(Math.floor(area.width / pitch), 1);
  const index = seat % seatsIn(area, pitch);
  return {
    x: Math.round(area.x + (index % columns + 0.5) * pitch),
    y: Math.round(area.y + (Math.floor(index / columns) + 0.5) * pitch),
  };
}

/**
 * A line through values, from left to right in a box of 100 by 24: what an SVG polyline takes.
 * @param {readonly number[]} values
 * @param {number} most The value at the top.
 * @param {number} [length] How many fill the box; fewer stand at its right.
 */
export function sparkPoints(values, most, length = 60) {
  const offset = length - values.length;
  return values.map((value, index) =>
    `${Math.round(1000 * (offset + index) / (length - 1)) / 10},${Math.round(10 * (23 - 22 * value / Math.max(most, 1))) / 10}`)
    .join(' ');
}
