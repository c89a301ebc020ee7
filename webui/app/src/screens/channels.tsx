// The list of channels, the screen of one, and adding a share to one.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { get, message, send, sentence } from '../api/client'
import type { Channel, Entry } from '../api/types'
import { held, unfit } from '../lib/code'
import { ago, plural } from '../lib/format'
import { shown } from '../lib/text'
import { go } from '../router'
import { called, channels, load, named } from '../state/channels'
import { link } from '../state/stream'
import { toast } from '../state/toasts'
import { Button, Copyable, Dialog, Empty, Problem, Working } from '../ui/basics'
import { Icon } from '../ui/icons'
import { QR } from '../ui/qr'
import { codeIn, Scan } from '../ui/scan'
import { adding } from './add'
import { Found } from './hit'

const path = (c: { key: string }, rest = ''): string => `/channels/${c.key}${rest}`

/** follow has the node follow the channel that a link names, and shows it. */
export async function follow(link: string): Promise<void> {
  const c = await send<Channel>('POST', '/channels', { link: link.trim() })
  await load()
  go(`/find/${c.key}`)
}

/** scanned follows the channel whose code is in a picture; the code of a share opens the preview. */
async function scanned(picture: File): Promise<void> {
  const h = held(await codeIn(picture))
  if (h.kind === 'channel') return follow(h.text)
  if (h.kind !== 'content') throw new Error(unfit(h))
  adding.value = { text: h.text }
}

/** State is the state of a channel in one line. */
function State({ c }: { c: Channel }): JSX.Element {
  if (c.error) return <span class="bad-text">{shown(sentence(c.error))}</span>
  if (c.restoring) return <>Looking for its earlier entries …</>
  if (c.own) return <>{plural(c.entries, 'entry', 'entries')}{c.pending ? ' · has unpublished changes' : c.updated ? ` · published ${ago(c.updated)}` : ''}</>
  if (c.seq < 0) return <>Looking for the channel in the DHT …</>
  return <>{plural(c.entries, 'entry', 'entries')}{c.updated && ` · updated ${ago(c.updated)}`}{c.pending && ' · fetching a newer version'}</>
}

/** Tags say whose a channel is, and who can read it. */
function Tags({ c }: { c: Channel }): JSX.Element {
  return (
    <>
      <span class={`tag ${c.own ? 'good' : ''}`}>{c.own ? 'yours' : 'followed'}</span>
      {c.sealed && <span class="tag"><Icon name="lock" size={12} /> {c.blind ? 'sealed, not readable here' : 'sealed'}</span>}
    </>
  )
}

export function Channels(): JSX.Element {
  const all = channels.value
  return (
    <section class="card">
      <h2>Channels</h2>
      {link.value.state === 'lost' && <Problem>The node does not answer. Is it running?</Problem>}
      {!all && link.value.state !== 'lost' && <Working>Asking the node …</Working>}
      {all?.length === 0 && <p class="muted">No channels yet. A channel is a signed list of shares. Follow a channel to find its entries here, or create one so that others can follow what you share.</p>}
      <ul class="hits">
        {all?.map((c) => (
          <li key={c.key}>
            <div>
              <a class="strong" href={`/find/${c.key}`}><bdi>{called(c)}</bdi></a>{' '}
              <Tags c={c} />
              <p class="muted"><State c={c} /></p>
            </div>
            <Give c={c} />
          </li>
        ))}
      </ul>
      <div class="columns even forms">
        <Ask label="Follow a channel" placeholder="magnet:?xs=urn:btpk:…" button="Follow" run={follow} scan={scanned} />
        <Ask
          label="Create a channel" placeholder="Name" button="Create" option="Sealed" explains="Only people who get its link can read it. Others can mirror it."
          run={async (name, sealed) => {
            const c = await send<Channel>('POST', '/channels', { name: name.trim(), ...(sealed && { sealed }) })
            await load()
            go(`/find/${c.key}`)
          }}
        />
      </div>
    </section>
  )
}

interface AskProps {
  label: string
  placeholder: string
  button: string
  /** option is the label of a checkbox. */
  option?: string
  explains?: string
  run: (text: string, option: boolean) => Promise<void>
  scan?: (picture: File) => Promise<void>
}

