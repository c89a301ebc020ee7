// The warning that the page is served without encryption to another machine.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Icon } from '../ui/icons'
import { say, sayParts } from '../words'

const key = 'shoal.plain.seen'
const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

/** open tells whether others on the way can read what a page at a place sends. */
export const open = (place: { protocol: string; hostname: string }): boolean => place.protocol === 'http:' && !loopback.test(place.hostname)

/** Plain is the banner. Who dismisses it does not see it again in this tab. */
export function Plain(): JSX.Element | null {
  const [shown, setShown] = useState(() => open(location) && sessionStorage.getItem(key) === null)
  if (!shown) return null
  const dismiss = (): void => {
    sessionStorage.setItem(key, '1')
    setShown(false)
  }
  return (
    <div class="banner" role="note">
      <Icon name="alert" size={18} />
      <span>{sayParts('plain.warning', { more: <a href="/network">{say('plain.more')}</a> })}</span>
      <button type="button" class="link" onClick={dismiss}>{say('plain.dismiss')}</button>
    </div>
  )
}
