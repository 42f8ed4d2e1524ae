// @ts-check
// The places: a card for each worker, with its rate, and the same as a table for those who read or hear it. Used by
// page.js.
import { byId, make, makeSvg, mark, say } from './dom.js';
import { sparkPoints } from './layout.js';
import { bytes, clock, many, number } from './sentences.js';

/** @typedef {import('../../../shared/status/status.ts').Status} Status */
/** @typedef {import('../../../shared/status/status.ts').WorkerStatus} WorkerStatus */

/** @type {Readonly<Record<WorkerStatus['state'], string>>} */
const STATES = {
  starting: 'starting', ready: 'ready', full: 'full', stalled: 'does not answer', retiring: 'giving back',
};

/**
 * A worker's place: those who have it now, or nobody for a moment.
 * @typedef {object} Slot
 * @property {number} slot
 * @property {readonly WorkerStatus[]} workers
 */

/**
 * One for each worker that is here or should be: a place does not vanish while its worker is replaced.
 * @param {Status} status
 * @returns {Slot[]}
 */
export function slotsOf({ workers, pool, phase, connections }) {
  const slots = new Set(workers.map(({ slot }) => slot));
  for (const { at } of connections ?? []) if (at !== 'line') slots.add(Number(at.slice('worker '.length)));
  const wanted = phase === 'stopping' ? 0 : pool.size;
  for (let slot = 1; slots.size < wanted; slot++) slots.add(slot);
  return [...slots].sort((a, b) => a - b)
    .map((slot) => ({ slot, workers: workers.filter((worker) => worker.slot === slot) }));
}

/** @param {Slot} slot */
export function stateOf({ workers }) {
  return workers.length === 0 ? 'no process' : workers.map(({ state }) => STATES[state]).join(', ');
}

/** @param {Slot} slot */
const rateOf = ({ workers }) => workers.reduce((sum, worker) => sum + worker.messagesPerSecond, 0);
/** @param {Slot} slot */
const clientsOf = ({ workers }) => workers.reduce((sum, worker) => sum + worker.connections, 0);

class Card {
  element = make('section', 'card worker');
  tools = make('div', 'tools');
  #state = make('span', 'state');
  #count = make('b', 'count');
  #unit = make('span', 'unit');
  #pid = make('span', 'pid');
  #rate = make('span', 'rate');
  #spark = makeSvg('polyline', { points: '' });
  #key = makeSvg('svg', { class: 'lock', viewBox: '0 0 16 16', role: 'img', 'aria-label': 'has the lock' });

  /** @param {number} slot */
  constructor(slot) {
    const head = make('header');
    const name = make('h3', '', `worker ${slot}`);
    this.#key.append(makeSvg('use', { href: '#lock' }));
    head.append(name, this.#key, this.#state);
    const figures = make('p', 'figures');
    figures.append(this.#count, this.#unit, this.#pid);
    const area = make('div', 'area');
    area.dataset['area'] = `worker ${slot}`;
    const pace = make('div', 'pace');
    const svg = makeSvg('svg', { viewBox: '0 0 100 24', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    svg.append(this.#spark);
    pace.append(svg, this.#rate);
    this.element.append(head, figures, area, pace, this.tools);
    this.element.dataset['slot'] = String(slot);
  }

  /**
   * @param {Slot} slot
   * @param {Status} status
   */
  show(slot, { terminal }) {
    const { workers } = slot;
    const clients = clientsOf(slot);
    say(this.#state, stateOf(slot));
    say(this.#count, number(clients));
    say(this.#unit, clients === 1 ? 'client' : 'clients');
    say(this.#pid, workers.map(({ pid }) => `pid ${pid}`).join(', '));
    say(this.#rate, `${number(rateOf(slot))} messages/s`);
    mark(this.element, 'data-state', workers.at(-1)?.state ?? 'none');
    this.#key.toggleAttribute('data-held', terminal.holder === `worker ${slot.slot}`);
  }

  /** @param {string} points */
  draw(points) {
    mark(this.#spark, 'points', points);
  }
}

export class Places {
  #list = byId('workers');
  #rows = byId('rows');
  /** @type {Map<number, Card>} */
  #cards = new Map();
  #shape = '';

  /**
   * @param {Status} status
   * @returns {boolean} Whether places have come or gone.
   */
  show(status) {
    const slots = slotsOf(status);
    const shape = slots.map(({ slot }) => slot).join();
    const isNew = shape !== this.#shape;
    if (isNew) this.#arrange(slots);
    this.#shape = shape;
    for (const slot of slots) this.#cards.get(slot.slot)?.show(slot, status);
    this.#tabulate(slots, status);
    return isNew;
  }

  /** @returns {{ slot: number, tools: HTMLElement }[]} Where each worker's buttons go. */
  get tools() {
    return [...this.#cards].map(([slot, { tools }]) => ({ slot, tools }));
  }

  /**
   * The minute before: a line for each worker, all to the same scale.
   * @param {readonly Status[]} minute A second apart.
   */
  draw(minute) {
    const lines = [...this.#cards].map(([slot, card]) => ({
      card, rates: minute.map(({ workers }) => rateOf({ slot, workers: workers.filter((one) => one.slot === slot) })),
    }));
    const most = Math.max(1, ...lines.flatMap(({ rates }) => rates));
    for (const { card, rates } of lines) card.draw(sparkPoints(rates, most));
  }

  /** @param {readonly Slot[]} slots */
  #arrange(slots) {
    const cards = new Map(slots.map(({ slot }) => [slot, this.#cards.get(slot) ?? new Card(slot)]));
    for (const [slot, { element }] of this.#cards) if (!cards.has(slot)) element.remove();
    // Those that are here stay in the page: a button in them keeps its focus.
    [...cards.values()].forEach(({ element }, index) => {
      if (this.#list.children[index] !== element) this.#list.insertBefore(element, this.#list.children[index] ?? null);
    });
    this.#cards = cards;
  }

  /**
   * @param {readonly Slot[]} slots
   * @param {Status} status
   */
  #tabulate(slots, { line, terminal, totals }) {
    const rows = slots.map((slot) => [
      `worker ${slot.slot}`, stateOf(slot), number(clientsOf(slot)), `${number(rateOf(slot))}/s`,
      number(totals.messagesBySlot[slot.slot - 1] ?? 0),
      `${bytes(slot.workers.reduce((sum, worker) => sum + worker.bytesOutPerSecond, 0))}/s`,
      slot.workers.map(({ pid }) => String(pid)).join(', '),
      slot.workers.map(({ startedAt }) => clock(startedAt)).join(', '),
      terminal.holder === `worker ${slot.slot}` ? 'yes' : '',
    ]);
    rows.unshift(['waiting line', line.waiting >= line.limit ? 'full' : `room for ${many(line.limit, 'client')}`,
      number(line.waiting), '', '', '', '', '', '']);
    while (this.#rows.children.length > rows.length) this.#rows.lastElementChild?.remove();
    rows.forEach((cells, at) => {
      const row = this.#rows.children[at] ?? this.#rows.appendChild(make('tr'));
      cells.forEach((text, column) => {
        const cell = row.children[column] ?? row.appendChild(make(column === 0 ? 'th' : 'td'));
        if (column === 0) mark(cell, 'scope', 'row');
        say(cell, text);
      });
    });
  }
}
