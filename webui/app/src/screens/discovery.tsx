// The tabs with the sources of peers of a transfer, and with its log.
import type { JSX } from 'preact'
import { sentence } from '../api/client'
import type { LogLine, Peer, Transfer, Way } from '../api/types'
import { ago, plural } from '../lib/format'
import { shown } from '../lib/text'
import { sourceName } from '../lib/words'
import { topic } from '../state/topic'
import { Empty, Working } from '../ui/basics'

/** result describes the state of a source of peers. */
export function result(w: Way, connected: number): string {
  if (!w.on) return 'Not used for this transfer'
  if (w.busy) return 'Request running'
  if (w.found > 0 || connected > 0) return 'Works'
  return w.last ? 'No new peers' : 'No answer yet'
}

export function Discovery({ t }: { t: Transfer }): JSX.Element {
  const peers = topic<{ id: string; peers: Peer[] }>('peers', t)
  const ways = topic<{ id: string; ways: Way[] }>('discovery', t)?.ways
  if (!ways || !peers) return <Working>Loading the sources of peers …</Working>
  const connected = new Map<string, number>()
  for (const p of peers.peers) connected.set(p.source, (connected.get(p.source) ?? 0) + 1)
  return (
    <>
      <div class="table-box" tabIndex={0} role="region" aria-label="Sources of peers">
        <table class="stacked">
          <thead><tr><th scope="col">Source</th><th scope="col" class="number">Found</th><th scope="col" class="number">Connected</th><th scope="col">Last answer</th><th scope="col">Next try</th><th scope="col">Status</th></tr></thead>
          <tbody>
            {ways.map((w) => (
              <tr key={w.source + (w.name ?? '')} class={w.on ? '' : 'off'}>
                <th scope="row">{sourceName(w.source)}{w.name && <small class="break"><bdi>{shown(w.name)}</bdi></small>}</th>
                <td class="figures number" data-label="Found">{w.source === 'incoming' ? '–' : w.found.toLocaleString('en')}</td>
                <td class="figures number" data-label="Connected">{w.source === 'tracker' && w.name ? '' : connected.get(w.source) ?? 0}</td>
                <td data-label="Last answer">{w.last ? ago(w.last) : '–'}</td>
                <td data-label="Next try">{w.next ? until(w.next) : '–'}</td>
                <td data-label="Status">{w.error ? <span class="bad-text">{shown(w.error)}</span> : result(w, connected.get(w.source) ?? 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {t.ipv4_only && <p class="note">{plural(t.ipv4_only, 'peer')} skipped, IPv4 only. With the setting “ipv4” the node uses them.</p>}
      <p class="muted">“Incoming” counts the peers that connected to this node. That works only while strangers can reach it: see <a href="/network">Network</a>.</p>
    </>
  )
}

function until(time: string): string {
  const s = Math.round((Date.parse(time) - Date.now()) / 1000)
  return s <= 0 ? 'now' : s < 90 ? `in ${s} s` : `in ${plural(Math.round(s / 60), 'minute')}`
}

const said: Record<string, string> = { added: 'Added', shared: 'The link is ready', done: 'Complete', error: 'Stopped', note: '', beside: '' }

export function Log({ t }: { t: Transfer }): JSX.Element {
  const data = topic<{ id: string; log: LogLine[] }>('log', t)
  if (!data) return <Working>Loading the log …</Working>
  if (data.log.length === 0) return <Empty icon="file" title="No events yet"><p>This log lists the events of the transfer since the node started.</p></Empty>
  return (
    <ol class="log" tabIndex={0} aria-label="Log, latest first">
      {[...data.log].reverse().slice(0, 1000).map((l, i) => (
        <li key={i} class={`on-${l.event}`}>
          <time dateTime={l.time} title={new Date(l.time).toLocaleString()}>{new Date(l.time).toLocaleTimeString()}</time>
          <span>
            {l.event === 'found' ? `${sourceName(l.source ?? '')}: ${plural(l.count ?? 0, 'peer')}` : said[l.event] ?? l.event}
            {l.message && <span class="break">{said[l.event] !== '' ? `: ${shown(l.message)}` : sentence(shown(l.message))}</span>}
          </span>
        </li>
      ))}
    </ol>
  )
}
