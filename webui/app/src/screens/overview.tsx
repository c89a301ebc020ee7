// The tab with the main facts of a transfer, its link, limits and seeding goal.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { message, send, transferPath } from '../api/client'
import type { Goal, Transfer } from '../api/types'
import { ago, bytes, goalText, hours, nanoseconds, parseSize, plural, rate } from '../lib/format'
import { ratio } from '../lib/select'
import { shell, shown } from '../lib/text'
import { copy } from '../state/actions'
import type { Samples } from '../state/store'
import { toast } from '../state/toasts'
import { Button, Pair, Problem } from '../ui/basics'
import { Links } from '../ui/links'
import { QR } from '../ui/qr'
import { Speed } from './speed'

export function Overview({ t, live }: { t: Transfer; live: Samples }): JSX.Element {
  return (
    <div class="columns">
      <div>
        <section class="card">
          <h2>Speed</h2>
          <Speed live={live} id={t.id} />
        </section>
        <section class="card">
          <h2>Details</h2>
          <dl class="pairs">
            <Pair name="Size">{t.size ? `${bytes(t.size)} in ${plural(t.files, 'file')}` : 'Unknown yet'}</Pair>
            <Pair name="Peers">{t.peers ? `${t.peers}, ${plural(t.seeds, 'seed')}` : 'None connected'}</Pair>
            <Pair name="Downloaded">{bytes(t.downloaded)}</Pair>
            <Pair name="Uploaded">{bytes(t.uploaded)}{t.size > 0 && t.uploaded > 0 && `, ratio ${ratio(t).toFixed(2)}`}</Pair>
            <Pair name={t.own ? 'Shared from' : 'Saved in'}><bdi class="break">{shown(t.path) || '–'}</bdi></Pair>
            <Pair name="Added">{ago(t.added)}</Pair>
            {t.completed && <Pair name="Completed">{ago(t.completed)}</Pair>}
            <Pair name="ID"><code class="break">{t.id}</code></Pair>
            {t.v1 && <Pair name="v1 ID"><code class="break">{t.v1}</code></Pair>}
            {t.v2 && <Pair name="v2 ID"><code class="break">{t.v2}</code></Pair>}
          </dl>
        </section>
        <Rules key={t.id} t={t} />
      </div>
      {t.link && t.state !== 'hashing' && (
        <section class="card link-panel">
          <h2>Share the link</h2>
          <QR text={t.link} label={t.seal === 'open' ? 'QR code of the link with the key' : 'QR code of the link'} />
          <Links t={t} />
          {t.seal !== 'open' && <Button onClick={() => void copy(`shoal get ${shell(t.link)}`, 'Command copied')} icon="copy">Copy as command</Button>}
        </section>
      )}
    </div>
  )
}

const rateText = (n: number): string => (n ? rate(n).replace('/s', '') : '')

/** Rules shows and edits the limits and the seeding goal of one transfer. */
function Rules({ t }: { t: Transfer }): JSX.Element {
  const [editing, setEditing] = useState(false)
  const [down, setDown] = useState('')
  const [up, setUp] = useState('')
  const [mode, setMode] = useState('forever')
  const [times, setTimes] = useState('2')
  const [time, setTime] = useState('24')
  const [problem, setProblem] = useState('')
  const edit = (): void => {
    setDown(rateText(t.limits.down))
    setUp(rateText(t.limits.up))
    setMode(t.goal.none ? 'none' : t.goal.ratio ? 'ratio' : t.goal.for ? 'time' : 'forever')
    if (t.goal.ratio) setTimes(`${t.goal.ratio}`)
    if (t.goal.for) setTime(`${Math.round(hours(t.goal.for))}`)
    setProblem('')
    setEditing(true)
  }
  const save = async (e: Event): Promise<void> => {
    e.preventDefault()
    const d = down.trim() ? parseSize(down) : 0
    const u = up.trim() ? parseSize(up) : 0
    const n = Number((mode === 'ratio' ? times : time).replace(',', '.'))
    if (d === undefined || u === undefined) return setProblem('Write a limit such as 500 kB or 2 MB, or leave it empty for none')
    if ((mode === 'ratio' || mode === 'time') && !(n > 0)) return setProblem('The goal must be a number above 0')
    const goal: Goal = mode === 'none' ? { none: true } : mode === 'ratio' ? { ratio: n } : mode === 'time' ? { for: nanoseconds(n) } : {}
    try {
      await send('PATCH', transferPath(t.id), { limits: { down: d, up: u }, goal })
      setEditing(false)
      toast('Saved')
    } catch (err) {
      setProblem(message(err))
    }
  }
  if (!editing) {
    return (
      <section class="card">
        <h2 class="row spread">Limits<Button onClick={edit}>Change</Button></h2>
        <dl class="pairs">
          <Pair name="Download">{rate(t.limits.down) || 'No limit of its own'}</Pair>
          <Pair name="Upload">{rate(t.limits.up) || 'No limit of its own'}</Pair>
          <Pair name="Seed">{goalText(t.goal)}</Pair>
        </dl>
      </section>
    )
  }
  return (
    <section class="card">
      <h2>Limits</h2>
      <form class="stack" onSubmit={(e) => void save(e)}>
        <div class="row">
          <label class="field">Download per second<input value={down} placeholder="no limit" onInput={(e) => setDown(e.currentTarget.value)} /></label>
          <label class="field">Upload per second<input value={up} placeholder="no limit" onInput={(e) => setUp(e.currentTarget.value)} /></label>
        </div>
        <div class="row">
          <label class="field">Seed
            <select value={mode} onChange={(e) => setMode(e.currentTarget.value)}>
              <option value="forever">Forever</option>
              <option value="ratio">Until a ratio</option>
              <option value="time">For a time</option>
              <option value="none">Do not seed</option>
            </select>
          </label>
          {mode === 'ratio' && <label class="field">Ratio<input inputMode="decimal" value={times} onInput={(e) => setTimes(e.currentTarget.value)} /></label>}
          {mode === 'time' && <label class="field">Hours<input inputMode="numeric" value={time} onInput={(e) => setTime(e.currentTarget.value)} /></label>}
        </div>
        {problem && <Problem>{problem}</Problem>}
        <div class="row"><Button type="submit" variant="primary">Save</Button><Button onClick={() => setEditing(false)}>Cancel</Button></div>
      </form>
    </section>
  )
}
