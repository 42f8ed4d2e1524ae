// A reply that is not the upper case of its message: where, and what it should be. Pure. Used by connection.ts
// and report.ts.

import { previewOf } from '../../shared/terminal/preview.ts';
import type { Text } from './text.ts';

/** Where what came differs from what had to come. */
export interface WrongReply {
  /** From 1 on; and the message of that connection, from 1 on. */
  readonly connection: number;
  readonly message: number;
  /** The first byte of the reply that is wrong, from 0 on, and how long the reply should be; 0 of 0: not asked for. */
  readonly byte: number;
  readonly of: number;
  /** From that byte on, cut and escaped. Nothing was expected of what no message asked for. */
  readonly expected: string;
  readonly received: string;
}

/** How far a connection was when the bytes came. */
export interface Position {
  /** Where in the text's replies the first of the bytes belongs. */
  readonly at: number;
  /** How many bytes are to come for the messages in flight, and how many messages these are. */
  readonly owed: number;
  readonly inFlight: number;
  /** Which of the text's messages is the one whose reply is next, and how many have been answered before it. */
  readonly current: number;
  readonly answered: number;
}

/** Finds the first byte that is wrong. There must be one, or more than was asked for. */
export function locate(text: Text, bytes: Buffer, position: Position): Omit<WrongReply, 'connection'> {
  const { at, owed, inFlight, current, answered } = position;
  const { replies, replyEnds, variants } = text;
  const asked = Math.min(bytes.length, owed);
  let byte = 0;
  while (byte < asked && bytes[byte] === replies[at + byte]) byte++;
  const received = previewOf(bytes.subarray(byte)).text;
  if (byte === asked) return { message: answered + inFlight, byte: 0, of: 0, expected: '', received };

  const startOf = (variant: number): number => (variant === 0 ? 0 : replyEnds[variant - 1]!);
  let message = answered + 1;
  let variant = current;
  let start = startOf(variant) - at;
  let of = replyEnds[variant]! - startOf(variant);
  while (byte >= start + of) {
    start += of;
    message++;
    variant = variant + 1 === variants ? 0 : variant + 1;
    of = replyEnds[variant]! - startOf(variant);
  }
  const expected = previewOf(replies.subarray(at + byte, at + asked)).text;
  return { message, byte: byte - start, of, expected, received };
}

/** `connection 3, message 1501, byte 17 of 64: expected "...", got "..."`. */
export function describeWrong({ connection, message, byte, of, expected, received }: WrongReply): string {
  const where = `connection ${connection}, ${of === 0 ? 'after message' : 'message'} ${message}`;
  if (of === 0) return `${where}: got "${received}", which no message asked for`;
  return `${where}, byte ${byte} of ${of}: expected "${expected}", got "${received}"`;
}
