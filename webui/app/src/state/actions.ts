// What a user can do with transfers, with undo and messages.
import { signal } from '@preact/signals'
import { base, failureOf, message, send, sentence, transferPath } from '../api/client'
import type { components } from '../api/schema'
import type { Transfer } from '../api/types'
import { shown } from '../lib/text'
import { nameOf } from '../lib/words'
import { say, told, type Key } from '../words'
import { hidden } from './store'
import { toast } from './toasts'

/** what names the transfers of an action: by name if it is one, else by their number. */
const what = (ts: readonly Transfer[]): string => (ts.length === 1 ? say('quoted', { name: shown(nameOf(ts[0]!), 80) }) : say('count.transfers', { n: ts.length }))

type Bulk = Omit<components['schemas']['BulkRequest'], 'ids' | '$schema'>
const most = 20_000

/** bulk does the same to transfers in one request, and says what failed. */
async function bulk(ts: readonly Transfer[], does: Bulk, failed: Key, init?: RequestInit): Promise<void> {
  const reasons: string[] = []
  for (let i = 0; i < ts.length; i += most) {
    try {
      const r = await send<components['schemas']['BulkResult']>('POST', '/transfers/bulk', { ...does, ids: ts.slice(i, i + most).map((t) => t.id) }, init)
      for (const f of r.failed) reasons.push(sentence(told(f.problem.detail, f.problem.detail_text)))
    } catch (e) {
      reasons.push(message(e))
    }
  }
  if (reasons.length === 0) return
  const text = `${say(failed, { what: what(ts) })}: ${reasons[0]}`
  toast(reasons.length > 1 ? say('action.more', { text, n: reasons.length - 1 }) : text, { bad: true })
}

export const isPaused = (t: Transfer): boolean => t.state === 'paused' || t.state === 'error'

export const pause = (ts: readonly Transfer[]): Promise<void> => bulk(ts, { action: 'pause' }, 'action.pause.failed')
export const resume = (ts: readonly Transfer[]): Promise<void> => bulk(ts, { action: 'resume' }, 'action.resume.failed')
export const verify = (ts: readonly Transfer[]): Promise<void> => bulk(ts, { action: 'verify' }, 'action.verify.failed')
export const change = (ts: readonly Transfer[], c: NonNullable<Bulk['change']>): Promise<void> => bulk(ts, { action: 'change', change: c }, 'action.change.failed')

/** limiting are the transfers that the dialog of limits is about. */
export const limiting = signal<Transfer[]>([])

/** copyLinks copies the links of transfers, one a line. */
export function copyLinks(ts: readonly Transfer[]): void {
  const links = ts.map((t) => t.link).filter(Boolean)
  void copy(links.join('\n'), say('action.copied', { n: links.length }))
}

/** save has the browser save a file that the page made. */
function save(name: string, content: Blob): void {
  const a = document.createElement('a')
  a.href = URL.createObjectURL(content)
  a.download = name
  a.click()
  setTimeout(() => URL.revokeObjectURL(a.href), 60_000)
}

/** exportLinks saves the links of transfers as a text file. */
export const exportLinks = (ts: readonly Transfer[]): void => save('links.txt', new Blob([ts.map((t) => t.link).filter(Boolean).join('\n') + '\n'], { type: 'text/plain' }))

/** exportTorrents saves the .torrent files of transfers: of one as it is, of several as a .zip. */
export async function exportTorrents(ts: readonly Transfer[]): Promise<void> {
  if (ts.length === 1) return download(transferPath(ts[0]!.id, '/torrent'))
  try {
    const r = await fetch(base + '/transfers/torrents', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ ids: ts.slice(0, most).map((t) => t.id) }) })
    if (!r.ok) throw await failureOf(r)
    save('torrents.zip', await r.blob())
  } catch (e) {
    toast(say('action.export.failed', { reason: message(e) }), { bad: true })
  }
}

/** removing are the transfers that the removal dialog shows. */
export const removing = signal<Transfer[]>([])

const grace = 7000
const pending = new Set<() => void>()
let closing = false

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
    // What is sent when the page closes may have 64 kB at most: about a thousand transfers.
    void bulk(ts, { action: 'remove', ...(data ? { data } : {}) }, 'action.remove.failed', closing && ts.length < 1000 ? { keepalive: true } : {}).then(show)
  }
  const timer = setTimeout(commit, grace)
  pending.add(commit)
  const close = toast(say(data ? 'action.removed.data' : 'action.removed', { what: what(ts) }), {
    life: grace,
    action: {
      label: say('action.undo'),
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
if (typeof addEventListener === 'function') addEventListener('pagehide', () => {
  closing = true
  ;[...pending].forEach((f) => f())
  closing = false
})

/** copy puts text on the clipboard, with a fallback for pages without the clipboard API. */
export async function copy(text: string, said = say('action.copied.text')): Promise<void> {
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
      if (!ok) throw new Error(say('action.copy.refused'))
    }
    toast(said, { life: 2500 })
  } catch (e) {
    toast(say('action.copy.failed', { reason: message(e) }), { bad: true })
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
