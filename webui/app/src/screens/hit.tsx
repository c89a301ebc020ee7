// One search result or entry of a channel, and the button that downloads it.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { get, message, send } from '../api/client'
import type { Entry, Hit, Transfer } from '../api/types'
import { ago, bytes } from '../lib/format'
import { shown } from '../lib/text'
import { go } from '../router'
import { called, named } from '../state/channels'
import { put, transfer } from '../state/store'
import { toast } from '../state/toasts'
import { Button, Copyable, Problem, Working } from '../ui/basics'
import { Icon } from '../ui/icons'
import { say, sayParts } from '../words'

/** inName reports whether the match is in the name. */
const inName = (h: { name: string; snippet?: string | undefined }): boolean => h.snippet?.replace(/[\x02\x03]/g, '') === h.name

/** label is the name of a hit, or what is known of one that this node cannot read. */
const label = (h: { name: string; bytes: number }): string => shown(h.name) || (h.bytes > 0 ? say('hit.sealed', { size: bytes(h.bytes) }) : say('hit.sealed.unknown'))

/** Found is one search result with its source and a button to download it. */
export function Found({ h, inside, extra }: { h: Omit<Hit, 'rank'>; inside?: boolean; extra?: JSX.Element | undefined }): JSX.Element {
  const here = transfer(h.id)
  const [open, setOpen] = useState(false)
  const [busy, setBusy] = useState(false)
  const fetchIt = async (): Promise<void> => {
    setBusy(true)
    try {
      const t = await send<Transfer>('POST', '/transfers', { link: h.link })
      put(t)
      toast(say('hit.downloading', { name: label(h) }), { action: { label: say('hit.show'), run: () => go(`/t/${t.id}`) } })
    } catch (e) {
      toast(message(e), { bad: true })
    } finally {
      setBusy(false)
    }
  }
  return (
    <li>
      <div>
        <button type="button" class="hit-name" aria-expanded={open} onClick={() => setOpen(!open)}><Icon name="chevron" size={15} />{h.sealed && <Icon name="lock" size={14} />}<bdi>{h.name && inName(h) ? <Snippet text={h.snippet!} /> : label(h)}</bdi></button>
        {h.snippet && !inName(h) && <p class="snippet"><Snippet text={h.snippet} /></p>}
        <p class="facts-line">
          <span>{h.bytes > 0 ? bytes(h.bytes) : say('hit.unknown')}</span>
          {!inside && <span>{h.channel ? <ChannelName id={h.channel} /> : say('hit.here')}</span>}
          {h.time && <span>{ago(h.time)}</span>}
          {h.tags?.map((t) => <span class="tag" key={t}>{shown(t)}</span>)}
        </p>
        {open && <About h={h} />}
      </div>
      <div class="row">
        {here ? <a class="button plain" href={`/t/${here.id}`}>{say('hit.present')}</a>
          : <Button icon="down" disabled={busy} onClick={() => void fetchIt()}>{say('hit.download')}</Button>}
        {extra}
      </div>
    </li>
  )
}

/** About shows the details that the catalogue has of a result. */
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
  if (!entry) return <Working>{say('hit.loading')}</Working>
  const files = entry.files ?? []
  return (
    <div class="about">
      {entry.sealed && <p class="muted">{say(entry.name ? 'hit.sealed.note' : 'hit.blind.note')}</p>}
      {entry.about && <p class="break">{shown(entry.about)}</p>}
      {files.length > 0 && (
        <ul class="about-files" tabIndex={0} aria-label={say('files.label')}>
          {files.slice(0, 200).map((f) => <li key={f.path}><bdi>{shown(f.path)}</bdi><span>{bytes(f.size)}</span></li>)}
          {files.length > 200 && <li class="muted">{say('hit.more', { n: files.length - 200 })}</li>}
        </ul>
      )}
      <Copyable text={entry.link} label={say('share.link')} />
    </div>
  )
}

function ChannelName({ id }: { id: string }): JSX.Element {
  const c = named(id)
  return <a href={`/find/${id}`}>{c?.name || c?.blind ? <bdi>{called(c)}</bdi> : <>{sayParts('hit.channel', { key: <code>{id.slice(0, 8)}</code> })}</>}</a>
}

/** Snippet highlights the matches, which are between \x02 and \x03. */
function Snippet({ text }: { text: string }): JSX.Element {
  return <>{text.split('\x02').map((part, i) => {
    const [hit, rest] = i === 0 ? ['', part] : part.split('\x03', 2)
    return <span key={i}>{hit && <mark>{shown(hit)}</mark>}{shown(rest ?? '')}</span>
  })}</>
}
