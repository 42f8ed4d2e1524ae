// @ts-check
// What happens, and what will happen, in sentences for somebody who sees such a server for the first time. Pure. Used
// by state.js and by whoever shows something.

/** @typedef {import('./state.js').Status} Status */
/** @typedef {import('./state.js').Change} Change */
/** @typedef {import('./state.js').Connection} Connection */

/**
 * @typedef {object} Sentence
 * @property {string} text
 * @property {boolean} isImportant Not what happens all the time.
 * @property {number} time When, in milliseconds since 1970.
 */

/**
 * `1 client`, `12 clients`.
 * @param {number} count
 */
export function many(count, thing = 'client', things = `${thing}s`) {
  return `${number(count)} ${count === 1 ? thing : things}`;
}

/** @param {Readonly<Record<string, number>>} counts */
export function sum(counts) {
  return Object.values(counts).reduce((a, b) => a + b, 0);
}

/** @param {number} value */
export function number(value) {
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 1 : 0 });
}

/** @param {number} value */
export function bytes(value) {
  const power = Math.min(Math.floor(Math.log(Math.max(value, 1)) / Math.log(1000)), 4);
  return `${number(value / 1000 ** power)} ${['B', 'kB', 'MB', 'GB', 'TB'][power]}`;
}

/**
 * The time of day, as the log has it, where the reader is.
 * @param {number} time
 */
export function clock(time) {
  return new Date(time).toLocaleTimeString('en-GB');
}

/**
 * Whether a client of a crashed worker stays.
 * @param {Status} status
 */
export function isAdopting(status) {
  return status.config['--on-crash'] === 'adopt';
}

