// The dialog that previews links and torrents and adds them.
import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { message, send, transferPath } from '../api/client'
import type { Match, Preview, Transfer } from '../api/types'
import { held, isPicture, unfit } from '../lib/code'
import { isTorrent } from '../lib/drop'
import { bytes, percent } from '../lib/format'
import { isChannel, links, shown } from '../lib/text'
import { go } from '../router'
import { lastFolders, usedFolder } from '../state/folders'
import { put } from '../state/store'
import { toast } from '../state/toasts'
import { Button, Dialog, Pick, Problem, Working } from '../ui/basics'
import { FileTree } from '../ui/filetree'
import { codeIn, Scan } from '../ui/scan'
import { say, sayParts } from '../words'
import { onceMore, unseal } from './unseal'

/** Source is what the node previews: a link, or a torrent in base64. */
type Source = { link: string } | { torrent: string }

/** adding is set while the dialog is open, with its initial content. */
export const adding = signal<{ text?: string; files?: File[] } | undefined>(undefined)

/** offer opens the dialog with dropped or pasted content. */
export function offer(files: File[], text: string): void {
  adding.value = files.length ? { files } : { text: links(text).join('\n') }
}

const largest = 10 << 20

async function read(file: File): Promise<string> {
  if (file.size > largest) throw new Error(say('add.file.large', { name: shown(file.name), size: bytes(file.size) }))
  const b = new Uint8Array(await file.arrayBuffer())
  // A torrent is a bencoded dictionary, which begins with d.
  if (b[0] !== 0x64) throw new Error(say('add.file.other', { name: shown(file.name) }))
  let raw = ''
  for (let i = 0; i < b.length; i += 8192) raw += String.fromCharCode(...b.subarray(i, i + 8192))
  return btoa(raw)
}

/** The number of links and torrents that are previewed at once. */
const together = 50

interface Seen {
  source?: Source // undefined if the file could not be read
  preview?: Preview
  error?: string
}

export function Add(): JSX.Element {
  const start = adding.value!
  const [text, setText] = useState(start.text ?? '')
  const [seen, setSeen] = useState<Seen[]>([])
  const [looking, setLooking] = useState(false)
  const [problem, setProblem] = useState('')
  const [address, setAddress] = useState('')
  const close = (): void => { adding.value = undefined }

  const look = async (sources: Source[], refused: Seen[] = []): Promise<void> => {
    setLooking(true)
    setProblem('')
    setAddress('')
    const out = [...refused]
    for (const source of sources.slice(0, together)) {
      try {
        out.push({ source, preview: await send<Preview>('POST', '/preview', source) })
      } catch (e) {
        out.push({ source, error: message(e) })
      }
    }
    if (sources.length > together) out.push({ error: say('add.together', { most: together, n: sources.length - together }) })
    setLooking(false)
    setSeen(out)
  }
  const scan = async (picture: File): Promise<void> => {
    setLooking(true)
    setProblem('')
    setAddress('')
    try {
      const h = held(await codeIn(picture))
      if (h.kind === 'channel') return channel(h.text)
      if (h.kind === 'content') return await look([{ link: h.text }])
      if (h.kind === 'other') throw new Error(unfit(h))
      // A stranger's code must not make the node connect to an address that the user has not seen.
      setText(h.text)
      setAddress(h.text)
    } catch (e) {
      setProblem(message(e))
    } finally {
      setLooking(false)
    }
  }
  const channel = (link: string): void => {
    close()
    go(`/find?q=${encodeURIComponent(link.trim())}`)
  }
  const take = async (files: File[]): Promise<void> => {
    if (files[0] && isPicture(files[0])) return scan(files[0])
    const sources: Source[] = []
    const refused: Seen[] = []
    for (const f of files) {
      try {
        sources.push({ torrent: await read(f) })
      } catch (e) {
        refused.push({ error: message(e) })
      }
    }
    if (sources.length) await look(sources, refused)
    else setProblem(refused[0]?.error ?? '')
  }
  /** taken handles content that is pasted or dropped on the dialog. */
  const taken = (e: Event, data: DataTransfer | null): void => {
    const files = [...(data?.files ?? [])]
    if (!files.every((f) => isPicture(f) || isTorrent(f.name)) || !files.length || data!.getData('text')) return
    e.preventDefault()
    void take(files)
  }
  const submit = (e?: Event): void => {
    e?.preventDefault()
    if (isChannel(text)) return channel(text)
    const found = links(text)
    if (found.length === 0) setProblem(say('add.nolink'))
    else void look(found.map((link) => ({ link })))
  }
  useEffect(() => {
    if (start.files) void take(start.files)
    else if (start.text) submit()
  }, [])

  if (seen.length) return <Choose seen={seen} again={() => setSeen([])} close={close} />
  return (
    <Dialog title={say('add.title')} onClose={close}>
      <form
        class="stack" onSubmit={submit}
        onPaste={(e) => taken(e, e.clipboardData)} onDrop={(e) => taken(e, e.dataTransfer)}
      >
        <label for="add-link">{say('add.link')}</label>
        <textarea
          id="add-link" rows={4} value={text} autofocus spellcheck={false} placeholder="magnet:?xt=urn:btih:…"
          onInput={(e) => setText(e.currentTarget.value)}
          onKeyDown={(e) => { if (e.key === 'Enter' && !e.shiftKey) submit(e) }}
        />
        <p class="muted">{say('add.how')}</p>
        {looking && <Working>{say('add.looking')}</Working>}
        {address && text === address && <p class="note">{say('add.address')}</p>}
        {problem && <Problem>{problem}</Problem>}
        <div class="row wrap ways">
          <Pick accept=".torrent,application/x-bittorrent" multiple onFiles={(files) => void take(files)}>{say('add.choose')}</Pick>
          <Scan onPicture={(f) => void scan(f)} />
          <Button type="submit" variant="primary" disabled={looking || !text.trim()}>{say('add.preview')}</Button>
        </div>
      </form>
    </Dialog>
  )
}

