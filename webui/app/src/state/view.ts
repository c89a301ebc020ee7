// What the transfers screen shows: search, filter, order and selection, kept in the URL.
import { computed, signal } from '@preact/signals'
import type { Transfer } from '../api/types'
import { aside, compare, filters, matcher, type SortKey } from '../lib/select'
import { parts, query } from '../router'
import { title } from './channels'
import { list } from './store'

// The state of the transfers screen. Its filters are in the URL, so that Back,
// bookmarks and reloading keep them.
export const search = computed(() => query.value.get('q') ?? '')
export const filter = computed(() => query.value.get('show') ?? '')
export const sort = computed<{ key: SortKey; descending: boolean }>(() => {
  const [key, order] = (query.value.get('sort') ?? 'added.desc').split('.')
  return { key: (key || 'added') as SortKey, descending: order === 'desc' }
})

const broad = typeof matchMedia === 'function' ? matchMedia('(min-width: 87.5em)') : undefined
/** beside is whether there is room for details beside the list. */
export const beside = signal(broad?.matches ?? false)
broad?.addEventListener('change', () => { beside.value = broad.matches })

/** detailOf is the ID of the transfer whose details are beside the list. */
export const detailOf = computed(() => (beside.value && parts.value[0] === 't' ? (parts.value[1] ?? '') : ''))

export const selected = signal<ReadonlySet<string>>(new Set())

/** counts are how many transfers each filter shows. */
export const counts = computed<Record<string, number>>(() => {
  const of: Record<string, number> = { '': 0 }
  for (const f of filters) of[f.key] = 0
  for (const t of list.value) {
    if (!aside(t)) of['']!++
    for (const f of filters) if (f.shows(t)) of[f.key]!++
  }
  return of
})

let order: string[] = []

/** rows are the transfers shown, in order. */
export const rows = computed<Transfer[]>(() => {
  const shows = filters.find((f) => f.key === filter.value)?.shows ?? ((t: Transfer) => !aside(t))
  const matches = matcher(search.value)
  const fits = (t: Transfer): boolean => shows(t) && matches(t)
  const present = new Map(list.value.map((t) => [t.id, t.channel ? { ...t, name: title(t) } : t]))
  // The previous order is nearly right, and sorting nearly sorted rows is fast.
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

/** chosen are the transfers that are selected and shown: nothing is done to what a search or a filter hides. */
export const chosen = computed<Transfer[]>(() => (selected.value.size ? rows.value.filter((t) => selected.value.has(t.id)) : []))
