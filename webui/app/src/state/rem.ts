// The size of the page's text in pixels: what scripts reckon with, such as the rows of a list, follows the size that the reader has set in the browser.
import { signal } from '@preact/signals'

/** rem is how many pixels 1rem has. */
export const rem = signal(16)

if (typeof document !== 'undefined') {
  const probe = document.createElement('span')
  probe.className = 'rem'
  document.body.append(probe)
  const measure = (): void => { rem.value = parseFloat(getComputedStyle(document.documentElement).fontSize) || 16 }
  measure()
  // The reader may change it while the page is open.
  new ResizeObserver(measure).observe(probe)
}
