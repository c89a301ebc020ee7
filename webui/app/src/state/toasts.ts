// The short messages at the edge of the page.
import { signal } from '@preact/signals'

export interface Toast {
  key: number
  text: string
  bad?: boolean
  action?: { label: string; run: () => void }
}

export const toasts = signal<Toast[]>([])
let next = 1

/** toast shows a short message; it returns a function that closes it. */
export function toast(text: string, more: Omit<Toast, 'key' | 'text'> & { life?: number } = {}): () => void {
  const { life = more.bad ? 9000 : 5000, ...rest } = more
  const key = next++
  toasts.value = [...toasts.value.slice(-3), { key, text, ...rest }]
  const close = (): void => {
    toasts.value = toasts.value.filter((t) => t.key !== key)
  }
  setTimeout(close, life)
  return close
}
