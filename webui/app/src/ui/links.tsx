// The links of a transfer and the commands that use them.
import type { JSX } from 'preact'
import type { Transfer } from '../api/types'
import { blind, hasKey, shell } from '../lib/text'
import { Copyable } from './basics'

/** Links shows the link of a transfer: of a sealed share, one with the key and one without. */
export function Links({ t, commands }: { t: Transfer; commands?: boolean }): JSX.Element {
  if (!hasKey(t.link)) {
    return (
      <>
        {commands && <h3>The link</h3>}
        <Copyable text={t.link} label="Link" />
        {commands && (
          <>
            <h3>On the other machine</h3>
            <Copyable text={`shoal get ${shell(t.link)}`} label="Command" />
            <p class="muted">{t.seal ? 'Other BitTorrent clients can seed it, too.' : 'The link also works in any other BitTorrent client.'}</p>
          </>
        )}
      </>
    )
  }
  return (
    <>
      <h3>Link with the key</h3>
      <Copyable text={t.link} label="Link with the key" />
      <p class="muted">Whoever has it can read the share. On the other machine, run <code>shoal get -</code> and paste the link: then the key is in no shell history.</p>
      <h3>Link without the key, for a box that only seeds</h3>
      <Copyable text={blind(t.link)} label="Link without the key" />
      <p class="muted">Whoever has it can seed the share, also with another BitTorrent client, and cannot read it.</p>
    </>
  )
}