/** Choose previews the content before anything is downloaded. */
function Choose({ seen, again, close }: { seen: Seen[]; again: () => void; close: () => void }): JSX.Element {
  const good = seen.filter((s): s is Seen & { source: Source; preview: Preview } => !!s.preview)
  const fresh = good.filter((s) => !s.preview.present)
  const only = seen.length === 1 ? good[0]?.preview : undefined
  /** opens is whether the link has the key of a sealed share that the node cannot read yet. */
  const opens = only?.sealed && only.present?.seal === 'blind'
  const [output, setOutput] = useState(good[0]?.preview.output ?? '')
  const [skipped, setSkipped] = useState<ReadonlySet<number>>(new Set())
  const [paused, setPaused] = useState(false)
  const [adopt, setAdopt] = useState(false)
  const [sequential, setSequential] = useState(false)
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState('')
  const heading = useRef<HTMLParagraphElement>(null)
  useLayoutEffect(() => heading.current?.focus(), [])

  const wanted = only && only.files.length
    ? only.files.reduce((n, f) => n + (skipped.has(f.index) ? 0 : f.total), 0)
    : fresh.reduce((n, s) => n + s.preview.size, 0)
  const unsure = fresh.some((s) => !s.preview.size)
  // A download waits while fewer than min_free bytes are free.
  const disk = good[0] && good[0].preview.output === output ? good[0].preview : undefined
  const free = disk ? disk.free : -1
  const kept = disk?.min_free ?? 0
  const short = free >= 0 && wanted > 0 && wanted > free - kept
  const nothing = !!only && only.files.length > 0 && skipped.size === only.files.length

  const fetchAll = async (): Promise<void> => {
    setBusy(true)
    setProblem('')
    const added: Transfer[] = []
    try {
      for (const s of fresh) {
        // Skipped files are set before the first block is requested.
        const held = paused || skipped.size > 0
        const t = await send<Transfer>('POST', '/transfers', { ...s.source, output, paused: held, sequential, adopt })
        put(t)
        if (skipped.size > 0) {
          await send('PATCH', transferPath(t.id, '/files'), {
            priorities: Object.fromEntries([...skipped].map((i) => [i, -1])),
          })
          if (!paused) await send('POST', transferPath(t.id, '/resume'))
        }
        added.push(t)
      }
      usedFolder(output)
      close()
      if (added.length === 1) go(`/t/${added[0]!.id}`)
      else toast(say('add.added', { n: added.length }))
    } catch (e) {
      setProblem(message(e))
      setBusy(false)
    }
  }

  const open = async (): Promise<void> => {
    setBusy(true)
    setProblem('')
    try {
      await unseal(only!.present!, only!.link)
      close()
      go(`/t/${only!.present!.id}`)
    } catch (e) {
      setProblem(message(e))
      setBusy(false)
    }
  }

  return (
    <Dialog title={only ? say(opens ? 'add.opens' : only.present ? 'add.present' : 'add.this') : seen.length === 1 ? say('add.cannot') : fresh.length ? say('add.these', { n: fresh.length }) : say('add.nothing')} onClose={close} wide={!!only?.files.length}>
      <div class="stack">
        {seen.length === 1 ? (
          only && <p ref={heading} class="strong break title" tabIndex={-1}><bdi>{only.sealed && !only.name ? say('add.sealed') : shown(only.name) || only.id}</bdi></p>
        ) : (
          <ul class="plainlist" tabIndex={0} aria-label={say('add.preview')}>
            {seen.map((s, i) => (
              <li key={i}>
                {s.preview ? <><bdi class="break">{shown(s.preview.name) || s.preview.id}</bdi>{s.preview.present && <span class="tag">{say('add.present.tag')}</span>}</> : <span class="bad-text">{s.error}</span>}
              </li>
            ))}
          </ul>
        )}
        {seen.length === 1 && seen[0]!.error && <Problem>{seen[0]!.error}</Problem>}
        {opens && <p class="note">{say('add.opens.note')} {onceMore()}</p>}
        {only?.present && !opens && (
          <p class="note">
            {sayParts('add.present.note', { folder: <code class="break">{shown(only.output)}</code> })}{' '}
            <a href={`/t/${only.id}`} onClick={close}>{say('add.present.show')}</a>
          </p>
        )}
        {only && !only.present && (only.files.length > 0 ? (
          <FileTree
            files={only.files} label={say('files.label')} chosen={(i) => !skipped.has(i)}
            choose={(indexes, on) => {
              const next = new Set(skipped)
              for (const i of indexes) on ? next.delete(i) : next.add(i)
              setSkipped(next)
            }}
          />
        ) : (
          <p class="note">{only.sealed && say('add.sealed.note') + ' '}{say('add.nolist')}</p>
        ))}
        {only?.private && <p class="note">{say('add.private')}</p>}
        {fresh.length > 0 && (
          <>
            <label for="add-output">{say('add.folder')}</label>
            <input id="add-output" value={output} spellcheck={false} onInput={(e) => setOutput(e.currentTarget.value)} />
            <Folders at={output} choose={setOutput} />
            <p class={short ? 'bad-text' : 'muted'}>
              {wanted > 0 ? say(unsure ? 'add.size.least' : 'add.size', { size: bytes(wanted) }) : say('add.size.unknown')}
              {free >= 0 && say(kept > 0 ? 'add.free.kept' : 'add.free', { size: bytes(free), kept: bytes(kept) })}
              {short && say('add.short')}
            </p>
            <div class="row wrap">
              <label class="check"><input type="checkbox" checked={sequential} onChange={(e) => setSequential(e.currentTarget.checked)} /><span>{say('add.sequential')}</span></label>
              <label class="check"><input type="checkbox" checked={adopt} onChange={(e) => setAdopt(e.currentTarget.checked)} /><span>{say('add.adopt')}</span></label>
              <label class="check"><input type="checkbox" checked={paused} onChange={(e) => setPaused(e.currentTarget.checked)} /><span>{say('add.paused')}</span></label>
            </div>
          </>
        )}
        {fresh.length > 0 && adopt && <There sources={fresh.map((s) => s.source)} output={output} />}
        {problem && <Problem>{problem}</Problem>}
      </div>
      <footer>
        <Button onClick={again}>{say('add.back')}</Button>
        {opens && <Button variant="primary" icon="lock" disabled={busy} onClick={() => void open()}>{say('add.open')}</Button>}
        {fresh.length > 0 && (
          <Button variant="primary" icon="down" disabled={busy || nothing || !output} onClick={() => void fetchAll()}>
            {skipped.size > 0 && only ? say(paused ? 'add.do.add.some' : 'add.do.some', { n: only.files.length - skipped.size }) : say(paused ? 'add.do.add' : 'add.do')}
          </Button>
        )}
      </footer>
    </Dialog>
  )
}

