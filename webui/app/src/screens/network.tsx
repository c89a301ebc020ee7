// The screen that shows whether and how strangers can reach the node.
import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { message, send } from '../api/client'
import type { Health, Info, Network as Report, Proof } from '../api/types'
import { ago, bytes, plural } from '../lib/format'
import { shown } from '../lib/text'
import { copy } from '../state/actions'
import { reach } from '../state/reach'
import { network, samples, stats } from '../state/store'
import { link, topics, watch } from '../state/stream'
import { toast } from '../state/toasts'
import { Button, Pair, Problem, Working } from '../ui/basics'
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
      toast(`The test failed: ${message(e)}`, { bad: true })
    } finally {
      setTesting(false)
    }
  }
  if (!node || !n) return <div class="screen page"><div class="head"><h1>Network</h1></div>{!live ? <Problem>The node does not answer. Is it running?</Problem> : <Working>Asking the node …</Working>}</div>
  const { info, health } = node
  const r = reach.value
  const proof = n.addresses.find((a) => a.published && a.tcp === n.verdict && a.tcp !== 'unknown' && a.time)
  const diagnosis = JSON.stringify({ shoal: info.version, listen: info.listen, ...n, problems: health.problems }, null, 2)
  return (
    <div class="screen page">
      <div class="head">
        <h1>Network</h1>
        <div class="actions">
          <Button icon="verify" onClick={() => void test()} disabled={testing}>{testing ? 'Testing …' : 'Test again'}</Button>
          <Button icon="copy" onClick={() => void copy(diagnosis, 'Diagnosis copied')}>Copy diagnosis</Button>
        </div>
      </div>
      <section class={`card answer ${r}`}>
        <span class={`dot ${r}`} />
        <div>
          {n.warning && <p>{shown(n.warning)}</p>}
          <h2>{shown(n.answer)}</h2>
          {proof && <p class="proven">Proven {ago(proof.time)}: {shown(proof.evidence)}</p>}
          <p>{shown(n.next)}</p>
          {testing && <Working>Asking the router and peers; this takes up to 25 seconds …</Working>}
        </div>
      </section>
      {health.problems.length > 0 && (
        <section class="card">
          <h2>Problems</h2>
          <ul class="facts">{health.problems.map((p) => <li key={p}><span class="dot unreachable" /><span>{shown(p.charAt(0).toUpperCase() + p.slice(1))}</span></li>)}</ul>
        </section>
      )}
      <Addresses n={n} />
      <section class="card">
        <h2>Speed</h2>
        <Speed live={samples} />
        {stats.value && (
          <dl class="pairs">
            <Pair name="Connections">{plural(stats.value.connections, 'peer')}{stats.value.refused > 0 && `, ${stats.value.refused.toLocaleString('en')} refused`}</Pair>
            <Pair name="Since the start">{bytes(stats.value.downloaded)} downloaded, {bytes(stats.value.uploaded)} uploaded</Pair>
          </dl>
        )}
      </section>
    </div>
  )
}

const proofs: Record<Proof, string> = { reachable: 'Reachable', unreachable: 'Not reachable', unknown: 'Unknown' }

function Proven({ what, proof, evidence, time }: { what: string; proof: Proof; evidence: string | undefined; time: string | undefined }): JSX.Element {
  return (
    <td data-label={what}>
      <span class="proof"><span class={`dot ${proof}`} /><span>{proofs[proof]}</span></span>
      {(evidence || time) && <small class="break">{evidence && shown(evidence)}{time && `${evidence ? ', ' : ''}${ago(time)}`}</small>}
    </td>
  )
}

function Silent({ gateways }: { gateways: Report['gateways'] }): JSX.Element {
  return <>{gateways.map((g) => <li key={g.method}><span class="dot unknown" /><span>{g.method}<small class="break">{shown(g.error)}</small></span></li>)}</>
}

function Addresses({ n }: { n: Report }): JSX.Element {
  return (
    <>
      <section class="card">
        <h2>Addresses</h2>
        {n.addresses.length === 0 ? <p class="muted">This machine has no address that others can reach.</p> : (
          <div class="table-box" tabIndex={0} role="region" aria-label="Addresses">
            <table class="stacked addresses">
              <thead><tr><th scope="col">Address</th><th scope="col">TCP</th><th scope="col">UDP</th></tr></thead>
              <tbody>
                {n.addresses.map((a) => (
                  <tr key={`${a.address} ${a.port} ${a.interface}`}>
                    <th scope="row">
                      <code class="break">[{a.address}]:{a.port}</code>
                      <span class="tags">
                        {a.published && <span class="tag good">in links</span>}
                        <span class="tag">{a.scope}</span>{a.kind !== 'unknown' && <span class="tag">{a.kind}</span>}<span class="tag">{shown(a.interface)}</span>
                      </span>
                    </th>
                    <Proven what="TCP" proof={a.tcp} evidence={a.tcp === 'unknown' ? undefined : a.evidence} time={a.tcp === 'unknown' ? undefined : a.time} />
                    <Proven what="UDP" proof={a.udp} evidence={a.udp_evidence} time={a.udp_time} />
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
      <div class="columns even">
        <section class="card">
          <h2>Pinholes in the router’s firewall</h2>
          {n.pinholes.length === 0 && <p class="muted">No pinholes are open: {n.gateways.length ? 'no router opened them on request.' : 'either none are needed, or no router answered.'}</p>}
          <ul class="facts">
            {n.pinholes.map((p, i) => (
              <li key={i}>
                <span class={`dot ${p.error ? 'unreachable' : 'reachable'}`} />
                <span>
                  {p.protocol.toUpperCase()} <code>[{p.address}]:{p.port}</code>
                  <small>{p.error ? shown(p.error) : `Opened by ${p.method} at ${p.gateway}${p.until ? `, renewed before ${new Date(p.until).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })}` : ''}`}</small>
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
                    Port of the router <code>{n.ipv4.mapping.external}</code>
                    <small>{n.ipv4.mapping.error ? shown(n.ipv4.mapping.error) : `Mapped to ${n.ipv4.mapping.internal} by ${n.ipv4.mapping.method}; nobody tests whether strangers get in`}</small>
                  </span>
                </li>
              )}
              {n.ipv4.addresses.map((a) => <li key={a}><span class="dot unknown" /><span><code>{a}</code> <span class="tag good">in links</span></span></li>)}
              <Silent gateways={n.ipv4.gateways} />
            </ul>
          </section>
        )}
        <section class="card">
          <h2>DHT</h2>
          {!n.dht ? <p class="muted">The DHT is off: peers are found only through links, trackers and the local network.</p>
            : n.dht.problem ? <p class="bad-text">{shown(n.dht.problem)}</p>
            : <p>{plural(n.dht.nodes, 'node')} known, {n.dht.answering.toLocaleString('en')} of them answered in the last 15 minutes.</p>}
          {n.seen.length > 0 && (
            <ul class="facts seen">
              {n.seen.map((s) => (
                <li key={s.address + s.by}><span>Others see this node as <code class="break">{s.address}</code><small>{s.by === 'dht' ? 'reported by the DHT' : s.count ? `reported by ${plural(s.count, 'peer')}` : 'reported by peers'}</small></span></li>
              ))}
            </ul>
          )}
        </section>
      </div>
    </>
  )
}
