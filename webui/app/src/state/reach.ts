import { effect, signal } from '@preact/signals'
import { can, get } from '../api/client'
import type { Network, Proof } from '../api/types'
import { link } from './stream'

/** network is what the node last said of how it can be reached. */
export const network = signal<Network | undefined>(undefined)

/** reach is the answer in one word. */
export const reach = signal<Proof>('unknown')

const answer = (n: Network): Proof => {
  const all = n.addresses.filter((a) => a.scope === 'global').map((a) => a.tcp)
  return all.includes('reachable') ? 'reachable' : all.length > 0 && all.every((p) => p === 'unreachable') ? 'unreachable' : 'unknown'
}

export async function look(): Promise<void> {
  const n = await get<Network>('/network')
  network.value = n
  reach.value = answer(n)
}

/** begin keeps the answer fresh as long as the page is open. */
export function begin(): () => void {
  const refresh = (): void => {
    if (can('GET /network') && link.peek().state === 'live' && !document.hidden) look().catch(() => { reach.value = 'unknown' })
  }
  const stop = effect(() => {
    if (can('GET /network') && link.value.state === 'live') refresh()
  })
  const timer = setInterval(refresh, 60_000)
  return () => {
    stop()
    clearInterval(timer)
  }
}
