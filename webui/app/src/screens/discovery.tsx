import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { can, get, message, transferPath } from '../api/client'
import type { LogLine, Peer, Transfer, Way } from '../api/types'
import { ago, plural } from '../lib/format'
import { shown } from '../lib/text'
import { sourceName } from '../lib/words'
import { topic } from '../state/topic'
import { Empty, Problem, Working } from '../ui/basics'

const usual = ['link', 'dht', 'lan', 'pex', 'tracker', 'incoming', 'user']

/** seen adds up, from the log and the connections, what each way of finding peers brought. */
export function seen(log: readonly LogLine[], peers: readonly Peer[]): (Way & { connected: number })[] {
  const ways = new Map<string, Way & { connected: number }>(usual.map((s) => [s, { source: s, found: 0, connected: 0 }]))
  const of = (s: string): Way & { connected: number } => {
    let w = ways.get(s)
    if (!w) ways.set(s, (w = { source: s, found: 0, connected: 0 }))
    return w
  }
  for (const l of log) {
    if (l.event !== 'found' || !l.source) continue
    const w = of(l.source)
    w.found += l.count ?? 0
    w.last = l.time
  }
  for (const p of peers) of(p.source).connected++
  return [...ways.values()]
}

export function Discovery({ t }: { t: Transfer }): JSX.Element {
  const told = can('GET /transfers/{id}/discovery')
  const log = topic<{ id: string; log: LogLine[] }>('log', t)
  const peers = topic<{ id: string; peers: Peer[] }>('peers', t)
  const [ways, setWays] = useState<Way[]>()
  const [problem, setProblem] = useState('')
  useEffect(() => {
    if (!told) return
    const abort = new AbortController()
    const load = (): void => {
      get<Way[]>(transferPath(t.id, '/discovery'), abort.signal).then(
        (w) => { setWays(w); setProblem('') },
        (e) => { if (!abort.signal.aborted) setProblem(message(e)) },
      )
    }
    load()
    const timer = setInterval(load, 3000)
    return () => {
      abort.abort()
      clearInterval(timer)
    }
  }, [told, t.id])
  if (!log || !peers || (told && !ways && !problem)) return <Working>Asking where peers come from …</Working>
  const all = seen(log.log, peers.peers)
  const connected = new Map(all.map((w) => [w.source, w.connected]))
  const shownWays: Way[] = ways ?? all
  return (
    <>
      {problem && <Problem>{problem}</Problem>}
      <div class="table-box" tabIndex={0} role="region" aria-label="Ways of finding peers">
        <table>
          <thead><tr><th scope="col">Way</th><th scope="col">Found</th><th scope="col">Connected</th><th scope="col">Last answer</th>{ways && <th scope="col">Next try</th>}<th scope="col">Result</th></tr></thead>
          <tbody>
            {shownWays.map((w) => (
              <tr key={w.source + (w.name ?? '')}>
                <th scope="row">{sourceName(w.source)}{w.name && <small class="break"><bdi>{shown(w.name)}</bdi></small>}</th>
                <td class="figures">{w.found.toLocaleString('en')}</td>
                <td class="figures">{connected.get(w.source) ?? 0}</td>
                <td>{w.last ? ago(w.last) : '–'}</td>
                {ways && <td>{w.next ? until(w.next) : '–'}</td>}
                <td>{w.error ? <span class="bad-text">{shown(w.error)}</span> : w.found > 0 || (connected.get(w.source) ?? 0) > 0 ? 'Brings peers' : 'Nothing so far'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="muted">“They called us” counts who connected by themselves. That works only while strangers can reach this node: see <a href="/network">Network</a>.</p>
    </>
  )
}

function until(time: string): string {
  const s = Math.round((Date.parse(time) - Date.now()) / 1000)
  return s <= 0 ? 'now' : s < 90 ? `in ${s} s` : `in ${plural(Math.round(s / 60), 'minute')}`
}

const said: Record<string, string> = { added: 'Added', shared: 'The link is ready', done: 'Complete', error: 'Stopped', note: '' }

export function Log({ t }: { t: Transfer }): JSX.Element {
  const data = topic<{ id: string; log: LogLine[] }>('log', t)
  if (!data) return <Working>Reading the log …</Working>
  if (data.log.length === 0) return <Empty icon="file" title="Nothing happened yet"><p>What happens to this transfer is told here, since the node started.</p></Empty>
  return (
    <ol class="log" tabIndex={0} aria-label="Log, latest first">
      {[...data.log].reverse().slice(0, 1000).map((l, i) => (
        <li key={i} class={l.event}>
          <time dateTime={l.time} title={new Date(l.time).toLocaleString()}>{new Date(l.time).toLocaleTimeString()}</time>
          <span>
            {l.event === 'found' ? `${sourceName(l.source ?? '')}: ${plural(l.count ?? 0, 'peer')}` : said[l.event] ?? l.event}
            {l.message && <span class="break">{said[l.event] !== '' && ': '}{shown(l.message)}</span>}
          </span>
        </li>
      ))}
    </ol>
  )
}
