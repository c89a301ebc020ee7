// The connection to the event stream: subscribing, reconnecting, continuing.
import { effect, signal } from '@preact/signals'
import { base, failureOf, learn, message, operations, signedIn } from '../api/client'
import type { Notice } from '../api/types'
import { wait } from '../lib/backoff'
import { Reader, type Message } from '../lib/sse'
import { notice, patch, reset } from './store'
import { say } from '../words'
import { numbered, silence, Tabs } from './tabs'

/** Link is the state of the connection to the node. */
export type Link =
  | { state: 'connecting' }
  | { state: 'live' }
  | { state: 'lost'; why: string; retry: number } // retry is a time in milliseconds

export const link = signal<Link>({ state: 'connecting' })

/** topics are the latest details that a screen has subscribed to, by kind. */
export const topics = signal<Record<string, unknown>>({})

type Listener = (n: Notice) => void
const listeners = new Set<Listener>()

/** onNotice calls f with every notice until the function that it returns is called. */
export function onNotice(f: Listener): () => void {
  listeners.add(f)
  return () => listeners.delete(f)
}

// The stream is read with fetch: EventSource does not report why it failed and
// cannot continue from the last event when the topics change.
let last = ''
let attempt = 0
let current: AbortController | undefined
let timer: ReturnType<typeof setTimeout> | undefined
let wake: (() => void) | undefined
let running = false

let asked = '' // the topics of the stream that is open
let freed: (() => void) | undefined

// Tabs that began earlier sort first.
const tabs = new Tabs(
  `${Date.now().toString(36).padStart(10, '0')}-${Math.random().toString(36).slice(2)}`,
  typeof BroadcastChannel === 'function' && typeof document !== 'undefined' ? new BroadcastChannel('shoal-stream') : undefined,
  {
    last: () => last,
    take,
    link: (l) => { link.value = l as Link },
    wantsChanged: () => { if (current && wanted() !== asked) current.abort() },
    handover: () => {
      link.value = { state: 'live' }
      current?.abort()
    },
    resume: () => freed?.(),
    retry: () => {
      attempt = 0
      wake?.()
    },
  },
)
const wanted = (): string => tabs.topics().join(',')
effect(() => tabs.link(link.value))
if (typeof addEventListener === 'function') {
  for (const type of ['pagehide', 'freeze']) addEventListener(type, () => tabs.leave())
  for (const type of ['pageshow', 'resume']) addEventListener(type, (e) => { if (type === 'resume' || (e as PageTransitionEvent).persisted) tabs.back() })
}

/** leads is whether this tab reads the stream, perhaps for others. */
export const leads = (): boolean => !tabs.following

let shown = ''
/** watch subscribes to topics such as "peers:ID" or "node"; the stream reconnects and continues. */
export function watch(list: readonly string[]): void {
  if (list.join(',') === shown) return
  shown = list.join(',')
  topics.value = {}
  tabs.watch([...list])
}

/** retry reconnects now instead of waiting. */
export const retry = (): void => tabs.retry()

/** start reads the stream until the page is closed or the node asks for a sign-in. */
export async function start(): Promise<void> {
  if (running) return
  running = true
  while (signedIn.peek() !== false) {
    if (tabs.over && tabs.following) await new Promise<void>((done) => { freed = done })
    tabs.begin()
    const outcome = await once()
    if (outcome === 'changed' || outcome === 'handed') continue
    if (outcome.status === 401) {
      signedIn.value = false
      break
    }
    const pause = wait(attempt++, Math.random())
    link.value = { state: 'lost', why: outcome.why, retry: Date.now() + pause }
    await new Promise<void>((done) => {
      wake = done
      timer = setTimeout(done, pause)
    })
    clearTimeout(timer)
  }
  running = false
}

/** once reads one stream to its end. */
async function once(): Promise<'changed' | 'handed' | { why: string; status: number }> {
  const abort = new AbortController()
  current = abort
  const topicsOfThis = (asked = wanted())
  let deadline: ReturnType<typeof setTimeout> | undefined
  const alive = (): void => {
    clearTimeout(deadline)
    deadline = setTimeout(() => abort.abort(), silence)
    tabs.alive()
  }
  try {
    alive()
    const headers: Record<string, string> = { Accept: 'text/event-stream' }
    if (last) headers['Last-Event-ID'] = last
    const query = topicsOfThis ? '?topics=' + encodeURIComponent(topicsOfThis) : ''
    const r = await fetch(`${base}/events${query}`, { headers, signal: abort.signal, cache: 'no-store' })
    if (!r.ok || !r.body) {
      // The transfer whose details are shown was removed: continue without them.
      if (topicsOfThis && (r.status === 404 || r.status === 400)) {
        tabs.watch([])
        return 'changed'
      }
      return { why: (await failureOf(r)).message, status: r.status }
    }
    signedIn.value = true
    attempt = 0
    link.value = { state: 'live' }
    if (!operations.peek()) void learn()
    const reader = new Reader((m) => {
      take(m)
      tabs.read(m)
    })
    const text = new TextDecoder()
    const body = r.body.getReader()
    for (;;) {
      const { done, value } = await body.read()
      if (done) return { why: say('stream.ended'), status: 0 }
      alive()
      reader.push(text.decode(value, { stream: true }))
    }
  } catch (e) {
    if (abort.signal.aborted && tabs.over) return 'handed'
    if (abort.signal.aborted && wanted() !== topicsOfThis) return 'changed'
    return { why: e instanceof TypeError || abort.signal.aborted ? say('stream.silent') : message(e), status: 0 }
  } finally {
    clearTimeout(deadline)
    abort.abort()
  }
}

function take(m: Message): void {
  const data: unknown = JSON.parse(m.data)
  switch (m.event) {
    case 'reset':
      // After a restart the node may be another version.
      if (last && last.split('-')[0] !== m.id.split('-')[0]) void learn()
      reset(data as Parameters<typeof reset>[0])
      break
    case 'patch':
      patch(data as Parameters<typeof patch>[0])
      break
    case 'notice':
      notice(data as Notice)
      for (const f of listeners) f(data as Notice)
      break
    case 'peers':
    case 'pieces':
    case 'files':
    case 'log':
    case 'discovery':
    case 'streams':
    case 'node':
      topics.value = { ...topics.peek(), [m.event]: data }
  }
  // Topics have no place in the order of events.
  if (m.id && numbered(m)) last = m.id
}
