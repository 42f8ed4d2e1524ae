// @ts-check
// What can be done to the server (--admin-actions): buttons, each with the sentence of what will happen before it does.
// Loaded only when the server allows it. Used by page.js.
import { byId, make, say } from './dom.js';
import { foretell } from './sentences.js';

/** @typedef {import('../../../shared/status/status.ts').Status} Status */
/** @typedef {import('./sentences.js').Action} Action */

/** @type {Readonly<Record<Action, string>>} */
const LABELS = {
  reload: 'Reload', add: 'Add a worker', remove: 'Remove a worker', kill: 'Kill', freeze: 'Freeze', thaw: 'Thaw',
};

/**
 * @param {Action} action
 * @param {number} slot
 */
function pathOf(action, slot) {
  if (action === 'reload') return '/reload';
  return action === 'add' || action === 'remove' ? `/workers/${action}` : `/workers/${slot}/${action}`;
}

export class Actions {
  /** @type {Status} */
  #status;
  #dialog = make('dialog');
  #text = make('p', 'foretold');
  #go = make('button', 'go');
  #answer = make('p', 'answer');
  #bar = make('div', 'tools');
  /** @type {{ action: Action, slot: number } | undefined} */
  #asked;

  /** @param {Status} status */
  constructor(status) {
    this.#status = status;
    const no = make('button', '', 'Do nothing');
    const buttons = make('div', 'tools');
    no.type = this.#go.type = 'button';
    no.addEventListener('click', () => this.#dialog.close());
    this.#go.addEventListener('click', () => void this.#act());
    buttons.append(this.#go, no);
    this.#text.id = 'foretold';
    this.#dialog.id = 'ask';
    this.#dialog.setAttribute('aria-labelledby', 'foretold');
    this.#dialog.append(this.#text, buttons);
    this.#answer.id = 'answer';
    this.#answer.setAttribute('role', 'status');
    this.#bar.append(this.#button('reload'), this.#button('add'), this.#button('remove'));
    byId('actions').append(this.#bar, this.#answer);
    document.body.append(this.#dialog);
  }

  /**
   * @param {Status} status As it is now, whatever time is shown.
   * @param {readonly { slot: number, tools: HTMLElement }[]} places
   */
  show(status, places) {
    this.#status = status;
    for (const { slot, tools } of places) {
      if (tools.children.length === 0) tools.append(...this.#all(slot));
    }
    const { size, most } = status.pool;
    for (const button of this.#bar.querySelectorAll('button')) {
      const { action } = button.dataset;
      button.disabled = (action === 'add' && size >= most) || (action === 'remove' && size <= 1);
    }
    if (this.#asked !== undefined) say(this.#text, foretell(this.#asked.action, status, this.#asked.slot));
  }

  /** @param {number} slot */
  #all(slot) {
    return [this.#button('kill', slot), this.#button('freeze', slot), this.#button('thaw', slot)];
  }

  /**
   * @param {Action} action
   * @param {number} [slot]
   */
  #button(action, slot = 0) {
    const button = make('button', '', LABELS[action]);
    button.type = 'button';
    button.dataset['action'] = action;
    if (slot > 0) button.setAttribute('aria-label', `${LABELS[action]} worker ${slot}`);
    button.addEventListener('click', () => this.#ask(action, slot));
    return button;
  }

  /**
   * @param {Action} action
   * @param {number} slot
   */
  #ask(action, slot) {
    this.#asked = { action, slot };
    say(this.#text, foretell(action, this.#status, slot));
    say(this.#go, slot > 0 ? `${LABELS[action]} worker ${slot}` : LABELS[action]);
    this.#go.dataset['go'] = action;
    this.#dialog.showModal();
  }

  async #act() {
    if (this.#asked === undefined) return;
    const { action, slot } = this.#asked;
    this.#asked = undefined;
    this.#dialog.close();
    say(this.#answer, '…');
    say(this.#answer, await post(pathOf(action, slot)));
  }
}

/**
 * @param {string} path
 * @returns {Promise<string>} What the server says to it.
 */
async function post(path) {
  try {
    const response = await fetch(path, { method: 'POST' });
    const text = await response.text();
    try {
      const { done, error } = JSON.parse(text);
      return String(done ?? error ?? text);
    } catch {
      return text;
    }
  } catch {
    return 'The server did not answer.';
  }
}
