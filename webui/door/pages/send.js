(function () {
'use strict'
// Sends files by the tus protocol: what breaks off is continued where it was.
const $ = (id) => document.getElementById(id)
const form = $('send'), again = $('again'), base = form.dataset.base, words = JSON.parse(form.dataset.words)
// say writes a message.
const say = (key, values) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name])
if (!window.fetch || !window.XMLHttpRequest || !('slice' in Blob.prototype)) return

const most = 3 // files at once
const store = 'shoal ' + base // what was begun, to continue it after the page was closed
const queue = []
const all = []
let running = 0, arrived = 0, told = 0, locked = null, wake = null
let speed = 0, last = null

function begun() {
  try { return JSON.parse(localStorage.getItem(store)) || {} } catch (e) { return {} }
}
function remember(key, url) {
  try {
    const known = begun()
    if (url) known[key] = url
    else delete known[key]
    localStorage.setItem(store, JSON.stringify(known))
  } catch (e) { /* It then begins anew after the page was closed. */ }
}

function bytes(n) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB']
  let u = 0
  while (n >= 999.5 && u < units.length - 1) { n /= 1000; u++ }
  return (u === 0 || n >= 99.5 ? Math.round(n) : n >= 9.95 ? n.toFixed(1) : n.toFixed(2)) + '\u00a0' + units[u]
}
function span(s) {
  if (s < 60) return Math.max(1, Math.ceil(s)) + '\u00a0s'
  if (s < 5400) return Math.ceil(s / 60) + '\u00a0min'
  return Math.ceil(s / 3600) + '\u00a0h'
}
const encoded = (s) => {
  let b = ''
  for (const c of new TextEncoder().encode(s)) b += String.fromCharCode(c)
  return btoa(b)
}
const pause = (ms) => new Promise((done) => {
  const t = setTimeout(done, ms)
  wake = () => { clearTimeout(t); done() }
})
addEventListener('online', () => { if (wake) wake() })

// Trouble is an answer that trying again does not change.
class Trouble extends Error {}

function request(method, url, headers, body, progress, job) {
  return new Promise((done, failed) => {
    const r = new XMLHttpRequest()
    if (job) job.request = r
    r.open(method, url)
    r.setRequestHeader('Tus-Resumable', '1.0.0')
    for (const h in headers) r.setRequestHeader(h, headers[h])
    if (progress) r.upload.onprogress = (e) => progress(e.loaded)
    r.onload = () => done(r)
    r.onerror = r.ontimeout = () => failed(new Error(say('silent')))
    r.onabort = () => failed(new Trouble(say('stopped')))
    r.send(body)
  })
}

// unlocked waits until the password was given again.
function unlocked() {
  if (!locked) {
    locked = new Promise((done) => {
      again.hidden = false
      $('password').focus()
      again.onsubmit = async (e) => {
        e.preventDefault()
        const r = await fetch(base + 'unlock', { method: 'POST', body: new URLSearchParams({ password: $('password').value }) }).catch(() => null)
        $('password').value = ''
        if (!r || !r.ok) return
        again.hidden = true
        locked = null
        done()
      }
    })
  }
  return locked
}

// answer passes on what is no failure.
async function answer(r) {
  if (r.status < 300) return r
  if (r.status === 403) { await unlocked(); throw new Error(say('silent')) }
  const text = (r.getResponseHeader('Content-Type') || '').startsWith('text/plain') ? r.responseText.trim() : ''
  if (r.status === 404) throw new Trouble(say('ended'))
  if (r.status === 400 || r.status === 413 || r.status === 507) throw new Trouble(text || say('refused'))
  throw new Error(text || say('status', { n: r.status }))
}

async function where(job) {
  const r = await request('HEAD', job.url, {}, null, null, job)
  if (r.status === 404) { remember(job.key); job.url = job.nonce = ''; job.sent = 0; return begin(job) }
  await answer(r)
  job.sent = Number(r.getResponseHeader('Upload-Offset'))
}

async function begin(job) {
  // With the same key the node does not begin a file twice if its answer was lost.
  job.nonce = job.nonce || btoa(String.fromCharCode(...crypto.getRandomValues(new Uint8Array(16))))
  const meta = ['filename ' + encoded(job.file.name), 'modified ' + encoded(String(job.file.lastModified)), 'key ' + encoded(job.nonce)]
  if (job.path !== job.file.name) meta.push('relativePath ' + encoded(job.path))
  const r = await answer(await request('POST', base + 'files', { 'Upload-Length': String(job.file.size), 'Upload-Metadata': meta.join(',') }, null, null, job))
  job.url = r.getResponseHeader('Location')
  job.sent = 0
  remember(job.key, job.url)
}

