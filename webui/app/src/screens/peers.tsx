// The tab with the connected peers of a transfer.
import type { JSX } from 'preact'
import { useMemo, useState } from 'preact/hooks'
import { message, send, transferPath } from '../api/client'
import type { Peer, Transfer } from '../api/types'
import { bytes, rate } from '../lib/format'
import { shown } from '../lib/text'
import { family, sourceName } from '../lib/words'
import { toast } from '../state/toasts'
import { topic } from '../state/topic'
import { Bar, Button, Empty, Working } from '../ui/basics'
import { Icon } from '../ui/icons'

type Key = 'address' | 'client' | 'source' | 'progress' | 'down' | 'up' | 'downloaded' | 'uploaded'
const heads: [Key, string][] = [
  ['address', 'Address'], ['client', 'Client'], ['source', 'Found by'], ['progress', 'Has'],
  ['down', 'Down'], ['up', 'Up'], ['downloaded', 'Downloaded'], ['uploaded', 'Uploaded'],
]
const most = 500

export function Peers({ t }: { t: Transfer }): JSX.Element {
  const data = topic<{ id: string; peers: Peer[] }>('peers', t)
  const [by, setBy] = useState<{ key: Key; down: boolean }>({ key: 'down', down: true })
  const peers = useMemo(() => [...(data?.peers ?? [])].sort((a, b) => {
    const x = a[by.key], y = b[by.key]
    return (x < y ? -1 : x > y ? 1 : a.address < b.address ? -1 : 1) * (by.down ? -1 : 1)
  }), [data, by])
  if (!data) return <Working>Loading the peers …</Working>
  return (
    <>
      {peers.length === 0 ? (
        <Empty icon="network" title="No peers connected"><p>{t.state === 'paused' ? 'A paused transfer has no peers.' : 'The node keeps looking. Discovery shows where.'}</p></Empty>
      ) : (
        <div class="table-box" tabIndex={0} role="region" aria-label="Peers">
          <table class="stacked">
            <thead>
              <tr>
                {heads.map(([k, name]) => (
                  <th key={k} scope="col" aria-sort={by.key === k ? (by.down ? 'descending' : 'ascending') : 'none'} class={k}>
                    <button type="button" onClick={() => setBy({ key: k, down: by.key === k ? !by.down : !['address', 'client', 'source'].includes(k) })}>
                      {name}{by.key === k && <Icon name={by.down ? 'down' : 'up'} size={13} />}
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
                      <span class="tag">{p.incoming ? 'incoming' : 'outgoing'}</span>
                      {p.encrypted && <span class="tag">encrypted</span>}
                      {p.utp && <span class="tag">uTP</span>}
                    </span>
                  </td>
                  <td data-label="Client"><bdi>{shown(p.client) || '–'}</bdi></td>
                  <td data-label="Found by">{sourceName(p.source)}</td>
                  <td data-label="Has"><span class="has"><Bar value={p.progress} state="seeding" /><span class="figures">{Math.floor(p.progress * 100)} %</span></span></td>
                  <td class="figures down" data-label="Down">{rate(p.down)}</td>
                  <td class="figures up" data-label="Up">{rate(p.up)}</td>
                  <td class="figures" data-label="Downloaded">{bytes(p.downloaded)}</td>
                  <td class="figures" data-label="Uploaded">{bytes(p.uploaded)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {peers.length > most && <p class="muted">And {(peers.length - most).toLocaleString('en')} more.</p>}
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
      toast('Connecting to the peer')
    } catch (err) {
      toast(`Could not add the peer: ${message(err)}`, { bad: true })
    }
  }
  return (
    <form class="offer" onSubmit={(e) => void submit(e)}>
      <label for="peer-address">Add a peer by its address</label>
      <div class="row">
        <input id="peer-address" value={address} spellcheck={false} placeholder="[2001:db8::5]:51413" onInput={(e) => setAddress(e.currentTarget.value)} />
        <Button type="submit" disabled={!address.trim()}>Add</Button>
      </div>
    </form>
  )
}
