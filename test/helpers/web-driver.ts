// A headless Chromium, driven through chromedriver's HTTP (https://www.w3.org/TR/webdriver2/), both as the system has
// them. Each browser has a profile of its own, which goes with it.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DEADLINE_MS } from './server.ts';

/** The programs, or the sentence that says which one is missing. */
export function findBrowser(): { readonly driver: string; readonly browser: string } | string {
  const driver = find('chromedriver');
  const browser = find('chromium') ?? find('chromium-browser') ?? find('google-chrome');
  if (driver === undefined) return 'chromedriver is not installed';
  return browser === undefined ? 'no Chromium is installed' : { driver, browser };
}

function find(name: string): string | undefined {
  return (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, name)).find((file) => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

export interface Media {
  readonly scheme?: 'light' | 'dark';
  readonly motion?: 'reduce' | 'no-preference';
}

export class Browser implements AsyncDisposable {
  readonly #driver: ChildProcess;
  readonly #profile: string;
  readonly #base: string;
  #session = '';

  private constructor(driver: ChildProcess, profile: string, port: number) {
    this.#driver = driver;
    this.#profile = profile;
    this.#base = `http://127.0.0.1:${port}`;
  }

  /** @throws Error when it does not start. */
  static async start({ driver, browser }: { readonly driver: string; readonly browser: string }): Promise<Browser> {
    const profile = mkdtempSync(join(tmpdir(), 'echopool-browser-'));
    // What Chromium keeps beside its profile is to go with it too.
    const process = spawn(driver, ['--port=0'], {
      stdio: ['ignore', 'pipe', 'ignore'], detached: true, env: { ...globalThis.process.env, HOME: profile },
    });
    try {
      const started = new Browser(process, profile, await portOf(process));
      await started.#open(browser);
      return started;
    } catch (error) {
      await end(process, profile);
      throw error;
    }
  }

  async #open(binary: string): Promise<void> {
    const args = [
      '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run',
      '--disable-extensions', '--disable-background-networking', '--window-size=1280,900',
      `--user-data-dir=${join(this.#profile, 'profile')}`,
    ];
    const { sessionId } = await this.#ask<{ sessionId: string }>('POST', '/session', {
      capabilities: { alwaysMatch: { browserName: 'chrome', 'goog:chromeOptions': { binary, args } } },
    });
    this.#session = `/session/${sessionId}`;
  }

  async open(url: string): Promise<void> {
    await this.#ask('POST', `${this.#session}/url`, { url });
  }

  /** @param script The body of a function, which returns what is wanted; `arguments` holds the others. */
  async run<T>(script: string, ...args: unknown[]): Promise<T> {
    return await this.#ask<T>('POST', `${this.#session}/execute/sync`, { script, args });
  }

  /** Settles with what the script returns, as soon as `isIt` agrees with it. @throws Error after a minute. */
  async until<T>(script: string, isIt: (value: T) => boolean, what: string): Promise<T> {
    const deadline = performance.now() + DEADLINE_MS;
    for (;;) {
      const value = await this.run<T>(script);
      if (isIt(value)) return value;
      if (performance.now() > deadline) throw new Error(`not ${what}: ${JSON.stringify(value)}`);
      await delay(50);
    }
  }

  /** Clicks as a user does: what is hidden, or lies under something else, cannot be clicked. @param css A selector. */
  async click(css: string): Promise<void> {
    const found = await this.#ask<Record<string, string>>('POST', `${this.#session}/element`, {
      using: 'css selector', value: css,
    });
    await this.#ask('POST', `${this.#session}/element/${Object.values(found)[0]}/click`, {});
  }

  /** @param keys As WebDriver writes them: `\uE012` is the left arrow. */
  async press(...keys: string[]): Promise<void> {
    const actions = keys.flatMap((value) => [{ type: 'keyDown', value }, { type: 'keyUp', value }]);
    await this.#ask('POST', `${this.#session}/actions`, { actions: [{ type: 'key', id: 'keys', actions }] });
  }

  /** What a user prefers. */
  async prefer({ scheme = 'light', motion = 'no-preference' }: Media): Promise<void> {
    const features = [
      { name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: motion },
    ];
    await this.devtools('Emulation.setEmulatedMedia', { features });
  }

  async resize(width: number, height: number): Promise<void> {
    const screen = { width, height, deviceScaleFactor: 1, mobile: false };
    await this.devtools('Emulation.setDeviceMetricsOverride', screen);
  }

  /** A command of https://chromedevtools.github.io/devtools-protocol/. */
  async devtools<T>(cmd: string, params: Readonly<Record<string, unknown>>): Promise<T> {
    return await this.#ask<T>('POST', `${this.#session}/goog/cdp/execute`, { cmd, params });
  }

  /** A picture of what is seen, as PNG. */
  async picture(): Promise<Buffer> {
    return Buffer.from(await this.#ask<string>('GET', `${this.#session}/screenshot`), 'base64');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#session !== '') await this.#ask('DELETE', this.#session);
    } finally {
      await end(this.#driver, this.#profile);
    }
  }

  async #ask<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(this.#base + path, {
      method, signal: AbortSignal.timeout(DEADLINE_MS), ...body === undefined ? {} : { body: JSON.stringify(body) },
    });
    const { value } = await response.json() as { value: T & { error?: string; message?: string } | null };
    if (!response.ok) throw new Error(`${method} ${path}: ${value?.error}: ${value?.message}`);
    return value as T;
  }
}

async function portOf(driver: ChildProcess): Promise<number> {
  let said = '';
  for await (const text of driver.stdout!.setEncoding('utf8') as AsyncIterable<string>) {
    said += text;
    const port = /started successfully on port (\d+)/.exec(said)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error(`chromedriver does not start: ${said}`);
}

/** All that it started is in its process group. */
async function end(driver: ChildProcess, profile: string): Promise<void> {
  const hasEnded = driver.exitCode !== null || driver.signalCode !== null;
  const exit = hasEnded ? undefined : once(driver, 'exit');
  try {
    process.kill(-driver.pid!, 'SIGKILL');
  } catch {
    // It has ended already, and all of its group.
  }
  await exit;
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
}