async function send(job) {
  for (let tries = 0; ; tries++) {
    try {
      if (job.stopped) throw new Trouble(say('stopped'))
      if (job.url) await where(job)
      else await begin(job)
      if (job.sent < job.file.size) {
        const from = job.sent
        job.state = 'sending'
        const r = await request('PATCH', job.url, { 'Upload-Offset': String(from), 'Content-Type': 'application/offset+octet-stream' },
          job.file.slice(from), (n) => { if (n > 0) tries = 0; job.sent = from + n }, job)
        await answer(r)
        job.sent = Number(r.getResponseHeader('Upload-Offset'))
      }
      if (job.sent >= job.file.size) return
    } catch (e) {
      if (e instanceof Trouble) throw e
      job.state = 'waiting'
      job.why = e.message
      show()
      await pause(Math.min(30000, 500 * Math.pow(2, tries)))
    }
  }
}

async function work() {
  running++
  let job
  while ((job = queue.shift())) {
    if (job.stopped) continue
    try {
      await send(job)
      job.state = 'done'
      arrived++
      remember(job.key)
    } catch (e) {
      job.state = 'failed'
      job.why = e.message
    }
    show()
  }
  if (--running > 0 || arrived === told) return
  told = arrived
  await fetch(base + 'done', { method: 'POST' }).catch(() => null)
}

function add(files) {
  for (const file of files) {
    const path = file.webkitRelativePath || file.name
    const job = { file, path, key: [path, file.size, file.lastModified].join('|'), sent: 0, state: 'queued', why: '', url: '' }
    if (all.some((o) => o.key === job.key && o.state !== 'failed')) continue
    job.url = begun()[job.key] || ''
    const item = document.createElement('li'), name = document.createElement('bdi'), state = document.createElement('span'), button = document.createElement('button')
    name.textContent = path
    button.type = 'button'
    button.className = 'quiet'
    button.onclick = () => {
      if (job.state === 'failed') {
        job.state = 'queued'
        job.stopped = false
        queue.push(job)
        start()
      } else {
        job.stopped = true
        job.state = 'failed'
        job.why = say('stopped')
        if (job.request) job.request.abort()
        if (wake) wake()
      }
      show()
    }
    item.append(name, state, button)
    job.item = item
    job.line = state
    job.button = button
    all.push(job)
    queue.push(job)
    if (all.length <= 200) $('list').append(item)
  }
  $('work').hidden = all.length === 0
  start()
  show()
}

function start() {
  while (running < most && queue.length > 0) void work()
}

function text(job) {
  const part = say('part', { n: job.file.size ? Math.floor(job.sent / job.file.size * 100) : 100, size: bytes(job.file.size) })
  switch (job.state) {
    case 'sending': return part
    case 'waiting': return part + '. ' + job.why + '. ' + say('trying')
    case 'failed': return job.why
    case 'done': return say('done') + ', ' + bytes(job.file.size)
  }
  return say('waits') + ', ' + bytes(job.file.size)
}
const counted = (key, n) => say(n === 1 ? key + '1' : key, { n })

function show() {
  let sent = 0, total = 0, open = 0, failed = 0
  for (const job of all) {
    const line = text(job)
    if (job.line.textContent !== line) job.line.textContent = line
    job.item.className = job.state
    job.button.hidden = job.state === 'done'
    job.button.textContent = say(job.state === 'failed' ? 'retry' : 'stop')
    job.button.setAttribute('aria-label', job.button.textContent + ': ' + job.path)
    if (job.state === 'failed') { failed++; continue }
    sent += Math.min(job.sent, job.file.size)
    total += job.file.size
    if (job.state !== 'done') open++
  }
  $('bar').value = total ? sent / total : open ? 0 : 1
  const now = Date.now()
  if (last && now > last.at) speed = speed * 0.7 + Math.max(0, (sent - last.sent) * 1000 / (now - last.at)) * 0.3
  last = { at: now, sent }
  let line = say('total', { sent: bytes(sent), total: bytes(total) })
  if (open && speed > 1) line += ', ' + say('rate', { rate: bytes(speed), time: span((total - sent) / speed) })
  $('total').textContent = line
  const said = open ? counted('sending', open) : [arrived && counted('arrived', arrived), failed && counted('failed', failed)].filter(Boolean).join(' ')
  if ($('said').textContent !== said) $('said').textContent = said
}

form.onsubmit = (e) => {
  e.preventDefault()
  add($('files').files)
  $('files').value = ''
}
$('folders').hidden = !('webkitdirectory' in $('folder'))
$('folder').onchange = (e) => { add(e.target.files); e.target.value = '' }
document.ondragover = (e) => e.preventDefault()
document.ondrop = (e) => {
  e.preventDefault()
  // A dropped folder has no size and cannot be read here.
  const items = [...(e.dataTransfer.items || [])]
  add([...e.dataTransfer.files].filter((_, i) => !(items[i] && items[i].webkitGetAsEntry && (items[i].webkitGetAsEntry() || {}).isDirectory)))
}
addEventListener('beforeunload', (e) => { if (running > 0) e.preventDefault() })
setInterval(() => { if (running > 0) show() }, 1000)
})()
