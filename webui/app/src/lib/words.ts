// The words for states, sources of peers and names of files.
import type { File, Peer, State, Transfer } from '../api/types'
import { bytes, percent } from './format'
import { say, told } from '../words'

export const stateName = (s: State): string => say(`state.${s}`)

/** status describes in one sentence what a transfer is doing. */
export function status(t: Transfer): string {
  const why = told(t.reason, t.reason_text)
  if (why) return why.charAt(0).toUpperCase() + why.slice(1)
  switch (t.state) {
    case 'hashing':
      return say('status.hashing')
    case 'checking':
      return say('status.checking')
    case 'finding':
      return say('status.finding')
    case 'queued':
      return say('status.queued')
    case 'fetching':
      return t.peers > 0 ? say('status.from', { n: t.peers }) : say('status.finding')
    case 'seeding':
      return t.peers > 0 ? say('status.connected', { n: t.peers }) : say('status.idle')
    case 'paused':
      return say('status.paused')
    case 'waiting':
      return say('status.waiting')
    case 'error':
      return say('status.error')
  }
}

/** part is how much of what is wanted of a transfer is there. */
export function part(t: Transfer): string {
  if (t.total > 0) return say('list.part', { percent: percent(t.bytes, t.total), size: bytes(t.total) })
  return say(t.size > 0 ? 'list.part.none' : 'list.size.unknown')
}

/** readers says who can read a sealed share; it is empty for plain content. */
export function readers(t: Transfer): string {
  if (t.seal === 'open') return say('seal.open')
  return t.seal === 'blind' ? say('seal.blind', { name: sealedName(t) }) : ''
}

const sealedName = (t: Transfer): string => say('seal.name', { size: bytes(t.size) })

/** nameOf is the name of a transfer. That of a sealed share that the node cannot read says nothing, so its size stands for it. */
export const nameOf = (t: Transfer): string => (t.seal === 'blind' ? sealedName(t) : t.name)

const sources = ['link', 'dht', 'lan', 'pex', 'tracker', 'webseed', 'incoming', 'user'] as const
export function sourceName(name: string): string {
  const known = sources.find((s) => s === name)
  return known ? say(`source.${known}`) : name
}

/** onDisk pairs the files that have another name on disk than in the torrent with that name. */
export const onDisk = (files: readonly File[]): [string, string][] =>
  files.filter((f) => f.disk || f.named).map((f) => [f.named || f.path, f.disk || f.path])

/** onWindows pairs the files of a share that will have another name on Windows with that name. */
export const onWindows = (files: readonly File[]): [string, string][] =>
  files.filter((f) => f.windows).map((f) => [f.path, f.windows!])

/** family is the IP version of a peer's address. */
export const family = (p: Peer): 'IPv6' | 'IPv4' => (p.address.startsWith('[') ? 'IPv6' : 'IPv4')
