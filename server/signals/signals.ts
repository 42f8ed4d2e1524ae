// What signals ask of the master. Installed by main.ts, which does it; docs/flags.md tells of them.
import { isatty } from 'node:tty';
import { afterRunning } from '../../shared/running-time.ts';
import { continueChildren, isFromTerminal, stopWithJob } from './job-control.ts';
import type { JobSignal } from './job-control.ts';
import { isRunByNpm } from './job.ts';

/** What a signal can ask for. */
export interface Wishes {
  /** Stop in order. */
  stop(): void;
  /** End at once: it was asked to stop once more. */
  stopNow(): void;
  /** SIGHUP, which may also say that the terminal is gone. */
  hangUp(): void;
  resize(by: 1 | -1): void;
  /** Say in the log how it is. */
  status(): void;
}

type StopSignal = 'SIGINT' | 'SIGTERM';

/**
 * Signals to stop that come within so many milliseconds are one wish: timeout(1) and systemd send theirs to each
 * process, and npm passes its own on.
 */
const SAME_WISH_MS = 100;

/** Installs the handlers. */
export function obeySignals(wishes: Wishes): void {
  // npm is in the same group as the server; a Ctrl-C reaches both.
  const echoes = isRunByNpm(process.env, process.argv[1]) && [0, 1, 2].some((fd) => isatty(fd));
  const stops = new StopWishes(wishes, echoes, (done) => { afterRunning(SAME_WISH_MS, done); });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stops.came(signal));
  process.on('SIGHUP', () => wishes.hangUp());
  process.on('SIGUSR2', () => wishes.status());
  const obeyJobSignal = (signal: JobSignal, by: 1 | -1): void => {
    let isStopping = false;
    const came = (): void => {
      if (isStopping || stops.isUrgent) return; // Who ends at once is not stopped before.
      if (!isFromTerminal(signal)) {
        continueChildren();
        wishes.resize(by);
        return;
      }
      isStopping = true;
      // A wish to stop that came at the same time is heard first.
      setImmediate(() => {
        if (!stops.isUrgent) stopWithJob(signal, came);
        stops.goOn();
        isStopping = false;
      });
    };
    process.on(signal, came);
  };
  obeyJobSignal('SIGTTIN', 1);
  obeyJobSignal('SIGTTOU', -1);
}

/** From now on the signals do what they do to any process. For a process that is about to end. */
export function obeySignalsNoMore(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGTTIN', 'SIGTTOU']) process.removeAllListeners(signal);
}

/** Counts wishes to stop, of which one may come as several signals. */
export class StopWishes {
  readonly #wishes: Pick<Wishes, 'stop' | 'stopNow'>;
  readonly #afterAWhile: (done: () => void) => void;
  #echoes: boolean;
  #count = 0;
  #sameWish = false;

  /**
   * @param echoes Each Ctrl-C comes twice, from the terminal and from npm, and npm may be late: so the second SIGINT is
   *   not a second wish, the third is.
   * @param afterAWhile Calls back when what comes then is another wish.
   */
  constructor(wishes: Pick<Wishes, 'stop' | 'stopNow'>, echoes: boolean, afterAWhile: (done: () => void) => void) {
    this.#wishes = wishes;
    this.#echoes = echoes;
    this.#afterAWhile = afterAWhile;
  }

  /** Whether it was asked to end at once. */
  get isUrgent(): boolean {
    return this.#count > 1;
  }

  /** The job was stopped, and was continued: what comes now is another wish. */
  goOn(): void {
    this.#sameWish = false;
  }

  came(signal: StopSignal): void {
    const isEcho = this.#echoes && signal === 'SIGINT' && this.#count > 0;
    if (isEcho) this.#echoes = false;
    if (isEcho || this.#sameWish) return;
    this.#count++;
    this.#sameWish = true;
    this.#afterAWhile(() => { this.#sameWish = false; });
    if (this.#count === 1) this.#wishes.stop();
    else this.#wishes.stopNow();
  }
}
