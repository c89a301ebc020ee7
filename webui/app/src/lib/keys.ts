// The keys of the page: one table for what they do and for the help.
import type { Key } from '../words'

export type Shortcut = 'search' | 'add' | 'share' | 'next' | 'previous' | 'open' | 'select' | 'all' | 'pause' | 'menu' | 'remove' | 'back' | 'help'

/** shortcuts has the keys of each shortcut, as events name them; ctrl is Ctrl or Command. */
export const shortcuts: Record<Shortcut, { keys: string[]; ctrl?: true; does: Key }> = {
  search: { keys: ['/'], does: 'keys.search' },
  add: { keys: ['a'], does: 'keys.add' },
  share: { keys: ['s'], does: 'keys.share' },
  next: { keys: ['j'], does: 'keys.next' },
  previous: { keys: ['k'], does: 'keys.previous' },
  open: { keys: ['Enter'], does: 'keys.open' },
  select: { keys: [' '], does: 'keys.select' },
  all: { keys: ['a'], ctrl: true, does: 'keys.all' },
  pause: { keys: ['p'], does: 'keys.pause' },
  menu: { keys: ['m'], does: 'keys.menu' },
  remove: { keys: ['Delete'], does: 'keys.remove' },
  back: { keys: ['Escape'], does: 'keys.back' },
  help: { keys: ['?'], does: 'keys.help' },
}

/** busy reports whether keys belong to a form, dialog or menu. The boxes that select rows of the list are no form. */
export const busy = (target: EventTarget | null): boolean =>
  !!document.querySelector('dialog[open], [role=menu]') ||
  (target instanceof Element && !target.matches('.grid input[type=checkbox]') && !!target.closest('input, textarea, select, form, [contenteditable]'))

/** pressed is the shortcut that an event is, if the keys are not somebody else's. */
export function pressed(e: KeyboardEvent): Shortcut | undefined {
  if (e.defaultPrevented || e.altKey || e.isComposing || busy(e.target)) return undefined
  const ctrl = e.ctrlKey || e.metaKey
  return (Object.keys(shortcuts) as Shortcut[]).find((s) => shortcuts[s].keys.includes(e.key) && !!shortcuts[s].ctrl === ctrl)
}
