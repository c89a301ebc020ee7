// What a user can do with transfers, with undo and messages.
import { signal } from '@preact/signals'
import { base, message, send, transferPath } from '../api/client'
import type { Transfer } from '../api/types'
import { plural } from '../lib/format'
import { shown } from '../lib/text'
import { nameOf } from '../lib/words'
import { hidden } from './store'
import { toast } from './toasts'

/** what names the transfers of an action: by name if it is one, else by their number. */
const what = (ts: readonly Transfer[]): string => (ts.length === 1 ? `“${shown(nameOf(ts[0]!))}”` : plural(ts.length, 'transfer'))

/** each sends one request for each transfer, a few at a time, and reports failures. */
async function each(ts: readonly Transfer[], run: (t: Transfer) => Promise<unknown>, failed: string): Promise<void> {
  const errors: string[] = []
  const queue = [...ts]
  const worker = async (): Promise<void> => {
    for (let t = queue.shift(); t; t = queue.shift()) {
      try {
        await run(t)
      } catch (e) {
        errors.push(message(e))
      }
    }
  }
  await Promise.all(Array.from({ length: 4 }, worker))
  if (errors.length) toast(`${failed}: ${errors[0]}${errors.length > 1 ? ` (and ${errors.length - 1} more)` : ''}`, { bad: true })
}

export const isPaused = (t: Transfer): boolean => t.state === 'paused' || t.state === 'error'

export const pause = (ts: readonly Transfer[]): Promise<void> =>
  each(ts, (t) => send('POST', transferPath(t.id, '/pause')), `Could not pause ${what(ts)}`)
export const resume = (ts: readonly Transfer[]): Promise<void> =>
  each(ts, (t) => send('POST', transferPath(t.id, '/resume')), `Could not resume ${what(ts)}`)
export const verify = (ts: readonly Transfer[]): Promise<void> =>
  each(ts, (t) => send('POST', transferPath(t.id, '/verify')), `Could not verify ${what(ts)}`)

/** removing are the transfers that the removal dialog shows. */
export const removing = signal<Transfer[]>([])

const grace = 7000
const pending = new Set<() => void>()

/** remove hides transfers at once and removes them when the time for Undo is over. */
export function remove(ts: readonly Transfer[], data: boolean): void {
  const ids = ts.map((t) => t.id)
  hidden.value = new Set([...hidden.value, ...ids])
  const show = (): void => {
    hidden.value = new Set([...hidden.value].filter((id) => !ids.includes(id)))
  }
  const commit = (): void => {
    clearTimeout(timer)
    pending.delete(commit)
    void each(ts, (t) => send('DELETE', transferPath(t.id, data ? '?data=true' : ''), undefined, { keepalive: true }),
      `Could not remove ${what(ts)}`).then(show)
  }
  const timer = setTimeout(commit, grace)
  pending.add(commit)
  const close = toast(`Removed ${what(ts)}${data ? ' and deleted the data' : ''}`, {
    life: grace,
    action: {
      label: 'Undo',
      run: () => {
        clearTimeout(timer)
        pending.delete(commit)
        show()
        close()
      },
    },
  })
}

// Closing the page commits pending removals: keepalive requests outlive the page.
if (typeof addEventListener === 'function') addEventListener('pagehide', () => [...pending].forEach((f) => f()))

/** copy puts text on the clipboard, with a fallback for pages without the clipboard API. */
export async function copy(text: string, said = 'Copied'): Promise<void> {
  try {
    // The clipboard API is missing on plain HTTP, except on loopback.
    if (navigator.clipboard) await navigator.clipboard.writeText(text)
    else {
      const area = document.createElement('textarea')
      area.value = text
      area.className = 'offscreen'
      document.body.append(area)
      area.select()
      const ok = document.execCommand('copy')
      area.remove()
      if (!ok) throw new Error('the browser does not allow it')
    }
    toast(said, { life: 2500 })
  } catch (e) {
    toast(`Could not copy: ${message(e)}`, { bad: true })
  }
}

/** download has the browser save what the node serves at path. */
export function download(path: string): void {
  const a = document.createElement('a')
  a.href = base + path
  a.download = ''
  document.body.append(a)
  a.click()
  a.remove()
}
