// The channels of the node, in order and by key.
import { computed } from '@preact/signals'
import { get } from '../api/client'
import type { Channel, Transfer } from '../api/types'
import { shown } from '../lib/text'
import { nameOf } from '../lib/words'
import { byKey } from './store'
import { say } from '../words'

/** channels are those that the node follows and publishes, its own first; undefined until loaded. */
export const channels = computed<Channel[] | undefined>(() => byKey.value
  && Object.values(byKey.value).sort((a, b) => Number(b.own) - Number(a.own) || a.name.localeCompare(b.name) || (a.key < b.key ? -1 : 1)))

/** load fetches the channels after a change made here, before the stream's next patch. */
export async function load(): Promise<void> {
  const all = await get<Channel[]>('/channels')
  byKey.value = Object.fromEntries(all.map((c) => [c.key, c]))
}

/** named finds a channel by its key. */
export const named = (key: string): Channel | undefined => byKey.value?.[key]

/** called is what a channel is called here, if its name is not known or sealed, too. */
export const called = (c: Channel): string => shown(c.name) || (c.blind ? say('channels.called.blind', { key: c.key.slice(0, 8) }) : c.key.slice(0, 16))

/** title is the name of a transfer or, for the list of a channel, that of the channel. */
export const title = (t: Transfer): string => (t.channel ? say('channels.list', { name: named(t.channel)?.name || t.channel.slice(0, 8) }) : nameOf(t))
