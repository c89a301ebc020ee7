// The share screen: choosing what to share, and the link of a share.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { get, transferPath } from '../api/client'
import type { File, Transfer } from '../api/types'
import { bytes, percent } from '../lib/format'
import { progress } from '../lib/select'
import { shown } from '../lib/text'
import { nameOf, onWindows, status } from '../lib/words'
import { go } from '../router'
import { removing, resume } from '../state/actions'
import { reach } from '../state/reach'
import { became, failed, network, hidden, list, loaded, resets, transfer } from '../state/store'
import { chosen, upload } from '../state/uploads'
import { Bar, Button, Empty, Problem, Working } from '../ui/basics'
import { HandOver, Links } from '../ui/links'
import { Lock, Readers } from '../ui/lock'
import { Names } from '../ui/names'
import { QR } from '../ui/qr'
import { say, sayParts, told } from '../words'
import { Into } from './channels'
import { FromHere } from './device'
import { PathForm } from './pathform'
import { WebLinks } from './weblink'

export function Share({ id }: { id: string | undefined }): JSX.Element {
  const found = id ? transfer(id) : undefined
  const t = found && !hidden.value.has(found.id) ? found : undefined
  useEffect(() => {
    // Hashing is complete: use the real ID.
    if (id && t && t.id !== id) go(`/share/${t.id}`, true)
  }, [id, t?.id])
  useEffect(() => {
    // A stream that begins anew does not tell what a provisional ID has become.
    if (!id || (t && t.state !== 'hashing')) return
    get<Transfer>(transferPath(id)).then((now) => { if (now.id !== id) became(id, now.id, now) }, () => undefined) // it is gone
  }, [id, resets.value])
  return (
    <div class="screen page">
      <div class="head">
        <h1>{say(t?.link ? 'share.title.shared' : 'share.title')}</h1>
        {id && <div class="actions"><Button icon="add" onClick={() => go('/share')}>{say('share.another')}</Button></div>}
      </div>
      {id ? <Shared id={id} t={t} /> : <Begin />}
    </div>
  )
}

// With a finger, one is rather at a phone than at the machine of the node.
const touch = matchMedia('(pointer: coarse)')

/** Begin asks what to share. */
function Begin(): JSX.Element {
  const busy = upload.value || chosen.value.length > 0
  return (
    <>
      {touch.matches || busy ? <FromHere /> : <><PathForm /><FromHere /></>}
      {touch.matches && !busy && <PathForm />}
      <Incoming />
      <Mine />
    </>
  )
}

/** Incoming shows what browsers sent to the node. */
function Incoming(): JSX.Element | null {
  const [parts, setParts] = useState<typeof import('./incoming')>()
  useEffect(() => void import('./incoming').then(setParts, () => undefined), []) // the rest works without
  return parts ? <><parts.Unfinished /><parts.Receive /></> : null
}

/** Shared is what the screen shows of one share. */
function Shared({ id, t }: { id: string; t: Transfer | undefined }): JSX.Element {
  if (t) return <Handout t={t} />
  if (failed.value.has(id)) return <Problem>{failed.value.get(id)}</Problem>
  if (!loaded.value) return <Working>{say('share.asking')}</Working>
  return <Empty icon="share" title={say('share.lost.title')}><p>{say('share.lost')}</p></Empty>
}

/** Missing lists what was left out of a share. */
function Missing({ t }: { t: Transfer }): JSX.Element | null {
  const out = t.left_out
  if (!out) return null
  const items = out.items ?? []
  const more = out.count - items.length
  return (
    <details>
      <summary>{say('share.left', { n: out.count })}</summary>
      <ul class="facts">
        {items.map((o) => <li key={o.path} class="break"><span><bdi>{shown(o.path)}</bdi>: {shown(told(o.reason, o.reason_text))}</span></li>)}
        {more > 0 && <li>{say('share.left.more', { n: more })}</li>}
      </ul>
    </details>
  )
}

