// The form that shares a file or folder of the machine where the node runs.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { Failure, get, message, send } from '../api/client'
import type { Folder, Transfer } from '../api/types'
import { bytes } from '../lib/format'
import { shown } from '../lib/text'
import { go } from '../router'
import { put } from '../state/store'
import { seal } from '../state/uploads'
import { Button, Dialog, Problem, Working } from '../ui/basics'
import { Icon } from '../ui/icons'
import { Sealed, useSealed } from '../ui/sealed'
import { say } from '../words'

/** unconfirmed is the status of what the node does only when it is confirmed. */
const unconfirmed = 428

/** PathForm shares what is at a path on the node. */
export function PathForm(): JSX.Element {
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
        <Dialog title={say('share.confirm.title')} onClose={() => setQuestion('')}>
          <p class="break">{shown(question)}.</p>
          <footer>
            <Button onClick={() => setQuestion('')}>{say('share.confirm.cancel')}</Button>
            <Button variant="danger" onClick={() => void begin(true)}>{say('share.confirm.do')}</Button>
          </footer>
        </Dialog>
      )}
      <h2>{say('share.path.title')}</h2>
      <p class="muted">{say('share.path.note')}</p>
      <form class="stack" onSubmit={(e) => { e.preventDefault(); void begin(false) }}>
        <label for="share-path">{say('share.path.label')}</label>
        <div class="row">
          <input id="share-path" value={path} spellcheck={false} autocomplete="off" placeholder="/home/you/Pictures" onInput={(e) => setPath(e.currentTarget.value)} />
          <Button type="submit" variant="primary" icon="share" disabled={busy || !path.trim()}>{say('share.do')}</Button>
        </div>
        <Sealed on={sealed} set={setSealed} />
        {problem && <Problem>{problem}</Problem>}
        <Browse path={path} pick={setPath} />
        <details>
          <summary>{say('share.options')}</summary>
          <label class="field">{say('share.exclude')}
            <textarea rows={2} value={without} spellcheck={false} placeholder={say('share.exclude.example')} onInput={(e) => setWithout(e.currentTarget.value)} />
          </label>
          <label class="check"><input type="checkbox" checked={strict} onChange={(e) => setStrict(e.currentTarget.checked)} /><span>{say('share.strict')}<small>{say('share.strict.note')}</small></span></label>
          <label class="check"><input type="checkbox" checked={links} onChange={(e) => setLinks(e.currentTarget.checked)} /><span>{say('share.symlinks')}<small>{say('share.symlinks.note')}</small></span></label>
          <label class="check"><input type="checkbox" checked={quiet} onChange={(e) => setQuiet(e.currentTarget.checked)} /><span>{say('share.quiet')}<small>{say('share.quiet.note')}</small></span></label>
        </details>
      </form>
    </section>
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
  if (!folder) return problem ? <Problem>{problem}</Problem> : <Working>{say('share.browse.loading')}</Working>
  const join = (name: string): string => folder.path.replace(/\/$/, '') + '/' + name
  return (
    <div class="browse">
      <p class="row spread">
        <code class="break"><bdi>{shown(folder.path)}</bdi></code>
        <Button variant="quiet" onClick={() => pick(folder.path)}>{say('share.browse.this')}</Button>
      </p>
      {problem && <Problem>{problem}</Problem>}
      <ul tabIndex={0} aria-label={say('share.browse.label')}>
        {folder.parent && <li><button type="button" onClick={() => setAt(folder.parent!)}><Icon name="back" size={17} />{say('share.browse.parent')}</button></li>}
        {folder.entries.map((e) => (
          <li key={e.name}>
            <button type="button" aria-pressed={path === join(e.name)} onClick={() => (e.folder ? setAt(join(e.name)) : pick(join(e.name)))}>
              <Icon name={e.folder ? 'folder' : 'file'} size={17} /><bdi>{shown(e.name)}</bdi>
              {!e.folder && <span class="tree-size">{bytes(e.size)}</span>}
            </button>
            {e.folder && <Button variant="quiet" onClick={() => pick(join(e.name))}>{say('share.browse.select')}</Button>}
          </li>
        ))}
        {folder.entries.length === 0 && <li class="muted nothing">{say('share.browse.empty')}</li>}
        {!!folder.more && <li class="muted nothing">{say('share.browse.more', { n: folder.more })}</li>}
      </ul>
    </div>
  )
}
