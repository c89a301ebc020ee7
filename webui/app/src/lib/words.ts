import type { Peer, State, Transfer } from '../api/types'
import { plural } from './format'

export const stateNames: Record<State, string> = {
  hashing: 'Reading', checking: 'Checking', finding: 'Finding', queued: 'Queued',
  fetching: 'Fetching', seeding: 'Seeding', paused: 'Paused', error: 'Problem',
}

/** status is one sentence about what a transfer is doing. */
export function status(t: Transfer): string {
  if (t.reason) return t.reason.charAt(0).toUpperCase() + t.reason.slice(1)
  switch (t.state) {
    case 'hashing':
      return 'Reading the files to make the link'
    case 'checking':
      return 'Checking what is on the disk'
    case 'finding':
      return 'Looking for somebody who has it'
    case 'queued':
      return 'Waits until fewer others are fetched'
    case 'fetching':
      return t.peers > 0 ? `From ${plural(t.peers, 'peer')}` : 'Looking for peers'
    case 'seeding':
      return t.peers > 0 ? `Connected to ${plural(t.peers, 'peer')}` : 'Ready for whoever asks'
    case 'paused':
      return 'Until you resume it'
    case 'error':
      return 'It stopped'
  }
}

const sources: Record<string, string> = {
  link: 'The link', dht: 'DHT', lan: 'Local network', pex: 'Other peers', tracker: 'Tracker', incoming: 'They called us', user: 'You',
}
export const sourceName = (s: string): string => sources[s] ?? s

/** family tells IPv6 from IPv4 by the form of an address. */
export const family = (p: Peer): 'IPv6' | 'IPv4' => (p.address.startsWith('[') ? 'IPv6' : 'IPv4')