function Ask({ label, placeholder, button, option, explains, run, scan }: AskProps): JSX.Element {
  const [text, setText] = useState('')
  const [chosen, setChosen] = useState(false)
  const [problem, setProblem] = useState('')
  const attempt = async (what: Promise<void>): Promise<void> => {
    setProblem('')
    try {
      await what
    } catch (err) {
      setProblem(message(err))
    }
  }
  return (
    <form class="stack" onSubmit={(e) => { e.preventDefault(); void attempt(run(text, chosen)) }}>
      <label class="field">{label}<input value={text} spellcheck={false} placeholder={placeholder} onInput={(e) => setText(e.currentTarget.value)} /></label>
      {option && <label class="check"><input type="checkbox" checked={chosen} onChange={(e) => setChosen(e.currentTarget.checked)} /><span>{option}<small>{explains}</small></span></label>}
      <div class="row"><Button type="submit" disabled={!text.trim()}>{button}</Button>{scan && <Scan onPicture={(f) => void attempt(scan(f))} />}</div>
      {problem && <Problem>{problem}</Problem>}
    </form>
  )
}

/** Give shows the link of a channel, to pass on to followers. */
function Give({ c }: { c: Channel }): JSX.Element {
  const [open, setOpen] = useState(false)
  return (
    <>
      <Button icon="copy" onClick={() => setOpen(true)}>Link</Button>
      {open && (
        <Dialog title={called(c)} onClose={() => setOpen(false)}>
          <div class="stack">
            <QR text={c.link} label="QR code of the channel link" />
            <Copyable text={c.link} label="Channel link" />
            <p class="muted">{c.blind ? 'Anyone who has this link can mirror the channel, and cannot read it.' : c.sealed ? 'Anyone who has this link can read the channel, now and later.' : 'Anyone who has this link can follow the channel'}{!c.sealed && <>, here or with <code>shoal channel follow</code>.</>}</p>
            {c.sealed && !c.blind && c.blind_link && (
              <>
                <Copyable text={c.blind_link} label="Blind link" />
                <p class="muted">The blind link is for a node that mirrors the channel and must not read it.</p>
              </>
            )}
          </div>
        </Dialog>
      )}
    </>
  )
}

const page = 100
const most = 1000 // at once

/** inside is the path of the search in one channel. */
const inside = (c: { key: string }): string => `/find?q=${encodeURIComponent(`channel:${c.key.slice(0, 16)} `)}`

