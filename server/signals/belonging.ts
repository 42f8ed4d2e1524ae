// What the server ends with: the terminal on which it was started, and the npm that started it. Watched by main.ts.
import { isatty } from 'node:tty';
import { jobOf } from './job.ts';
import type { Job } from './job.ts';
import { forgetLostTerminal } from './lost-terminal.ts';

/** How often to look whether both are still there, in milliseconds. */
const LOOK_MS = 1000;
/** No process has it. */
const NO_PID = -1;
const STANDARD = [0, 1, 2];
const SHELLS = new Set(['sh', 'dash', 'bash', 'ash', 'busybox', 'zsh', 'ksh']);

export class Belonging {
  readonly #lost: (why: string) => void;
  readonly #start = jobOf(process.pid);
  /**
   * It has a controlling terminal and uses it; not so under nohup(1), or with all of its descriptors redirected.
   * (Whether SIGHUP was ignored cannot be asked: Node resets it at its start.)
   */
  readonly #usesTerminal = this.#start?.hasTerminal === true && STANDARD.some((fd) => isatty(fd));
  #terminalSeen = this.#start?.hasTerminal === true;
  readonly #starters: readonly number[];
  readonly #timer: NodeJS.Timeout;

  /**
   * @param isNpms npm has started this process.
   * @param lost Called once, when something that it belongs to is gone.
   */
  constructor(isNpms: boolean, lost: (why: string) => void) {
    this.#lost = lost;
    forgetLostTerminal();
    this.#starters = isNpms ? startersOf(this.#start) : [];
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref();
    this.look();
  }

  /** Looks now. */
  look(): void {
    const why = this.#missing();
    if (why === undefined) return;
    this.end();
    this.#lost(why);
  }

  /** Whether a SIGHUP that has just come says that the terminal is gone; else it is a command. */
  isHangUp(): boolean {
    const wasSeen = this.#terminalSeen;
    this.#terminalSeen = jobOf(process.pid)?.hasTerminal === true;
    return wasSeen && !this.#terminalSeen;
  }

  /** Looks no more. */
  end(): void {
    clearInterval(this.#timer);
  }

  #missing(): string | undefined {
    if (this.#start === undefined) return undefined;
    const hasTerminal = jobOf(process.pid)?.hasTerminal === true;
    if (this.#usesTerminal && !hasTerminal) return 'its terminal is gone';
    if (this.#starters.length === 0 || isChain([process.pid, ...this.#starters])) return undefined;
    // Closing a window ends npm, but not what runs there under nohup: that is what it is for.
    return this.#start.hasTerminal && !hasTerminal ? undefined : 'the npm that started it is gone';
  }
}

/**
 * npm, and the shell between if there is one. None for a process that leads a session of its own (it was detached on
 * purpose), nor for one whose parent is outside of its container. NO_PID when they are gone already: an orphan's new
 * parent belongs to another session.
 */
function startersOf(job: Job | undefined): number[] {
  if (job === undefined || job.session === process.pid || job.parent === 0) return [];
  const parent = jobOf(job.parent);
  if (parent === undefined || parent.session !== job.session) return [NO_PID];
  return SHELLS.has(parent.name) ? [job.parent, parent.parent] : [job.parent];
}

/** Whether each is the child of the next: an orphan has another parent. */
function isChain(pids: readonly number[]): boolean {
  return pids.every((pid, i) => i + 1 === pids.length || jobOf(pid)?.parent === pids[i + 1]);
}
