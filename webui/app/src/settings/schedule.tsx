// The schedule as a week to paint, beside the lines that it is kept as.
import { computed } from '@preact/signals'
import type { JSX } from 'preact'
import { useRef, useState } from 'preact/hooks'
import { parseSize, rate } from '../lib/format'
import { days, limitsText, linesOf, paint, parseLine, slotText, weekOf, type Limits, type Week } from '../lib/schedule'
import { Button } from '../ui/basics'
import { useTyped } from '../ui/typed'
import { locale, say } from '../words'

// Every cell of the week names its day, and making a formatter is slow. 1 January 2024 was a Monday.
const dayNames = computed(() => {
  const all = (weekday: 'long' | 'short'): string[] => {
    const f = new Intl.DateTimeFormat(locale.value, { weekday, timeZone: 'UTC' })
    return days.map((_, d) => f.format(Date.UTC(2024, 0, 1 + d)))
  }
  return { long: all('long'), short: all('short') }
})
const dayName = (d: number, style: 'long' | 'short'): string => dayNames.value[style][d]!

/** limitsName writes limits for people. */
function limitsName(l: Limits | undefined): string {
  if (!l) return say('schedule.usual')
  const one = (n: number): string => (n ? rate(n) : say('settings.nolimit'))
  return [l.down === undefined ? '' : say('schedule.down', { rate: one(l.down) }), l.up === undefined ? '' : say('schedule.up', { rate: one(l.up) })].filter(Boolean).join(', ')
}

type Cell = [day: number, slot: number]

export function Schedule({ lines, busy, save }: { lines: readonly string[]; busy: boolean; save: (lines: string[]) => Promise<boolean> }): JSX.Element {
  const kept = lines.join('\n')
  const { ref, text, set: setText, cancel, sent } = useTyped<HTMLTextAreaElement>(kept)
  const written = text.split('\n').map((l) => l.trim()).filter(Boolean)
  const wrong = written.filter((l) => !parseLine(l))
  const week = weekOf(written)
  return (
    <form class="schedule" onSubmit={(e) => { e.preventDefault(); sent(save(written)) }}>
      {week ? <Grid key={week.slot} week={week} change={(w) => setText(linesOf(w).join('\n'))} />
        : <p class="note">{wrong.length ? say('schedule.wrong', { line: wrong[0]! }) : say('schedule.fine')}</p>}
      <label class="field">{say('schedule.lines')}
        <textarea ref={ref} rows={Math.max(2, written.length + 1)} value={text} spellcheck={false} placeholder="mon-fri 08:00-18:00 up=1MB down=5MB" onInput={(e) => setText(e.currentTarget.value)} />
      </label>
      <small class="muted">{say('schedule.syntax')} <code>mon-fri 08:00-18:00 up=1MB down=5MB</code></small>
      {text !== kept && (
        <div class="row">
          <Button type="submit" variant="primary" disabled={busy}>{say('settings.save')}</Button>
          <Button onClick={cancel}>{say('settings.cancel')}</Button>
        </div>
      )}
    </form>
  )
}

