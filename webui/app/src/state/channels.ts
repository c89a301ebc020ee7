import { signal } from '@preact/signals'
import { get } from '../api/client'
import type { Channel, Transfer } from '../api/types'

/** channels are those that the node follows and publishes; undefined until they are known. */
export const channels = signal<Channel[] | undefined>(undefined)

export async function load(): Promise<void> {
  channels.value = await get<Channel[]>('/channels')
}

/** named finds a channel by its key. */
export const named = (key: string): Channel | undefined => channels.value?.find((c) => c.key === key)

/** title is what a transfer is called: the list of a channel after that, all else by its name. */
export const title = (t: Transfer): string => (t.channel ? `List of ${named(t.channel)?.name || t.channel.slice(0, 8)}` : t.name)
