// The screen of one transfer: its head, its actions and its tabs.
import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Transfer } from '../api/types'
import { duration, rate } from '../lib/format'
import { pressed } from '../lib/keys'
import { eta, progress } from '../lib/select'
import { shown } from '../lib/text'
import { part, stateName, status } from '../lib/words'
import { go } from '../router'
import { download, isPaused, pause, removing, resume, verify } from '../state/actions'
import { title } from '../state/channels'
import { push, hidden, loaded, transfer, type Samples } from '../state/store'
import { watch } from '../state/stream'
import { Bar, Button, Empty, Working } from '../ui/basics'
import { Readers } from '../ui/lock'
import { Discovery, Log } from './discovery'
import { Files } from './files'
import { Overview } from './overview'
import { Peers } from './peers'
import { Pieces } from './pieces'
import { say, sayParts } from '../words'
import { unsealing } from './unseal'

const tabs = ['overview', 'files', 'pieces', 'peers', 'discovery', 'log'] as const
type Tab = (typeof tabs)[number]
const topicsOf: Record<Tab, string[]> = { overview: [], files: ['files'], pieces: ['pieces'], peers: ['peers'], discovery: ['peers', 'discovery'], log: ['log'] }

export function Detail({ id, tab, side, focus }: { id: string; tab: string; side?: boolean; focus: boolean }): JSX.Element {
  const t = transfer(id)
  const real = t?.id
  const open: Tab = tabs.includes(tab as Tab) ? (tab as Tab) : 'overview'
  const [live] = useState<Samples>(() => ({ time: [], down: [], up: [] }))

  const place = (k: Tab, of = id): string => `/t/${of}${k === 'overview' ? '' : '/' + k}${location.search}`
  const away = (): void => go('/' + location.search)
  const heading = useRef<HTMLHeadingElement>(null)
  useEffect(() => { if (focus) heading.current?.focus({ preventScroll: true }) }, [!t])
  useEffect(() => {
    if (real && real !== id) go(place(open, real), true)
  }, [real, id])
  useEffect(() => {
    if (!real) return
    watch(topicsOf[open].map((k) => `${k}:${real}`))
    return () => watch([])
  }, [real, open])
  useEffect(() => document.getElementById(`tab-${open}`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' }), [open, real])
  useEffect(() => {
    // A sample a second, even if the rates have not changed.
    const note = (): void => {
      const now = transfer(id)
      if (now) push(live, now.down, now.up)
    }
    note()
    const timer = setInterval(note, 1000)
    return () => clearInterval(timer)
  }, [id])
  // Ends with the screen: other effects end only after the next frame, when elements are gone.
  useLayoutEffect(() => {
    const back = (e: KeyboardEvent): void => {
      const does = pressed(e)
      const now = transfer(id)
      // Beside the list, the keys of the list are for its rows.
      if (side && !(e.target as Element).closest('.side')) return
      if (does === 'back') away()
      else if (now && does === 'remove') removing.value = [now]
      else if (now && does === 'pause') void (isPaused(now) ? resume([now]) : pause([now]))
      else return
      e.preventDefault()
    }
    addEventListener('keydown', back)
    return () => removeEventListener('keydown', back)
  }, [id, side])

  if (!t || hidden.value.has(t.id)) {
    return loaded.value ? (
      <Empty icon="transfers" title={say('detail.gone')} screen>
        <p>{say('detail.gone.more')}</p>
        <Button variant="primary" onClick={away}>{say('detail.all')}</Button>
      </Empty>
    ) : <div class="screen page"><h1 class="offscreen">{say('list.transfer')}</h1><Working>{say('detail.asking')}</Working></div>
  }
  const arrows = (e: KeyboardEvent): void => {
    const by = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0
    if (!by) return
    e.preventDefault()
    const next = tabs[(tabs.indexOf(open) + by + tabs.length) % tabs.length]!
    go(place(next), true)
    document.getElementById(`tab-${next}`)?.focus()
  }
  return (
    <div class={`screen page detail${side ? ' in-side' : ''}`}>
      {!side && <div class="crumb"><a href={'/' + location.search}>{say('list.title')}</a><span aria-hidden="true">/</span></div>}
      <div class="head">
        {side ? <h2 class="break" ref={heading} tabIndex={-1}><bdi>{shown(title(t)) || t.id}</bdi></h2> : <h1 class="break" ref={heading} tabIndex={-1}><bdi>{shown(title(t)) || t.id}</bdi></h1>}
        <div class="actions">
          {isPaused(t) ? <Button icon="play" variant="primary" onClick={() => void resume([t])}>{say('list.resume')}</Button>
            : <Button icon="pause" onClick={() => void pause([t])} disabled={t.state === 'hashing'}>{say('list.pause')}</Button>}
          <Button icon="verify" label={say('detail.verify')} onClick={() => void verify([t])} />
          <Button icon="file" label={say('detail.torrent')} onClick={() => download(`/transfers/${t.id}/torrent`)} disabled={t.size === 0 || t.state === 'hashing'} />
          {t.files > 1 && <Button icon="down" label={say('detail.zip')} onClick={() => download(`/transfers/${t.id}/archive?format=zip`)} disabled={t.state === 'hashing'} />}
          <Button icon="remove" label={say('list.remove')} onClick={() => { removing.value = [t] }} />
          {side && <Button icon="close" variant="quiet" label={say('detail.close')} onClick={away} />}
        </div>
      </div>
      <Readers t={t}>
        {t.seal === 'blind' && <button type="button" class="link" onClick={() => { unsealing.value = t }}>{say('detail.unseal')}</button>}
      </Readers>
      {t.channel && <p class="note">{sayParts('detail.list', { channel: <a href={`/find/${t.channel}`}>{say('detail.list.channel')}</a> })}</p>}
      <div class="progress-line">
        <Bar value={progress(t)} state={t.state} label={say('list.progress')} />
        <p>
          <span class={`state ${t.state}`}>{stateName(t.state)}</span>
          <span>{part(t)}</span>
          <span class={t.state === 'error' || t.state === 'waiting' ? 'bad-text' : 'muted'}>{shown(status(t))}</span>
          {t.down > 0 && <span class="figures down">↓ {rate(t.down)}</span>}
          {t.up > 0 && <span class="figures up">↑ {rate(t.up)}</span>}
          {eta(t) !== Infinity && <span class="figures">{say('detail.left', { time: duration(eta(t)) })}</span>}
        </p>
      </div>
      <div class="tabs" role="tablist" aria-label={say('list.details')} onKeyDown={arrows}>
        {tabs.map((k) => (
          <a
            key={k} id={`tab-${k}`} role="tab" href={place(k)} tabIndex={k === open ? 0 : -1}
            aria-selected={k === open} aria-controls={k === open ? 'panel' : undefined}
          >{say(`detail.tab.${k}`)}</a>
        ))}
      </div>
      <div id="panel" role="tabpanel" aria-labelledby={`tab-${open}`}>
        <Panel tab={open} t={t} live={live} />
      </div>
    </div>
  )
}

function Panel({ tab, t, live }: { tab: Tab; t: Transfer; live: Samples }): JSX.Element {
  switch (tab) {
    case 'overview':
      return <Overview t={t} live={live} />
    case 'files':
      return <Files t={t} />
    case 'pieces':
      return <Pieces t={t} />
    case 'peers':
      return <Peers t={t} />
    case 'discovery':
      return <Discovery t={t} />
    case 'log':
      return <Log t={t} />
  }
}
