// Preferences of this browser: the look of the page, not settings of the node.
import { effect, signal, type Signal } from '@preact/signals'

function stored<T>(key: string, initial: T, valid: (v: unknown) => v is T): Signal<T> {
  let value = initial
  try {
    const v: unknown = JSON.parse(localStorage.getItem('shoal.' + key) ?? 'null')
    if (valid(v)) value = v
  } catch {
    // Invalid value or no storage: use the default.
  }
  const s = signal(value)
  effect(() => {
    try {
      localStorage.setItem('shoal.' + key, JSON.stringify(s.value))
    } catch {
      // Storage is full or forbidden: the value lasts until the page is closed.
    }
  })
  return s
}

export type Theme = 'system' | 'light' | 'dark'
const isTheme = (v: unknown): v is Theme => v === 'system' || v === 'light' || v === 'dark'
const isWidths = (v: unknown): v is Record<string, number> =>
  typeof v === 'object' && v !== null && Object.values(v).every((n) => typeof n === 'number' && n >= 40 && n <= 1000)

// 'system', or the code of a language.
const isLanguage = (v: unknown): v is string => typeof v === 'string' && /^(system|[a-z]{2,3})$/.test(v)

export const language = stored<string>('language', 'system', isLanguage)
export const theme = stored<Theme>('theme', 'system', isTheme)
export const widths = stored<Record<string, number>>('widths', {}, isWidths)

const isYes = (v: unknown): v is boolean => typeof v === 'boolean'
/** dense is whether the rows of the list are compact. */
export const dense = stored<boolean>('dense', false, isYes)
/** notifying is whether the browser tells when a download ends. */
export const notifying = stored<boolean>('notify', false, isYes)
// Null shows as many of the usual columns as fit.
const isColumns = (v: unknown): v is string[] | null => v === null || (Array.isArray(v) && v.every((c) => typeof c === 'string'))
export const columns = stored<string[] | null>('columns', null, isColumns)

effect(() => {
  if (typeof document !== 'undefined') document.documentElement.dataset.theme = theme.value
})

/** dark reports whether the page is dark now. */
export const dark = (): boolean =>
  theme.value === 'dark' || (theme.value === 'system' && matchMedia('(prefers-color-scheme: dark)').matches)
