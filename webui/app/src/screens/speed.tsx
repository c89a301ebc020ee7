// The chart of rates: the node's history, continued live.
import type { JSX } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { get, message } from '../api/client'
import type { History } from '../api/types'
import { sampled, type Samples } from '../state/store'
import { link } from '../state/stream'
import { Problem } from '../ui/basics'
import { Chart } from '../ui/chart'
import { say } from '../words'

const spans = ['hour', 'day', 'month'] as const
type Span = (typeof spans)[number]

/**
 * unroll adds the time to each rate of a history. It cuts off most of the idle time
 * before the first transfer, so that a short history is not squeezed into a corner.
 */
export function unroll(h: History, steps: number, end = Date.parse(h.end) / 1000): Samples {
  let first = 0
  while (first < h.down.length && !h.down[first] && !h.up[first]) first++
  const n = Math.min(steps, Math.max(Math.round(steps / 20), h.down.length - first + 5))
  const none = new Array<number>(Math.max(0, n - h.down.length)).fill(0)
  return {
    time: Array.from({ length: n }, (_, i) => end - (n - 1 - i) * h.step),
    down: none.concat(h.down.slice(-n)), up: none.concat(h.up.slice(-n)),
  }
}

/** append adds the page's own later samples to a history by seconds. */
export function append(h: Samples, live: Samples): Samples {
  const last = h.time[h.time.length - 1] ?? 0
  let from = live.time.length
  while (from > 0 && live.time[from - 1]! > last + 0.5) from--
  if (from === live.time.length) return h
  const join = (a: number[], b: number[]): number[] => a.concat(b.slice(from)).slice(-steps.hour)
  return { time: join(h.time, live.time), down: join(h.down, live.down), up: join(h.up, live.up) }
}

/** extend adds to a history by longer steps each step that has ended since, from the page's own samples. */
export function extend(h: Samples, live: Samples, step: number, most: number): Samples {
  const now = live.time[live.time.length - 1] ?? 0
  let last = h.time[h.time.length - 1] ?? now
  if (now < last + step) return h
  const next: Samples = { time: [...h.time], down: [...h.down], up: [...h.up] }
  for (; last + step <= now; last += step) {
    const of = live.time.map((_, i) => i).filter((i) => live.time[i]! > last && live.time[i]! <= last + step)
    const mean = (k: number[]): number => of.reduce((sum, i) => sum + k[i]!, 0) / (of.length || 1)
    next.time.push(last + step)
    next.down.push(mean(live.down))
    next.up.push(mean(live.up))
  }
  return { time: next.time.slice(-most), down: next.down.slice(-most), up: next.up.slice(-most) }
}

const steps = { hour: 3600, day: 1440, month: 744 } as const
const seconds = { hour: 1, day: 60, month: 3600 } as const

/** Speed draws the node's history and adds the page's own samples while it is shown. */
export function Speed({ live, id }: { live: Samples; id?: string }): JSX.Element {
  // Samples grow in place; this signals a change.
  const tick = sampled.value
  const [span, setSpan] = useState<Span>('hour')
  const [history, setHistory] = useState<Samples>()
  const [problem, setProblem] = useState('')
  const connected = link.value.state === 'live'
  useEffect(() => {
    if (!connected) return
    const abort = new AbortController()
    get<History>(`/history?span=${span}${id ? `&transfer=${id}` : ''}`, abort.signal).then(
      // The page adds samples by its own clock, which may differ from the node's.
      (h) => { setHistory(unroll(h, steps[span], span === 'hour' ? Date.now() / 1000 : undefined)); setProblem('') },
      (e) => { if (!abort.signal.aborted) setProblem(message(e)) },
    )
    return () => abort.abort()
  }, [connected, span, id])
  useEffect(() => {
    if (span !== 'hour') setHistory((h) => h && extend(h, live, seconds[span], steps[span]))
  }, [span, live, tick])
  const data = useMemo(() => history && (span === 'hour' ? append(history, live) : history), [history, span, tick])
  return (
    <>
      <div class="chips" role="group" aria-label={say('speed.spans')}>
        {spans.map((k) => (
          <button key={k} type="button" class="chip" aria-pressed={k === span} onClick={() => { setHistory(undefined); setSpan(k) }}>{say(`speed.${k}`)}</button>
        ))}
      </div>
      {problem && <Problem>{problem}</Problem>}
      <Chart data={data} label={say(`speed.${span}`)} />
    </>
  )
}
