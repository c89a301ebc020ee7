// Short names for the types of the API, which schema.d.ts has in full.
import type { Text } from '../words'
import type { components } from './schema'

type S = components['schemas']

// The OpenAPI document allows null for an empty list; the node never sends it.
type Lists<T> = { [K in keyof T]: Exclude<T[K], null> extends readonly unknown[] ? Exclude<T[K], null> : T[K] }

export type State = 'hashing' | 'checking' | 'finding' | 'queued' | 'fetching' | 'seeding' | 'paused' | 'waiting' | 'error'
export type Transfer = Omit<S['Transfer'], 'state'> & { state: State }
export type File = S['File']
export type Peer = S['Peer']
export type Stats = S['Stats']
export type Info = Lists<S['Info']>
export type Health = Lists<S['Health']>
export type Setting = S['Setting']
export type Restart = Lists<S['Restart']>
export type Import = Lists<S['Import']>
export type NodeLimits = S['NodeLimits']
export type Limits = S['Limits']
export type Goal = S['Goal']
export type Match = S['Match']
export type Preview = Omit<Lists<S['Preview']>, 'present'> & { present?: Transfer }
export type LogLine = S['LogLine']
export type Problem = S['Problem']
export type History = S['History']
export type Streams = Lists<S['Streams']>
export type Way = S['Way']
export type Folder = S['Folder']
export type WebLink = Lists<S['WebLink']>
export type Coming = Lists<S['Coming']>
export type ComingFile = S['ComingFile']
export type Orphan = S['Orphan']
export type ReceiveLink = S['ReceiveLink']

/** Notice is an event of the stream. */
export interface Notice {
  event: string
  id: string
  was?: string
  message?: string
  message_text?: Text
  transfer?: Transfer
}

export interface Pieces {
  id: string
  length: number
  state: string
}

// The types below belong to operations that a node may lack; see can.

/** SignIn is a browser or program that may use the node. */
export interface SignIn {
  id: string
  kind: 'browser' | 'token'
  label: string
  scope?: 'read' | 'add' | 'everything'
  created: string
  used: string
  this: boolean
}

/** Network is the node's report on how strangers can reach it. */
export type Network = Omit<Lists<S['Report']>, 'ipv4'> & { ipv4?: Lists<S['IPv4Report']> }
export type Proof = Network['verdict']

/** Hit is a search result; matches in snippet are between \x02 and \x03. */
export type Hit = S['Hit']
export type Results = Lists<S['Results']>
export type Entry = S['Entry']

export type Channel = S['Channel']