/** Elsewhere warns of names that cannot be the same on Windows. */
function Elsewhere({ t }: { t: Transfer }): JSX.Element | null {
  const [files, setFiles] = useState<File[]>([])
  useEffect(() => {
    const ended = new AbortController()
    setFiles([])
    get<File[]>(transferPath(t.id, '/files'), ended.signal).then(setFiles, () => undefined) // the link works without
    return () => ended.abort()
  }, [t.id])
  return <Names title={say('files.windows')} pairs={onWindows(files)} />
}

/** Handout shows the link and the ways to use it. */
export function Handout({ t }: { t: Transfer }): JSX.Element {
  if (t.state === 'hashing') {
    return (
      <section class="card hero">
        <h2 class="break"><bdi>{shown(t.name)}</bdi></h2>
        <p class="muted">{say('share.hashing')}</p>
        <Bar value={progress(t)} state="hashing" label={say('share.hashing.label')} />
        <p class="figures" role="status">{say('share.part', { part: percent(t.bytes, t.total), size: bytes(t.total) })}</p>
      </section>
    )
  }
  if (!t.link) {
    return (
      <section class="card hero">
        <h2 class="break"><bdi>{shown(t.name)}</bdi></h2>
        <Problem>{shown(status(t))}</Problem>
        <div class="row"><Button onClick={() => void resume([t])}>{say('share.again')}</Button><Button onClick={() => { removing.value = [t] }}>{say('share.remove')}</Button></div>
      </section>
    )
  }
  const r = reach.value
  return (
    <>
      {t.state === 'error' && <Problem>{shown(status(t))}</Problem>}
      <section class="card handout">
        <div>
          <h2 class="break"><bdi>{shown(t.name)}</bdi></h2>
          <p class="muted">{say('share.size', { n: t.files, size: bytes(t.size) })}{!!t.hidden && say('share.size.hidden', { n: t.hidden })}</p>
          <Readers t={t} />
          <Missing t={t} />
          <HandOver t={t} />
        </div>
        <QR text={t.link} label={say(t.seal === 'open' ? 'share.code.key' : 'share.code')} />
        <div class="handout-text">
          <Links t={t} handed />
          {t.own && <Elsewhere t={t} />}
          <h3>{say('share.channel')}</h3>
          <Into id={t.id} sealed={!!t.seal} />
          <ul class="facts">
            <li><span class={`dot ${r}`} /><span>{network.value ? told(network.value.answer, network.value.answer_text) : say(`share.reach.${r}`)} <a href="/network">{say('share.more')}</a></span></li>
            <li>
              <span class={`dot ${t.seeds > 0 ? 'reachable' : 'unknown'}`} />
              <span>{t.seeds > 0 ? say('share.seeds', { n: t.seeds }) : t.peers > 0 ? say('share.peers', { n: t.peers }) : say('share.nobody')}{t.uploaded > 0 && ' ' + say('share.uploaded', { size: bytes(t.uploaded) })} <a href={`/t/${t.id}`}>{say('share.details')}</a></span>
            </li>
          </ul>
        </div>
      </section>
      <WebLinks t={t} />
    </>
  )
}

function Mine(): JSX.Element | null {
  const mine = list.value.filter((t) => t.own && !t.channel).sort((a, b) => (a.added < b.added ? 1 : -1))
  if (mine.length === 0) return null
  return (
    <section>
      <h2 class="section">{say('share.mine')}</h2>
      <ul class="cards">
        {mine.slice(0, 60).map((t) => (
          <li key={t.id}>
            <a class="card link-card" href={`/share/${t.id}`}>
              <strong><bdi>{shown(nameOf(t))}</bdi><Lock t={t} /></strong>
              <span class="muted">{t.state === 'error' ? say('share.mine.problem') : t.state === 'hashing' ? say('share.mine.reading', { part: percent(t.bytes, t.total) }) : say('share.mine.facts', { n: t.peers, size: bytes(t.size), uploaded: bytes(t.uploaded) })}</span>
            </a>
          </li>
        ))}
      </ul>
      {mine.length > 60 && <p class="muted">{sayParts('share.mine.more', { n: mine.length - 60, where: <a href="/?show=seeding">{say('shell.transfers')}</a> })}</p>}
    </section>
  )
}
