// Which request is for what, by its path and method. Pure. Used by admin.ts.
import { sentence } from './answer.ts';
import type { Answer } from './answer.ts';

export type Look = 'livez' | 'readyz' | 'metrics' | 'status' | 'events';
export type Action =
  | { readonly kind: 'reload' }
  | { readonly kind: 'resize'; readonly by: 1 | -1 }
  | { readonly kind: 'signal'; readonly slot: number; readonly signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' };
export type Route =
  | { readonly kind: 'look'; readonly at: Look }
  /** A file of the page, or nothing that there is. */
  | { readonly kind: 'file'; readonly name: string }
  | { readonly kind: 'act'; readonly action: Action };

const LOOKS = new Set<string>(['livez', 'readyz', 'metrics', 'status', 'events'] satisfies Look[]);
const ACTIONS: Readonly<Record<string, Action>> = {
  'reload': { kind: 'reload' },
  'workers/add': { kind: 'resize', by: 1 },
  'workers/remove': { kind: 'resize', by: -1 },
};
const SIGNALS = { kill: 'SIGKILL', freeze: 'SIGSTOP', thaw: 'SIGCONT' } as const;
const INDEX = 'index.html';

/** @param url As the request has it: a path, and perhaps a question, which means nothing here. */
export function routeOf(url: string): Route {
  // Nothing is decoded: no path that is meant here needs it.
  const name = /^\/([^?#]*)/.exec(url)?.[1];
  if (name === undefined) return { kind: 'file', name: '' }; // `OPTIONS *`, or as to a proxy: `GET http://…`
  if (isLook(name)) return { kind: 'look', at: name };
  if (Object.hasOwn(ACTIONS, name)) return { kind: 'act', action: ACTIONS[name]! };
  const [, slot, how] = /^workers\/([1-9]\d{0,5})\/(kill|freeze|thaw)$/.exec(name) ?? [];
  if (slot !== undefined && isHow(how)) {
    return { kind: 'act', action: { kind: 'signal', slot: Number(slot), signal: SIGNALS[how] } };
  }
  return { kind: 'file', name: name === '' ? INDEX : name };
}

function isLook(name: string): name is Look {
  return LOOKS.has(name);
}

function isHow(how: string | undefined): how is keyof typeof SIGNALS {
  return how !== undefined && Object.hasOwn(SIGNALS, how);
}

/** What the answer is when the method does not suit. */
export function wrongMethod({ kind }: Route, method: string | undefined): Answer | undefined {
  const allowed = kind === 'act' ? ['POST'] : ['GET', 'HEAD'];
  if (method !== undefined && allowed.includes(method)) return undefined;
  return sentence(405, `Only ${allowed.join(' and ')} can be used here.`, { Allow: allowed.join(', ') });
}

export function notFound(): Answer {
  return sentence(404, 'There is nothing here. GET / shows the server.');
}