/** @param {readonly Connection[]} connections */
function placesOf(connections) {
  const names = [...new Set(connections.map(({ at }) => at))].sort();
  return names.length > 3 ? `${names.length} workers` : names.join(' and ');
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * A change, and what was before.
 * @typedef {object} News
 * @property {Status} before
 * @property {Status} after
 * @property {readonly Connection[]} moved
 * @property {NonNullable<Change['ended']>} ended
 * @property {ReadonlyMap<number, Connection>} old Those that were there before, by number.
 */

/**
 * What a change means.
 * @param {Status} before
 * @param {Status} after
 * @param {Change} change
 * @returns {Sentence | undefined} Undefined: nothing that is worth a word.
 */
export function narrate(before, after, { moved = [], ended = [] }) {
  const old = new Map((before.connections ?? []).map((connection) => [connection.id, connection]));
  const news = { before, after, moved, ended, old };
  const [first] = [...deaths(news), ...reload(news), ...givenBack(news), ...states(news)];
  const isImportant = first !== undefined;
  const text = first ?? everyday(news);
  return text === undefined ? undefined : { text, isImportant, time: after.now };
}

/** @param {News} news */
function deaths({ before, after, moved, ended, old }) {
  const cutOff = after.totals.cutOff - before.totals.cutOff;
  const adopted = after.totals.adopted - before.totals.adopted;
  const from = placesOf(ended.flatMap((end) => (end.cutOff && old.get(end.id)) || []));
  const to = placesOf(moved.filter(({ how, at }) => how === 'adopted' && at !== 'line'));
  const sentences = [];
  if (cutOff > 0) {
    sentences.push(`${from === '' ? 'A worker' : capital(from)} died, and ${many(cutOff)} with it: cut off. `
      + 'Another worker starts in its place.');
  }
  if (adopted > 0) {
    const whom = adopted === 1 ? 'its client stays' : `${number(adopted)} of its clients stay`;
    sentences.push(`A worker died, and ${whom} connected: adopted by ${to === '' ? 'another one' : to}`
      + `${moved.some(({ at }) => at === 'line') ? ', as soon as there is room' : ''}. Replies under way are lost.`);
  }
  return sentences;
}

/** @param {News} news */
function reload({ before, after }) {
  if (after.phase !== before.phase && (after.phase === 'stopping' || after.phase === 'leaving')) {
    return ['The server is stopping: what has arrived is answered, and each connection is ended.'];
  }
  return after.totals.reloads === before.totals.reloads ? []
    : ['Reload: the workers are replaced, one after the other. Each gives its clients back before it goes.'];
}

/** @param {News} news */
function givenBack({ before, after, moved, old }) {
  if (before.connections === null || after.connections === null) {
    const count = sum(after.totals.moved) - sum(before.totals.moved);
    return count > 0 ? [`${many(count)} given back, and served by other workers: still connected.`] : [];
  }
  const back = moved.filter(({ id, how, at }) => how === 'given back' && old.get(id)?.at !== at);
  if (back.length === 0) return [];
  const from = placesOf(back.flatMap(({ id }) => old.get(id) ?? []).filter(({ at }) => at !== 'line'));
  const to = placesOf(back.filter(({ at }) => at !== 'line'));
  const whom = many(back.length);
  if (to === '') return [`${capital(from || 'the master')} gave ${whom} back: still connected, waiting for a worker.`];
  return [from === '' ? `The master hands ${whom} on to ${to}. Nobody was disconnected.`
    : `${capital(from)} gave ${whom} back, and ${to} took them. Nobody was disconnected.`];
}

/** @param {News} news */
function states({ before, after }) {
  const old = new Map(before.workers.map(({ pid, state }) => [pid, state]));
  return after.workers.flatMap(({ pid, slot, state, connections }) => {
    const wasStalled = old.get(pid) === 'stalled';
    if (state === 'stalled' && !wasStalled) {
      return [`Worker ${slot} does not answer. Its ${many(connections)} can only wait; all others are served.`];
    }
    return wasStalled && (state === 'ready' || state === 'full') ? [`Worker ${slot} answers again.`] : [];
  });
}

/** @param {News} news */
function everyday({ after, moved, ended, old }) {
  const atWorkers = moved.filter(({ at }) => at !== 'line');
  if (after.line.waiting > 0 && moved.some(({ id, at }) => at === 'line' && !old.has(id))) {
    return `All workers are full: ${many(after.line.waiting)} in the waiting line.`;
  }
  const called = atWorkers.filter(({ id }) => old.get(id)?.at === 'line');
  if (called.length > 0) return `From the line, the master hands ${many(called.length)} to ${placesOf(called)}.`;
  const handed = atWorkers.filter(({ id }) => !old.has(id));
  if (handed.length > 0) {
    const whom = handed.length === 1 ? 'a client and hands its socket' : `${many(handed.length)} and hands them`;
    return `Hand-off: the master accepts ${whom} to ${placesOf(handed)}.`;
  }
  return ended.length > 0 ? `${many(ended.length)} left.` : undefined;
}

/** @typedef {'reload' | 'add' | 'remove' | 'kill' | 'freeze' | 'thaw'} Action */

/**
 * What will happen, before it does.
 * @param {Action} action
 * @param {Status} status
 * @param {number} [slot] Of the worker that it is done to.
 */
export function foretell(action, status, slot = 0) {
  const worker = `Worker ${slot}`;
  const count = status.workers.filter((one) => one.slot === slot).reduce((sum, one) => sum + one.connections, 0);
  const clients = count === 0 ? 'it has no clients' : `its ${many(count)}`;
  const fate = isAdopting(status)
    ? 'will stay connected, adopted by another worker; replies that are under way will be lost' : 'will be cut off';
  const limit = Number(status.config['--worker-timeout'] ?? 0);
  switch (action) {
    case 'reload':
      return `Every worker is replaced, one after the other. ${capital(status.current === 0 ? 'no client is here'
        : `all ${many(status.current)} will stay connected, and move to other workers`)}.`;
    case 'add': return 'One more worker starts. New clients go to it first.';
    case 'remove': return 'One worker gives its clients back to the master, and ends. Nobody will be cut off.';
    case 'kill':
      return `${worker} is killed (SIGKILL); ${count === 0 ? clients : `${clients} ${fate}`}. `
        + 'A new worker will start in its place.';
    case 'freeze':
      return `${worker} is frozen (SIGSTOP); ${count === 0 ? clients : `${clients} will wait for replies`}. `
        + (limit === 0 ? 'It stays so until you thaw it.' : `Thaw it within ${number(limit)} seconds, or it is ended`
          + (count === 0 ? '.' : `, and ${count === 1 ? 'the client' : 'they'} ${fate}.`));
    case 'thaw': return `${worker} goes on (SIGCONT), and answers what has arrived meanwhile.`;
  }
}
