// Which transfers a list shows, and in which order.
import type { State, Transfer } from '../api/types'
import { fold } from './text'
import { nameOf } from './words'

/** aside reports whether a transfer is hidden by default: the list of a channel without an error. */
export const aside = (t: Transfer): boolean => !!t.channel && t.state !== 'error'

const are = (...states: State[]) => (t: Transfer): boolean => !aside(t) && states.includes(t.state)

/** The filters of the transfers screen and what each shows. */
export const filters: { key: string; label: string; shows: (t: Transfer) => boolean }[] = [
  { key: 'active', label: 'Downloading', shows: are('fetching', 'finding', 'queued') },
  { key: 'seeding', label: 'Seeding', shows: are('seeding') },
  { key: 'checking', label: 'Checking', shows: are('hashing', 'checking') },
  { key: 'paused', label: 'Paused', shows: are('paused') },
  { key: 'error', label: 'Errors', shows: are('error') },
  { key: 'lists', label: 'Lists of channels', shows: (t) => !!t.channel },
]

export type SortKey = 'name' | 'state' | 'size' | 'progress' | 'down' | 'up' | 'peers' | 'ratio' | 'eta' | 'added'

export const progress = (t: Transfer): number => (t.total > 0 ? t.bytes / t.total : t.state === 'seeding' ? 1 : 0)
export const ratio = (t: Transfer): number => (t.size > 0 ? t.uploaded / t.size : 0)
/** coming is the download rate; 0 when complete, although the mean still fades then. */
export const coming = (t: Transfer): number => (t.state === 'seeding' ? 0 : t.down)
export const eta = (t: Transfer): number =>
  t.state === 'fetching' && t.down > 0 ? (t.total - t.bytes) / t.down : Infinity

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })
const states: State[] = ['error', 'hashing', 'checking', 'fetching', 'finding', 'queued', 'seeding', 'paused']

const numbers: Record<Exclude<SortKey, 'name' | 'added'>, (t: Transfer) => number> = {
  state: (t) => states.indexOf(t.state),
  size: (t) => t.size, progress, down: coming, up: (t) => t.up, peers: (t) => t.peers, ratio, eta,
}

/** compare orders two transfers; ties by the time they were added, then by ID. */
export function compare(key: SortKey, descending: boolean): (a: Transfer, b: Transfer) => number {
  const sign = descending ? -1 : 1
  const tie = (a: Transfer, b: Transfer): number =>
    a.added < b.added ? 1 : a.added > b.added ? -1 : a.id < b.id ? -1 : a.id > b.id ? 1 : 0
  if (key === 'name') return (a, b) => sign * collator.compare(nameOf(a), nameOf(b)) || tie(a, b)
  if (key === 'added') return (a, b) => -sign * tie(a, b)
  // The key comes from the URL and may be anything.
  if (!Object.hasOwn(numbers, key)) return tie
  const of = numbers[key]
  return (a, b) => {
    const x = of(a), y = of(b)
    return x === y ? tie(a, b) : x < y ? -sign : sign
  }
}

/** matcher reports whether a transfer has all the words of the query, or an ID that begins with them. */
export function matcher(query: string): (t: Transfer) => boolean {
  const words = fold(query).split(/\s+/).filter(Boolean)
  if (words.length === 0) return () => true
  return (t) => {
    const name = fold(nameOf(t))
    return words.every((w) => name.includes(w) || t.id.startsWith(w))
  }
}
