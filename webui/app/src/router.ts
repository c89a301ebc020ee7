// The URL: which screen it names, and how it changes without a page load.
import { computed, signal } from '@preact/signals'

interface Place {
  path: string
  query: string
}
const here = (): Place => ({ path: location.pathname, query: location.search })
export const place = signal<Place>(here())

addEventListener('popstate', () => {
  place.value = here()
})

/** go shows another screen; with replace, Back skips the current one. */
export function go(url: string, replace = false): void {
  if (url === location.pathname + location.search) return
  history[replace ? 'replaceState' : 'pushState'](null, '', url)
  const was = place.peek().path
  place.value = here()
  if (place.peek().path !== was && !replace) scrollTo(0, 0)
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
  const q = new URLSearchParams(location.search)
  for (const [k, v] of Object.entries(changes)) v ? q.set(k, v) : q.delete(k)
  const s = q.toString()
  go(location.pathname + (s ? '?' + s : ''), true)
}
