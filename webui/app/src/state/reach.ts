import { effect, signal } from '@preact/signals'
import { get } from '../api/client'
import type { Network, Proof } from '../api/types'
import { link } from './stream'

/** network is what the node last said of how it can be reached. */
export const network = signal<Network | undefined>(undefined)

/** reach is the answer in one word. */
export const reach = signal<Proof>('unknown')

export function take(n: Network): void {
  network.value = n
  reach.value = n.verdict
}

export async function look(): Promise<void> {
  take(await get<Network>('/network'))
}

/** begin keeps the answer fresh as long as the page is open. */
export function begin(): () => void {
  const refresh = (): void => {
    if (link.peek().state === 'live' && !document.hidden) look().catch(() => { reach.value = 'unknown' })
  }
  const stop = effect(() => {
    if (link.value.state === 'live') refresh()
  })
  const timer = setInterval(refresh, 60_000)
  return () => {
    stop()
    clearInterval(timer)
  }
}
