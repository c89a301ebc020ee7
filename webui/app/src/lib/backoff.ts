// How long to wait before the next attempt.
/** wait returns the milliseconds to wait before attempt n, counted from 0; random is from 0 to 1. */
export function wait(n: number, random: number): number {
  const ceiling = Math.min(30_000, 500 * 2 ** Math.min(n, 10))
  // Half of it is random, so that the pages of one node do not reconnect at once.
  return Math.round(ceiling * (0.5 + random / 2))
}
