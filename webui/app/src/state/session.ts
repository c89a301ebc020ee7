import { signal } from '@preact/signals'
import { Failure, send, signedIn } from '../api/client'
import { start } from './stream'

/** spent is true when the link that led here no longer works. */
export const spent = signal(false)

/** signIn trades a one-time token or the password for a cookie, and starts over. */
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
    // Signed out already is what was wanted.
    if (!(e instanceof Failure && e.status === 401)) throw e
  }
  location.assign('/')
}

/** begin uses the token of a link from `shoal open`, and forgets it. */
export async function begin(): Promise<void> {
  const token = new URLSearchParams(location.hash.slice(1)).get('signin')
  if (token) {
    history.replaceState(history.state, '', location.pathname + location.search)
    try {
      await signIn({ token })
      return
    } catch (e) {
      // Used up or too late. Who is signed in already does not notice.
      spent.value = e instanceof Failure && e.status === 401
    }
  }
  signedIn.value = undefined
  await start()
}

// A link that is put into the address of a page that is open changes its hash only.
if (typeof addEventListener === 'function') addEventListener('hashchange', () => { if (location.hash.startsWith('#signin=')) void begin() })
