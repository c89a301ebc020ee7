// Requests to the API: the JSON, the errors, and what the node can do.
import { signal } from '@preact/signals'
import type { Problem } from './types'
import { say, told } from '../words'

export const base = '/api/v1'

/** Failure is an error response of the node. */
export class Failure extends Error {
  constructor(message: string, readonly status: number, readonly code: string) {
    super(message)
  }
}

/** signedIn is false after the node has asked for a sign-in; undefined until its first answer. */
export const signedIn = signal<boolean | undefined>(undefined)

/** operations are the operations of this node as "METHOD /path"; undefined until known. */
export const operations = signal<ReadonlySet<string> | undefined>(undefined)

/** can reports whether the node has an operation; false while that is unknown. */
export const can = (operation: string): boolean => operations.value?.has(operation) ?? false

/** learn fetches the operations of the node. */
export async function learn(): Promise<void> {
  try {
    const doc = await get<{ paths: Record<string, Record<string, unknown>> }>('/openapi.json')
    const all = new Set<string>()
    for (const [path, item] of Object.entries(doc.paths)) {
      for (const method of Object.keys(item)) all.add(`${method.toUpperCase()} ${path.slice(base.length)}`)
    }
    operations.value = all
  } catch {
    // Retried with the next connection.
  }
}

/** failureOf reads the error of a response. */
export async function failureOf(r: Response): Promise<Failure> {
  let message = say('node.answered', { status: `${r.status} ${r.statusText}` })
  let code = 'failed'
  try {
    const p = (await r.json()) as Partial<Problem>
    if (p.detail || p.title) message = told(p.detail || p.title, p.detail_text)
    if (p.code) code = p.code
    for (const e of p.errors ?? []) if (e.message) message += `: ${e.message}`
  } catch {
    // Not a problem document: report only the status.
  }
  return new Failure(sentence(message), r.status, code)
}

/** sentence capitalizes a message and removes its full stop. */
export const sentence = (s: string): string => s.charAt(0).toUpperCase() + s.slice(1).replace(/\.$/, '')

async function request(method: string, path: string, body?: unknown, init?: RequestInit): Promise<Response> {
  let r: Response
  try {
    r = await fetch(base + path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
      ...init,
    })
  } catch (e) {
    if (e instanceof DOMException && e.name === 'AbortError') throw e
    throw new Failure(say('node.silent'), 0, 'no-node')
  }
  if (!r.ok) {
    // Also after a wrong password: nobody is signed in.
    if (r.status === 401) signedIn.value = false
    throw await failureOf(r)
  }
  return r
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const r = await request('GET', path, undefined, signal ? { signal } : undefined)
  return (await r.json()) as T
}

export async function send<T = void>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown, init?: RequestInit): Promise<T> {
  // The node refuses writes that an HTML form could send, so there is always a JSON type.
  const r = await request(method, path, method === 'DELETE' ? undefined : (body ?? {}), init)
  const text = await r.text()
  return (text ? JSON.parse(text) : undefined) as T
}

export const transferPath = (id: string, rest = ''): string => `/transfers/${id}${rest}`
export const contentURL = (id: string, file: number): string => `${base}${transferPath(id)}/files/${file}/content`

/** archiveURL is the URL of a transfer, or of one folder in it, as an archive. */
export const archiveURL = (id: string, path = '', format = 'zip'): string =>
  `${base}${transferPath(id)}/archive?format=${format}${path ? `&path=${encodeURIComponent(path)}` : ''}`

/** message is the text of any error. */
export const message = (e: unknown): string => (e instanceof Error ? e.message : String(e))
