// @ts-check
// What is said in words and figures: the head, the totals, the lock, what happened. Used by page.js.
import { byId, make, mark, say } from './dom.js';
import { standsFor } from './layout.js';
import { bytes, clock, isAdopting, many, number } from './sentences.js';

/** @typedef {import('../../../shared/status/status.ts').Status} Status */
/** @typedef {import('./state.js').Frame} Frame */

/** @type {Readonly<Record<Status['phase'], string>>} */
const PHASES = { starting: 'starting', ready: 'ready', leaving: 'stopping', stopping: 'stopping' };

/** @param {Record<string, number>} counts */
const sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);

/** @param {Frame} frame */
export function showFacts({ status, said }) {
  const { totals, workers, terminal, line, pool } = status;
  say(byId('phase'), PHASES[status.phase]);
  say(byId('listening'), status.listening.join(', '));
  say(byId('summary'), `${many(workers.length, 'worker')}, at most ${number(pool.most)} · `
    + `${number(status.messagesPerSecond)} messages/s`);
  say(byId('master'), `pid ${status.pid}, since ${clock(status.startedAt)}`);
  say(byId('waiting'), number(line.waiting));
  say(byId('limit'), `of at most ${number(line.limit)}`);
  mark(byId('line'), 'data-waiting', String(line.waiting > 0));
  say(byId('now-here'), number(status.current));
  say(byId('given-back'), number(sum(totals.moved)));
  say(byId('adopted'), number(totals.adopted));
  say(byId('cut-off'), number(totals.cutOff));
  say(byId('lock-holder'), terminal.holder ?? 'nobody');
  say(byId('lock-since'), terminal.since === null ? 'free' : `since ${clock(terminal.since)}`
    + (terminal.waiting > 0 ? `, ${number(terminal.waiting)} waiting` : ''));
  byId('master-lock').toggleAttribute('data-held', terminal.holder === 'master');
  say(byId('totals'), `${many(totals.connections)} so far, ${number(totals.served)} served, `
    + `${number(sum(totals.refused))} refused, ${number(totals.gone)} gone while waiting · `
    + `${many(totals.messages, 'message')}, ${bytes(totals.bytesIn)} in, ${bytes(totals.bytesOut)} out · `
    + `${many(totals.reloads, 'reload')}, ${many(sum(totals.deaths), 'crash').replace('crashs', 'crashes')}`);
  const each = standsFor(status);
  byId('crowd').hidden = each === 1;
  say(byId('crowd'), `Too many to show one by one: each dot stands for ${number(each)} clients.`);
  say(byId('said'), said?.text ?? (status.current === 0 ? 'No client is here. Connect one, and watch.'
    : `${many(status.current)} connected, ${many(workers.length, 'worker')}.`));
  mark(byId('said'), 'data-important', String(said?.isImportant === true));
  say(byId('crash-fate'), isAdopting(status)
    ? 'Here (--on-crash adopt) its clients stay connected and other workers adopt them; replies under way are lost.'
    : 'Here (--on-crash reset) its clients are cut off at once, and can connect again.');
}

/** What happened, newest first. */
export class Events {
  #list = byId('events');
  /** The notices that are shown, newest first. @type {number[]} */
  #shown = [];

  /** @param {Status} status */
  show({ notices }) {
    const ids = notices.map(({ id }) => id).reverse();
    if (ids.length === this.#shown.length && ids[0] === this.#shown[0]) return;
    const newest = this.#shown[0] ?? 0;
    const known = new Set(this.#shown);
    // Another time, or another server: they are shown anew.
    const isOther = newest !== 0 && !ids.includes(newest);
    if (isOther || ids.some((id) => id < newest && !known.has(id))) {
      this.#list.replaceChildren();
      known.clear();
    }
    const wanted = new Set(ids.map(String));
    for (const item of [...this.#list.children]) {
      if (!wanted.has(item.getAttribute('data-notice') ?? '')) item.remove();
    }
    for (const notice of notices) if (!known.has(notice.id)) this.#list.prepend(itemOf(notice));
    this.#shown = ids;
  }
}

/** @param {Status['notices'][number]} notice */
function itemOf({ id, time, level, event, text }) {
  const item = make('li');
  item.dataset['notice'] = String(id);
  item.dataset['level'] = level;
  item.dataset['event'] = event;
  const when = make('time', '', clock(time));
  when.dateTime = new Date(time).toISOString();
  item.append(when, make('span', '', text));
  return item;
}
