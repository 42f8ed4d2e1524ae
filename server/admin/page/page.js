// @ts-check
// The page at GET /: what the server is and does, as /events tells it. This is its entry; it shows one moment, the
// present one or one of the last two minutes.
import { byId, mark, say } from './dom.js';
import { Dots } from './dots.js';
import { Events, showFacts } from './facts.js';
import { Places } from './places.js';
import { clock, number } from './sentences.js';
import { History } from './state.js';

/** How long to wait before asking again, when the browser has given it up: it was told no (503). */
const AGAIN_MS = 2000;
/** How many frames a big step is. */
const BIG_STEP = 10;

const stage = byId('stage');
const slider = /** @type {HTMLInputElement} */ (byId('slider'));
const history = new History();
const dots = new Dots(stage, byId('dots'));
const places = new Places();
const events = new Events();
/** The frame that is looked at; undefined: the last one there is. @type {number | undefined} */
let paused;
let shown = 0;
let isDue = false;
let drawnAt = 0;
/** @type {import('./actions.js').Actions | undefined} */
let actions;

/** However many frames come, the page is drawn once before the screen is. */
function show() {
  if (isDue) return;
  isDue = true;
  // In a page that nobody sees there are no frames of animation; it is kept right all the same.
  if (document.hidden) setTimeout(() => draw());
  else requestAnimationFrame(() => draw());
}

/** @param {boolean} [isAtOnce] */
function draw(isAtOnce) {
  isDue = false;
  const last = history.last;
  const frame = paused === undefined ? last : history.at(paused);
  if (frame === undefined || last === undefined) return;
  const { seq, status } = frame;
  if (places.show(status)) dots.measure();
  // Back in time nobody is cut off, and over a gap nobody travels.
  const step = seq - shown;
  dots.show(status, history.cutOffBetween(shown, seq), isAtOnce === true || step > 5 * BIG_STEP || step < -BIG_STEP);
  showFacts(frame);
  events.show(status);
  const second = Math.floor(status.now / 1000);
  if (second !== drawnAt) places.draw(history.minuteBefore(seq, (one) => one));
  drawnAt = second;
  shown = seq;
  showTime(frame, last);
  actions?.show(last.status, places.tools);
  if (last.status.actions && actions === undefined) void allow();
}

let isAllowing = false;
async function allow() {
  if (isAllowing) return;
  isAllowing = true;
  const { Actions } = await import('./actions.js');
  const last = history.last;
  if (last === undefined) return;
  actions = new Actions(last.status);
  actions.show(last.status, places.tools);
  dots.measure();
  draw(true);
}

/**
 * @param {import('./state.js').Frame} frame
 * @param {import('./state.js').Frame} last
 */
function showTime({ seq, status: { now } }, last) {
  const isPaused = paused !== undefined;
  slider.min = String(history.first?.seq ?? 0);
  slider.max = String(last.seq);
  slider.value = String(seq);
  const ago = (last.status.now - now) / 1000;
  const text = isPaused ? `${clock(now)}, ${number(ago)} s before now` : 'live';
  slider.setAttribute('aria-valuetext', text);
  say(byId('when'), text);
  say(byId('pause'), isPaused ? 'Live' : 'Pause');
  mark(document.body, 'data-time', isPaused ? 'paused' : 'live');
}

/** @param {number | undefined} seq Undefined: the present. */
function goTo(seq) {
  paused = seq;
  draw();
}

/** @param {number} by Frames. */
function step(by) {
  const [first, last] = [history.first, history.last];
  if (first === undefined || last === undefined) return;
  goTo(Math.min(Math.max((paused ?? last.seq) + by, first.seq), last.seq));
}

function toggle() {
  goTo(paused === undefined ? history.last?.seq : undefined);
}

byId('pause').addEventListener('click', toggle);
byId('back').addEventListener('click', () => step(-1));
byId('forward').addEventListener('click', () => step(1));
slider.addEventListener('input', () => goTo(Number(slider.value)));
document.addEventListener('keydown', (event) => {
  const on = /** @type {Element} */ (event.target);
  if (event.ctrlKey || event.metaKey || event.altKey || on.closest('dialog')) return;
  const isOwn = on.closest('button, summary, a, input') !== null;
  if (event.key === ' ' && !isOwn) toggle();
  else if (event.key === 'ArrowLeft' && on !== slider) step(event.shiftKey ? -BIG_STEP : -1);
  else if (event.key === 'ArrowRight' && on !== slider) step(event.shiftKey ? BIG_STEP : 1);
  else return;
  event.preventDefault();
});
new ResizeObserver(() => {
  dots.measure();
  draw(true);
}).observe(stage);

/** @param {boolean} isHere */
function reach(isHere) {
  if (isHere) mark(document.body, 'data-server', 'here');
  else if (document.body.dataset['server'] !== 'lost') {
    mark(document.body, 'data-server', 'lost');
    const last = history.last;
    say(byId('lost'), last === undefined ? 'The server does not answer. Asking again…'
      : `The server has not answered since ${clock(Date.now())}. Below is what was last heard of it. Asking again…`);
  }
  byId('lost').hidden = isHere;
}

function listen() {
  const source = new EventSource('/events');
  source.addEventListener('open', () => reach(true));
  source.addEventListener('status', ({ data }) => {
    history.begin(JSON.parse(data));
    show();
  });
  source.addEventListener('change', ({ data }) => {
    if (history.follow(JSON.parse(data))) show();
  });
  source.addEventListener('error', () => {
    reach(false);
    if (source.readyState !== EventSource.CLOSED) return;
    source.close();
    setTimeout(listen, AGAIN_MS);
  });
}

listen();
