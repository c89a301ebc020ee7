// Which tab of this browser reads the event stream for all of them.
//
// A tab begins with a stream of its own, so that it shows something at once. Of the tabs
// that read, the oldest goes on and passes on what it reads; the others end theirs when they
// have seen all that the oldest had read before. The next oldest takes over when it closes,
// freezes or falls silent. This needs no locks, which pages over plain HTTP do not have.
import type { Message } from '../lib/sse'

export type Post =
  | { kind: 'hello' | 'here' | 'bye' | 'retry' }
  | { kind: 'want'; topics: string[] }
  | { kind: 'at'; id: string }
  | { kind: 'take'; m: Message }
  | { kind: 'link'; link: unknown }
type Signed = Post & { from: string; to?: string }

export interface Channel {
  postMessage(m: unknown): void
  onmessage: ((e: MessageEvent) => void) | null
}

/** What the stream does for the tabs. */
export interface Reading {
  last: () => string // id of the last event that was taken
  take: (m: Message) => void
  link: (l: unknown) => void
  wantsChanged: () => void // of any tab
  handover: () => void // end the own stream
  resume: () => void // read again
  retry: () => void
}

/** The tab that reads says so at least this often while its stream is alive. */
const sayTime = 5_000
/** Longer than the interval of the node's comments, so that silence means a lost connection. */
export const silence = 40_000
const forgetTime = 120_000

/** numbered is whether an event has its place in the order of events. */
export const numbered = (m: Message): boolean => m.event === 'reset' || m.event === 'patch' || m.event === 'notice'
const parse = (id: string): [string, number] => {
  const [boot = '', seq = '0'] = id.split('-')
  return [boot, Number(seq)]
}

/** topicOf is the topic that an event belongs to. */
export const topicOf = (m: Message): string => {
  const id = /^\{"id":"([0-9a-f]+)"/.exec(m.data)?.[1]
  return id ? `${m.event}:${id}` : m.event
}

/** Tabs is one tab among those of its browser. */
export class Tabs {
  /** following is the tab that reads for this one. */
  following = ''
  private readonly wants = new Map<string, { topics: string[]; at: number }>()
  private readonly latest = new Map<string, Message>()
  private mine: string[] = []
  private reached: string | undefined // what the other had read when it began to pass on
  /** over is whether the own stream has ended, since another tab reads. */
  over = false
  /** left is whether this page is hidden for good, or frozen: what it says then would mislead the others. */
  private left = false
  private said = 0
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(private readonly me: string, private readonly channel: Channel | undefined, private readonly reading: Reading) {
    if (channel) channel.onmessage = (e) => this.receive(e.data as Signed)
  }

  private post(p: Post, to?: string): void {
    if (this.left) return
    this.channel?.postMessage({ ...p, from: this.me, ...(to ? { to } : {}) })
  }

  /** begin is called when this tab starts to read. */
  begin(): void {
    this.over = false
    this.post({ kind: 'hello' })
  }

  /** alive is called with each sign of life of the stream. */
  alive(): void {
    if (this.following || Date.now() - this.said < sayTime) return
    this.said = Date.now()
    this.post({ kind: 'here' })
  }

  /** read is called with each event of the own stream, after it was taken. */
  read(m: Message): void {
    if (!numbered(m)) this.latest.set(topicOf(m), m)
    if (this.following) this.settle()
    else if (this.wants.size > 0) this.post({ kind: 'take', m })
  }

  link(l: unknown): void {
    if (!this.following && this.wants.size > 0) this.post({ kind: 'link', link: l })
  }

  /** watch says which topics this tab shows. */
  watch(topics: string[]): void {
    this.mine = topics
    if (this.following) this.post({ kind: 'want', topics })
    this.reading.wantsChanged()
  }

  /** topics are those of this tab, and while it reads those of all, the latest first. */
  topics(): string[] {
    if (this.following) return this.mine
    const others = [...this.wants.values()].sort((a, b) => b.at - a.at).flatMap((w) => w.topics)
    const all = [...new Set([...this.mine, ...others])].slice(0, 16)
    for (const t of this.latest.keys()) if (!all.includes(t)) this.latest.delete(t)
    return all
  }

  retry(): void {
    if (this.following) this.post({ kind: 'retry' }, this.following)
    else this.reading.retry()
  }

  /** leave is called when the page is hidden for good, or frozen. */
  leave(): void {
    this.post({ kind: 'bye' })
    this.left = true
  }

  /** back is called when the page is shown again, or no longer frozen. It may have missed anything. */
  back(): void {
    this.left = false
    this.alone()
  }

  /** alone makes this tab read for itself again. */
  alone(): void {
    clearTimeout(this.timer)
    if (!this.following) return
    this.following = ''
    this.reached = undefined
    if (this.over) this.reading.resume()
  }

  private receive(p: Signed): void {
    if (this.left || (p.to && p.to !== this.me)) return
    const senior = p.from < this.me
    switch (p.kind) {
      case 'hello':
        if (!this.following && !senior) this.post({ kind: 'here' })
        return
      case 'bye':
        this.wants.delete(p.from)
        if (p.from === this.following) this.alone()
        else this.reading.wantsChanged()
        return
      case 'retry':
        if (!this.following) this.reading.retry()
        return
      case 'want':
        if (this.following) return
        this.wants.set(p.from, { topics: p.topics, at: Date.now() })
        for (const [tab, w] of this.wants) if (Date.now() - w.at > forgetTime) this.wants.delete(tab)
        this.post({ kind: 'at', id: this.reading.last() }, p.from)
        for (const t of p.topics) {
          const m = this.latest.get(t)
          if (m) this.post({ kind: 'take', m }, p.from)
        }
        this.reading.wantsChanged()
        return
    }
    // The rest comes from a tab that reads.
    if (p.from !== this.following) {
      if (!senior) {
        if (!this.following) this.post({ kind: 'here' }, p.from)
        return
      }
      if (this.following && p.from > this.following) return
      this.following = p.from
      this.reached = undefined
      this.wants.clear()
    }
    clearTimeout(this.timer)
    this.timer = setTimeout(() => this.alone(), silence)
    if (p.kind === 'here') this.post({ kind: 'want', topics: this.mine }, p.from)
    else if (p.kind === 'at') {
      this.reached = p.id
      this.settle()
    } else if (p.kind === 'link') {
      if (this.over) this.reading.link(p.link)
    } else if (p.kind === 'take') this.passed(p.m)
  }

  /** passed takes an event that the other tab read, if it is the next one. */
  private passed(m: Message): void {
    if (!numbered(m)) {
      if (this.mine.includes(topicOf(m))) this.reading.take(m)
      return
    }
    const [boot, seq] = parse(m.id)
    const [mine, at] = parse(this.reading.last())
    const next = m.event === 'reset' ? boot !== mine || seq >= at : boot === mine && seq === at + 1
    if (next) this.reading.take(m)
    else if (this.over && m.event !== 'reset' && (boot !== mine || seq > at + 1)) this.alone()
    this.settle()
  }

  /** settle ends the own stream once nothing can be missed. */
  private settle(): void {
    if (this.over || this.reached === undefined) return
    const [boot, seq] = parse(this.reached)
    const [mine, at] = parse(this.reading.last())
    if (!this.reading.last() || boot !== mine || at < seq) return
    this.over = true
    this.reading.handover()
  }
}
