// What a secure context adds: the page can be installed, opens without its node, and takes magnet links.
import { signal } from '@preact/signals'
import { message } from '../api/client'

interface InstallEvent extends Event {
  prompt(): Promise<{ outcome: string }>
}

/** ready is set while the browser offers to install the page. */
export const ready = signal<InstallEvent | undefined>(undefined)

/** installed is whether the page runs as an app. */
export const installed = signal(false)

/** workerProblem is why the service worker could not be registered, or empty. */
export const workerProblem = signal('')

/** secure is whether the browser trusts the way to the node: over HTTPS, or on this machine. */
export const secure = (): boolean => isSecureContext

interface ScriptURLs {
  createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): { createScriptURL(url: string): string }
}

// The policy of the page forbids all scripts whose address is a text, but this one.
const workerURL = (): string => {
  const path = '/sw.js'
  const types = (globalThis as { trustedTypes?: ScriptURLs }).trustedTypes
  return types ? types.createPolicy('shoal-worker', { createScriptURL: () => path }).createScriptURL(path) : path
}

/** prepare registers the service worker, and waits for the offer to install the page. */
export function prepare(): void {
  if (!secure()) return
  installed.value = matchMedia('(display-mode: standalone)').matches
  addEventListener('beforeinstallprompt', (e) => {
    e.preventDefault()
    ready.value = e as InstallEvent
  })
  addEventListener('appinstalled', () => {
    ready.value = undefined
    installed.value = true
  })
  if (!import.meta.env.PROD || !navigator.serviceWorker) return
  navigator.serviceWorker.register(workerURL()).catch((e: unknown) => { workerProblem.value = message(e) })
}

/** install asks the browser to install the page. */
export async function install(): Promise<void> {
  const offer = ready.value
  ready.value = undefined
  await offer?.prompt()
}

/** takeMagnets asks the browser to open magnet links with this page. The link is in the fragment: it goes to no server. */
export function takeMagnets(): void {
  navigator.registerProtocolHandler('magnet', `${location.origin}/#add=%s`)
}

const opens = '#add='

/** handed takes the magnet link out of the address that the browser opened, if there is one. No other link is taken: another site could have made the address, and the node fetches what a web address names. */
export function handed(): string {
  if (!location.hash.startsWith(opens)) return ''
  let link = ''
  try {
    link = decodeURIComponent(location.hash.slice(opens.length))
  } catch {
    // Not encoded as a browser does it.
  }
  history.replaceState(history.state, '', location.pathname + location.search)
  return /^magnet:\?\S+$/i.test(link) ? link : ''
}