/** Grid is the week: days are columns, times are rows, so that it fits a phone. */
function Grid({ week: given, change }: { week: Week; change: (w: Week) => void }): JSX.Element {
  // Limits that no cell has yet are in no line; they are kept here.
  const [more, setMore] = useState<Limits[]>([])
  const kinds = [...given.kinds, ...more.filter((m) => !given.kinds.some((k) => k.up === m.up && k.down === m.down))]
  const week: Week = { ...given, kinds }
  const [brush, setBrush] = useState<Limits | undefined>(kinds[0])
  const kind = brush ? kinds.findIndex((k) => k.up === brush.up && k.down === brush.down) : -1
  const [at, setAt] = useState<Cell>([0, 0])
  const [anchor, setAnchor] = useState<Cell>()
  const table = useRef<HTMLTableElement>(null)
  const rows = (24 * 60) / week.slot
  const put = (from: Cell, to: Cell): void => change(paint(week, kind, from, to))
  const focus = ([d, s]: Cell): void => {
    setAt([d, s])
    table.current?.querySelector<HTMLElement>(`[data-cell="${d}-${s}"]`)?.focus()
  }
  const keys = (e: KeyboardEvent): void => {
    const by: Record<string, Cell> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], PageUp: [0, -6], PageDown: [0, 6] }
    let to: Cell
    if (e.key === ' ' || e.key === 'Enter') {
      e.preventDefault()
      return put(at, at)
    } else if (e.key === 'Home') to = [at[0], 0]
    else if (e.key === 'End') to = [at[0], rows - 1]
    else {
      const step = by[e.key]
      if (!step) return
      to = [Math.max(0, Math.min(6, at[0] + step[0])), Math.max(0, Math.min(rows - 1, at[1] + step[1]))]
    }
    e.preventDefault()
    e.stopPropagation()
    if (e.shiftKey) put(at, to)
    focus(to)
  }
  const cellOf = (e: Event): Cell | undefined => {
    const c = (e.target as Element).closest<HTMLElement>('[data-cell]')?.dataset.cell?.split('-').map(Number)
    return c ? [c[0]!, c[1]!] : undefined
  }
  // A finger scrolls; it paints with taps on cells, days and hours. A mouse drags, too.
  const down = (e: PointerEvent): void => {
    const c = cellOf(e)
    if (c && e.pointerType !== 'touch' && e.button === 0) setAnchor(c)
  }
  const up = (e: PointerEvent): void => {
    const c = cellOf(e)
    if (anchor && c) {
      put(anchor, c)
      focus(c)
    }
    setAnchor(undefined)
  }
  const tap = (e: MouseEvent): void => {
    const c = cellOf(e)
    if (c && (e as PointerEvent).pointerType === 'touch') {
      put(c, c)
      setAt(c)
    }
  }
  return (
    <div class="week">
      <Brushes kinds={kinds} chosen={brush} choose={setBrush} add={(l) => { setMore([...more, l]); setBrush(l) }} />
      <p class="muted small" id="week-help">{say('schedule.help')}</p>
      <div class="week-box">
        <table ref={table} role="grid" aria-label={say('schedule.week')} aria-describedby="week-help" aria-multiselectable="true" onKeyDown={keys} onPointerDown={down} onPointerUp={up} onPointerLeave={() => setAnchor(undefined)} onClick={tap}>
          <thead>
            <tr>
              <td />
              {days.map((_, d) => <th key={d} scope="col"><button type="button" aria-label={say('schedule.day', { short: dayName(d, 'short'), day: dayName(d, 'long') })} onClick={() => put([d, 0], [d, rows - 1])}>{dayName(d, 'short')}</button></th>)}
            </tr>
          </thead>
          <tbody>
            {Array.from({ length: rows }, (_, s) => (
              <tr key={s}>
                <th scope="row"><button type="button" aria-label={say('schedule.hour', { time: slotText(week, s) })} onClick={() => put([0, s], [6, s])}>{slotText(week, s).slice(0, 5)}</button></th>
                {days.map((_, d) => {
                  const k = week.cells[d]![s]!
                  return (
                    <td key={d} role="gridcell" data-cell={`${d}-${s}`} data-kind={k < 0 ? 'none' : k % 6} aria-selected={k >= 0} tabIndex={at[0] === d && at[1] === s ? 0 : -1}
                      aria-label={`${dayName(d, 'long')} ${slotText(week, s)}: ${limitsName(week.kinds[k])}`} onFocus={() => setAt([d, s])} />
                  )
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  )
}

interface BrushesProps {
  kinds: Limits[]
  chosen: Limits | undefined
  choose: (l: Limits | undefined) => void
  add: (l: Limits) => void
}

/** Brushes are the limits to paint with. */
function Brushes({ kinds, chosen, choose, add }: BrushesProps): JSX.Element {
  const [down, setDown] = useState('')
  const [up, setUp] = useState('')
  const [problem, setProblem] = useState('')
  const make = (): void => {
    const read = (t: string): number | undefined => (t.trim() ? parseSize(t) : undefined)
    const l: Limits = {}
    const [d, u] = [read(down), read(up)]
    if (d !== undefined) l.down = d
    if (u !== undefined) l.up = u
    if ((down.trim() && d === undefined) || (up.trim() && u === undefined) || !limitsText(l)) return setProblem(say('schedule.rates'))
    setProblem('')
    add(l)
  }
  const enter = (e: KeyboardEvent): void => {
    if (e.key !== 'Enter') return
    e.preventDefault()
    make()
  }
  return (
    <>
      <div class="brushes" role="radiogroup" aria-label={say('schedule.brush')}>
        {[...kinds, undefined].map((k, i) => {
          const on = k ? !!chosen && chosen.up === k.up && chosen.down === k.down : !chosen
          return (
            <label key={k ? limitsText(k) : 'none'} class="brush" data-kind={k ? i % 6 : 'none'}>
              <input type="radio" name="brush" checked={on} onChange={() => choose(k)} />
              <span class="swatch" aria-hidden="true" data-kind={k ? i % 6 : 'none'} />{limitsName(k)}
            </label>
          )
        })}
      </div>
      <div class="row wrap brush-new">
        <label class="field">{say('schedule.new.down')}<input value={down} placeholder="5 MB" onInput={(e) => setDown(e.currentTarget.value)} onKeyDown={enter} /></label>
        <label class="field">{say('schedule.new.up')}<input value={up} placeholder="1 MB" onInput={(e) => setUp(e.currentTarget.value)} onKeyDown={enter} /></label>
        <Button onClick={make}>{say('schedule.new')}</Button>
      </div>
      {problem && <small role="alert">{problem}</small>}
    </>
  )
}
