import { computed, signal } from '@preact/signals'
import type { Transfer } from '../api/types'
import { compare, filters, matcher, type SortKey } from '../lib/select'
import { query } from '../router'
import { list } from './store'

// What the transfers screen shows: its filters are in the URL, so that Back,
// bookmarks and reloading keep them.
export const search = computed(() => query.value.get('q') ?? '')
export const filter = computed(() => query.value.get('show') ?? '')
export const sort = computed<{ key: SortKey; descending: boolean }>(() => {
  const [key, order] = (query.value.get('sort') ?? 'added.desc').split('.')
  return { key: (key || 'added') as SortKey, descending: order === 'desc' }
})

export const selected = signal<ReadonlySet<string>>(new Set())

/** counts are how many transfers each filter shows, of those that match the search. */
export const counts = computed<Record<string, number>>(() => {
  const states = new Map<string, number>()
  for (const t of list.value) states.set(t.state, (states.get(t.state) ?? 0) + 1)
  const of: Record<string, number> = { '': list.value.length }
  for (const f of filters) of[f.key] = f.states.reduce((n, s) => n + (states.get(s) ?? 0), 0)
  return of
})

let order: string[] = []

/** rows are the transfers shown, in order. */
export const rows = computed<Transfer[]>(() => {
  const states = filters.find((f) => f.key === filter.value)?.states
  const matches = matcher(search.value)
  const fits = (t: Transfer): boolean => (!states || states.includes(t.state)) && matches(t)
  const present = new Map(list.value.map((t) => [t.id, t]))
  // What was in order a second ago nearly still is, and sorting that is quick.
  const out: Transfer[] = []
  for (const id of order) {
    const t = present.get(id)
    if (t) {
      present.delete(id)
      if (fits(t)) out.push(t)
    }
  }
  for (const t of present.values()) if (fits(t)) out.push(t)
  out.sort(compare(sort.value.key, sort.value.descending))
  order = out.map((t) => t.id)
  return out
})
