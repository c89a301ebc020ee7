// The drawing code of the chart.
import uPlot from 'uplot'
import { rate } from '../lib/format'
import { rem } from '../state/rem'
import type { Samples } from '../state/store'
import { locale } from '../words'

/** times labels times with the precision of their distance. */
function times(at: number[]): string[] {
  const apart = at.length > 1 ? at[1]! - at[0]! : 60
  const form: Intl.DateTimeFormatOptions = apart >= 86400 ? { day: 'numeric', month: 'short' }
    : { hour: '2-digit', minute: '2-digit', ...(apart < 60 ? { second: '2-digit' } : {}) }
  const format = new Intl.DateTimeFormat(locale.value, form)
  return at.map((t) => format.format(t * 1000))
}

/** plot draws into box and adapts to its width and the system's colours. */
export function plot(box: HTMLElement, data: Samples): { update: (d: Samples) => void; destroy: () => void } {
  const css = getComputedStyle(document.documentElement)
  const colour = (name: string): string => css.getPropertyValue(name).trim()
  const scale = rem.peek() / 16
  const height = 200 * scale
  const series = (d: Samples): uPlot.AlignedData => [d.time, d.down, d.up]
  const line = (label: string, name: string): uPlot.Series => ({
    label, stroke: colour(name), width: 1.75, fill: colour(name + '-faint'), points: { show: false },
  })
  const now = (): number => Date.now() / 1000
  const axis: uPlot.Axis = {
    stroke: colour('--muted'), font: `${12 * scale}px system-ui, sans-serif`,
    grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false },
  }
  const u = new uPlot({
    width: Math.max(200, box.clientWidth), height,
    padding: [null, 30 * scale, null, null], // half of the last time
    legend: { show: false },
    cursor: { show: false },
    series: [{}, line('Down', '--down'), line('Up', '--up')],
    scales: { x: { range: (_u, min, max) => [Math.min(min ?? now(), (max ?? now()) - 60), max ?? now()] }, y: { range: (_u, _min, max) => [0, Math.max(1000, max * 1.15)] } },
    axes: [
      { ...axis, space: 90 * scale, size: 34 * scale, values: (_u, vs) => times(vs) },
      { ...axis, size: 76 * scale, space: 44 * scale, values: (_u, vs) => vs.map((v) => rate(v) || '0') },
    ],
  }, series(data), box)
  const resized = new ResizeObserver(() => u.setSize({ width: Math.max(200, box.clientWidth), height }))
  resized.observe(box)
  return {
    update: (d) => u.setData(series(d)),
    destroy: () => {
      resized.disconnect()
      u.destroy()
    },
  }
}
