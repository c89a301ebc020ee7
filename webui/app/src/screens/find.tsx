import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { can, get, message, operations, send } from '../api/client'
import type { Channel, Hit } from '../api/types'
import { ago, bytes, plural } from '../lib/format'
import { links, shown } from '../lib/text'
import { matcher } from '../lib/select'
import { query, setQuery } from '../router'
import { list, transfer } from '../state/store'
import { toast } from '../state/toasts'
import { Button, Copyable, Dialog, Empty, Problem, Working } from '../ui/basics'
import { Icon } from '../ui/icons'
import { QR } from '../ui/qr'
import { adding } from './add'

export function Find(): JSX.Element {
  const catalogue = can('GET /search')
  const q = query.value.get('q') ?? ''
  return (
    <div class="screen page">
      <div class="head"><h1>Find</h1></div>
      <div class="search big">
        <Icon name="find" size={20} />
        <input
          type="search" value={q} aria-label="Search" autofocus
          placeholder={catalogue ? 'Words, “a phrase”, type:video, size:>1G, since:2026-01' : 'Words, a link or an ID'}
          onInput={(e) => setQuery({ q: e.currentTarget.value })}
        />
        <kbd aria-hidden="true">/</kbd>
      </div>
      {links(q).length > 0 && (
        <p class="note row spread">This is a link. <Button variant="primary" onClick={() => { adding.value = { text: q } }}>Look at it</Button></p>
      )}
      {catalogue ? <Results q={q} /> : <Here q={q} />}
      {can('GET /channels') ? <Channels /> : operations.value && (
        <section class="card quiet-card">
          <h2>Channels</h2>
          <p class="muted">This node follows no channels. A channel is a signed list of shares that somebody keeps; where a node follows some, their entries are found here, too.</p>
        </section>
      )}
    </div>
  )
}

/** Here searches what is on this node, all that a node without a catalogue knows. */
function Here({ q }: { q: string }): JSX.Element {
  if (!q.trim()) return <p class="muted">Searches what is on this node. Paste a link or an ID to fetch it.</p>
  const found = list.value.filter(matcher(q))
  if (found.length === 0) return <Empty icon="find" title="Nothing here has all of these words"><p>Only what is on this node is searched.</p></Empty>
  return (
    <>
      <p class="muted" role="status">{plural(found.length, 'transfer')} on this node</p>
      <ul class="hits">
        {found.slice(0, 100).map((t) => (
          <li key={t.id}><a href={`/t/${t.id}`}><strong><bdi>{shown(t.name)}</bdi></strong></a><span class="muted">{bytes(t.size)}</span></li>
        ))}
      </ul>
    </>
  )
}

const page = 50

function Results({ q }: { q: string }): JSX.Element {
  const [found, setFound] = useState<{ q: string; hits: Hit[]; total: number }>()
  const [limit, setLimit] = useState(page)
  const [problem, setProblem] = useState('')
  useEffect(() => setLimit(page), [q])
  useEffect(() => {
    if (!q.trim()) return setFound(undefined)
    const abort = new AbortController()
    // Not for every letter of somebody who types.
    const timer = setTimeout(() => {
      get<{ hits: Hit[]; total: number }>(`/search?q=${encodeURIComponent(q)}&limit=${limit}`, abort.signal).then(
        (r) => { setFound({ q, ...r }); setProblem('') },
        (e) => { if (!abort.signal.aborted) setProblem(message(e)) },
      )
    }, 120)
    return () => {
      clearTimeout(timer)
      abort.abort()
    }
  }, [q, limit])
  if (!q.trim()) return <p class="muted">Searches what this node shares and the channels that it follows. Nothing you type leaves this machine.</p>
  if (problem) return <Problem>{problem}</Problem>
  if (!found) return <Working>Searching …</Working>
  if (found.total === 0) return <Empty icon="find" title="Nothing was found"><p>Fewer words find more. Follow a channel to know of more things.</p></Empty>
  return (
    <>
      <p class="muted" role="status">{plural(found.total, 'result')}</p>
      <ul class="hits">
        {found.hits.map((h) => {
          const here = transfer(h.id)
          return (
            <li key={h.id + (h.channel ?? '')}>
              <div>
                <strong><bdi>{shown(h.name)}</bdi></strong>
                {h.snippet && <p class="snippet"><Snippet text={h.snippet} /></p>}
                <span class="muted">{bytes(h.bytes)}{h.time && ` · ${ago(h.time)}`}{h.tags?.map((t) => <span class="tag" key={t}>{shown(t)}</span>)}</span>
              </div>
              {here ? <a class="button plain" href={`/t/${here.id}`}>Here already</a>
                : <Button icon="down" onClick={() => { adding.value = { text: h.link } }}>Fetch</Button>}
            </li>
          )
        })}
      </ul>
      {found.hits.length < found.total && <Button onClick={() => setLimit(limit + page)}>Show more</Button>}
    </>
  )
}

