// Addresses in the tree of processes: the root's is '', its second child's is '2', that child's first child's '2.1'. A
// primitive's reference begins with the address of the process in which it lives. Used by the router and by primitives.

/** The address of the process in which the primitive of that name lives. */
export function ownerOf(ref: string): string {
  return ref.slice(0, ref.indexOf('#'));
}

/** What kind of primitive that is: the word with which the reference was made. */
export function kindOf(ref: string): string {
  return /#(\w*)/.exec(ref)?.[1] ?? '';
}

/** Whether the process at `address` is the one at `ancestor` or lives below it. */
export function isWithin(address: string, ancestor: string): boolean {
  return ancestor === '' || address === ancestor || address.startsWith(`${ancestor}.`);
}
