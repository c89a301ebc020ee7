// The screen of one transfer: its head, its actions and its tabs.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import type { Transfer } from '../api/types'
import { bytes, duration, percent, rate } from '../lib/format'
import { coming, eta, progress } from '../lib/select'
import { shown } from '../lib/text'
import { stateNames, status } from '../lib/words'
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
import { unsealing } from './unseal'

const tabs = ['overview', 'files', 'pieces', 'peers', 'discovery', 'log'] as const
type Tab = (typeof tabs)[number]
const names: Record<Tab, string> = { overview: 'Overview', files: 'Files', pieces: 'Pieces', peers: 'Peers', discovery: 'Discovery', log: 'Log' }
const topicsOf: Record<Tab, string[]> = { overview: [], files: ['files'], pieces: ['pieces'], peers: ['peers'], discovery: ['peers', 'discovery'], log: ['log'] }

export function Detail({ id, tab }: { id: string; tab: string }): JSX.Element {
  const t = transfer(id)
  const real = t?.id
  const open: Tab = tabs.includes(tab as Tab) ? (tab as Tab) : 'overview'
  const [live] = useState<Samples>(() => ({ time: [], down: [], up: [] }))

  useEffect(() => {
    if (real && real !== id) go(`/t/${real}${open === 'overview' ? '' : '/' + open}`, true)
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
  useEffect(() => {
    const back = (e: KeyboardEvent): void => {
      const now = transfer(id)
      if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || document.querySelector('dialog[open]') || /^(INPUT|TEXTAREA|SELECT)$/.test((e.target as HTMLElement).tagName)) return
      if (e.key === 'Escape') go('/')
      else if (now && e.key === 'Delete') removing.value = [now]
      else if (now && e.key === 'p') void (isPaused(now) ? resume([now]) : pause([now]))
    }
    addEventListener('keydown', back)
    return () => removeEventListener('keydown', back)
  }, [id])

  if (!t || hidden.value.has(t.id)) {
    return loaded.value ? (
      <Empty icon="transfers" title="Transfer not found" screen>
        <p>It was removed, or this address belongs to another node.</p>
        <Button variant="primary" onClick={() => go('/')}>Show the transfers</Button>
      </Empty>
    ) : <div class="screen page"><h1 class="offscreen">Transfer</h1><Working>Asking the node …</Working></div>
  }
  const arrows = (e: KeyboardEvent): void => {
    const by = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0
    if (!by) return
    e.preventDefault()
    const next = tabs[(tabs.indexOf(open) + by + tabs.length) % tabs.length]!
    go(`/t/${t.id}${next === 'overview' ? '' : '/' + next}`, true)
    document.getElementById(`tab-${next}`)?.focus()
  }
  return (
    <div class="screen page detail">
      <div class="crumb"><a href="/">Transfers</a><span aria-hidden="true">/</span></div>
      <div class="head">
        <h1 class="break"><bdi>{shown(title(t)) || t.id}</bdi></h1>
        <div class="actions">
          {isPaused(t) ? <Button icon="play" variant="primary" onClick={() => void resume([t])}>Resume</Button>
            : <Button icon="pause" onClick={() => void pause([t])} disabled={t.state === 'hashing'}>Pause</Button>}
          <Button icon="verify" label="Verify the data on disk" onClick={() => void verify([t])} />
          <Button icon="file" label="Save the .torrent file" onClick={() => download(`/transfers/${t.id}/torrent`)} disabled={t.size === 0 || t.state === 'hashing'} />
          {t.files > 1 && <Button icon="down" label="Download everything as one .zip" onClick={() => download(`/transfers/${t.id}/archive?format=zip`)} disabled={t.state === 'hashing'} />}
          <Button icon="remove" label="Remove" onClick={() => { removing.value = [t] }} />
        </div>
      </div>
      <Readers t={t}>
        {t.seal === 'blind' && <button type="button" class="link" onClick={() => { unsealing.value = t }}>I have the full link</button>}
      </Readers>
      {t.channel && <p class="note">This is the list of <a href={`/find/${t.channel}`}>a channel</a>. It is removed with the channel.</p>}
      <div class="progress-line">
        <Bar value={progress(t)} state={t.state} label="Progress" />
        <p>
          <span class={`state ${t.state}`}>{stateNames[t.state]}</span>
          <span>{percent(t.bytes, t.total)} of {t.total ? bytes(t.total) : 'unknown size'}</span>
          <span class={t.state === 'error' ? 'bad-text' : 'muted'}>{shown(status(t))}</span>
          {coming(t) > 0 && <span class="figures down">↓ {rate(coming(t))}</span>}
          {t.up > 0 && <span class="figures up">↑ {rate(t.up)}</span>}
          {eta(t) !== Infinity && <span class="figures">{duration(eta(t))} left</span>}
        </p>
      </div>
      <div class="tabs" role="tablist" aria-label="Details" onKeyDown={arrows}>
        {tabs.map((k) => (
          <a
            key={k} id={`tab-${k}`} role="tab" href={`/t/${t.id}${k === 'overview' ? '' : '/' + k}`} tabIndex={k === open ? 0 : -1}
            aria-selected={k === open} aria-controls={k === open ? 'panel' : undefined}
          >{names[k]}</a>
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
