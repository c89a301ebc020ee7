// The title of the browser's tab, and notifications of the browser.
import { effect, signal } from '@preact/signals'
import type { Notice } from '../api/types'
import { rate } from '../lib/format'
import { shown } from '../lib/text'
import { nameOf } from '../lib/words'
import { go } from '../router'
import { say, told } from '../words'
import { notifying } from './prefs'
import { stats } from './store'
import { leads, onNotice } from './stream'

/** place is the name of the screen, for the title. */
export const place = signal('')

/** title tells the rates before the name of the screen. */
export function title(screen: string, down: number, up: number): string {
  const rates = [down > 0 && `↓ ${rate(down)}`, up > 0 && `↑ ${rate(up)}`].filter(Boolean).join(' ')
  return [rates, screen, 'shoal'].filter(Boolean).join(' · ')
}

if (typeof document !== 'undefined') effect(() => { document.title = title(place.value, stats.value?.down ?? 0, stats.value?.up ?? 0) })

/** notifiable is whether the browser can notify here: pages over plain HTTP from another machine may not. */
export const notifiable = (): boolean => typeof Notification === 'function' && isSecureContext

/** notify turns notifications on or off; the browser asks for permission only now. It returns why it cannot. */
export async function notify(on: boolean): Promise<string> {
  notifying.value = on && (await Notification.requestPermission()) === 'granted'
  return on && !notifying.value ? say('notify.denied') : ''
}

function tell(n: Notice): void {
  // One tab tells, the one that reads the stream for all.
  if (!notifying.value || !leads() || !notifiable() || Notification.permission !== 'granted' || !n.transfer || n.transfer.channel) return
  const name = shown(nameOf(n.transfer))
  if (n.event === 'done') void show(say('notify.done'), name, n.id)
  else if (n.event === 'error') void show(say('notify.failed'), n.message ? `${name}: ${told(n.message, n.message_text)}` : name, n.id)
}
onNotice(tell)

// Chrome for Android has no other notifications than those of a service worker, which also
// opens the page again where it was closed.
async function show(title: string, body: string, id: string): Promise<void> {
  const path = `/t/${id}`
  // A transfer that fails again replaces what was told of it.
  const options = { body, tag: id, icon: '/icon.svg', data: path }
  try {
    const worker = await navigator.serviceWorker?.getRegistration()
    if (worker?.active) return await worker.showNotification(title, options)
    const shown = new Notification(title, options)
    shown.onclick = () => {
      focus()
      go(path)
      shown.close()
    }
  } catch {
    // The reader has just forbidden it.
  }
}

// A click on a notification of the service worker shows the transfer in the page that is open.
if (typeof navigator !== 'undefined') {
  navigator.serviceWorker?.addEventListener('message', (e: MessageEvent<{ show?: unknown }>) => {
    const path = e.data?.show
    if (typeof path === 'string' && path.startsWith('/t/')) go(path)
  })
}
