// Why the server could not listen, in one sentence for the user. Loaded by main.ts when it could not.
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { withPort } from '../shared/address.ts';
import { quote } from '../shared/flags/words.ts';
import type { Config, Origins } from './config.ts';
import type { BindAddress, Place } from './connections/bind-address.ts';
import type { ListenError } from './connections/listener.ts';

/** @param origins By what --host and --port were given. */
export function whyNotListening({ where, code, message }: ListenError, config: Config, origins: Origins): string {
  const { addresses } = config;
  // One after the other is opened, and --admin as the last one.
  const at = addresses.indexOf(where);
  const isOwn = (at === -1 ? addresses : addresses.slice(0, at)).some((place) => isSame(place, where));
  return `cannot listen on ${shown(where)}: ${reason(where, code, message, origins, isOwn)}`;
}

/** Whether only one can listen there. */
function isSame(one: Place, other: Place): boolean {
  if (one.kind === 'unix') return other.kind === 'unix' && one.path === other.path;
  if (one.kind === 'fd' || other.kind !== 'tcp') return false;
  const isEvery = [one, other].some(({ host }) => host === '0.0.0.0' || host === '::');
  return one.port === other.port && (one.host === other.host || isEvery);
}

function shown(where: BindAddress): string {
  switch (where.kind) {
    case 'tcp': return withPort(where.host, where.port);
    case 'unix': return `unix:${where.path}`;
    case 'fd': return `fd:${where.fd}`;
  }
}

/** @param isOwn Whether this server listens there already. */
function reason(
  where: BindAddress, code: string | undefined, message: string, origins: Origins, isOwn: boolean,
): string {
  const { givenBy } = where;
  const another = givenBy === undefined ? `${origins.port}, or 0 for any free one` : givenBy;
  const who = isOwn ? 'this server' : 'another program';
  if (code === 'EADDRINUSE') return `${who} does already; choose another ${another}`;
  switch (where.kind) {
    case 'tcp': return whyNotTcp(where, code, origins, givenBy) ?? message;
    case 'unix': return `${whyNotUnix(where.path, code) ?? message} (${givenBy})`;
    case 'fd': return `that is no listening socket, TCP or Unix, which this process was started with (${givenBy})`;
  }
}

function whyNotTcp(
  { host }: Place & { kind: 'tcp' }, code: string | undefined, origins: Origins, givenBy: string | undefined,
): string | undefined {
  switch (code) {
    case 'EACCES': {
      const which = givenBy === undefined ? `a ${origins.port}` : `for ${givenBy} a port`;
      return `that needs special rights; choose ${which} from 1024 to 65535`;
    }
    case 'EINVAL': // A link-local address without its zone, or with one that is not here.
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${givenBy ?? origins.host} ${quote(host)} is no address of this machine`;
    default:
      return undefined;
  }
}

function whyNotUnix(path: string, code: string | undefined): string | undefined {
  // Node says EACCES for a folder that is not there.
  const hasNoFolder = code === 'ENOTDIR' || (code === 'EACCES' && !existsSync(dirname(path)));
  if (hasNoFolder) return `there is no folder ${quote(dirname(path))}`;
  if (code === 'EACCES' || code === 'EPERM') return 'no socket may be made there by this user';
  return code === 'ENOTSOCK' ? 'there is a file that is no socket; remove it, or choose another path' : undefined;
}
