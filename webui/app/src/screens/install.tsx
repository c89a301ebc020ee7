// The part of Settings about this page on this device: installing it, and magnet links.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { message } from '../api/client'
import { install, installed, ready, secure, takeMagnets, workerProblem } from '../state/install'
import { Button, Problem } from '../ui/basics'
import { say } from '../words'

export function Install(): JSX.Element {
  const [asked, setAsked] = useState('')
  const [problem, setProblem] = useState('')
  const magnets = (): void => {
    try {
      takeMagnets()
      setAsked(say('install.magnet.asked'))
      setProblem('')
    } catch (e) {
      setProblem(say('install.magnet.failed', { why: message(e) }))
    }
  }
  return (
    <section class="card stack install">
      <h2>{say('install.title')}</h2>
      {!secure() ? <p class="note">{say('install.insecure')}</p> : (
        <>
          {installed.value ? <p>{say('install.app.done')}</p>
            : ready.value ? <div class="row"><Button icon="down" onClick={() => void install()}>{say('install.app')}</Button></div>
              : <p class="muted">{say('install.app.how')}</p>}
          {'registerProtocolHandler' in navigator && <div class="row wrap"><Button icon="add" onClick={magnets}>{say('install.magnet')}</Button>{asked && <span class="muted" role="status">{asked}</span>}</div>}
          {problem && <Problem>{problem}</Problem>}
          {workerProblem.value && <Problem>{say('install.worker.failed', { why: workerProblem.value })}</Problem>}
        </>
      )}
    </section>
  )
}
