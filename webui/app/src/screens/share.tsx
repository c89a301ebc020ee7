// The share screen: choosing what to share, and the link of a share.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { Failure, get, message, send, transferPath } from '../api/client'
import type { File, Folder, Setting, Transfer } from '../api/types'
import { bytes, percent, plural } from '../lib/format'
import { folderOf, given } from '../lib/drop'
import { progress } from '../lib/select'
import { shown } from '../lib/text'
import { nameOf, onWindows, status } from '../lib/words'
import { go } from '../router'
import { removing, resume } from '../state/actions'
import { reach } from '../state/reach'
import { failed, network, hidden, list, loaded, put, transfer } from '../state/store'
import { chosen, give, seal, stop, upload } from '../state/uploads'
import { Bar, Button, Dialog, Empty, Pick, Problem, Working } from '../ui/basics'
import { Icon } from '../ui/icons'
import { Links } from '../ui/links'
import { Lock, Readers } from '../ui/lock'
import { Names } from '../ui/names'
import { QR } from '../ui/qr'
import { Into } from './channels'

export function Share({ id }: { id: string | undefined }): JSX.Element {
  const found = id ? transfer(id) : undefined
  const t = found && !hidden.value.has(found.id) ? found : undefined
  useEffect(() => {
    // Hashing is complete: use the real ID.
    if (id && t && t.id !== id) go(`/share/${t.id}`, true)
  }, [id, t?.id])
  return (
    <div class="screen page">
      <div class="head">
        <h1>{t?.link ? 'Shared' : 'Share'}</h1>
        {id && <div class="actions"><Button icon="add" onClick={() => go('/share')}>Share something else</Button></div>}
      </div>
      {!id ? <>{upload.value || chosen.value.length > 0 ? <FromHere /> : <><Choose /><FromHere /></>}<Mine /></> : t ? <Handout t={t} /> : failed.value.has(id) ? <Problem>{failed.value.get(id)}</Problem> : loaded.value ? (
        <Empty icon="share" title="Share not found"><p>It may have been removed.</p></Empty>
      ) : <Working>Asking the node …</Working>}
    </div>
  )
}

function Choose(): JSX.Element {
  const [path, setPath] = useState('')
  const [links, setLinks] = useState(false)
  const [quiet, setQuiet] = useState(false)
  const [without, setWithout] = useState('')
  const [strict, setStrict] = useState(false)
  const [sealed, setSealed] = useSealed()
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState('')
  const [question, setQuestion] = useState('')
  const begin = async (confirm: boolean): Promise<void> => {
    setBusy(true)
    setProblem('')
    setQuestion('')
    try {
      const exclude = without.split('\n').map((g) => g.trim()).filter(Boolean)
      const t = await send<Transfer>('POST', '/shares', { path: path.trim(), follow_symlinks: links, private: quiet, exclude, strict, confirm, ...seal(sealed) })
      put(t)
      go(`/share/${t.id}`)
    } catch (err) {
      if (err instanceof Failure && err.status === unconfirmed) setQuestion(err.message)
      else setProblem(message(err))
      setBusy(false)
    }
  }
  return (
    <section class="card hero">
      {question && (
        <Dialog title="Share all of this?" onClose={() => setQuestion('')}>
          <p class="break">{shown(question)}.</p>
          <footer>
            <Button onClick={() => setQuestion('')}>Cancel</Button>
            <Button variant="danger" onClick={() => void begin(true)}>Share it anyway</Button>
          </footer>
        </Dialog>
      )}
      <h2>Which file or folder?</h2>
      <p class="muted">shoal only reads the files where they are. Anyone with the link can download them while this node runs.</p>
      <form class="stack" onSubmit={(e) => { e.preventDefault(); void begin(false) }}>
        <label for="share-path">Path on the machine where the node runs</label>
        <div class="row">
          <input id="share-path" value={path} spellcheck={false} autocomplete="off" placeholder="/home/you/Pictures" onInput={(e) => setPath(e.currentTarget.value)} />
          <Button type="submit" variant="primary" icon="share" disabled={busy || !path.trim()}>Share</Button>
        </div>
        <Sealed on={sealed} set={setSealed} />
        {problem && <Problem>{problem}</Problem>}
        <Browse path={path} pick={setPath} />
        <details>
          <summary>Options</summary>
          <label class="field">Leave out
            <textarea rows={2} value={without} spellcheck={false} placeholder="One name or path per line, such as *.tmp or docs/**/old" onInput={(e) => setWithout(e.currentTarget.value)} />
          </label>
          <label class="check"><input type="checkbox" checked={strict} onChange={(e) => setStrict(e.currentTarget.checked)} /><span>Share all or nothing<small>Otherwise files that cannot be read or shared are left out and listed.</small></span></label>
          <label class="check"><input type="checkbox" checked={links} onChange={(e) => setLinks(e.currentTarget.checked)} /><span>Follow symbolic links<small>Otherwise links are left out.</small></span></label>
          <label class="check"><input type="checkbox" checked={quiet} onChange={(e) => setQuiet(e.currentTarget.checked)} /><span>Do not announce it<small>Only people who have the link with your addresses can find you.</small></span></label>
        </details>
      </form>
    </section>
  )
}

