// The small parts of every screen: buttons, dialogs, bars, messages.
import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useId, useLayoutEffect, useRef } from 'preact/hooks'
import { copy } from '../state/actions'
import { toasts } from '../state/toasts'
import { Icon, type IconName } from './icons'
import { say, within } from '../words'

type Variant = 'primary' | 'quiet' | 'danger' | 'plain'

interface ButtonProps {
  children?: ComponentChildren
  icon?: IconName
  variant?: Variant
  label?: string // names a button that has only an icon
  onClick?: (e: MouseEvent) => void
  disabled?: boolean
  type?: 'button' | 'submit'
  pressed?: boolean
}

export function Button({ children, icon, variant = 'plain', label, onClick, disabled, type = 'button', pressed }: ButtonProps): JSX.Element {
  return (
    <button
      type={type} class={`button ${variant}${children ? '' : ' only-icon'}`} onClick={onClick} disabled={disabled}
      aria-label={label} title={label} aria-pressed={pressed}
    >
      {icon && <Icon name={icon} size={18} />}
      {children}
    </button>
  )
}

interface PickProps {
  children: ComponentChildren
  onFiles: (files: File[]) => void
  accept?: string
  multiple?: boolean
  more?: Record<string, unknown> // attributes that only some browsers support
}

/** Pick is a button that asks for files of this device. */
export function Pick({ children, onFiles, accept, multiple, more }: PickProps): JSX.Element {
  return (
    <label class="button plain filepick">
      <input
        type="file" class="offscreen" accept={accept} multiple={multiple} {...more}
        onChange={(e) => {
          const files = [...(e.currentTarget.files ?? [])]
          // Without this, choosing the same file again would fire no event.
          e.currentTarget.value = ''
          if (files.length) onFiles(files)
        }}
      />
      {children}
    </label>
  )
}

export function Bar({ value, state, label }: { value: number; state: string; label?: string }): JSX.Element {
  const p = Math.max(0, Math.min(1, value))
  return (
    <div
      class={`bar ${state}`}
      {...(label ? { role: 'progressbar', 'aria-label': label, 'aria-valuemin': 0, 'aria-valuemax': 100, 'aria-valuenow': Math.floor(p * 100) } : { 'aria-hidden': true })}
    >
      <div style={{ transform: `scaleX(${p})` }} />
    </div>
  )
}

/** Working is a spinner with a text. */
export function Working({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <p class="working" role="status">
      <span class="spinner" aria-hidden="true" />
      {children}
    </p>
  )
}

/** Empty is the placeholder of an empty list or, with screen, of a whole screen. */
export function Empty({ icon, title, children, screen }: { icon: IconName; title: string; children?: ComponentChildren; screen?: boolean }): JSX.Element {
  return (
    <div class="empty">
      <span class="empty-icon"><Icon name={icon} size={28} /></span>
      {screen ? <h1>{title}</h1> : <h2>{title}</h2>}
      {children}
    </div>
  )
}

export function Problem({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <p class="problem" role="alert">
      <Icon name="alert" size={18} />
      <span>{children}</span>
    </p>
  )
}

/** Copyable shows a text with a button to copy it. */
export function Copyable({ text, label, said }: { text: string; label: string; said?: string }): JSX.Element {
  return (
    <div class="copyable">
      <code tabIndex={0} role="group" aria-label={label}>{text}</code>
      <Button icon="copy" label={say('basics.copy', { label: within(label) })} onClick={() => void copy(text, said ?? say('basics.copied', { label }))} />
    </div>
  )
}

export function Dialog({ title, onClose, children, wide }: { title: string; onClose: () => void; children: ComponentChildren; wide?: boolean }): JSX.Element {
  const ref = useRef<HTMLDialogElement>(null)
  const id = useId()
  // It is open before the next key, and no key falls between two dialogs of which one follows the other.
  useLayoutEffect(() => {
    const d = ref.current!
    const before = document.activeElement as HTMLElement | null
    d.showModal()
    return () => {
      d.close()
      if (before?.isConnected) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={ref} class={wide ? 'wide' : ''} aria-labelledby={id}
      onCancel={(e) => { e.preventDefault(); onClose() }}
      onMouseDown={(e) => { if (e.target === ref.current) onClose() }}
    >
      <div class="dialog">
        <header>
          <h2 id={id}>{title}</h2>
          <Button icon="close" variant="quiet" label={say('button.close')} onClick={onClose} />
        </header>
        {children}
      </div>
    </dialog>
  )
}

export function Toasts(): JSX.Element {
  return (
    <div class="toasts" role="log" aria-live="polite" aria-label={say('basics.messages')} aria-relevant="additions">
      {toasts.value.map((t) => (
        <div key={t.key} class={`toast${t.bad ? ' bad' : ''}`}>
          {t.bad && <Icon name="alert" size={18} />}
          <span>{t.text}</span>
          {t.action && <button type="button" class="link" onClick={t.action.run}>{t.action.label}</button>}
        </div>
      ))}
    </div>
  )
}

/** Pair is one line of a definition list. */
export function Pair({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <div class="pair">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

/** Tri is a checkbox with a third state. */
export function Tri({ state, label, onChange, tabIndex }: { state: 'all' | 'none' | 'some'; label: string; onChange: (on: boolean, e: Event) => void; tabIndex?: number }): JSX.Element {
  const ref = useRef<HTMLInputElement>(null)
  useEffect(() => {
    ref.current!.indeterminate = state === 'some'
  })
  return (
    <input
      ref={ref} type="checkbox" checked={state === 'all'} aria-label={label} tabIndex={tabIndex}
      onClick={(e) => onChange(state !== 'all', e)}
    />
  )
}
