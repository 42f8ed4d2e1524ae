// What POST does, when --admin-actions allows it, and what is said of it. Used by admin.ts.
import { json, sentence } from './answer.ts';
import type { Answer } from './answer.ts';
import type { Action } from './routes.ts';
import type { AdminSource } from './source.ts';

const DONE = {
  SIGKILL: 'is killed, and another one starts in its place',
  SIGSTOP: 'is frozen: it does nothing until it is thawed, or given up for a new one',
  SIGCONT: 'goes on',
} as const;

export function act(action: Action, source: AdminSource): Answer {
  const { phase, pool: { size, most }, config } = source.status();
  const givenUp = `--worker-timeout ${String(config['--worker-timeout'])}; 0 is never`;
  if (phase === 'stopping') return sentence(409, 'The server is stopping.');
  switch (action.kind) {
    case 'reload':
      source.reload();
      return done('All workers are replaced, one at a time.');
    case 'resize': {
      const { by } = action;
      const wanted = size + by;
      if (wanted < 1 || wanted > most) {
        return sentence(409, `There may be from 1 to ${most} workers, and there are to be ${size}.`);
      }
      source.resize(by);
      return done(by > 0 ? 'One worker more starts.' : 'One worker gives its connections back and ends.');
    }
    case 'signal':
      return source.signal(action.slot, action.signal)
        ? done(`Worker ${action.slot} ${DONE[action.signal]}${action.signal === 'SIGSTOP' ? ` (${givenUp})` : ''}.`)
        : sentence(404, 'There is no such worker: GET /status lists those that there are.');
  }
}

function done(text: string): Answer {
  return json(202, { done: text });
}