/** useSealed is whether to seal a share: as the setting of the node says, until the user decides. It is undefined until the setting is known. */
function useSealed(): [boolean | undefined, (on: boolean) => void] {
  const [chosen, choose] = useState<boolean>()
  const [set, setSet] = useState<boolean>()
  useEffect(() => void get<Setting[]>('/config').then((all) => setSet(all.some((s) => s.name === 'sealed' && s.value === 'true')), () => undefined), [])
  return [chosen ?? set, choose]
}

function Sealed({ on, set }: { on: boolean | undefined; set: (on: boolean) => void }): JSX.Element {
  return (
    <label class="check"><input type="checkbox" role="switch" checked={!!on} onChange={(e) => set(e.currentTarget.checked)} /><span><Icon name="lock" size={16} /> Sealed<small>Only people with the full link can read it; a server without the key can seed it and learns only roughly how large it is.</small></span></label>
  )
}

/** unconfirmed is the status of what the node does only when it is confirmed. */
const unconfirmed = 428

/** Missing lists what was left out of a share. */
function Missing({ t }: { t: Transfer }): JSX.Element | null {
  const out = t.left_out
  if (!out) return null
  const items = out.items ?? []
  const more = out.count - items.length
  return (
    <details>
      <summary>{plural(out.count, 'file or folder was', 'files or folders were')} left out</summary>
      <ul class="facts">
        {items.map((o) => <li key={o.path} class="break"><span><bdi>{shown(o.path)}</bdi>: {shown(o.reason)}</span></li>)}
        {more > 0 && <li>And {more.toLocaleString('en')} more.</li>}
      </ul>
    </details>
  )
}

/** Browse shows the folders of the node. */
function Browse({ path, pick }: { path: string; pick: (p: string) => void }): JSX.Element {
  const [at, setAt] = useState('')
  const [folder, setFolder] = useState<Folder>()
  const [problem, setProblem] = useState('')
  useEffect(() => {
    const abort = new AbortController()
    get<Folder>(`/folders?path=${encodeURIComponent(at)}`, abort.signal).then(
      (f) => { setFolder(f); setProblem('') },
      (e) => { if (!abort.signal.aborted) setProblem(message(e)) },
    )
    return () => abort.abort()
  }, [at])
  if (!folder) return problem ? <Problem>{problem}</Problem> : <Working>Loading …</Working>
  const join = (name: string): string => folder.path.replace(/\/$/, '') + '/' + name
  return (
    <div class="browse">
      <p class="row spread">
        <code class="break"><bdi>{shown(folder.path)}</bdi></code>
        <Button variant="quiet" onClick={() => pick(folder.path)}>Select this folder</Button>
      </p>
      {problem && <Problem>{problem}</Problem>}
      <ul tabIndex={0} aria-label="Contents of the folder">
        {folder.parent && <li><button type="button" onClick={() => setAt(folder.parent!)}><Icon name="back" size={17} />Parent folder</button></li>}
        {folder.entries.map((e) => (
          <li key={e.name}>
            <button type="button" aria-pressed={path === join(e.name)} onClick={() => (e.folder ? setAt(join(e.name)) : pick(join(e.name)))}>
              <Icon name={e.folder ? 'folder' : 'file'} size={17} /><bdi>{shown(e.name)}</bdi>
              {!e.folder && <span class="tree-size">{bytes(e.size)}</span>}
            </button>
            {e.folder && <Button variant="quiet" onClick={() => pick(join(e.name))}>Select</Button>}
          </li>
        ))}
        {folder.entries.length === 0 && <li class="muted nothing">This folder is empty or has only hidden files.</li>}
        {!!folder.more && <li class="muted nothing">And {folder.more.toLocaleString('en')} more. Type the path instead.</li>}
      </ul>
    </div>
  )
}

