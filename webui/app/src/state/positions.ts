// Where films and tracks were left, kept by this browser.

const key = 'shoal.positions'
const most = 200

interface Left {
  at: number // seconds
  when: number
}

function read(): Record<string, Left> {
  try {
    const v: unknown = JSON.parse(localStorage.getItem(key) ?? '{}')
    if (typeof v !== 'object' || v === null) return {}
    return Object.fromEntries(Object.entries(v as Record<string, Partial<Left> | null>)
      .filter((e): e is [string, Left] => typeof e[1]?.at === 'number' && typeof e[1].when === 'number'))
  } catch {
    return {} // no storage, or what is there is not ours
  }
}

// What begins or ends is not worth going on from.
const edge = 10

/** leave remembers where in a file of so many seconds somebody is. */
export function leave(id: string, file: number, at: number, seconds: number, now = Date.now()): void {
  const all = read()
  const name = `${id}/${file}`
  if (at < edge || !Number.isFinite(seconds) || at > seconds - edge) delete all[name]
  else all[name] = { at: Math.floor(at), when: now }
  const kept = Object.entries(all).sort((a, b) => b[1].when - a[1].when).slice(0, most)
  try {
    localStorage.setItem(key, JSON.stringify(Object.fromEntries(kept)))
  } catch {
    // Storage is full or forbidden: it begins at its beginning next time.
  }
}

/** leftAt is where somebody left a file, in seconds; 0 if at its beginning. */
export const leftAt = (id: string, file: number): number => read()[`${id}/${file}`]?.at ?? 0
