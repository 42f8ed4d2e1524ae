// The command lines of the client and of the load generator: reads flags, says what is wrong with them, and finds those
// that npm has taken for itself. Pure. Used by config.ts and load/config.ts.

import { parseArgs } from 'node:util';
import { UsageError } from '../shared/errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** What may be typed behind a flag, or stand in a variable. */
export interface Allowed {
  /** In words, behind "must be". */
  readonly allowed: string;
  isAllowed(text: string): boolean;
}

export interface ValueFlag extends Allowed {
  readonly short?: string;
  /** Another name for it, without the dashes. */
  readonly also?: string;
}

export interface SwitchFlag {
  readonly short?: string;
}

/** A value, and where it came from: `--port`, `environment variable PORT`, or `HOST` for what has no flag before it. */
export interface Given {
  readonly source: string;
  readonly text: string;
}

export interface CommandLine<Value extends string, Switch extends string> {
  /** By the flag's own name, whichever of its names was typed. */
  readonly values: ReadonlyMap<Value, Given>;
  readonly switches: ReadonlySet<Switch>;
  /** What has no flag before it. */
  readonly positionals: readonly string[];
}

/**
 * Reads a command line. The values are not checked yet: {@link checked} does it.
 * @param args Without node and the script.
 * @param mostPositionals How many words without a flag there may be.
 * @throws UsageError naming what was typed and what is allowed.
 */
export function readFlags<Value extends string, Switch extends string>(
  args: readonly string[],
  values: Readonly<Record<Value, ValueFlag>>,
  switches: Readonly<Record<Switch, SwitchFlag>>,
  mostPositionals: number,
): CommandLine<Value, Switch> {
  const own = new Map<string, Value>();
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = {};
  for (const [name, { short, also }] of Object.entries<ValueFlag>(values)) {
    own.set(name, name as Value);
    options[name] = { type: 'string', ...(short === undefined ? {} : { short }) };
    if (also === undefined) continue;
    own.set(also, name as Value);
    options[also] = { type: 'string' };
  }
  for (const [name, { short }] of Object.entries<SwitchFlag>(switches)) {
    options[name] = { type: 'boolean', ...(short === undefined ? {} : { short }) };
  }
  const given = { values: new Map<Value, Given>(), switches: new Set<Switch>(), positionals: [] as string[] };
  // Not strict, so that every complaint is our own sentence.
  for (const token of parseArgs({ args: [...args], options, strict: false, tokens: true }).tokens) {
    if (token.kind === 'option-terminator') continue;
    const typed = JSON.stringify(args[token.index]);
    if (token.kind === 'positional') {
      if (given.positionals.push(token.value) > mostPositionals) {
        throw new UsageError(`unexpected argument ${typed}: only HOST and PORT need no flag (--help lists the flags)`);
      }
      continue;
    }
    const { name, rawName, value, inlineValue } = token;
    const valueName = own.get(name);
    if (valueName !== undefined) {
      // `--host --port 1`: what follows is the next flag. `--port -1` is a value, and a wrong one.
      if (value === undefined || (!inlineValue && /^--?[a-z]/i.test(value))) {
        throw new UsageError(`${rawName} needs a value: ${values[valueName].allowed}`);
      }
      given.values.set(valueName, { source: rawName, text: value });
    } else if (!Object.hasOwn(switches, name)) {
      throw new UsageError(`unknown flag ${typed} (--help lists all)`);
    } else if (value !== undefined) {
      throw new UsageError(`${rawName} takes no value, not ${JSON.stringify(value)}`);
    } else given.switches.add(name as Switch);
  }
  return given;
}

/** The text of a value. @throws UsageError naming where it came from, the value and what is allowed. */
export function checked({ source, text }: Given, { allowed, isAllowed }: Allowed): string {
  // JSON keeps the complaint on one line whatever was typed.
  if (!isAllowed(text)) throw new UsageError(`${source} must be ${allowed}, not ${JSON.stringify(text)}`);
  return text;
}

/**
 * A note for each flag that stands before the `--` of `npm run`: npm takes it, and the program never sees it.
 * @param names Of the flags that the program has and was not given.
 */
export function flagsTakenByNpm(names: readonly string[], env: Environment): string[] {
  const script = env['npm_lifecycle_event'];
  if (script === undefined) return [];
  return names.flatMap((name) => {
    const taken = env[`npm_config_${name.replaceAll('-', '_')}`];
    if (taken === undefined || taken === '') return [];
    const flag = taken === 'true' ? `--${name}` : `--${name}=${taken}`;
    const words = JSON.stringify(flag).slice(1, -1);
    return [`npm has taken ${words} for itself. Behind two dashes it is ours: npm run ${script} -- ${words}`];
  });
}
