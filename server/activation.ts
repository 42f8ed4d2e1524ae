// systemd's socket activation (sd_listen_fds(3)): the listening sockets that a service manager left to this process.
// Loaded by main.ts where there are any.
import { UsageError } from '../shared/errors.ts';
import { wholeNumber } from '../shared/flags/table.ts';
import { quote } from '../shared/flags/words.ts';

const MOST = 1000;
const count = wholeNumber(1, MOST);

/**
 * How many there are, from descriptor 3 on. The variables that say so are gone then, whoever they were for: no child of
 * this process may take them for its own.
 * @param env Such as `process.env`. @param pid Of this process: they may be another's.
 * @throws UsageError when they are for this process, and are no number.
 */
export function takeInherited(env: NodeJS.ProcessEnv, pid: number): number {
  const { LISTEN_PID: whose, LISTEN_FDS: text = '' } = env;
  for (const name of ['LISTEN_PID', 'LISTEN_FDS', 'LISTEN_FDNAMES', 'LISTEN_PIDFDID']) delete env[name];
  if (whose !== String(pid)) return 0;
  const number = count.parse(text);
  if (number !== undefined) return number;
  throw new UsageError(`environment variable LISTEN_FDS must be ${count.allowed}, not ${quote(text)}`);
}