/** Folders offers the folders that were used last. */
function Folders({ at, choose }: { at: string; choose: (folder: string) => void }): JSX.Element | null {
  const others = lastFolders().filter((f) => f !== at)
  if (others.length === 0) return null
  return (
    <div class="chips folders" role="group" aria-label={say('add.folders')}>
      {others.map((f) => <button key={f} type="button" class="chip" title={shown(f)} onClick={() => choose(f)}><bdi>{shown(f)}</bdi></button>)}
    </div>
  )
}

/** There shows how much of the data that is in the folder already is right. */
function There({ sources, output }: { sources: Source[]; output: string }): JSX.Element {
  const [match, setMatch] = useState<Match>()
  const [problem, setProblem] = useState('')
  const compare = async (signal: AbortSignal): Promise<void> => {
    const sum = { files: 0, bytes: 0, right: 0 }
    for (const source of sources) {
      const m = await send<Match>('POST', '/matches', { ...source, output }, { signal })
      sum.files += m.files
      sum.bytes += m.bytes
      sum.right += m.right
    }
    setMatch(sum)
  }
  useEffect(() => {
    const ended = new AbortController()
    setMatch(undefined)
    setProblem('')
    // Wait for a pause in typing.
    const soon = setTimeout(() => {
      compare(ended.signal).catch((e: unknown) => { if (!ended.signal.aborted) setProblem(message(e)) })
    }, 300)
    return () => { clearTimeout(soon); ended.abort() }
  }, [output])
  if (problem) return <Problem>{problem}</Problem>
  if (!match) return <Working>{say('add.comparing')}</Working>
  return (
    <p class="note" role="status">
      {match.files === 0 ? say('add.there.none') : say('add.there', { n: match.files, size: bytes(match.bytes), right: percent(match.right, match.bytes) })}
    </p>
  )
}
