/** wait is how many milliseconds to wait before try n, from 0; random is 0 to 1. */
export function wait(n: number, random: number): number {
  const ceiling = Math.min(30_000, 500 * 2 ** Math.min(n, 10))
  // Half of it is by chance, so that pages of one node do not come back at once.
  return Math.round(ceiling * (0.5 + random / 2))
}
