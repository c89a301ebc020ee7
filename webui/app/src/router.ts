// The URL: which screen it names, and how it changes without a page load.
import { computed, signal } from '@preact/signals'
import { mayHaveKey } from './lib/text'

interface Place {
  path: string
  query: string
}
const here = (): Place => ({ path: location.pathname, query: location.search })
export const place = signal<Place>(here())

addEventListener('popstate', () => {
  place.value = here()
})

/** open is a query without what may have the key of a sealed share. */
function open(query: string): string {
  const q = new URLSearchParams(query)
  const keys = [...q].filter(([, v]) => mayHaveKey(v))
  if (keys.length === 0) return query
  for (const [k] of keys) q.delete(k)
  return q.size ? `?${q}` : ''
}

/**
 * go shows another screen; with replace, Back skips the current one. What may have a key
 * is kept by the page alone: an address is in the history of the browser.
 */
export function go(url: string, replace = false): void {
  const to = new URL(url, location.href)
  const was = place.peek()
  if (to.pathname === was.path && to.search === was.query) return
  const address = to.pathname + open(to.search)
  if (address !== location.pathname + location.search) history[replace ? 'replaceState' : 'pushState'](null, '', address)
  place.value = { path: to.pathname, query: to.search }
  if (to.pathname !== was.path && !replace) scrollTo(0, 0)
}

/** follow handles clicks on internal links without a page load. */
export function follow(e: MouseEvent): void {
  if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return
  const a = (e.target as Element).closest?.('a')
  if (!a || a.target || a.hasAttribute('download') || a.origin !== location.origin || a.pathname.startsWith('/api/') || a.hash) return
  e.preventDefault()
  go(a.pathname + a.search)
}

export const parts = computed(() => place.value.path.split('/').filter(Boolean))
export const query = computed(() => new URLSearchParams(place.value.query))

/** setQuery changes parameters of the query in place; empty values remove them. */
export function setQuery(changes: Record<string, string>): void {
  const q = new URLSearchParams(place.peek().query)
  for (const [k, v] of Object.entries(changes)) v ? q.set(k, v) : q.delete(k)
  const s = q.toString()
  go(location.pathname + (s ? '?' + s : ''), true)
}
