// The icons, drawn on a grid of 24 with one line weight.
import type { JSX } from 'preact'

const paths = {
  transfers: 'M7 4v13m0 0-3.5-3.5M7 17l3.5-3.5M17 20V7m0 0-3.5 3.5M17 7l3.5 3.5',
  share: 'M12 15V4m0 0L7.5 8.5M12 4l4.5 4.5M5 14v4.5A1.5 1.5 0 0 0 6.5 20h11a1.5 1.5 0 0 0 1.5-1.5V14',
  find: 'M16 16l4.5 4.5M18 11a7 7 0 1 1-14 0 7 7 0 0 1 14 0Z',
  network: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM3.5 12h17M12 3c2.5 2.4 3.8 5.5 3.8 9s-1.3 6.6-3.8 9c-2.5-2.4-3.8-5.5-3.8-9S9.5 5.4 12 3Z',
  settings: 'M4 7h9m5 0h2M4 17h2m5 0h9M15.5 9.500a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5ZM8.5 19.500a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Z',
  add: 'M12 5v14M5 12h14',
  pause: 'M9 5v14M15 5v14',
  play: 'M8 5.500v13l10.5-6.500L8 5.500Z',
  remove: 'M5 7h14M10 7V4.500h4V7M7 7l.8 12.500h8.400L17 7M10.5 11v5M13.5 11v5',
  verify: 'M12 3 5 5.800v5.400c0 4.3 2.9 7.9 7 9.8 4.1-1.9 7-5.5 7-9.800V5.800L12 3Zm-3 9 2.2 2.200L15.2 10',
  copy: 'M9 9V5.500A1.5 1.5 0 0 1 10.5 4h8A1.5 1.5 0 0 1 20 5.500v8a1.5 1.5 0 0 1-1.5 1.500H15M5.5 9h8a1.5 1.5 0 0 1 1.5 1.500v8a1.5 1.5 0 0 1-1.5 1.500h-8A1.5 1.5 0 0 1 4 18.500v-8A1.5 1.5 0 0 1 5.5 9Z',
  close: 'M6 6l12 12M18 6 6 18',
  back: 'M19 12H5m0 0 6-6m-6 6 6 6',
  next: 'M5 12h14m0 0-6-6m6 6-6 6',
  down: 'M12 5v14m0 0-6-6m6 6 6-6',
  up: 'M12 19V5m0 0-6 6m6-6 6 6',
  chevron: 'M9 6l6 6-6 6',
  folder: 'M3.5 18V6.500A1.5 1.5 0 0 1 5 5h4.500l2 2.500H19A1.5 1.5 0 0 1 20.5 9v9a1.5 1.5 0 0 1-1.5 1.500H5A1.5 1.5 0 0 1 3.5 18Z',
  file: 'M13 3.500V8a1 1 0 0 0 1 1h4.500M7 3.500h6.500l5 5V19a1.5 1.5 0 0 1-1.5 1.500H7A1.5 1.5 0 0 1 5.5 19V5A1.5 1.5 0 0 1 7 3.500Z',
  check: 'M5 12.500l4.5 4.500L19 7',
  alert: 'M12 8.500v4.500m0 3v.1M12 3.5 2.5 20h19L12 3.500Z',
  more: 'M6 12h.01M12 12h.01M18 12h.01',
  code: 'M4 4h6v6H4zM14 4h6v6h-6zM4 14h6v6H4zM14 14h2.500v2.500M20 14v2.500M14 20h2.500M20 20v.01',
  lock: 'M7.5 10.500V8a4.500 4.500 0 0 1 9 0v2.500M6.500 10.500h11A1.500 1.500 0 0 1 19 12v6.500a1.500 1.500 0 0 1-1.500 1.500h-11A1.500 1.500 0 0 1 5 18.500V12a1.500 1.500 0 0 1 1.500-1.500ZM12 14v2.500',
  keys: 'M4 7h16v10H4zM7.5 10.500h.01M12 10.500h.01M16.5 10.500h.01M8.5 14h7',
} as const

export type IconName = keyof typeof paths

export function Icon({ name, size = 20 }: { name: IconName; size?: number }): JSX.Element {
  return (
    <svg class="icon" width={`${size / 16}rem`} height={`${size / 16}rem`} viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  )
}

export function Mark({ size = 28 }: { size?: number }): JSX.Element {
  return (
    <svg class="mark" width={`${size / 16}rem`} height={`${size / 16}rem`} viewBox="0 0 32 32" aria-hidden="true">
      <path d="M3 11.500c3.2-4 8.8-4 12 0l3.4-2.600v5.200L15 11.500c-3.2 4-8.8 4-12 0Z" opacity=".55" />
      <path d="M9.5 20.500c3.8-4.6 10-4.6 13.6 0l4.4-3.200v6.400l-4.4-3.200c-3.6 4.6-9.8 4.6-13.6 0Z" />
    </svg>
  )
}
