// The menu of what can be done with transfers, and the dialog of their limits.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Transfer } from '../api/types'
import { parseSize, sizeText } from '../lib/format'
import { change, copyLinks, exportLinks, exportTorrents, isPaused, limiting, pause, removing, resume, verify } from '../state/actions'
import { priorities } from '../state/columns'
import { transfer } from '../state/store'
import { Button, Dialog, Problem } from '../ui/basics'
import { openMenu, type Entry } from '../ui/menu'
import { go } from '../router'
import { say } from '../words'

/** actions opens the menu of transfers at a point or an element. */
export function actions(ts: Transfer[], at: { x: number; y: number } | HTMLElement, back?: HTMLElement | null): void {
  const first = ts[0]
  if (!first) return
  const running = ts.filter((t) => !isPaused(t))
  const stopped = ts.filter(isPaused)
  const linked = ts.filter((t) => t.link && t.state !== 'hashing')
  openMenu(at, ts.length === 1 ? say('list.actions') : say('list.selected', { n: ts.length }), () => {
    const entries: Entry[] = []
    if (ts.length === 1) entries.push({ label: say('list.open'), icon: 'chevron', run: () => go(`/t/${first.id}${location.search}`) })
    if (running.length) entries.push({ label: say('list.pause'), icon: 'pause', run: () => void pause(running) })
    if (stopped.length) entries.push({ label: say('list.resume'), icon: 'play', run: () => void resume(stopped) })
    entries.push({ label: say('list.verify'), icon: 'verify', run: () => void verify(ts) })
    entries.push({ label: say('list.limits'), icon: 'transfers', run: () => { limiting.value = ts } })
    if (linked.length) {
      entries.push({ label: say('list.copy', { n: linked.length }), icon: 'copy', run: () => copyLinks(linked) })
      entries.push({ label: say('list.export.links'), icon: 'file', run: () => exportLinks(linked) })
    }
    if (ts.some((t) => t.size > 0)) entries.push({ label: say('list.export.torrents', { n: ts.length }), icon: 'down', run: () => void exportTorrents(ts) })
    entries.push({ label: say('list.remove'), icon: 'remove', bad: true, run: () => { removing.value = ts } })
    entries.push(say('list.priority'))
    const now = ts.map((t) => transfer(t.id)?.priority ?? 0)
    for (const p of [1, 0, -1] as const) entries.push({ label: say(priorities[`${p}`]), checked: now.every((n) => n === p), one: true, run: () => void change(ts, { priority: p }) })
    return entries
  }, back)
}

/** LimitDialog sets the limits of the transfers in limiting. */
export function LimitDialog(): JSX.Element {
  const ts = limiting.value
  const one = ts.length === 1 ? ts[0] : undefined
  const [down, setDown] = useState(sizeText(one?.limits.down ?? 0))
  const [up, setUp] = useState(sizeText(one?.limits.up ?? 0))
  const [problem, setProblem] = useState('')
  const close = (): void => { limiting.value = [] }
  const submit = (e: Event): void => {
    e.preventDefault()
    const d = down.trim() ? parseSize(down) : 0
    const u = up.trim() ? parseSize(up) : 0
    if (d === undefined || u === undefined) return setProblem(say('list.limits.wrong'))
    void change(ts, { limits: { down: d, up: u } })
    close()
  }
  return (
    <Dialog title={say('list.limits.title', { n: ts.length })} onClose={close}>
      <form class="stack" onSubmit={submit}>
        <label class="field">{say('list.limits.down')}<input value={down} placeholder={say('list.limits.none')} onInput={(e) => setDown(e.currentTarget.value)} /></label>
        <label class="field">{say('list.limits.up')}<input value={up} placeholder={say('list.limits.none')} onInput={(e) => setUp(e.currentTarget.value)} /></label>
        {problem && <Problem>{problem}</Problem>}
        <footer class="row"><Button type="submit" variant="primary">{say('list.save')}</Button><Button onClick={close}>{say('list.cancel')}</Button></footer>
      </form>
    </Dialog>
  )
}
