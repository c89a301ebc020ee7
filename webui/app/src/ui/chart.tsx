// A chart of rates over time, whose drawing code is loaded on first use.
import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import { rate } from '../lib/format'
import { theme } from '../state/prefs'
import { rem } from '../state/rem'
import type { Samples } from '../state/store'
import { say } from '../words'

const top = (of: number[]): number => of.reduce((a, b) => Math.max(a, b), 0)

/** Chart draws rates over time. The drawing library is loaded on first use. */
export function Chart({ data, label }: { data: Samples | undefined; label: string }): JSX.Element {
  const box = useRef<HTMLDivElement>(null)
  const drawn = useRef<{ update: (d: Samples) => void; destroy: () => void } | undefined>(undefined)
  const latest = useRef(data)
  latest.current = data
  const scheme = theme.value
  const size = rem.value
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
  }, [scheme, size, ready])
  useEffect(() => { if (data) drawn.current?.update(data) }, [data])
  const n = data?.time.length ?? 0
  const moving = (r: number): string => rate(r) || say('chart.nothing')
  const says = !data || n < 2 ? say('chart.none', { label })
    : say('chart.says', { label, down: moving(data.down[n - 1]!), up: moving(data.up[n - 1]!), maxDown: moving(top(data.down)), maxUp: moving(top(data.up)) })
  return (
    <figure class="chart">
      <div ref={box} class="chart-box" role="img" aria-label={says} />
      <figcaption>
        <span class="key down">{data && top(data.down) > 0 ? say('chart.down.most', { rate: rate(top(data.down)) }) : say('chart.down')}</span>
        <span class="key up">{data && top(data.up) > 0 ? say('chart.up.most', { rate: rate(top(data.up)) }) : say('chart.up')}</span>
      </figcaption>
    </figure>
  )
}
