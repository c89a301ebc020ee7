// A chart of rates over time, whose drawing code is loaded on first use.
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { rate } from '../lib/format'
import { theme } from '../state/prefs'
import type { Samples } from '../state/store'

const top = (of: number[]): number => of.reduce((a, b) => Math.max(a, b), 0)

/** Chart draws rates over time. The drawing library is loaded on first use. */
export function Chart({ data, label }: { data: Samples | undefined; label: string }): JSX.Element {
  const box = useRef<HTMLDivElement>(null)
  const drawn = useRef<{ update: (d: Samples) => void; destroy: () => void } | undefined>(undefined)
  const latest = useRef(data)
  latest.current = data
  const scheme = theme.value
  const ready = !!data && data.time.length > 1 // a line needs two points
  useEffect(() => {
    if (!ready) return
    let gone = false
    void import('./plot').then(({ plot }) => {
      if (gone || !box.current || !latest.current) return
      drawn.current = plot(box.current, latest.current)
    })
    const media = matchMedia('(prefers-color-scheme: dark)')
    const again = (): void => {
      const d = drawn.current
      if (!d || !box.current || !latest.current) return
      d.destroy()
      void import('./plot').then(({ plot }) => { if (!gone && box.current && latest.current) drawn.current = plot(box.current, latest.current) })
    }
    media.addEventListener('change', again)
    return () => {
      gone = true
      media.removeEventListener('change', again)
      drawn.current?.destroy()
      drawn.current = undefined
    }
  }, [scheme, ready])
  useEffect(() => { if (data) drawn.current?.update(data) }, [data])
  const n = data?.time.length ?? 0
  const says = !data || n < 2 ? `${label}: no data yet`
    : `${label}: now ${rate(data.down[n - 1]!) || 'nothing'} down and ${rate(data.up[n - 1]!) || 'nothing'} up; at most ${rate(top(data.down)) || 'nothing'} down and ${rate(top(data.up)) || 'nothing'} up`
  return (
    <figure class="chart">
      <div ref={box} class="chart-box" role="img" aria-label={says} />
      <figcaption>
        <span class="key down">Down{data && top(data.down) > 0 && `, at most ${rate(top(data.down))}`}</span>
        <span class="key up">Up{data && top(data.up) > 0 && `, at most ${rate(top(data.up))}`}</span>
      </figcaption>
    </figure>
  )
}
