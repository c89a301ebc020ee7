// The tab with the main facts of a transfer, its link, limits and seeding goal.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { message, send, transferPath } from '../api/client'
import type { Goal, Transfer } from '../api/types'
import { ago, bytes, goalText, hours, nanoseconds, parseSize, rate, sizeText } from '../lib/format'
import { ratio } from '../lib/select'
import { shell, shown } from '../lib/text'
import { copy } from '../state/actions'
import type { Samples } from '../state/store'
import { toast } from '../state/toasts'
import { Button, Pair, Problem } from '../ui/basics'
import { Links } from '../ui/links'
import { QR } from '../ui/qr'
import { Speed } from './speed'
import { WebLinks } from './weblink'
import { say, number } from '../words'

export function Overview({ t, live }: { t: Transfer; live: Samples }): JSX.Element {
  return (
    <div class="columns">
      <div>
        <section class="card">
          <h2>{say('overview.speed')}</h2>
          <Speed live={live} id={t.id} />
        </section>
        <section class="card">
          <h2>{say('overview.details')}</h2>
          <dl class="pairs">
            <Pair name={say('overview.size')}>{t.size ? say('overview.size.of', { size: bytes(t.size), files: say('count.files', { n: t.files }) }) : say('overview.size.unknown')}</Pair>
            <Pair name={say('overview.peers')}>{t.peers ? say('overview.peers.of', { n: t.peers, seeds: say('count.seeds', { n: t.seeds }) }) : say('overview.peers.none')}</Pair>
            <Pair name={say('overview.downloaded')}>{bytes(t.downloaded)}</Pair>
            <Pair name={say('overview.uploaded')}>{t.size > 0 && t.uploaded > 0 ? say('overview.uploaded.ratio', { size: bytes(t.uploaded), ratio: number(ratio(t), 2) }) : bytes(t.uploaded)}</Pair>
            <Pair name={say(t.own ? 'overview.own' : 'overview.saved')}><bdi class="break">{shown(t.path) || '–'}</bdi></Pair>
            <Pair name={say('overview.added')}>{ago(t.added)}</Pair>
            {t.completed && <Pair name={say('overview.completed')}>{ago(t.completed)}</Pair>}
            <Pair name="ID"><code class="break">{t.id}</code></Pair>
            {t.v1 && <Pair name="v1 ID"><code class="break">{t.v1}</code></Pair>}
            {t.v2 && <Pair name="v2 ID"><code class="break">{t.v2}</code></Pair>}
          </dl>
        </section>
        <Rules key={t.id} t={t} />
        <WebLinks t={t} />
      </div>
      {t.link && t.state !== 'hashing' && (
        <section class="card link-panel">
          <h2>{say('overview.link')}</h2>
          <QR text={t.link} label={say(t.seal === 'open' ? 'overview.qr.key' : 'overview.qr')} />
          <Links t={t} />
          {t.seal !== 'open' && <Button onClick={() => void copy(`shoal get ${shell(t.link)}`, say('overview.command.copied'))} icon="copy">{say('overview.command')}</Button>}
        </section>
      )}
    </div>
  )
}

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
    setDown(sizeText(t.limits.down))
    setUp(sizeText(t.limits.up))
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
    if (d === undefined || u === undefined) return setProblem(say('rules.bad.limit'))
    if ((mode === 'ratio' || mode === 'time') && !(n > 0)) return setProblem(say('rules.bad.goal'))
    const goal: Goal = mode === 'none' ? { none: true } : mode === 'ratio' ? { ratio: n } : mode === 'time' ? { for: nanoseconds(n) } : {}
    try {
      await send('PATCH', transferPath(t.id), { limits: { down: d, up: u }, goal })
      setEditing(false)
      toast(say('saved'))
    } catch (err) {
      setProblem(message(err))
    }
  }
  if (!editing) {
    return (
      <section class="card">
        <h2 class="row spread">{say('rules.title')}<Button onClick={edit}>{say('rules.change')}</Button></h2>
        <dl class="pairs">
          <Pair name={say('rules.down')}>{rate(t.limits.down) || say('rules.none')}</Pair>
          <Pair name={say('rules.up')}>{rate(t.limits.up) || say('rules.none')}</Pair>
          <Pair name={say('rules.seed')}>{goalText(t.goal)}</Pair>
        </dl>
      </section>
    )
  }
  return (
    <section class="card">
      <h2>{say('rules.title')}</h2>
      <form class="stack" onSubmit={(e) => void save(e)}>
        <div class="row">
          <label class="field">{say('rules.down.rate')}<input value={down} placeholder={say('rules.unlimited')} onInput={(e) => setDown(e.currentTarget.value)} /></label>
          <label class="field">{say('rules.up.rate')}<input value={up} placeholder={say('rules.unlimited')} onInput={(e) => setUp(e.currentTarget.value)} /></label>
        </div>
        <div class="row">
          <label class="field">{say('rules.seed')}
            <select value={mode} onChange={(e) => setMode(e.currentTarget.value)}>
              <option value="forever">{say('goal.forever')}</option>
              <option value="ratio">{say('rules.ratio')}</option>
              <option value="time">{say('rules.time')}</option>
              <option value="none">{say('goal.none')}</option>
            </select>
          </label>
          {mode === 'ratio' && <label class="field">{say('rules.ratio.value')}<input inputMode="decimal" value={times} onInput={(e) => setTimes(e.currentTarget.value)} /></label>}
          {mode === 'time' && <label class="field">{say('rules.hours')}<input inputMode="numeric" value={time} onInput={(e) => setTime(e.currentTarget.value)} /></label>}
        </div>
        {problem && <Problem>{problem}</Problem>}
        <div class="row"><Button type="submit" variant="primary">{say('button.save')}</Button><Button onClick={() => setEditing(false)}>{say('button.cancel')}</Button></div>
      </form>
    </section>
  )
}
