// The screen that shows whether and how strangers can reach the node.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { message, send, sentence } from '../api/client'
import type { Health, Info, Network as Report, Proof } from '../api/types'
import { ago, bytes } from '../lib/format'
import { shown } from '../lib/text'
import { copy } from '../state/actions'
import { reach } from '../state/reach'
import { network, samples, stats } from '../state/store'
import { link, topics, watch } from '../state/stream'
import { toast } from '../state/toasts'
import { useFormer } from '../state/weblinks'
import { Button, Pair, Problem, Working } from '../ui/basics'
import { locale, say, sayParts, told, type Key } from '../words'
import { Speed } from './speed'

export function Network(): JSX.Element {
  const node = topics.value['node'] as { info: Info; health: Health } | undefined
  const [testing, setTesting] = useState(false)
  const live = link.value.state === 'live'
  const n = network.value
  useEffect(() => {
    watch(['node'])
    return () => watch([])
  }, [])
  const test = async (): Promise<void> => {
    setTesting(true)
    try {
      network.value = await send<Report>('POST', '/network/test')
    } catch (e) {
      toast(say('network.test.failed', { why: message(e) }), { bad: true })
    } finally {
      setTesting(false)
    }
  }
  if (!node || !n) return <div class="screen page"><div class="head"><h1>{say('network.title')}</h1></div>{!live ? <Problem>{say('network.silent')}</Problem> : <Working>{say('network.asking')}</Working>}</div>
  const { info, health } = node
  const r = reach.value
  const proof = n.addresses.find((a) => a.published && a.tcp === n.verdict && a.tcp !== 'unknown' && a.time)
  const diagnosis = JSON.stringify({ shoal: info.version, listen: info.listen, ...n, problems: health.problems }, null, 2)
  return (
    <div class="screen page">
      <div class="head">
        <h1>{say('network.title')}</h1>
        <div class="actions">
          <Button icon="verify" onClick={() => void test()} disabled={testing}>{say(testing ? 'network.testing' : 'network.test')}</Button>
          <Button icon="copy" onClick={() => void copy(diagnosis, say('network.copied'))}>{say('network.copy')}</Button>
        </div>
      </div>
      <section class={`card answer ${r}`}>
        <span class={`dot ${r}`} />
        <div>
          {n.warning && <p>{shown(told(n.warning, n.warning_text))}</p>}
          <h2>{shown(told(n.answer, n.answer_text))}</h2>
          {proof && <p class="proven">{say('network.answer.proven', { ago: ago(proof.time), evidence: shown(told(proof.evidence, proof.evidence_text)) })}</p>}
          <p>{shown(told(n.next, n.next_text))}</p>
          {testing && <Working>{say('network.testing.long')}</Working>}
        </div>
      </section>
      {health.problems.length > 0 && (
        <section class="card">
          <h2>{say('network.problems')}</h2>
          <ul class="facts">{health.problems.map((p, i) => <li key={p}><span class="dot unreachable" /><span>{shown(sentence(told(p, health.problem_texts?.[i])))}</span></li>)}</ul>
        </section>
      )}
      <Addresses n={n} />
      {n.web && <Web web={n.web} />}
      <section class="card">
        <h2>{say('network.speed')}</h2>
        <Speed live={samples} />
        {stats.value && (
          <dl class="pairs">
            <Pair name={say('network.connections')}>{stats.value.refused > 0 ? say('network.refused', { peers: say('count.peers', { n: stats.value.connections }), n: stats.value.refused }) : say('count.peers', { n: stats.value.connections })}</Pair>
            <Pair name={say('network.total')}>{say('network.totals', { down: bytes(stats.value.downloaded), up: bytes(stats.value.uploaded) })}</Pair>
          </dl>
        )}
      </section>
    </div>
  )
}

const proofs = { reachable: 'network.reachable', unreachable: 'network.unreachable', unknown: 'network.unknown' } as const satisfies Record<Proof, Key>

