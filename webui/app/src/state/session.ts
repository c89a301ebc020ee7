// Signing in and out.
import { signal } from '@preact/signals'
import { Failure, send, signedIn } from '../api/client'
import { start } from './stream'

/** spent is true if the sign-in link was used or has expired. */
export const spent = signal(false)

/** signIn exchanges a one-time token or the password for a cookie, and starts the stream. */
export async function signIn(with_: { token: string } | { password: string }): Promise<void> {
  await send('POST', '/session', with_)
  signedIn.value = true
  spent.value = false
  void start()
}

export async function signOut(): Promise<void> {
  try {
    await send('DELETE', '/session')
  } catch (e) {
    // Already signed out.
    if (!(e instanceof Failure && e.status === 401)) throw e
  }
  location.assign('/')
}

/** begin signs in with the token of a link from `shoal open` and removes it from the URL. */
export async function begin(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get('signin')
  if (token) {
    history.replaceState(history.state, '', location.pathname + location.search)
    try {
      await signIn({ token })
      return
    } catch (e) {
      // Used or expired. This does not matter to a browser that is signed in already.
      spent.value = e instanceof Failure && e.status === 401
    }
  }
  signedIn.value = undefined
  await start()
}

// Opening a sign-in link in a tab that shows the page changes only the hash.
if (typeof addEventListener === 'function') addEventListener('hashchange', () => { if (location.hash.startsWith('#signin=')) void begin() })
