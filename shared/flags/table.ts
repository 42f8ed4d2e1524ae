// What a table of flags is made of. Each program has one, and it says all there is to a flag: read.ts reads the command
// line by it, and help.ts prints it.

/** A kind of value: how it is read, how the help shows it, and how an error says what is allowed. */
export interface Kind<T> {
  readonly hint: string;
  /** Behind "must be". */
  readonly allowed: string;
  /** The value, or `undefined` when `text` is none of this kind. */
  readonly parse: (text: string) => T | undefined;
}

interface Named {
  /** Without its dashes, where that is not its key in the table. */
  readonly flag?: string;
  /** One letter. */
  readonly short?: string;
  /** One more name, without its dashes. */
  readonly also?: string;
  /** Without it the flag is not in the help. */
  readonly help?: string;
  /**
   * Environment variables that may have it, the first one first; for a switch they are `yes` or `no`.
   * {@link withVariables} adds ours.
   */
  readonly variables?: readonly string[];
}

/** A flag with a value behind it. */
export interface Value<T> extends Named, Kind<T> {
  /** Read like a given value; without it the value is `undefined` unless given. */
  readonly fallback?: string;
  /** It may stand without its flag, and errors name it so: the first word is for the first such flag of the table. */
  readonly word?: string;
  /** It may be given several times, and several with commas between, so none has one: the value is an array of all. */
  readonly list?: true;
}

/** A flag alone: it is there or not. */
export type Switch = Named & { readonly [K in Exclude<keyof Value<unknown>, keyof Named>]?: undefined };

export type Flag = Switch | Value<unknown>;
/** The keys of switches that are answered whatever else is wrong; they are no values. */
export const ANSWERS = ['help', 'version'] as const;
export type Answer = (typeof ANSWERS)[number];
export type Flags = Readonly<Record<string, Flag>>;

/** What the flags of a table come to. */
export type ValuesOf<F extends Flags> = { readonly [K in keyof F as Exclude<K, Answer>]: ValueOf<F[K]> };
type ValueOf<F> = F extends Kind<infer T>
  ? F extends { list: true } ? readonly T[] : F extends { fallback: string } ? T : T | undefined
  : boolean;

export const HELP = { short: 'h', help: 'print this and leave' } satisfies Switch;

export function nameOf(key: string, { flag = key }: Flag): string {
  return flag;
}

/** `--port N`, `--json`. */
export function usageOf(key: string, flag: Flag): string {
  return `--${nameOf(key, flag)}${flag.hint === undefined ? '' : ` ${flag.hint}`}`;
}

/** `--workers N, --help`: all that there are. */
export function usagesOf(flags: Flags): string {
  return Object.entries(flags).map(([key, flag]) => usageOf(key, flag)).join(', ');
}

/** The same table, in which each flag may also stand in the environment: as ECHOPOOL_ and its name. */
export function withVariables<F extends Flags>(flags: F): F {
  return Object.fromEntries(Object.entries(flags).map(([key, flag]) => {
    const own = `ECHOPOOL_${nameOf(key, flag).toUpperCase().replaceAll('-', '_')}`;
    const isAnswer = ANSWERS.some((answer) => answer === key);
    return [key, isAnswer ? flag : { ...flag, variables: [own, ...flag.variables ?? []] }];
  })) as F;
}

export function wholeNumber(least: number, most: number): Kind<number> {
  return { ...decimal(least, most, 'a whole number'), parse: (text) => within(/^\d+$/, text, least, most) };
}

/** @param what It counts, in words. */
export function decimal(least: number, most: number, what = 'a number'): Kind<number> {
  return {
    hint: 'N',
    allowed: `${what} from ${least} to ${most}`,
    parse: (text) => within(/^(?:\d+(?:\.\d+)?|\.\d+)$/, text, least, most),
  };
}

function within(form: RegExp, text: string, least: number, most: number): number | undefined {
  const value = form.test(text) ? Number(text) : NaN;
  return value >= least && value <= most ? value : undefined;
}

export function oneOf<T extends string>(...words: readonly T[]): Kind<T> {
  return {
    hint: words.join('|'),
    allowed: `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`,
    parse: (text) => words.find((word) => word === text),
  };
}
