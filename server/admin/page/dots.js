// @ts-check
// The dots: an element for each connection, that travels from seat to seat. Nothing here reads the layout but
// `measure`, and nothing is written to a dot that has not changed. Used by page.js.
import { isStill, mark } from './dom.js';
import { dotsOf, pitchFor, positionOf, Seats } from './layout.js';

/** @typedef {import('../../../shared/status/status.ts').Status} Status */
/** @typedef {import('./layout.js').Dot} Dot */
/** @typedef {import('./layout.js').Area} Area */

/** What travels together starts one after the other, in milliseconds, so that an eye can follow; all within this. */
const STAGGER_MS = 24;
const ALL_STARTED_MS = 700;
/** How long a dot that was cut off is still seen. */
const CUT_OFF_MS = 2200;
/** A dot's own size in the style sheet, in pixels. */
const SIZE = 20;

/**
 * @typedef {object} Drawn
 * @property {HTMLElement} element
 * @property {string} at
 * @property {string} how
 * @property {number} standsFor
 * @property {string} transform
 */

export class Dots {
  #stage;
  #layer;
  #seats = new Seats();
  #pitch = 0;
  /** @type {Map<string, Area>} */
  #areas = new Map();
  /** @type {Area} */
  #door = { x: 0, y: 0, width: 0, height: 0 };
  /** @type {Map<string, Drawn>} */
  #drawn = new Map();

  /**
   * @param {HTMLElement} stage In it are the places, each with an area: `[data-area="worker 1"]`, and the door.
   * @param {HTMLElement} layer Lies over it.
   */
  constructor(stage, layer) {
    this.#stage = stage;
    this.#layer = layer;
  }

  /** To be called when places have come, gone or been moved, and before the next `show`. */
  measure() {
    const corner = this.#stage.getBoundingClientRect();
    const areaOf = (/** @type {Element} */ element) => {
      const { left, top, width, height } = element.getBoundingClientRect();
      return { x: left - corner.left, y: top - corner.top, width, height };
    };
    const found = /** @type {NodeListOf<HTMLElement>} */ (this.#stage.querySelectorAll('[data-area]'));
    const areas = new Map([...found].map((element) => [element.dataset['area'] ?? '', areaOf(element)]));
    this.#door = areas.get('door') ?? this.#door;
    areas.delete('door');
    this.#areas = areas;
  }

  /**
   * @param {Status} status
   * @param {ReadonlySet<number>} cutOff Of those that are here no more, who was cut off.
   * @param {boolean} isAtOnce Nobody travels: the window was resized, or it is another time.
   */
  show(status, cutOff, isAtOnce = false) {
    const dots = dotsOf(status);
    const seats = this.#seats.assign(dots);
    this.#pitch = pitchFor(this.#areas, this.#seats.needed, this.#pitch);
    this.#leave(new Set(dots.map(({ key }) => key)), cutOff);
    this.#layer.toggleAttribute('data-at-once', isAtOnce || isStill());
    let travelling = 0;
    for (const dot of dots) {
      const area = this.#areas.get(dot.at) ?? this.#door;
      const transform = this.#transform(area, seats.get(dot.key) ?? 0);
      const drawn = this.#drawn.get(dot.key);
      if (drawn === undefined) this.#come(dot, transform, isAtOnce ? undefined : travelling++);
      else if (drawn.transform !== transform || drawn.at !== dot.at) {
        if (drawn.at !== dot.at) delayBy(drawn.element, travelling++);
        this.#move(drawn, dot, transform);
      } else this.#describe(drawn, dot);
    }
  }

  /**
   * @param {Area} area
   * @param {number} seat
   */
  #transform(area, seat) {
    const { x, y } = positionOf(area, seat, this.#pitch);
    return `translate(${x - SIZE / 2}px, ${y - SIZE / 2}px) scale(${Math.round(this.#pitch * 72 / SIZE) / 100})`;
  }

  /**
   * @param {Dot} dot
   * @param {string} transform
   * @param {number | undefined} turn Undefined: it is just there.
   */
  #come(dot, transform, turn) {
    const element = document.createElement('i');
    element.className = 'dot';
    if (dot.id !== undefined) element.dataset['connection'] = String(dot.id);
    element.style.transform = transform;
    const drawn = { element, at: '', how: '', standsFor: 0, transform };
    this.#describe(drawn, dot);
    this.#drawn.set(dot.key, drawn);
    this.#layer.append(element);
    if (turn === undefined || isStill()) return;
    const from = `translate(${this.#door.x}px, ${this.#door.y + this.#door.height / 2 - SIZE / 2}px) scale(0.4)`;
    element.animate([{ transform: from, opacity: 0 }, { opacity: 1, offset: 0.3 }, { transform, opacity: 1 }], {
      duration: 900, delay: delayOf(turn), easing: 'cubic-bezier(.3,.1,.2,1)', fill: 'backwards',
    });
  }

  /**
   * @param {Drawn} drawn
   * @param {Dot} dot
   * @param {string} transform
   */
  #move(drawn, dot, transform) {
    drawn.transform = transform;
    drawn.element.style.transform = transform;
    this.#describe(drawn, dot);
  }

  /**
   * @param {Drawn} drawn
   * @param {Dot} dot
   */
  #describe(drawn, { at, how, standsFor }) {
    const { element } = drawn;
    if (drawn.at !== at) mark(element, 'data-at', drawn.at = at);
    if (drawn.how !== how) mark(element, 'data-how', drawn.how = how);
    if (drawn.standsFor === standsFor) return;
    drawn.standsFor = standsFor;
    if (element.dataset['connection'] === undefined) mark(element, 'data-stands-for', String(standsFor));
  }

  /**
   * @param {ReadonlySet<string>} here
   * @param {ReadonlySet<number>} cutOff
   */
  #leave(here, cutOff) {
    for (const [key, { element }] of this.#drawn) {
      if (here.has(key)) continue;
      this.#drawn.delete(key);
      const isCutOff = cutOff.has(Number(key));
      if (!isCutOff) {
        element.remove();
        continue;
      }
      // It is no connection any more, only the sight of one.
      delete element.dataset['connection'];
      delete element.dataset['at'];
      element.dataset['cutOff'] = key;
      setTimeout(() => element.remove(), CUT_OFF_MS);
    }
  }
}

/** @param {number} turn */
function delayOf(turn) {
  return Math.min(turn * STAGGER_MS, ALL_STARTED_MS);
}

/**
 * @param {HTMLElement} element
 * @param {number} turn
 */
function delayBy(element, turn) {
  element.style.transitionDelay = `${delayOf(turn)}ms`;
}
