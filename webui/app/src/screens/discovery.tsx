// The tabs with the sources of peers of a transfer, and with its log.
import type { JSX } from 'preact'
import { sentence } from '../api/client'
import type { LogLine, Peer, Transfer, Way } from '../api/types'
import { ago } from '../lib/format'
import { shown } from '../lib/text'
import { sourceName } from '../lib/words'
import { topic } from '../state/topic'
import { Empty, Working } from '../ui/basics'
import { locale, number, relative, say, sayParts, told, type Key } from '../words'

/** result describes the state of a source of peers. */
export function result(w: Way, connected: number): string {
  if (!w.on) return say('discovery.off')
  if (w.busy) return say('discovery.busy')
  if (w.found > 0 || connected > 0) return say('discovery.works')
  return say(w.last ? 'discovery.nothing' : 'discovery.waiting')
}

export function Discovery({ t }: { t: Transfer }): JSX.Element {
  const peers = topic<{ id: string; peers: Peer[] }>('peers', t)
  const ways = topic<{ id: string; ways: Way[] }>('discovery', t)?.ways
  if (!ways || !peers) return <Working>{say('discovery.loading')}</Working>
  const connected = new Map<string, number>()
  for (const p of peers.peers) connected.set(p.source, (connected.get(p.source) ?? 0) + 1)
  return (
    <>
      <div class="table-box" tabIndex={0} role="region" aria-label={say('discovery.sources')}>
        <table class="stacked">
          <thead><tr><th scope="col">{say('discovery.source')}</th><th scope="col" class="number">{say('discovery.found')}</th><th scope="col" class="number">{say('discovery.connected')}</th><th scope="col">{say('discovery.last')}</th><th scope="col">{say('discovery.next')}</th><th scope="col">{say('discovery.status')}</th></tr></thead>
          <tbody>
            {ways.map((w) => (
              <tr key={w.source + (w.name ?? '')} class={w.on ? '' : 'off'}>
                <th scope="row">{sourceName(w.source)}{w.name && <small class="break"><bdi>{shown(w.name)}</bdi></small>}</th>
                <td class="figures number" data-label={say('discovery.found')}>{w.source === 'incoming' ? '–' : number(w.found)}</td>
                <td class="figures number" data-label={say('discovery.connected')}>{w.source === 'tracker' && w.name ? '' : connected.get(w.source) ?? 0}</td>
                <td data-label={say('discovery.last')}>{w.last ? ago(w.last) : '–'}</td>
                <td data-label={say('discovery.next')}>{w.next ? until(w.next) : '–'}</td>
                <td data-label={say('discovery.status')}>{w.error ? <span class="bad-text">{shown(sentence(told(w.error, w.error_text)))}</span> : result(w, connected.get(w.source) ?? 0)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {t.ipv4_only && <p class="note">{say('discovery.ipv4', { n: t.ipv4_only })}</p>}
      <p class="muted">{sayParts('discovery.incoming', { network: <a href="/network">{say('shell.network')}</a> })}</p>
    </>
  )
}

function until(time: string): string {
  const s = Math.round((Date.parse(time) - Date.now()) / 1000)
  return s <= 0 ? say('discovery.now') : relative(s < 90 ? s : Math.round(s / 60), s < 90 ? 'second' : 'minute')
}

// The events whose message is all there is to say.
const plain = ['note', 'beside']
const said: Record<string, Key> = { added: 'log.added', shared: 'log.shared', done: 'log.done', error: 'log.error' }

/** eventOf is what is said of an event before its message. */
function eventOf(l: LogLine): string {
  if (plain.includes(l.event)) return ''
  if (l.event === 'found') return say('log.found', { source: sourceName(l.source ?? ''), peers: say('count.peers', { n: l.count ?? 0 }) })
  const key = said[l.event]
  return key ? say(key) : l.event
}

export function Log({ t }: { t: Transfer }): JSX.Element {
  const data = topic<{ id: string; log: LogLine[] }>('log', t)
  if (!data) return <Working>{say('log.loading')}</Working>
  if (data.log.length === 0) return <Empty icon="file" title={say('log.empty')}><p>{say('log.empty.why')}</p></Empty>
  return (
    <ol class="log" tabIndex={0} aria-label={say('log.title')}>
      {[...data.log].reverse().slice(0, 1000).map((l, i) => (
        <li key={i} class={`on-${l.event}`}>
          <time dateTime={l.time} title={new Date(l.time).toLocaleString(locale.value)}>{new Date(l.time).toLocaleTimeString(locale.value)}</time>
          <span>
            {eventOf(l)}
            {l.message && <span class="break">{plain.includes(l.event) ? sentence(shown(told(l.message, l.message_text))) : `: ${shown(told(l.message, l.message_text))}`}</span>}
          </span>
        </li>
      ))}
    </ol>
  )
}
