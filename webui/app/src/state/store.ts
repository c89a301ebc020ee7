// The document that the event stream keeps up to date: transfers, rates, channels, network.
import { batch, computed, signal } from '@preact/signals'
import type { Channel, Coming, Network, Notice, Stats, Transfer } from '../api/types'
import { merge } from '../lib/merge'
import { told } from '../words'

// The document that the event stream keeps up to date. Transfers are in a plain map,
// because ten thousand signals would be slow; revision changes with the map.
const transfers = new Map<string, Transfer>()
const renamed = new Map<string, string>()

/** failed has the reasons of the last shares that failed, by provisional ID. */
export const failed = signal<ReadonlyMap<string, string>>(new Map())

export const revision = signal(0)
export const loaded = signal(false)

/** resets counts how often the stream began anew, without what had happened before. */
export const resets = signal(0)
export const stats = signal<Stats | undefined>(undefined)

/** byKey are the channels that the node follows and publishes. */
export const byKey = signal<Readonly<Record<string, Channel>> | undefined>(undefined)

/** network is the node's report on how it can be reached. */
export const network = signal<Network | undefined>(undefined)

/** incoming is what browsers send to the node, by ID. */
export const incoming = signal<Readonly<Record<string, Coming>> | undefined>(undefined)

/** hidden are transfers whose removal can still be undone. */
export const hidden = signal<ReadonlySet<string>>(new Set())

/** transfer finds one by ID, also by the provisional ID that it had while hashing. */
export function transfer(id: string): Transfer | undefined {
  void revision.value
  return transfers.get(id) ?? transfers.get(renamed.get(id) ?? '')
}

/** list is every transfer that is not hidden, in no order. */
export const list = computed<Transfer[]>(() => {
  void revision.value
  const away = hidden.value
  const out: Transfer[] = []
  for (const t of transfers.values()) if (!away.has(t.id)) out.push(t)
  return out
})

interface Document {
  transfers?: Record<string, Transfer | null>
  stats?: Stats
  channels?: Record<string, Channel | null>
  network?: Network
  incoming?: Record<string, Coming | null>
}

export function reset(doc: Document): void {
  batch(() => {
    transfers.clear()
    for (const [id, t] of Object.entries(doc.transfers ?? {})) if (t) transfers.set(id, t)
    if (doc.stats) stats.value = doc.stats
    byKey.value = doc.channels as Record<string, Channel> | undefined
    network.value = doc.network
    incoming.value = doc.incoming as Record<string, Coming> | undefined
    loaded.value = true
    resets.value++
    revision.value++
  })
}

export function patch(doc: Document): void {
  batch(() => {
    if (doc.transfers) {
      for (const [id, p] of Object.entries(doc.transfers)) {
        if (p === null) transfers.delete(id)
        else transfers.set(id, merge(transfers.get(id), p) as Transfer)
      }
      revision.value++
    }
    if (doc.stats) stats.value = merge(stats.peek(), doc.stats) as Stats
    if (doc.channels) byKey.value = merge(byKey.peek(), doc.channels) as Record<string, Channel>
    if (doc.network) network.value = merge(network.peek(), doc.network) as Network
    if (doc.incoming) incoming.value = merge(incoming.peek(), doc.incoming) as Record<string, Coming>
  })
}

export function notice(n: Notice): void {
  // A share that fails is not kept as a transfer, so its reason is kept here.
  if (n.event === 'error' && n.message && n.transfer?.own) failed.value = new Map([...failed.value, [n.id, told(n.message, n.message_text)] as const].slice(-20))
  if (n.was) became(n.was, n.id, n.transfer)
  else if (n.event === 'removed') {
    transfers.delete(n.id)
    revision.value++
  }
}

/** became replaces a provisional transfer by the share that it has become. */
export function became(was: string, id: string, t: Transfer | undefined): void {
  renamed.set(was, id)
  transfers.delete(was) // it may never have been in a patch, so no patch removes it
  if (t) transfers.set(id, t)
  revision.value++
}

/** put adds a transfer that a request returned, unless the stream has already reported its end. */
export function put(t: Transfer): void {
  if (!transfers.has(t.id) && !renamed.has(t.id) && !failed.value.has(t.id)) {
    transfers.set(t.id, t)
    revision.value++
  }
}

/** Samples are the node's rates since this page was opened, at most an hour. */
export interface Samples {
  time: number[]
  down: number[]
  up: number[]
}
export const samples: Samples = { time: [], down: [], up: [] }
export const sampled = signal(0)

/** sample records the current rates; it is called every second. */
export function sample(): void {
  const s = stats.peek()
  if (!s) return
  push(samples, s.down, s.up)
  sampled.value++
}

export function push(to: Samples, down: number, up: number, now = Date.now() / 1000): void {
  to.time.push(now)
  to.down.push(down)
  to.up.push(up)
  if (to.time.length > 3660) for (const k of ['time', 'down', 'up'] as const) to[k].splice(0, 60)
}
