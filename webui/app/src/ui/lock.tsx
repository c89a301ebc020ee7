// The lock of sealed shares, which says who can read them.
import type { ComponentChildren, JSX } from 'preact'
import type { Transfer } from '../api/types'
import { readers } from '../lib/words'
import { Icon } from './icons'

/** Lock marks a sealed share; it is nothing for plain content. */
export function Lock({ t }: { t: Transfer }): JSX.Element | null {
  const text = readers(t)
  return text ? <span class="lock" role="img" aria-label={text} title={text}><Icon name="lock" size={15} /></span> : null
}

/** Readers is the sentence with the lock, and more beside it. */
export function Readers({ t, children }: { t: Transfer; children?: ComponentChildren }): JSX.Element | null {
  const text = readers(t)
  return text ? <p class="sealed"><Icon name="lock" size={18} /><span>{text}</span>{children}</p> : null
}