/** FromHere uploads files of this device to the node and shares them. */
function FromHere(): JSX.Element {
  const files = chosen.value
  const under = upload.value
  const folder = folderOf(files)
  const [name, setName] = useState('')
  const [sealed, setSealed] = useSealed()
  const suggested = folder ?? (files.length === 1 ? files[0]!.path : 'Shared files')
  useEffect(() => setName(suggested), [suggested])
  const begin = async (e: Event): Promise<void> => {
    e.preventDefault()
    const t = await give(files, name.trim() || suggested, sealed)
    if (t) go(`/share/${t.id}`)
  }
  if (under) {
    const over = under.error !== undefined
    return (
      <section class="card hero">
        <h2 class="break">{over ? 'Could not upload' : 'Uploading'} “<bdi>{shown(under.name)}</bdi>” to the node</h2>
        <Bar value={under.total ? under.sent / under.total : 0} state={over ? 'error' : 'fetching'} label="Sent to the node" />
        <p class="row spread">
          <span class="figures" role="status">{percent(under.sent, under.total || 1)} of {bytes(under.total)}{under.left > 1 && `, ${plural(under.left, 'file')} to go`}</span>
          <Button onClick={() => { stop(); chosen.value = over ? chosen.value : [] }}>{over ? 'Back' : 'Stop'}</Button>
        </p>
        {over && <Problem>{under.error}</Problem>}
      </section>
    )
  }
  if (files.length === 0) {
    return (
      <section class="card hero device">
        <div>
          <h2>Files on this device</h2>
          <p class="muted">They are copied to the node first, which then shares them. You can also drop files anywhere on this page.</p>
        </div>
        <div class="row wrap">
          <Pick multiple onFiles={(files) => { chosen.value = given(files) }}><Icon name="file" size={18} />Choose files …</Pick>
          <Pick more={{ webkitdirectory: true }} onFiles={(files) => { chosen.value = given(files) }}><Icon name="folder" size={18} />Choose a folder …</Pick>
        </div>
      </section>
    )
  }
  return (
    <section class="card hero">
      <h2>Share from this device?</h2>
      <p class="muted">{plural(files.length, 'file')}, {bytes(files.reduce((n, f) => n + f.file.size, 0))}. They are copied to the node first.</p>
      <form class="stack" onSubmit={(e) => void begin(e)}>
        {(files.length > 1 || folder !== undefined) && (
          <label class="field">Name of the share<input value={name} maxLength={150} onInput={(e) => setName(e.currentTarget.value.replaceAll(/[/\\]/g, ''))} /></label>
        )}
        {files.length === 1 && folder === undefined && <p class="strong break"><bdi>{shown(files[0]!.path)}</bdi></p>}
        <Sealed on={sealed} set={setSealed} />
        <div class="row"><Button type="submit" variant="primary" icon="share">Copy and share</Button><Button onClick={() => { chosen.value = [] }}>Choose others</Button></div>
      </form>
    </section>
  )
}

const reachable = {
  reachable: 'Strangers can reach this node, so the link works for anyone with IPv6.',
  unreachable: 'Strangers cannot reach this node now. The link works for peers that this node can connect to, or that are on the same network.',
  unknown: 'It is unknown yet whether strangers can reach this node.',
}

