// The tab with the connected peers of a transfer.
import type { JSX } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import { message, send, transferPath } from '../api/client'
import type { Peer, Transfer } from '../api/types'
import { bytes, percent, rate } from '../lib/format'
import { shown } from '../lib/text'
import { family, sourceName } from '../lib/words'
import { toast } from '../state/toasts'
import { topic } from '../state/topic'
import { Bar, Button, Empty, Working } from '../ui/basics'
import { Icon } from '../ui/icons'
import { say } from '../words'

const heads = ['address', 'client', 'source', 'progress', 'down', 'up'] as const
type Column = (typeof heads)[number]
const most = 500

/** compare orders peers by a column; of equal rates, by what was sent in all. */
function compare(a: Peer, b: Peer, key: Column): number {
  const total = key === 'down' ? a.downloaded - b.downloaded : key === 'up' ? a.uploaded - b.uploaded : 0
  return a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : total || (a.address < b.address ? -1 : 1)
}

export function Peers({ t }: { t: Transfer }): JSX.Element {
  const data = topic<{ id: string; peers: Peer[] }>('peers', t)
  const [by, setBy] = useState<{ key: Column; down: boolean }>({ key: 'down', down: true })
  const peers = useMemo(() => [...(data?.peers ?? [])].sort((a, b) => compare(a, b, by.key) * (by.down ? -1 : 1)), [data, by])
  if (!data) return <Working>{say('peers.loading')}</Working>
  return (
    <>
      {peers.length === 0 ? (
        <Empty icon="network" title={say('peers.none')}><p>{say(t.state === 'paused' ? 'peers.none.paused' : 'peers.none.looking')}</p></Empty>
      ) : (
        <div class="table-box" tabIndex={0} role="region" aria-label={say('peers.title')}>
          <table class="stacked">
            <thead>
              <tr>
                {heads.map((k) => (
                  <th key={k} scope="col" aria-sort={by.key === k ? (by.down ? 'descending' : 'ascending') : 'none'} class={k}>
                    <button type="button" onClick={() => setBy({ key: k, down: by.key === k ? !by.down : !['address', 'client', 'source'].includes(k) })}>
                      {say(`peers.${k}`)}{by.key === k && <Icon name={by.down ? 'down' : 'up'} size={13} />}
                    </button>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {peers.slice(0, most).map((p) => (
                <tr key={p.address}>
                  <td class="address">
                    <code><bdi>{shown(p.address)}</bdi></code>
                    <span class="tags">
                      <span class={`tag ${family(p) === 'IPv6' ? 'good' : ''}`}>{family(p)}</span>
                      <span class="tag">{say(p.incoming ? 'peers.incoming' : 'peers.outgoing')}</span>
                      {p.encrypted && <span class="tag">{say('peers.encrypted')}</span>}
                      {p.utp && <span class="tag">uTP</span>}
                    </span>
                  </td>
                  <td data-label={say('peers.client')}><bdi>{shown(p.client) || '–'}</bdi></td>
                  <td data-label={say('peers.source')}>{sourceName(p.source)}</td>
                  <td data-label={say('peers.progress')}><span class="has"><Bar value={p.progress} state="seeding" /><span class="figures">{percent(Math.floor(p.progress * 100), 100)}</span></span></td>
                  <td class="figures down" data-label={say('peers.down')}>{rate(p.down)}<small class="muted block">{say('peers.total', { size: bytes(p.downloaded) })}</small></td>
                  <td class="figures up" data-label={say('peers.up')}>{rate(p.up)}<small class="muted block">{say('peers.total', { size: bytes(p.uploaded) })}</small></td>
                </tr>
              ))}
            </tbody>
          </table>
          {peers.length > most && <p class="muted">{say('count.more', { n: peers.length - most })}</p>}
        </div>
      )}
      <Offer t={t} />
    </>
  )
}

/** Offer adds a peer by its address. */
function Offer({ t }: { t: Transfer }): JSX.Element {
  const [address, setAddress] = useState('')
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault()
    try {
      await send('POST', transferPath(t.id, '/peers'), { addresses: address.split(/[\s,]+/).filter(Boolean) })
      setAddress('')
      toast(say('peers.calling'))
    } catch (err) {
      toast(say('peers.failed', { why: message(err) }), { bad: true })
    }
  }
  return (
    <form class="offer" onSubmit={(e) => void submit(e)}>
      <label for="peer-address">{say('peers.offer')}</label>
      <div class="row">
        <input id="peer-address" value={address} spellcheck={false} placeholder="[2001:db8::5]:51413" onInput={(e) => setAddress(e.currentTarget.value)} />
        <Button type="submit" disabled={!address.trim()}>{say('peers.add')}</Button>
      </div>
    </form>
  )
}