/** ChannelScreen shows one channel with its entries. */
export function ChannelScreen({ id }: { id: string }): JSX.Element {
  const c = named(id)
  const [entries, setEntries] = useState<{ entries: Entry[]; total: number }>()
  const [limit, setLimit] = useState(page)
  const [failed, setFailed] = useState('')
  const [leaving, setLeaving] = useState(false)
  const [busy, setBusy] = useState(false)
  const reload = (): void => {
    get<{ entries: Entry[]; total: number }>(`/channels/${id}/entries?limit=${limit}`).then((p) => { setEntries(p); setFailed('') }, (e) => setFailed(message(e)))
  }
  useEffect(reload, [id, limit, c?.entries, c?.content, c?.blind])
  if (!c) {
    return (
      <div class="screen page">
        {!channels.value ? <><h1 class="offscreen">Channel</h1><Working>Asking the node …</Working></> : (
          <Empty icon="find" title="Channel not found" screen>
            <p>This node neither follows nor publishes it.</p>
            <Button variant="primary" onClick={() => go('/find')}>Show the channels</Button>
          </Empty>
        )}
      </div>
    )
  }
  const act = async (run: () => Promise<unknown>, said: string): Promise<void> => {
    setBusy(true)
    try {
      await run()
      toast(said)
      await load()
      reload()
    } catch (e) {
      toast(message(e), { bad: true })
    } finally {
      setBusy(false)
    }
  }
  const leave = async (): Promise<void> => {
    setLeaving(false)
    try {
      await send('DELETE', path(c, c.own ? '?own=true' : ''))
      toast(c.own ? `Deleted “${called(c)}”` : `No longer following “${called(c)}”`)
      await load()
      go('/find')
    } catch (e) {
      toast(message(e), { bad: true })
    }
  }
  return (
    <div class="screen page">
      <div class="crumb"><a href="/find">Find</a><span aria-hidden="true">/</span></div>
      <div class="head">
        <h1 class="break"><bdi>{called(c)}</bdi></h1>
        <div class="actions">
          {c.own && <Button icon="up" variant="primary" disabled={busy || c.restoring} onClick={() => void act(() => send('POST', path(c, '/publish')), 'Published')}>{busy ? 'Publishing …' : 'Publish'}</Button>}
          {c.entries > 0 && <Button icon="find" label="Search in this channel" onClick={() => go(inside(c))} />}
          <Give c={c} />
          <Button icon="remove" label={c.own ? 'Delete the channel' : 'Unfollow'} onClick={() => setLeaving(true)} />
        </div>
      </div>
      <p class="muted"><Tags c={c} /> <State c={c} /></p>
      {c.blind && <p class="muted">This node follows the blind link. It sees how many sealed shares there are and how large they are, and can mirror them. With the full link it can read the channel.</p>}
      {c.about && <p class="break">{shown(c.about)}</p>}
      {failed && <Problem>{failed}</Problem>}
      {!entries ? !failed && <Working>Loading the entries …</Working>
        : entries.total === 0 ? (
          <Empty icon="share" title="No entries yet">
            <p>{c.own ? 'Share something, then add it to this channel on its page.' : 'Its entries appear here when its publisher adds them.'}</p>
            {c.own && <Button variant="primary" onClick={() => go('/share')}>Share something</Button>}
          </Empty>
        ) : (
          <section class="card">
            <ul class="hits">
              {entries.entries.map((e) => (
                <Found
                  key={e.id} h={e} inside
                  extra={c.own ? <Button icon="close" label={`Remove ${shown(e.name)} from the channel`} onClick={() => void act(() => send('DELETE', path(c, `/entries/${e.id}`)), 'Removed')} /> : undefined}
                />
              ))}
            </ul>
            {entries.entries.length < entries.total && (limit < most ? <Button onClick={() => setLimit(limit + page)}>Show more</Button>
              : <p class="muted">And {plural(entries.total - most, 'more entry', 'more entries')}. <a href={inside(c)}>Search the channel</a> to find them.</p>)}
          </section>
        )}
      {leaving && (
        <Dialog title={c.own ? 'Delete this channel?' : 'Unfollow this channel?'} onClose={() => setLeaving(false)}>
          <p>{c.own ? 'This deletes its key from this node. Without an exported key (shoal channel export) nobody can publish to the channel again.' : 'Its entries no longer appear in searches. Downloaded files stay.'}</p>
          <footer><Button onClick={() => setLeaving(false)}>Cancel</Button><Button variant={c.own ? 'danger' : 'primary'} onClick={() => void leave()}>{c.own ? 'Delete' : 'Unfollow'}</Button></footer>
        </Dialog>
      )}
    </div>
  )
}

/** Into adds a share to one of the node's own channels. */
export function Into({ id, sealed }: { id: string; sealed: boolean }): JSX.Element | null {
  const [key, setKey] = useState('')
  const [busy, setBusy] = useState(false)
  const own = channels.value?.filter((c) => c.own && (c.sealed || !sealed)) ?? []
  if (!channels.value) return null
  if (own.length === 0 && sealed) return <p class="muted">Only a sealed channel can list it: <a href="/find">create one</a>.</p>
  if (own.length === 0) return <p class="muted">To let others find all that you share with one link, <a href="/find">create a channel</a> and add this share to it.</p>
  const chosen = own.find((c) => c.key === key) ?? own[0]!
  const put = async (e: Event): Promise<void> => {
    e.preventDefault()
    setBusy(true)
    try {
      await send('POST', path(chosen, '/entries'), { ids: [id] })
      toast(`Added to “${shown(chosen.name)}”`, { action: { label: 'Show', run: () => go(`/find/${chosen.key}`) } })
      await load()
    } catch (err) {
      toast(message(err), { bad: true })
    } finally {
      setBusy(false)
    }
  }
  return (
    <form class="row" onSubmit={(e) => void put(e)}>
      <select aria-label="Channel" value={chosen.key} onChange={(e) => setKey(e.currentTarget.value)}>
        {own.map((c) => <option key={c.key} value={c.key}>{called(c)}{c.sealed ? ' (sealed)' : ''}</option>)}
      </select>
      <Button type="submit" disabled={busy}>Add to the channel</Button>
    </form>
  )
}
