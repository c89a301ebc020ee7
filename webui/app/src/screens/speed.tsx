import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { can, get, message } from '../api/client'
import type { History } from '../api/types'
import { sampled, type Samples } from '../state/store'
import { Problem } from '../ui/basics'
import { Chart } from '../ui/chart'

const spans = { hour: 'Last hour', day: 'Last day', month: 'Last month' } as const
type Span = keyof typeof spans

/** unroll gives each rate of a history its time. */
export function unroll(h: History): Samples {
  const end = Date.parse(h.end) / 1000
  const n = h.down.length
  return { time: h.down.map((_, i) => end - (n - 1 - i) * h.step), down: h.down, up: h.up }
}

/** Speed draws the history that the node keeps; from a node that keeps none, what came since the page was opened. */
export function Speed({ live, id }: { live: Samples; id?: string }): JSX.Element {
  // Samples grow in place: this tells that they did.
  const tick = sampled.value
  const kept = can('GET /history')
  const [span, setSpan] = useState<Span>('hour')
  const [history, setHistory] = useState<Samples>()
  const [problem, setProblem] = useState('')
  useEffect(() => {
    if (!kept) return
    const abort = new AbortController()
    const load = (): void => {
      get<History>(`/history?span=${span}${id ? `&transfer=${id}` : ''}`, abort.signal).then(
        (h) => { setHistory(unroll(h)); setProblem('') },
        (e) => { if (!abort.signal.aborted) setProblem(message(e)) },
      )
    }
    load()
    const timer = setInterval(load, span === 'hour' ? 2000 : 60_000)
    return () => {
      abort.abort()
      clearInterval(timer)
    }
  }, [kept, span, id])
  const data = kept ? history : live
  return (
    <>
      {kept ? (
        <div class="chips" role="group" aria-label="Time shown">
          {(Object.keys(spans) as Span[]).map((k) => (
            <button key={k} type="button" class="chip" aria-pressed={k === span} onClick={() => setSpan(k)}>{spans[k]}</button>
          ))}
        </div>
      ) : <p class="muted small">Since this page was opened</p>}
      {problem && <Problem>{problem}</Problem>}
      {data && <Chart data={data} revision={tick} label="Speed" empty="Speed: nothing measured yet" />}
    </>
  )
}
