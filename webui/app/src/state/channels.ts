import { signal } from '@preact/signals'
import { get } from '../api/client'
import type { Channel } from '../api/types'

/** channels are those that the node follows and publishes; undefined until they are known. */
export const channels = signal<Channel[] | undefined>(undefined)

export async function load(): Promise<void> {
  channels.value = await get<Channel[]>('/channels')
}

/** named finds a channel by its key. */
export const named = (key: string): Channel | undefined => channels.value?.find((c) => c.key === key)
