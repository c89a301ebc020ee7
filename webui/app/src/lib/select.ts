// Which transfers a list shows, and in which order.
import type { State, Transfer } from '../api/types'
import type { Key } from '../words'
import { fold } from './text'
import { nameOf } from './words'

/** aside reports whether a transfer is hidden by default: the list of a channel without an error. */
export const aside = (t: Transfer): boolean => !!t.channel && t.state !== 'error'

const are = (...states: State[]) => (t: Transfer): boolean => !aside(t) && states.includes(t.state)

/** The filters of the transfers screen and what each shows. */
export const filters: { key: string; label: Key; shows: (t: Transfer) => boolean }[] = [
  { key: 'active', label: 'list.filter.active', shows: are('fetching', 'finding', 'queued') },
  { key: 'seeding', label: 'list.filter.seeding', shows: are('seeding') },
  { key: 'checking', label: 'list.filter.checking', shows: are('hashing', 'checking') },
  { key: 'paused', label: 'list.filter.paused', shows: are('paused') },
  { key: 'error', label: 'list.filter.error', shows: are('waiting', 'error') },
  { key: 'lists', label: 'list.filter.lists', shows: (t) => !!t.channel },
]

export type SortKey = 'name' | 'state' | 'size' | 'progress' | 'down' | 'up' | 'peers' | 'ratio' | 'eta' | 'added' | 'seeds' | 'availability' | 'downloaded' | 'uploaded' | 'channel' | 'path' | 'priority'

export const progress = (t: Transfer): number => (t.total > 0 ? t.bytes / t.total : 0)
export const ratio = (t: Transfer): number => (t.size > 0 ? t.uploaded / t.size : 0)
export const eta = (t: Transfer): number =>
  t.state === 'fetching' && t.down > 0 ? (t.total - t.bytes) / t.down : Infinity

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })
const states: State[] = ['error', 'waiting', 'hashing', 'checking', 'fetching', 'finding', 'queued', 'seeding', 'paused']

const numbers: Record<Exclude<SortKey, 'name' | 'added' | 'channel' | 'path'>, (t: Transfer) => number> = {
  state: (t) => states.indexOf(t.state),
  size: (t) => t.size, progress, down: (t) => t.down, up: (t) => t.up, peers: (t) => t.peers, ratio, eta,
  seeds: (t) => t.seeds, availability: (t) => t.availability ?? 0, downloaded: (t) => t.downloaded, uploaded: (t) => t.uploaded, priority: (t) => t.priority ?? 0,
}

/** compare orders two transfers; ties by the time they were added, then by ID. */
export function compare(key: SortKey, descending: boolean): (a: Transfer, b: Transfer) => number {
  const sign = descending ? -1 : 1
  const tie = (a: Transfer, b: Transfer): number =>
    a.added < b.added ? 1 : a.added > b.added ? -1 : a.id < b.id ? -1 : a.id > b.id ? 1 : 0
  if (key === 'name') return (a, b) => sign * collator.compare(nameOf(a), nameOf(b)) || tie(a, b)
  if (key === 'path' || key === 'channel') return (a, b) => sign * collator.compare(a[key] ?? '', b[key] ?? '') || tie(a, b)
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
