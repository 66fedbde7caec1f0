// Where a place in a text is after somebody else has changed it. Pure.

/** Return where the place `at` of `before` is in `after`: it stays with the characters around it. */
export function moved(before, after, at) {
  const longest = Math.min(before.length, after.length);
  let start = 0;
  while (start < longest && before[start] === after[start]) start += 1;
  if (at <= start) return at;
  let end = 0;
  while (end < longest - start && before.at(-1 - end) === after.at(-1 - end)) end += 1;
  if (at >= before.length - end) return at + after.length - before.length;
  return Math.min(at, after.length - end);
}
