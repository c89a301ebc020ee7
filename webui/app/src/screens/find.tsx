import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { get, message, send } from '../api/client'
import type { Entry, Hit, Results as Answer, Transfer } from '../api/types'
import { ago, bytes, plural } from '../lib/format'
import { isChannel, links, shown } from '../lib/text'
import { go, query, setQuery } from '../router'
import { load, named } from '../state/channels'
import { put, transfer } from '../state/store'
import { toast } from '../state/toasts'
import { Button, Copyable, Empty, Problem, Working } from '../ui/basics'
import { Icon } from '../ui/icons'
import { adding } from './add'
import { Channels, follow } from './channels'

export function Find(): JSX.Element {
  const q = query.value.get('q') ?? ''
  const box = useRef<HTMLInputElement>(null)
  // What is typed goes on where the words end.
  useLayoutEffect(() => {
    box.current!.focus()
    box.current!.setSelectionRange(q.length, q.length)
  }, [])
  return (
    <div class="screen page find">
      <div class="head"><h1>Find</h1></div>
      <div class="search big">
        <Icon name="find" size={20} />
        <input
          ref={box} type="search" value={q} aria-label="Search"
          placeholder="Words, “a phrase”, type:video, size:>1G, since:2026-01"
          onInput={(e) => setQuery({ q: e.currentTarget.value })}
        />
        <kbd aria-hidden="true">/</kbd>
      </div>
      {isChannel(q) ? (
        <p class="note row spread">This is the link of a channel. <Button variant="primary" onClick={() => { follow(q).catch((e) => toast(message(e), { bad: true })) }}>Follow it</Button></p>
      ) : links(q).length > 0 ? (
        <p class="note row spread">This is a link. <Button variant="primary" onClick={() => { adding.value = { text: q } }}>Look at it</Button></p>
      ) : <Results q={q} />}
      {!q.trim() && <Channels />}
    </div>
  )
}

const page = 50
const most = 500 // that the node gives

function Results({ q }: { q: string }): JSX.Element {
  const [found, setFound] = useState<Answer & { q: string }>()
  const [limit, setLimit] = useState(page)
  const [problem, setProblem] = useState('')
  useEffect(() => setLimit(page), [q])
  useEffect(() => { load().catch(() => { /* the names of channels are their keys then */ }) }, [])
  useEffect(() => {
    if (!q.trim()) return setFound(undefined)
    const abort = new AbortController()
    // Not for every letter of somebody who types.
    const timer = setTimeout(() => {
      get<Answer>(`/search?q=${encodeURIComponent(q)}&limit=${limit}`, abort.signal).then(
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
    <section class="card">
      <p class="muted" role="status">{found.more ? `More than ${plural(found.total, 'result')}: the newest are shown, another word finds others` : plural(found.total, 'result')}</p>
      <ul class="hits">{found.hits.map((h) => <Found key={h.id + (h.channel ?? '')} h={h} />)}</ul>
      {found.hits.length === limit && limit < found.total && <Button onClick={() => setLimit(Math.min(limit + page, most))}>Show more</Button>}
    </section>
  )
}

/** inName tells whether what matched is the name itself. */
const inName = (h: { name: string; snippet?: string | undefined }): boolean => h.snippet?.replace(/[\x02\x03]/g, '') === h.name

/** Found is one hit: what it is, where it is from, and a press to fetch it. */
export function Found({ h, inside, extra }: { h: Omit<Hit, 'rank'>; inside?: boolean; extra?: JSX.Element | undefined }): JSX.Element {
  const here = transfer(h.id)
  const [open, setOpen] = useState(false)
  const [busy, setBusy] = useState(false)
  const fetchIt = async (): Promise<void> => {
    setBusy(true)
    try {
      const t = await send<Transfer>('POST', '/transfers', { link: h.link })
      put(t)
      toast(`Fetching “${shown(h.name)}”`, { action: { label: 'Show', run: () => go(`/t/${t.id}`) } })
    } catch (e) {
      toast(message(e), { bad: true })
    } finally {
      setBusy(false)
    }
  }
  return (
    <li>
      <div>
        <button type="button" class="hit-name" aria-expanded={open} onClick={() => setOpen(!open)}><Icon name="chevron" size={15} /><bdi>{inName(h) ? <Snippet text={h.snippet!} /> : shown(h.name)}</bdi></button>
        {h.snippet && !inName(h) && <p class="snippet"><Snippet text={h.snippet} /></p>}
        <p class="facts-line">
          <span>{h.bytes > 0 ? bytes(h.bytes) : 'Size not known'}</span>
          {!inside && <span>{h.channel ? <ChannelName id={h.channel} /> : 'On this node'}</span>}
          {h.time && <span>{ago(h.time)}</span>}
          {h.tags?.map((t) => <span class="tag" key={t}>{shown(t)}</span>)}
        </p>
        {open && <About h={h} />}
      </div>
      <div class="row">
        {here ? <a class="button plain" href={`/t/${here.id}`}>Here already</a>
          : <Button icon="down" disabled={busy} onClick={() => void fetchIt()}>Fetch</Button>}
        {extra}
      </div>
    </li>
  )
}

/** About is what the catalogue says of a hit beyond its line. */
function About({ h }: { h: Omit<Hit, 'rank'> }): JSX.Element {
  const [entry, setEntry] = useState<Entry>()
  const [problem, setProblem] = useState('')
  useEffect(() => {
    get<Entry[]>(`/entries/${h.id}`).then(
      (all) => setEntry(all.find((e) => (e.channel ?? '') === (h.channel ?? '')) ?? all[0]),
      (e) => setProblem(message(e)),
    )
  }, [h.id])
  if (problem) return <Problem>{problem}</Problem>
  if (!entry) return <Working>Reading …</Working>
  const files = entry.files ?? []
  return (
    <div class="about">
      {entry.about && <p class="break">{shown(entry.about)}</p>}
      {files.length > 0 && (
        <ul class="about-files" tabIndex={0} aria-label="Files">
          {files.slice(0, 200).map((f) => <li key={f.path}><bdi>{shown(f.path)}</bdi><span>{bytes(f.size)}</span></li>)}
          {files.length > 200 && <li class="muted">And {plural(files.length - 200, 'more file')}</li>}
        </ul>
      )}
      <Copyable text={entry.link} label="Link" />
    </div>
  )
}

function ChannelName({ id }: { id: string }): JSX.Element {
  const name = named(id)?.name
  return <a href={`/find/${id}`}>{name ? <bdi>{shown(name)}</bdi> : <>Channel <code>{id.slice(0, 8)}</code></>}</a>
}

/** Snippet marks the matches, which come between \x02 and \x03. */
function Snippet({ text }: { text: string }): JSX.Element {
  return <>{text.split('\x02').map((part, i) => {
    const [hit, rest] = i === 0 ? ['', part] : part.split('\x03', 2)
    return <span key={i}>{hit && <mark>{shown(hit)}</mark>}{shown(rest ?? '')}</span>
  })}</>
}
