// The words for states, sources of peers and names of files.
import type { File, Peer, State, Transfer } from '../api/types'
import { bytes, plural } from './format'

export const stateNames: Record<State, string> = {
  hashing: 'Reading', checking: 'Checking', finding: 'Finding', queued: 'Queued',
  fetching: 'Downloading', seeding: 'Seeding', paused: 'Paused', error: 'Error',
}

/** status describes in one sentence what a transfer is doing. */
export function status(t: Transfer): string {
  if (t.reason) return t.reason.charAt(0).toUpperCase() + t.reason.slice(1)
  switch (t.state) {
    case 'hashing':
      return 'Hashing the files to make the link'
    case 'checking':
      return 'Verifying the data on disk'
    case 'finding':
      return 'Looking for peers'
    case 'queued':
      return 'Waiting for other downloads'
    case 'fetching':
      return t.peers > 0 ? `From ${plural(t.peers, 'peer')}` : 'Looking for peers'
    case 'seeding':
      return t.peers > 0 ? `Connected to ${plural(t.peers, 'peer')}` : 'No peers connected'
    case 'paused':
      return 'Paused until you resume it'
    case 'error':
      return 'Stopped'
  }
}

/** readers says who can read a sealed share; it is empty for plain content. */
export function readers(t: Transfer): string {
  if (t.seal === 'open') return 'Sealed: only people with the full link can read it'
  return t.seal === 'blind' ? `${sealedName(t)}: this node cannot read it` : ''
}

const sealedName = (t: Transfer): string => `Sealed, ${bytes(t.size)}`

/** nameOf is the name of a transfer. That of a sealed share that the node cannot read says nothing, so its size stands for it. */
export const nameOf = (t: Transfer): string => (t.seal === 'blind' ? sealedName(t) : t.name)

const sources: Record<string, string> = {
  link: 'Link', dht: 'DHT', lan: 'Local network', pex: 'Peer exchange', tracker: 'Tracker', webseed: 'Web seed', incoming: 'Incoming', user: 'Added by you',
}
export const sourceName = (s: string): string => sources[s] ?? s

/** onDisk pairs the files that have another name on disk than in the torrent with that name. */
export const onDisk = (files: readonly File[]): [string, string][] =>
  files.filter((f) => f.disk || f.named).map((f) => [f.named || f.path, f.disk || f.path])

/** onWindows pairs the files of a share that will have another name on Windows with that name. */
export const onWindows = (files: readonly File[]): [string, string][] =>
  files.filter((f) => f.windows).map((f) => [f.path, f.windows!])

/** family is the IP version of a peer's address. */
export const family = (p: Peer): 'IPv6' | 'IPv4' => (p.address.startsWith('[') ? 'IPv6' : 'IPv4')
