// The files of this device: they are copied to the node, which then shares them.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { bytes } from '../lib/format'
import { folderOf, given, type Given } from '../lib/drop'
import { shown } from '../lib/text'
import { go } from '../router'
import { Uploading } from './uploading'
import { chosen, upload } from '../state/uploads'
import { Button, Pick } from '../ui/basics'
import { Icon } from '../ui/icons'
import { Sealed, useSealed } from '../ui/sealed'
import { say } from '../words'

/** FromHere uploads files of this device to the node and shares them. */
export function FromHere(): JSX.Element {
  const files = chosen.value
  const folder = folderOf(files)
  const [typed, setTyped] = useState<{ for: Given[]; name: string }>()
  const [sealed, setSealed] = useSealed()
  const suggested = folder ?? (files.length === 1 ? files[0]!.path : say('share.device.several'))
  const name = typed?.for === files ? typed.name : suggested
  const begin = async (e: Event): Promise<void> => {
    e.preventDefault()
    const { give } = await import('../state/sending')
    const t = await give(files, name.trim() || suggested, sealed)
    if (t) go(`/share/${t.id}`)
  }
  if (upload.value) return <Uploading />
  if (files.length === 0) {
    return (
      <section class="card hero device">
        <div>
          <h2>{say('share.device')}</h2>
          <p class="muted">{say('share.device.note')}</p>
        </div>
        <div class="row wrap">
          <Pick multiple onFiles={(files) => { chosen.value = given(files) }}><Icon name="file" size={18} />{say('share.device.files')}</Pick>
          <Pick more={{ webkitdirectory: true }} onFiles={(files) => { chosen.value = given(files) }}><Icon name="folder" size={18} />{say('share.device.folder')}</Pick>
        </div>
      </section>
    )
  }
  return (
    <section class="card hero">
      <h2>{say('share.device.title')}</h2>
      <p class="muted">{say('share.device.copied', { n: files.length, size: bytes(files.reduce((n, f) => n + f.file.size, 0)) })}</p>
      <form class="stack" onSubmit={(e) => void begin(e)}>
        {(files.length > 1 || folder !== undefined) && (
          <label class="field">{say('share.device.name')}<input value={name} maxLength={150} onInput={(e) => setTyped({ for: files, name: e.currentTarget.value.replaceAll(/[/\\]/g, '') })} /></label>
        )}
        {files.length === 1 && folder === undefined && <p class="strong break"><bdi>{shown(files[0]!.path)}</bdi></p>}
        <Sealed on={sealed} set={setSealed} />
        <div class="row"><Button type="submit" variant="primary" icon="share">{say('share.device.do')}</Button><Button onClick={() => { chosen.value = [] }}>{say('share.device.others')}</Button></div>
      </form>
    </section>
  )
}
