// The links of a transfer, the ways to hand them over, and the commands that use them.
import type { JSX } from 'preact'
import { message } from '../api/client'
import type { Transfer } from '../api/types'
import { blind, hasKey, shell, shown } from '../lib/text'
import { nameOf } from '../lib/words'
import { copy } from '../state/actions'
import { toast } from '../state/toasts'
import { say, sayParts, type Key } from '../words'
import { Button } from './basics'

type What = 'link' | 'key' | 'blind' | 'command'
const what = (t: Transfer): What => (hasKey(t.link) ? 'key' : 'link')
const names: Record<What, Key> = { link: 'share.link', key: 'share.link.key', blind: 'share.link.blind', command: 'share.command' }

/** HandOver has the buttons that give the link of a transfer to somebody. */
export function HandOver({ t }: { t: Transfer }): JSX.Element {
  return (
    <div class="row wrap hand-over">
      {sends() && <Button variant="primary" icon="share" onClick={() => void sheet(t)}>{say('share.send')}</Button>}
      <CopyText text={t.link} is={what(t)} primary={!sends()} />
    </div>
  )
}

/** sends reports whether the system can send a text to another program. It can only in a secure context. */
const sends = (): boolean => typeof navigator.share === 'function'

/** sheet opens the system's share sheet. The link is text: as a URL, browsers take only web addresses. */
async function sheet(t: Transfer): Promise<void> {
  try {
    await navigator.share({ title: shown(nameOf(t)), text: t.link })
  } catch (e) {
    if (!(e instanceof DOMException && e.name === 'AbortError')) toast(say('share.send.failed', { why: message(e) }), { bad: true })
  }
}

function CopyText({ text, is, primary }: { text: string; is: What; primary?: boolean }): JSX.Element {
  return <Button icon="copy" variant={primary ? 'primary' : 'plain'} onClick={() => void copy(text, say(`share.copied.${is}`))}>{say(`share.copy.${is}`)}</Button>
}

/** Text shows a text that can be copied. */
function Text({ text, is, handed }: { text: string; is: What; handed?: boolean | undefined }): JSX.Element {
  return (
    <div class="handed">
      <code tabIndex={0} role="group" aria-label={say(names[is])}>{text}</code>
      {!handed && <CopyText text={text} is={is} />}
    </div>
  )
}

/** Links shows the link of a transfer: of a sealed share, one with the key and one without. With handed, HandOver is beside it, and commands are shown. */
export function Links({ t, handed }: { t: Transfer; handed?: boolean }): JSX.Element {
  if (!hasKey(t.link)) {
    return (
      <>
        {handed && <h3>{say('share.the.link')}</h3>}
        <Text text={t.link} is={what(t)} handed={handed} />
        {handed && (
          <>
            <h3>{say('share.other')}</h3>
            <Text text={`shoal get ${shell(t.link)}`} is="command" />
            <p class="muted">{say(t.seal ? 'share.clients.seed' : 'share.clients')}</p>
          </>
        )}
      </>
    )
  }
  return (
    <>
      <h3>{say('share.link.key')}</h3>
      <Text text={t.link} is={what(t)} handed={handed} />
      <p class="muted">{sayParts('share.link.key.note', { command: <code>shoal get -</code> })}</p>
      <h3>{say('share.link.blind.title')}</h3>
      <Text text={blind(t.link)} is="blind" />
      <p class="muted">{say('share.link.blind.note')}</p>
    </>
  )
}
