// @ts-check
// What happens, and what will happen, in sentences for somebody who sees such a server for the first time. Pure. Used
// by state.js and by whoever shows something.

/** @typedef {import('../../../shared/status/status.ts').Status} Status */
/** @typedef {import('../../../shared/status/status.ts').Change} Change */
/** @typedef {import('../../../shared/status/status.ts').ConnectionStatus} Connection */

/**
 * @typedef {object} Sentence
 * @property {string} text
 * @property {boolean} isImportant Not what happens all the time.
 * @property {number} time When, in milliseconds since 1970.
 */

/**
 * `1 client`, `12 clients`.
 * @param {number} count
 * @param {string} [thing]
 */
export function many(count, thing = 'client') {
  return `${number(count)} ${thing}${count === 1 ? '' : 's'}`;
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
 * What a change means.
 * @param {Status} before
 * @param {Status} after
 * @param {Change} change
 * @returns {Sentence | undefined} Undefined: nothing that is worth a word.
 */
export function narrate(before, after, change) {
  const important = [
    ...deaths(before, after, change), ...reload(before, after), ...givenBack(before, after, change),
    ...states(before, after),
  ];
  const time = after.now;
  if (important.length > 0) return { text: important.slice(0, 2).join(' '), isImportant: true, time };
  const text = everyday(before, after, change);
  return text === undefined ? undefined : { text, isImportant: false, time };
}

/**
 * @param {Status} before
 * @param {Status} after
 * @param {Change} change
 */
function deaths(before, after, change) {
  const cutOff = after.totals.cutOff - before.totals.cutOff;
  const adopted = after.totals.adopted - before.totals.adopted;
  const old = new Map((before.connections ?? []).map((connection) => [connection.id, connection]));
  const from = placesOf((change.ended ?? []).flatMap((end) => (end.cutOff && old.get(end.id)) || []));
  const to = placesOf((change.moved ?? []).filter(({ how, at }) => how === 'adopted' && at !== 'line'));
  const sentences = [];
  if (cutOff > 0) {
    sentences.push(`${from === '' ? 'A worker' : capital(from)} died, and ${many(cutOff)} with it: cut off. `
      + 'Another worker starts in its place.');
  }
  if (adopted > 0) {
    const whom = adopted === 1 ? 'its client stays' : `${number(adopted)} of its clients stay`;
    sentences.push(`A worker died, and ${whom} connected: adopted by ${to === '' ? 'another one' : to}. `
      + 'Replies that were under way are lost.');
  }
  return sentences;
}

/**
 * @param {Status} before
 * @param {Status} after
 */
function reload(before, after) {
  if (after.phase !== before.phase && (after.phase === 'stopping' || after.phase === 'leaving')) {
    return ['The server is stopping: what has arrived is answered, and each connection is ended.'];
  }
  if (after.totals.reloads === before.totals.reloads) return [];
  return ['Reload: the workers are replaced, one after the other. Each gives its clients back before it goes.'];
}

/**
 * @param {Status} before
 * @param {Status} after
 * @param {Change} change
 */
function givenBack(before, after, change) {
  const old = new Map((before.connections ?? []).map((connection) => [connection.id, connection]));
  const moved = (change.moved ?? []).filter(({ id, how, at }) => how === 'given back' && old.get(id)?.at !== at);
  if (before.connections === null || after.connections === null) {
    const sum = (/** @type {Status} */ { totals: { moved: all } }) => Object.values(all).reduce((a, b) => a + b, 0);
    const count = sum(after) - sum(before);
    return count > 0 ? [`${many(count)} given back, and served by other workers: still connected.`] : [];
  }
  if (moved.length === 0) return [];
  const from = moved.flatMap(({ id }) => old.get(id) ?? []).filter(({ at }) => at !== 'line');
  const to = moved.filter(({ at }) => at !== 'line');
  const who = from.length === 0 ? 'The master' : capital(placesOf(from));
  if (to.length === 0) {
    return [`${who} gave ${many(moved.length)} back: still connected, waiting for the next worker.`];
  }
  return [from.length === 0
    ? `The master hands ${many(to.length)}, given back before, to ${placesOf(to)}. Nobody was disconnected.`
    : `${who} gave ${many(moved.length)} back, and ${placesOf(to)} took them. Nobody was disconnected.`];
}

/**
 * @param {Status} before
 * @param {Status} after
 */
function states(before, after) {
  const old = new Map(before.workers.map((worker) => [worker.pid, worker.state]));
  return after.workers.flatMap(({ pid, slot, state, connections }) => {
    if (state === 'stalled' && old.get(pid) !== 'stalled') {
      return [`Worker ${slot} does not answer. Its ${many(connections)} can only wait; all others are served.`];
    }
    return old.get(pid) === 'stalled' && state !== 'retiring' ? [`Worker ${slot} answers again.`] : [];
  });
}

/**
 * @param {Status} before
 * @param {Status} after
 * @param {Change} change
 */
function everyday(before, after, change) {
  const old = new Map((before.connections ?? []).map((connection) => [connection.id, connection]));
  const moved = change.moved ?? [];
  const waiting = moved.filter(({ id, at }) => at === 'line' && !old.has(id));
  if (waiting.length > 0 && after.line.waiting > 0) {
    return `All workers are full: ${many(after.line.waiting)} in the waiting line.`;
  }
  const called = moved.filter(({ id, at }) => at !== 'line' && old.get(id)?.at === 'line');
  if (called.length > 0) return `From the waiting line, the master hands ${many(called.length)} to ${placesOf(called)}.`;
  const handed = moved.filter(({ id, at }) => at !== 'line' && !old.has(id));
  if (handed.length === 1) return `Hand-off: the master accepts a client and hands its socket to ${placesOf(handed)}.`;
  if (handed.length > 1) return `Hand-off: the master accepts ${many(handed.length)} and hands them to ${placesOf(handed)}.`;
  if ((change.ended ?? []).length > 0) return `${capital(many((change.ended ?? []).length))} ended.`;
  return undefined;
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
