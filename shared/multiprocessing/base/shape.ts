// Whether what came from another process is a message of a known union: of a known `type`, with all its fields. What is
// not comes from a foreign library, or a version that does not fit, and must not end us. Used where primitives receive.

import type { Death } from './errors.ts';

type Check = (value: unknown) => boolean;

/** For each `type` of a union of messages, what its other fields must be. */
export type Shapes<Message extends { readonly type: string }> = {
  readonly [Type in Message['type']]: {
    readonly [Field in Exclude<keyof MessageOf<Message, Type>, 'type'>]-?: Check;
  };
};

type MessageOf<Message, Type> =
  Message extends { readonly type: infer Own } ? Type extends Own ? Message : never : never;

/** Whether it is one of the union's messages. */
export function hasShape<Message extends { readonly type: string }>(
  body: unknown, shapes: Shapes<Message>,
): body is Message {
  if (!isObject(body) || typeof body.type !== 'string' || !Object.hasOwn(shapes, body.type)) return false;
  const fields = Object.entries<Check>(shapes[body.type as Message['type']]);
  return fields.every(([field, check]) => check(body[field]));
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

export function isString(value: unknown): value is string {
  return typeof value === 'string';
}

export function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

export function isNumber(value: unknown): value is number {
  return typeof value === 'number';
}

/** A whole number from 0 on: of things, of bytes, of a question. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function isDeathOrNull(value: unknown): value is Death | null {
  return value === null || isDeath(value);
}

export function isDeath(value: unknown): value is Death {
  return isObject(value) && isString(value.address) && isString(value.name)
    && (value.pid === undefined || isNumber(value.pid)) && isNumber(value.exitCode);
}
