// A menu that opens where it was asked for, and is used by keys as well.
import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { Icon, type IconName } from './icons'

export interface Item {
  label: string
  run: () => void
  icon?: IconName
  checked?: boolean // of a choice, which leaves the menu open
  one?: boolean // of several choices only one is checked
  bad?: boolean
}
/** A string is the heading of the items after it; a note has no action. */
export type Entry = Item | string | { note: string }

interface Open {
  label: string
  entries: () => Entry[]
  x: number
  y: number
  back: HTMLElement | null
}
const open = signal<Open | undefined>(undefined)

/** openMenu opens a menu at a point or below an element, which gets the focus back. */
export function openMenu(at: { x: number; y: number } | HTMLElement, label: string, entries: () => Entry[], back?: HTMLElement | null): void {
  const r = at instanceof HTMLElement ? at.getBoundingClientRect() : undefined
  open.value = {
    label, entries, x: r ? r.left : (at as { x: number }).x, y: r ? r.bottom + 4 : (at as { y: number }).y,
    back: back ?? (at instanceof HTMLElement ? at : (document.activeElement as HTMLElement | null)),
  }
}

function close(focus: boolean): void {
  const back = open.peek()?.back
  open.value = undefined
  if (focus && back?.isConnected) back.focus({ preventScroll: true })
}

export function Menu(): JSX.Element | null {
  const m = open.value
  return m ? <Opened key={`${m.x} ${m.y} ${m.label}`} m={m} /> : null
}

function Opened({ m }: { m: Open }): JSX.Element {
  const box = useRef<HTMLDivElement>(null)
  const items = (): HTMLElement[] => [...box.current!.querySelectorAll<HTMLElement>('button')]
  useLayoutEffect(() => {
    const b = box.current!
    b.style.left = `${Math.max(8, Math.min(m.x, innerWidth - b.offsetWidth - 8))}px`
    b.style.top = `${Math.max(8, Math.min(m.y, innerHeight - b.offsetHeight - 8))}px`
    items()[0]?.focus()
    const elsewhere = (e: Event): void => { if (!b.contains(e.target as Node)) close(false) }
    const resized = (): void => close(true)
    addEventListener('pointerdown', elsewhere, true)
    addEventListener('resize', resized)
    return () => {
      removeEventListener('pointerdown', elsewhere, true)
      removeEventListener('resize', resized)
    }
  }, [])
  useEffect(() => { if (!box.current!.contains(document.activeElement)) items()[0]?.focus() })
  const key = (e: KeyboardEvent): void => {
    const all = items()
    const i = all.indexOf(document.activeElement as HTMLElement)
    let to: HTMLElement | undefined
    if (e.key === 'Escape' || e.key === 'Tab') close(true)
    else if (e.key === 'ArrowDown') to = all[(i + 1) % all.length]
    else if (e.key === 'ArrowUp') to = all[(i - 1 + all.length) % all.length]
    else if (e.key === 'Home') to = all[0]
    else if (e.key === 'End') to = all.at(-1)
    else if (e.key.length === 1 && e.key !== ' ' && !e.ctrlKey && !e.metaKey && !e.altKey) {
      to = [...all.slice(i + 1), ...all.slice(0, i + 1)].find((b) => b.innerText.trim().toLowerCase().startsWith(e.key.toLowerCase()))
    } else return
    e.preventDefault()
    e.stopPropagation()
    to?.focus()
  }
  return (
    <div ref={box} class="menu" role="menu" aria-label={m.label} onKeyDown={key} onContextMenu={(e) => e.preventDefault()}>
      {m.entries().map((e) => {
        if (typeof e === 'string') return <p key={e} class="menu-title" role="presentation">{e}</p>
        if ('note' in e) return <p key={e.note} class="menu-note" role="presentation">{e.note}</p>
        const choice = e.checked !== undefined
        return (
          <button
            key={e.label} type="button" tabIndex={-1} class={e.bad ? 'bad' : ''}
            role={choice ? (e.one ? 'menuitemradio' : 'menuitemcheckbox') : 'menuitem'} {...(choice ? { 'aria-checked': e.checked } : {})}
            onClick={() => {
              // What opens now gives the focus back to what opened the menu.
              if (!choice) close(true)
              e.run()
            }}
          >
            <span class="menu-icon">{choice ? e.checked && <Icon name="check" size={16} /> : e.icon && <Icon name={e.icon} size={16} />}</span>
            {e.label}
          </button>
        )
      })}
    </div>
  )
}