/** Snippet marks the matches, which come between \x02 and \x03. */
function Snippet({ text }: { text: string }): JSX.Element {
  return <>{text.split('\x02').map((part, i) => {
    const [hit, rest] = i === 0 ? ['', part] : part.split('\x03', 2)
    return <span key={i}>{hit && <mark>{shown(hit)}</mark>}{shown(rest ?? '')}</span>
  })}</>
}

function Channels(): JSX.Element {
  const [channels, setChannels] = useState<Channel[]>()
  const [link, setLink] = useState('')
  const [problem, setProblem] = useState('')
  const [given, setGiven] = useState<Channel>()
  const load = (): Promise<void> => get<Channel[]>('/channels').then(setChannels, (e) => setProblem(message(e)))
  useEffect(() => void load(), [])
  const follow = async (e: Event): Promise<void> => {
    e.preventDefault()
    setProblem('')
    try {
      await send('POST', '/channels', { link: link.trim() })
      setLink('')
      await load()
    } catch (err) {
      setProblem(message(err))
    }
  }
  const unfollow = async (c: Channel): Promise<void> => {
    try {
      await send('DELETE', `/channels/${c.key}`)
      toast(`No longer following “${shown(c.name)}”`)
      await load()
    } catch (err) {
      toast(message(err), { bad: true })
    }
  }
  return (
    <section class="card">
      <h2>Channels</h2>
      {!channels && !problem && <Working>Asking the node …</Working>}
      {channels?.length === 0 && <p class="muted">None yet. A channel is a signed list of shares that somebody keeps; follow one to find what is in it.</p>}
      <ul class="hits">
        {channels?.map((c) => (
          <li key={c.key}>
            <div>
              <strong><bdi>{shown(c.name) || c.key.slice(0, 16)}</bdi></strong> {c.own && <span class="tag good">yours</span>}
              <p class="muted">{c.error ? <span class="bad-text">{shown(c.error)}</span> : <>{plural(c.entries, 'entry', 'entries')}{c.updated && ` · updated ${ago(c.updated)}`}</>}</p>
            </div>
            <div class="row">
              <Button onClick={() => setGiven(c)}>Link</Button>
              {!c.own && <Button onClick={() => void unfollow(c)}>Unfollow</Button>}
            </div>
          </li>
        ))}
      </ul>
      <form class="stack" onSubmit={(e) => void follow(e)}>
        <label for="channel-link">Follow a channel</label>
        <div class="row">
          <input id="channel-link" value={link} spellcheck={false} placeholder="magnet:?xs=urn:btpk:…" onInput={(e) => setLink(e.currentTarget.value)} />
          <Button type="submit" disabled={!link.trim()}>Follow</Button>
        </div>
        {problem && <Problem>{problem}</Problem>}
      </form>
      {given && (
        <Dialog title={shown(given.name)} onClose={() => setGiven(undefined)}>
          <div class="stack"><QR text={given.link} label="Code of the channel’s link" /><Copyable text={given.link} label="Channel link" /></div>
        </Dialog>
      )}
    </section>
  )
}
