import { signal } from '@preact/signals'
import type { Problem } from './types'

export const base = '/api/v1'

/** Failure is an answer of the node that is not what was asked for. */
export class Failure extends Error {
  constructor(message: string, readonly status: number, readonly code: string) {
    super(message)
  }
}

/** signedIn is false when the node asked who we are; undefined until it answered once. */
export const signedIn = signal<boolean | undefined>(undefined)

/** operations are "METHOD /path" of what this node can do; undefined until that is known. */
export const operations = signal<ReadonlySet<string> | undefined>(undefined)

/** can tells whether the node has an operation, false as long as that is not known. */
export const can = (operation: string): boolean => operations.value?.has(operation) ?? false

/** learn reads which operations the node has. */
export async function learn(): Promise<void> {
  try {
    const doc = await get<{ paths: Record<string, Record<string, unknown>> }>('/openapi.json')
    const all = new Set<string>()
    for (const [path, item] of Object.entries(doc.paths)) {
      for (const method of Object.keys(item)) all.add(`${method.toUpperCase()} ${path.slice(base.length)}`)
    }
    operations.value = all
  } catch {
    // Learned again with the next connection.
  }
}

/** failureOf reads why a response failed. */
export async function failureOf(r: Response): Promise<Failure> {
  let message = `the node answered ${r.status} ${r.statusText}`
  let code = 'failed'
  try {
    const p = (await r.json()) as Partial<Problem>
    if (p.detail || p.title) message = p.detail || p.title!
    if (p.code) code = p.code
    for (const e of p.errors ?? []) if (e.message) message += `: ${e.message}`
  } catch {
    // Not a problem document: the status has to do.
  }
  return new Failure(sentence(message), r.status, code)
}

/** sentence begins with a capital and has no full stop. */
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
    throw new Failure('The node does not answer. Is it running?', 0, 'no-node')
  }
  if (!r.ok) {
    // A wrong password is no reason to forget that nobody is signed in.
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
  // The node takes no writes that a form could send, so that there is always a type.
  const r = await request(method, path, method === 'DELETE' ? undefined : (body ?? {}), init)
  const text = await r.text()
  return (text ? JSON.parse(text) : undefined) as T
}

export const transferPath = (id: string, rest = ''): string => `/transfers/${id}${rest}`
export const contentURL = (id: string, file: number): string => `${base}${transferPath(id)}/files/${file}/content`

/** archiveURL is all of a transfer, or one folder in it, as one file. */
export const archiveURL = (id: string, path = '', format = 'zip'): string =>
  `${base}${transferPath(id)}/archive?format=${format}${path ? `&path=${encodeURIComponent(path)}` : ''}`

/** message puts any error into words. */
export const message = (e: unknown): string => (e instanceof Error ? e.message : String(e))
