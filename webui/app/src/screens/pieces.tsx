// The tab with the piece map of a transfer.
import type { JSX } from 'preact'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import type { Pieces as Data, Transfer } from '../api/types'
import { bytes } from '../lib/format'
import { cells, decode, summary } from '../lib/pieces'
import { theme } from '../state/prefs'
import { topic } from '../state/topic'
import { Empty, Working } from '../ui/basics'
import { say } from '../words'

const colours = ['--piece-missing', '--piece-partial', '--piece-checking', '--piece-complete', '--piece-skipped']
const legend = ['complete', 'partial', 'checking', 'missing', 'skipped'] as const

export function Pieces({ t }: { t: Transfer }): JSX.Element {
  const data = topic<Data>('pieces', t)
  const states = useMemo(() => (data ? decode(data.state) : undefined), [data])
  const canvas = useRef<HTMLCanvasElement>(null)
  const scheme = theme.value
  useEffect(() => {
    const c = canvas.current
    if (!c || !states || states.length === 0) return
    const draw = (): void => paint(c, states)
    draw()
    const resized = new ResizeObserver(draw)
    resized.observe(c.parentElement!)
    const media = matchMedia('(prefers-color-scheme: dark)')
    media.addEventListener('change', draw)
    return () => {
      resized.disconnect()
      media.removeEventListener('change', draw)
    }
  }, [states, scheme])
  if (!data || !states) return <Working>{say('pieces.loading')}</Working>
  if (states.length === 0) return <Empty icon="file" title={say('pieces.none')}><p>{say('pieces.none.why')}</p></Empty>
  const says = summary(states)
  return (
    <section class="card pieces">
      <p><span class="strong">{says}.</span> <span class="muted">{say('pieces.of', { n: states.length, size: bytes(data.length) })}</span></p>
      <div class="map"><canvas ref={canvas} role="img" aria-label={says} /></div>
      <ul class="legend">{legend.map((k) => <li key={k}><span class={`swatch ${k}`} />{say(`pieces.${k}`)}</li>)}</ul>
    </section>
  )
}

/** paint fills the width with squares of one size, each for one or more pieces. */
function paint(c: HTMLCanvasElement, states: Uint8Array): void {
  const width = Math.max(100, c.parentElement!.clientWidth)
  const few = states.length <= 600
  const side = few ? 16 : states.length <= 4000 ? 11 : 8
  const gap = side > 8 ? 2 : 1
  const across = Math.max(1, Math.floor((width + gap) / (side + gap)))
  const shown = cells(states, across * Math.max(8, Math.floor(560 / (side + gap))))
  const height = Math.ceil(shown.length / across) * (side + gap)
  const dense = devicePixelRatio || 1
  c.width = width * dense
  c.height = height * dense
  c.style.height = `${height}px`
  c.style.width = `${width}px`
  const g = c.getContext('2d')
  if (!g) return
  g.scale(dense, dense)
  const css = getComputedStyle(document.documentElement)
  const palette = colours.map((n) => css.getPropertyValue(n).trim())
  shown.forEach((cell, i) => {
    const x = (i % across) * (side + gap)
    const y = Math.floor(i / across) * (side + gap)
    g.fillStyle = palette[cell.state === 1 ? 0 : cell.state]!
    g.beginPath()
    g.roundRect(x, y, side, side, side > 8 ? 3 : 1.5)
    g.fill()
    if (cell.state === 1) {
      // The complete part of a group is drawn from the bottom, never too small to see.
      const h = Math.max(side / 3, side * cell.done)
      g.fillStyle = palette[1]!
      g.beginPath()
      g.roundRect(x, y + side - h, side, h, side > 8 ? 3 : 1.5)
      g.fill()
    }
  })
}
