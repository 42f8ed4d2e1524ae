// The server's text for `--help`. Loaded by main.ts when it is asked for.
import { callOf } from '../shared/called.ts';
import { flagLines } from '../shared/flags/help.ts';
import { settings } from './config.ts';

/** Every flag with its variable and default, the signals, and examples; 80 columns at most. */
export function helpText(): string {
  const call = callOf('npm start', 'echopool-server');
  return `echopool: a TCP echo server of several processes; replies in upper case

Usage: ${call} [flags]

Flags, each with its environment variable and, in brackets, its default. A flag
beats its variable; an empty variable counts as not set. PORT is read as well,
after ECHOPOOL_PORT; a value there like tcp://10.0.0.1:8080, which Kubernetes
sets, is passed over. An ADDRESS is HOST:PORT, [IPv6]:PORT, unix:PATH or fd:N, a
listening socket from the parent; LISTEN_FDS of systemd counts like such flags.
${flagLines(settings, 38, true)}

In a greeting {worker}, {pid}, {hostname}, {client}, {server} and {env:NAME} are
filled in, and \\n, \\t and \\\\ are a newline, a tab and a backslash.

Signals
  SIGINT, SIGTERM   stop: after --stop-delay no new clients, --grace for the
                    others
  one of them again stop at once
  SIGHUP            replace all workers, one after the other; clients stay
  SIGTTIN, SIGTTOU  one worker more, one worker less (SIGTTIN never exceeds the
                    number of usable CPUs)
  SIGUSR2           print workers, connections and totals into the log
It stops, too, when its terminal is closed (not under nohup) or its npm is gone.

Exit codes: 0 stopped as asked, 1 could not listen or go on, 2 wrong flags,
130 stopped at once

Examples
  ${call} --port 9000 --workers 2
  printf 'hello' | nc -N 127.0.0.1 9000        prints HELLO
  nc 127.0.0.1 9000                            type lines, end with Ctrl-D
  ${call} --bind [::]:9000 --bind unix:/tmp/echo.sock
  ${call} --connections-per-worker 1     a pool: one client a worker
`;
}