function Proven({ what, proof, evidence, time }: { what: string; proof: Proof; evidence: string | undefined; time: string | undefined }): JSX.Element {
  return (
    <td data-label={what}>
      <span class="proof"><span class={`dot ${proof}`} /><span>{say(proofs[proof])}</span></span>
      {(evidence || time) && <small class="break">{evidence && shown(evidence)}{time && `${evidence ? ', ' : ''}${ago(time)}`}</small>}
    </td>
  )
}

function Silent({ gateways }: { gateways: Report['gateways'] }): JSX.Element {
  return <>{gateways.map((g) => <li key={g.method}><span class="dot unknown" /><span>{g.method}<small class="break">{shown(told(g.error, g.error_text))}</small></span></li>)}</>
}

function Addresses({ n }: { n: Report }): JSX.Element {
  return (
    <>
      <section class="card">
        <h2>{say('network.addresses')}</h2>
        {n.addresses.length === 0 ? <p class="muted">{say('network.addresses.none')}</p> : (
          <div class="table-box" tabIndex={0} role="region" aria-label={say('network.addresses')}>
            <table class="stacked addresses">
              <thead><tr><th scope="col">{say('network.address')}</th><th scope="col">TCP</th><th scope="col">UDP</th></tr></thead>
              <tbody>
                {n.addresses.map((a) => (
                  <tr key={`${a.address} ${a.port} ${a.interface}`}>
                    <th scope="row">
                      <code class="break">[{a.address}]:{a.port}</code>
                      <span class="tags">
                        {a.published && <span class="tag good">{say('network.inlinks')}</span>}
                        <span class="tag">{a.scope}</span>{a.kind !== 'unknown' && <span class="tag">{a.kind}</span>}<span class="tag">{shown(a.interface)}</span>
                      </span>
                    </th>
                    <Proven what="TCP" proof={a.tcp} evidence={a.tcp === 'unknown' ? undefined : told(a.evidence, a.evidence_text)} time={a.tcp === 'unknown' ? undefined : a.time} />
                    <Proven what="UDP" proof={a.udp} evidence={told(a.udp_evidence, a.udp_evidence_text)} time={a.udp_time} />
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
      <div class="columns even">
        <section class="card">
          <h2>{say('network.pinholes')}</h2>
          {n.pinholes.length === 0 && <p class="muted">{say(n.gateways.length ? 'network.pinholes.refused' : 'network.pinholes.none')}</p>}
          <ul class="facts">
            {n.pinholes.map((p, i) => (
              <li key={i}>
                <span class={`dot ${p.error ? 'unreachable' : 'reachable'}`} />
                <span>
                  {p.protocol.toUpperCase()} <code>[{p.address}]:{p.port}</code>
                  <small>{p.error ? shown(told(p.error, p.error_text)) : say(p.until ? 'network.pinhole.until' : 'network.pinhole', { method: p.method, gateway: p.gateway, time: p.until ? new Date(p.until).toLocaleTimeString(locale.value, { hour: '2-digit', minute: '2-digit' }) : '' })}</small>
                </span>
              </li>
            ))}
            <Silent gateways={n.gateways} />
          </ul>
        </section>
        {n.ipv4 && (
          <section class="card">
            <h2>IPv4</h2>
            <ul class="facts">
              {n.ipv4.mapping && (
                <li>
                  <span class={`dot ${n.ipv4.mapping.error ? 'unreachable' : 'unknown'}`} />
                  <span>
                    {sayParts('network.ipv4.port', { at: <code>{n.ipv4.mapping.external}</code> })}
                    <small>{n.ipv4.mapping.error ? shown(told(n.ipv4.mapping.error, n.ipv4.mapping.error_text)) : say('network.ipv4.mapped', { to: n.ipv4.mapping.internal, method: n.ipv4.mapping.method })}</small>
                  </span>
                </li>
              )}
              {n.ipv4.addresses.map((a) => <li key={a}><span class="dot unknown" /><span><code>{a}</code> <span class="tag good">{say('network.inlinks')}</span></span></li>)}
              <Silent gateways={n.ipv4.gateways} />
            </ul>
          </section>
        )}
        <section class="card">
          <h2>DHT</h2>
          {!n.dht ? <p class="muted">{say('network.dht.off')}</p>
            : n.dht.problem ? <p class="bad-text">{shown(sentence(told(n.dht.problem, n.dht.problem_text)))}</p>
            : <p>{say('network.dht', { n: n.dht.nodes, good: n.dht.answering })}</p>}
          {n.seen.length > 0 && (
            <ul class="facts seen">
              {n.seen.map((s) => (
                <li key={s.address + s.by}><span>{sayParts('network.seen', { address: <code class="break">{s.address}</code> })}<small>{s.by === 'dht' ? say('network.seen.dht') : say('network.seen.peers', { n: s.count ?? 0 })}</small></span></li>
              ))}
            </ul>
          )}
        </section>
      </div>
    </>
  )
}

type Web = NonNullable<Report['web']>

const when = (time: string): string => new Date(time).toLocaleString(locale.value, { dateStyle: 'medium', timeStyle: 'short' })

/** certificate is how far the certificate of an address has come, in words. */
function certificate(state: Web['certificate']['state'], c: { until?: string; retry?: string; error?: string }, known: boolean): string {
  if (state === 'not-reachable') return say(!known ? 'network.cert.no-address' : c.error ? 'network.cert.no-entry' : 'network.cert.not-reachable')
  return say(`network.cert.${state}`, { until: c.until ? when(c.until) : '', retry: c.retry ? when(c.retry) : '' })
}

function Certificate({ state, c, at }: { state: Web['certificate']['state']; c: { until?: string; retry?: string; error?: string }; at: string | undefined }): JSX.Element {
  const still = c.until && Date.parse(c.until) > Date.now()
  const dot = state === 'issued' || state === 'own' ? 'reachable' : still || state === 'pending' || state === 'none' ? 'unknown' : 'unreachable'
  return (
    <li>
      <span class={`dot ${dot}`} />
      <span>
        {at && <code class="break">{at} </code>}
        {certificate(state, c, at !== undefined)}
        {c.error && <small class="break">{say('network.cert.words', { words: shown(c.error) })}</small>}
        {still && state !== 'issued' && state !== 'own' && <small>{say('network.cert.still', { until: when(c.until!) })}</small>}
        {c.retry && state !== 'limited' && <small>{say('network.cert.retry', { retry: when(c.retry) })}</small>}
      </span>
    </li>
  )
}

/** Web says how browsers get in, and whether what they get is encrypted. */
function Web({ web }: { web: Web }): JSX.Element {
  const dead = useFormer()
  const c = web.certificate
  const all = c.addresses ?? []
  return (
    <section class="card">
      <h2>{say('network.web')}</h2>
      <ul class="facts">
        {all.length > 0 ? all.map((a) => <Certificate key={a.address} state={a.state} c={a} at={a.address} />) : <Certificate state={c.state} c={c} at={undefined} />}
        {web.refused?.map((p) => <li key={p.port}><span class="dot unreachable" /><span>{say('network.web.port', { n: p.port })}<small class="break">{shown(told(p.error, p.error_text))}</small></span></li>)}
        {web.doors?.map((d) => (
          <li key={`${d.address} ${d.port}`}>
            <span class={`dot ${d.tcp}`} />
            <span>
              {sayParts('network.web.door', { at: <code class="break">[{d.address}]:{String(d.port)}</code> })}
              <small class="break">{say(proofs[d.tcp])}{d.evidence && `: ${shown(told(d.evidence, d.evidence_text))}, ${ago(d.time)}`}</small>
            </span>
          </li>
        ))}
      </ul>
      {dead.length > 0 && (
        <>
          <h3>{say('network.dead')}</h3>
          <ul class="facts">{dead.map((url) => <li key={url}><span class="dot unreachable" /><code class="break">{url}</code></li>)}</ul>
        </>
      )}
    </section>
  )
}
