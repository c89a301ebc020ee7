// The document that the event stream keeps up to date: transfers, rates, channels, network.
import { batch, computed, signal } from '@preact/signals'
import type { Channel, Network, Notice, Stats, Transfer } from '../api/types'
import { merge } from '../lib/merge'

// The document that the event stream keeps up to date. Transfers are in a plain map,
// because ten thousand signals would be slow; revision changes with the map.
const transfers = new Map<string, Transfer>()
const renamed = new Map<string, string>()

/** failed has the reasons of the last shares that failed, by provisional ID. */
export const failed = signal<ReadonlyMap<string, string>>(new Map())

export const revision = signal(0)
export const loaded = signal(false)
export const stats = signal<Stats | undefined>(undefined)

/** byKey are the channels that the node follows and publishes. */
export const byKey = signal<Readonly<Record<string, Channel>> | undefined>(undefined)

/** network is the node's report on how it can be reached. */
export const network = signal<Network | undefined>(undefined)

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
}

export function reset(doc: Document): void {
  batch(() => {
    transfers.clear()
    for (const [id, t] of Object.entries(doc.transfers ?? {})) if (t) transfers.set(id, t)
    if (doc.stats) stats.value = doc.stats
    byKey.value = doc.channels as Record<string, Channel> | undefined
    network.value = doc.network
    loaded.value = true
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
  })
}

export function notice(n: Notice): void {
  // A share that fails is not kept as a transfer, so its reason is kept here.
  if (n.event === 'error' && n.message && n.transfer?.own) failed.value = new Map([...failed.value, [n.id, n.message] as const].slice(-20))
  // A provisional transfer may never have been in a patch, so no patch removes it.
  if (n.was) {
    renamed.set(n.was, n.id)
    transfers.delete(n.was)
    if (n.transfer) transfers.set(n.id, n.transfer)
  } else if (n.event === 'removed') transfers.delete(n.id)
  else return
  revision.value++
}

/** put adds a transfer that a request returned, unless the stream has already reported its end. */
export function put(t: Transfer): void {
  if (!transfers.has(t.id) && !renamed.has(t.id) && !failed.value.has(t.id)) {
    transfers.set(t.id, t)
    revision.value++
  }
}

/** Samples are the node's rates since this page was opened, at most ten minutes. */
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
  if (to.time.length > 600) for (const k of ['time', 'down', 'up'] as const) to[k].splice(0, 60)
}
