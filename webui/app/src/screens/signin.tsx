// The sign-in screen.
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { Failure, message } from '../api/client'
import { signIn, spent } from '../state/session'
import { Button, Copyable, Problem } from '../ui/basics'
import { Mark } from '../ui/icons'
import { say } from '../words'

export function SignIn(): JSX.Element {
  const [password, setPassword] = useState('')
  const [problem, setProblem] = useState('')
  const [busy, setBusy] = useState(false)
  const submit = async (e: Event): Promise<void> => {
    e.preventDefault()
    if (!password) return
    setBusy(true)
    setProblem('')
    try {
      await signIn({ password })
    } catch (err) {
      setProblem(err instanceof Failure && err.status === 401
        ? say('signin.wrong') : message(err))
    } finally {
      setBusy(false)
    }
  }
  return (
    <main class="signin">
      <div class="signin-card">
        <div class="brand"><Mark size={40} /><span>shoal</span></div>
        <h1>{say('signin.title')}</h1>
        {spent.value && <Problem>{say('signin.spent')}</Problem>}
        <p>{say('signin.run')}</p>
        <Copyable text="shoal open" label={say('signin.command')} />
        <p class="muted">{say('signin.once')}</p>
        <hr />
        <form onSubmit={(e) => void submit(e)}>
          <label for="password">{say('signin.password')}</label>
          <div class="row">
            <input
              id="password" type="password" autocomplete="current-password" value={password}
              onInput={(e) => setPassword(e.currentTarget.value)}
            />
            <Button type="submit" variant="primary" disabled={busy || !password}>{say('signin.button')}</Button>
          </div>
          {problem && <Problem>{problem}</Problem>}
        </form>
      </div>
    </main>
  )
}
