// The upload of this page: on every screen a line, on the share screen all of it.
import type { JSX } from 'preact'
import { bytes, duration, percent, rate } from '../lib/format'
import { shown } from '../lib/text'
import { chosen, stop, upload } from '../state/uploads'
import { Bar, Button, Problem } from '../ui/basics'
import { say } from '../words'

/** UploadBar shows the current upload on every screen. */
export function UploadBar(): JSX.Element | null {
  const u = upload.value
  if (!u) return null
  return (
    <a class={`banner upload-bar${u.error === undefined ? '' : ' bad'}`} href="/share">
      <span class="break">{u.error === undefined ? say('uploads.bar', { name: shown(u.name) }) : say('uploads.broke', { name: shown(u.name) })}</span>
      <span class="figures">{figures()}</span>
    </a>
  )
}

/** figures are how far the upload is, its rate and the time left. */
function figures(): string {
  const u = upload.value
  if (!u) return ''
  const done = say('uploads.done', { percent: percent(u.sent, u.total || 1), total: bytes(u.total) })
  if (u.rate < 1) return done
  return `${done}, ${say('uploads.rate', { rate: rate(u.rate), time: duration((u.total - u.sent) / u.rate) })}`
}

/** Uploading is the current upload on the share screen. */
export function Uploading(): JSX.Element | null {
  const u = upload.value
  if (!u) return null
  const over = u.error !== undefined
  return (
    <section class="card hero">
      <h2 class="break">{say(over ? 'uploads.broke' : 'uploads.bar', { name: shown(u.name) })}</h2>
      <Bar value={u.total ? u.sent / u.total : 0} state={over ? 'error' : 'fetching'} label={say('uploads.sent')} />
      <p class="row spread">
        <span class="figures" role="status">{figures()}{u.left > 1 && `, ${say('uploads.left', { n: u.left })}`}</span>
        <Button onClick={() => { stop(); if (!over) chosen.value = [] }}>{say(over ? 'uploads.back' : 'uploads.stop')}</Button>
      </p>
      {u.waits && <p class="muted">{say('uploads.waits', { why: u.waits })}</p>}
      {over && <Problem>{u.error}</Problem>}
    </section>
  )
}
