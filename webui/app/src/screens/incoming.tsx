// What browsers sent to the node: broken uploads, and orphans. It is loaded when the share screen is shown.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { can, get, message, send } from '../api/client'
import type { Coming, Orphan } from '../api/types'
import { given } from '../lib/drop'
import { bytes, percent } from '../lib/format'
import { shown } from '../lib/text'
import { chosen, interrupted, upload } from '../state/uploads'
import { Button, Pick, Problem } from '../ui/basics'
import { say } from '../words'

export { Receive } from './receive'

/** Unfinished lists uploads that broke off, and what nothing shares. */
export function Unfinished(): JSX.Element | null {
  const [orphans, setOrphans] = useState<Orphan[]>([])
  const [problem, setProblem] = useState('')
  const broken = upload.value ? [] : interrupted()
  const look = (): void => { if (can('GET /uploads')) void get<Orphan[]>('/uploads').then(setOrphans, () => undefined) }
  useEffect(look, [broken.length, can('GET /uploads')])
  const act = (path: string): void => { void send('DELETE', path).then(() => { setProblem(''); look() }, (e) => setProblem(message(e))) }
  if (broken.length + orphans.length === 0) return null
  return (
    <section class="card">
      {broken.length > 0 && <><h2>{say('uploads.unfinished')}</h2><p class="muted">{say('uploads.again')}</p></>}
      {broken.length > 0 && <ul class="facts">{broken.map((c) => <Broken key={c.id} c={c} end={() => act(`/incoming/${c.id}`)} />)}</ul>}
      {orphans.length > 0 && (
        <details>
          <summary>{say('uploads.orphans', { n: orphans.length })}</summary>
          <ul class="facts">
            {orphans.map((o) => (
              <li key={o.name} class="row spread">
                <span class="break"><bdi>{shown(o.name)}</bdi>, {bytes(o.bytes)}</span>
                <Button variant="danger" onClick={() => act(`/uploads/${encodeURIComponent(o.name)}`)} label={say('uploads.delete.of', { name: shown(o.name) })}>{say('uploads.delete')}</Button>
              </li>
            ))}
          </ul>
        </details>
      )}
      {problem && <Problem>{problem}</Problem>}
    </section>
  )
}

function Broken({ c, end }: { c: Coming; end: () => void }): JSX.Element {
  const pick = (files: File[]): void => { chosen.value = given(files) }
  const tree = (c.files ?? 1) > 1
  return (
    <li class="row spread wrap">
      <span class="break"><bdi>{shown(c.name)}</bdi>: {say('uploads.done', { percent: percent(c.sent, c.bytes || 1), total: bytes(c.bytes ?? 0) })}</span>
      <span class="row wrap">
        <Pick multiple onFiles={pick}>{say('uploads.continue')}</Pick>
        {tree && <Pick more={{ webkitdirectory: true }} onFiles={pick}>{say('uploads.continue.folder')}</Pick>}
        <Button variant="danger" onClick={end} label={say('uploads.delete.of', { name: shown(c.name) })}>{say('uploads.delete')}</Button>
      </span>
    </li>
  )
}
