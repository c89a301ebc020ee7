import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { rate } from '../lib/format'
import { theme } from '../state/prefs'
import type { Samples } from '../state/store'

/** Chart draws rates over time. The drawing library is loaded when one is shown. */
export function Chart({ data, revision, label, empty }: { data: Samples; revision: unknown; label: string; empty: string }): JSX.Element {
  const box = useRef<HTMLDivElement>(null)
  const drawn = useRef<{ update: (d: Samples) => void; destroy: () => void } | undefined>(undefined)
  const latest = useRef(data)
  latest.current = data
  const scheme = theme.value
  const ready = data.time.length > 1 // one moment is no line
  useEffect(() => {
    if (!ready) return
    let gone = false
    void import('./plot').then(({ plot }) => {
      if (gone || !box.current) return
      drawn.current = plot(box.current, latest.current)
    })
    return () => {
      gone = true
      drawn.current?.destroy()
      drawn.current = undefined
    }
  }, [scheme, ready])
  useEffect(() => drawn.current?.update(data), [revision, data])
  const n = data.time.length
  const says = n < 2 ? empty
    : `${label}: now ${rate(data.down[n - 1]!) || 'nothing'} down and ${rate(data.up[n - 1]!) || 'nothing'} up; at most ${rate(Math.max(...data.down)) || 'nothing'} down and ${rate(Math.max(...data.up)) || 'nothing'} up`
  return (
    <figure class="chart">
      <div ref={box} class="chart-box" role="img" aria-label={says} />
      <figcaption><span class="key down">Down</span><span class="key up">Up</span></figcaption>
    </figure>
  )
}