/** Elsewhere warns of names that cannot be the same on Windows. */
function Elsewhere({ t }: { t: Transfer }): JSX.Element | null {
  const [files, setFiles] = useState<File[]>([])
  useEffect(() => {
    const ended = new AbortController()
    setFiles([])
    get<File[]>(transferPath(t.id, '/files'), ended.signal).then(setFiles, () => undefined) // the link works without
    return () => ended.abort()
  }, [t.id])
  return <Names title="Names that will change on Windows" pairs={onWindows(files)} />
}

/** Handout shows the link and the ways to use it. */
export function Handout({ t }: { t: Transfer }): JSX.Element {
  if (t.state === 'hashing') {
    return (
      <section class="card hero">
        <h2 class="break"><bdi>{shown(t.name)}</bdi></h2>
        <p class="muted">shoal reads every file once to make the link.</p>
        <Bar value={progress(t)} state="hashing" label="Reading the files" />
        <p class="figures" role="status">{percent(t.bytes, t.total)} of {bytes(t.total)}</p>
      </section>
    )
  }
  if (!t.link) {
    return (
      <section class="card hero">
        <h2 class="break"><bdi>{shown(t.name)}</bdi></h2>
        <Problem>{shown(status(t))}</Problem>
        <div class="row"><Button onClick={() => void resume([t])}>Try again</Button><Button onClick={() => { removing.value = [t] }}>Remove</Button></div>
      </section>
    )
  }
  const r = reach.value
  return (
    <>
      {t.state === 'error' && <Problem>{shown(status(t))}</Problem>}
      <section class="card handout">
        <div>
          <h2 class="break"><bdi>{shown(t.name)}</bdi></h2>
          <p class="muted">{bytes(t.size)} in {plural(t.files, 'file')}{!!t.hidden && `, including ${plural(t.hidden, 'hidden file')}`}</p>
          <Readers t={t} />
          <Missing t={t} />
        </div>
        <QR text={t.link} label={t.seal === 'open' ? 'QR code of the link with the key' : 'QR code of the link'} />
        <div class="handout-text">
          <Links t={t} commands />
          {t.own && <Elsewhere t={t} />}
          <h3>In a channel</h3>
          <Into id={t.id} sealed={!!t.seal} />
          <ul class="facts">
            <li><span class={`dot ${r}`} /><span>{network.value?.answer ?? reachable[r]} <a href="/network">More</a></span></li>
            <li>
              <span class={`dot ${t.seeds > 0 ? 'reachable' : 'unknown'}`} />
              <span>{t.seeds > 0 ? `${plural(t.seeds, 'connected peer has', 'connected peers have')} a complete copy.` : t.peers > 0 ? `${plural(t.peers, 'peer')} connected, none has a complete copy yet.` : 'No peers are connected yet.'}{t.uploaded > 0 && ` ${bytes(t.uploaded)} uploaded.`} <a href={`/t/${t.id}`}>Details</a></span>
            </li>
          </ul>
        </div>
      </section>
    </>
  )
}

function Mine(): JSX.Element | null {
  const mine = list.value.filter((t) => t.own && !t.channel).sort((a, b) => (a.added < b.added ? 1 : -1))
  if (mine.length === 0) return null
  return (
    <section>
      <h2 class="section">What you share</h2>
      <ul class="cards">
        {mine.slice(0, 60).map((t) => (
          <li key={t.id}>
            <a class="card link-card" href={`/share/${t.id}`}>
              <strong><bdi>{shown(nameOf(t))}</bdi><Lock t={t} /></strong>
              <span class="muted">{t.state === 'error' ? 'Problem' : t.state === 'hashing' ? `Reading, ${percent(t.bytes, t.total)}` : `${bytes(t.size)} · ${plural(t.peers, 'peer')} · ${bytes(t.uploaded)} uploaded`}</span>
            </a>
          </li>
        ))}
      </ul>
      {mine.length > 60 && <p class="muted">And {mine.length - 60} more in <a href="/?show=seeding">Transfers</a>.</p>}
    </section>
  )
}
